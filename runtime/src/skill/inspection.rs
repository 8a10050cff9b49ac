//! What a component says of itself: its imports, which are its request for authority, and its tools.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was read from a component, and from the `wit/` folder beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The world's name, such as `root:component/root`, or that of the world in `wit/`.
    pub world: String,
    /// Everything that it imports, in the order of the component.
    pub imports: Vec<Import>,
    /// Everything that it exports and that may be called, in the order of the world.
    pub tools: Vec<Tool>,
    /// Exports that are no tools, each with the reason: a language runtime's plumbing, resources.
    pub not_tools: Vec<(String, String)>,
    /// The component's world as WIT text.
    pub wit: String,
}

/// One import of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The exact name, such as `wasi:filesystem/types@0.2.6`. Chosen by the component's author.
    pub interface: String,
    /// What kind of thing is imported: `instance`, `func`, `type`, …
    pub kind: String,
    /// The functions of it that the component declares to use.
    pub functions: Vec<String>,
}

/// One exported function that may be called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// `function`, or `interface.function` for a function of an exported interface.
    pub name: String,
    /// The exported interface, such as `example:calc/operations@1.0.0`; none for a function of the world itself.
    pub interface: Option<String>,
    /// The function.
    pub function: String,
    /// The doc comment of the WIT; empty without one.
    pub description: String,
    /// The parameters, in order.
    pub parameters: Vec<String>,
    /// JSON Schema (draft 2020-12) of the arguments: an object with one property a parameter.
    pub input_schema: Value,
    /// JSON Schema of the result: for a `result<T, E>`, of `T`.
    pub output_schema: Value,
    /// Whether the result is a `list<content>` of `soulbound:skill/content`: pieces to be shown each as what it is.
    pub returns_content: bool,
}

impl Inspection {
    /// The tool that a caller means: by its name, or by the bare function's where that is unambiguous.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        if let Some(exact) = self.tools.iter().find(|tool| tool.name == name) {
            return Some(exact);
        }
        let mut bare = self.tools.iter().filter(|tool| tool.function == name);
        match (bare.next(), bare.next()) {
            (Some(tool), None) => Some(tool),
            _ => None,
        }
    }
}
