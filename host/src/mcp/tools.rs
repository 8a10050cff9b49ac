//! A tool as a client sees it: name, description, schemas, and annotations that come from its imports and its grant.
//!
//! The revisions up to 2025-11-25 want an object as the output schema, and as the structured content. What is none
//! stands in one, under `result`: in the schema here, in the content in [`super::answer`], by the same [`Shape`].

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::gateway::offer::OfferedTool;

/// How a tool's result becomes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It is one.
    Object,
    /// It stands under `result`.
    Wrapped,
}

impl Shape {
    /// Of a tool with this output schema.
    pub(crate) fn of(output_schema: &Value) -> Self {
        match output_schema.get("type").and_then(Value::as_str) {
            Some("object") => Self::Object,
            _ => Self::Wrapped,
        }
    }

    /// A result, as an object.
    pub(crate) fn content(self, result: Value) -> Value {
        match self {
            Self::Object => result,
            Self::Wrapped => json!({ "result": result }),
        }
    }

    /// The schema of what [`Shape::content`] makes.
    fn schema(self, output_schema: &Value) -> Value {
        match self {
            Self::Object => output_schema.clone(),
            Self::Wrapped => json!({
                "type": "object",
                "properties": {"result": output_schema},
                "required": ["result"],
                "additionalProperties": false,
            }),
        }
    }
}

/// The tool as it stands in `tools/list`.
pub(crate) fn listed(offered: &OfferedTool) -> Tool {
    let (tool, skill) = (&offered.tool, &offered.skill);
    let description =
        if tool.description.is_empty() { skill.purpose.clone() } else { tool.description.clone() };
    let title = format!("{}: {}", skill.name, tool.name);
    let may = skill.bound.annotations();
    let annotations = ToolAnnotations::with_title(title.clone())
        .read_only(may.read_only_hint)
        .destructive(may.destructive_hint)
        .idempotent(may.idempotent_hint)
        .open_world(may.open_world_hint);
    let listed = Tool::new(Cow::Owned(offered.name.clone()), description, object(tool.input_schema.clone()))
        .with_title(title)
        .with_annotations(annotations);
    if tool.returns_content {
        // Its result is content blocks, which no schema describes.
        return listed;
    }
    listed.with_raw_output_schema(object(Shape::of(&tool.output_schema).schema(&tool.output_schema)))
}

/// The runtime's schemas are objects; anything else would be the schema that everything fits.
fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(map) => Arc::new(map),
        _ => Arc::new(JsonObject::new()),
    }
}
