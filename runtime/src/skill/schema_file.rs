//! `schemas/<tool>.json`: what a skill's author says of a tool's arguments beyond what WIT types can.
//!
//! | module | answers |
//! |---|---|
//! | [`keywords`] | is this a schema, of keywords that are enforced here? |
//! | [`parts`] | which schemas stand inside a schema, and what is each about? |
//! | [`references`] | does every `$ref` stay in the file, without a circle, and how large is it all, followed? |
//! | [`shape`] | what does WIT take at a place? |
//! | [`agreement`] | does the file say nothing that WIT contradicts? |
//! | [`headers`] | may the parameters that it wants in headers stand there? |
//! | [`conjunction`] | both together, the generated schema and the author's, as one |
//! | [`cost`] | what would it take to hold these arguments against it? |
//! | [`enforced`] | the schema compiled, and held against arguments |
//!
//! The file only narrows: WIT's own types are checked in any case, and what is shown to a client is what is enforced.
//! Nothing in it is read and ignored: a keyword that is not enforced is an error. The file comes from the skill's author and
//! is read before anybody trusts it, so each step is bounded before the next one begins.

mod agreement;
mod conjunction;
mod cost;
mod enforced;
mod headers;
mod keywords;
mod parts;
mod references;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::Value;

pub(crate) use enforced::EnforcedSchema;
pub use headers::asks_for_headers;

use crate::sandbox::value::parse_strictly;
use crate::skill::{Inspection, SkillFolder, Tool};
use crate::spelling;
use crate::visible;

/// The largest file, in bytes.
const FILE_BYTES: usize = 64 << 10;

/// Why a file in `schemas/` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}`{}: {message}", file.display(), shown(place))]
#[non_exhaustive]
pub struct SchemaError {
    /// The file.
    pub file: PathBuf,
    /// Where in it, as a JSON pointer; empty for all of it.
    pub place: String,
    /// What is wrong, and what would be right. What the file says is escaped.
    pub message: String,
}

fn shown(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" at `{}`", visible::line(place)) }
}

/// What is wrong at a place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    place: String,
    message: String,
}

impl Fault {
    fn new(place: &str, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), message: message.into() }
    }
}

/// Reads a skill's `schemas/`, puts what they say into the tools' input schemas, and gives back what is to be enforced at each
/// call, by the tool's name.
///
/// # Errors
///
/// The first file that belongs to no tool, is no schema, or contradicts the tool's WIT types.
pub(crate) fn apply(
    folder: &SkillFolder,
    inspection: &mut Inspection,
) -> Result<HashMap<String, EnforcedSchema>, SchemaError> {
    let mut enforced: HashMap<String, EnforcedSchema> = HashMap::new();
    for (path, bytes) in folder.schemas() {
        let error = |fault: Fault| SchemaError {
            file: folder.path.join(path),
            place: fault.place,
            message: fault.message,
        };
        let tool = tool(path, inspection).map_err(|message| error(Fault::new("", message)))?;
        if enforced.contains_key(&tool) {
            return Err(error(Fault::new("", format!("the tool `{tool}` has another file already"))));
        }
        let Some(tool) = inspection.tools.iter_mut().find(|one| one.name == tool) else { continue };
        let schema = read(path, bytes, tool).map_err(error)?;
        tool.input_schema = schema.document().clone();
        enforced.insert(tool.name.clone(), schema);
    }
    Ok(enforced)
}

/// The name of the tool that a file of `schemas/` is for.
fn tool(path: &str, inspection: &Inspection) -> Result<String, String> {
    let name = path.strip_prefix("schemas/").and_then(|name| name.strip_suffix(".json"));
    let Some(name) = name.filter(|name| !name.contains('/')) else {
        return Err(
            "`schemas/` holds a file `TOOL.json` for each tool that has one, and nothing else".to_owned()
        );
    };
    if let Some(tool) = inspection.tool(name) {
        return Ok(tool.name.clone());
    }
    let names = || inspection.tools.iter().map(|tool| tool.name.as_str());
    Err(match spelling::nearest(name, names()) {
        Some(near) => format!("the component exports no tool of this name; did you mean `{near}.json`?"),
        None => format!(
            "the component exports no tool of this name; its tools are `{}`",
            names().collect::<Vec<_>>().join("`, `")
        ),
    })
}

/// A file's bytes as the schema that is enforced for this tool.
fn read(path: &str, bytes: &[u8], tool: &Tool) -> Result<EnforcedSchema, Fault> {
    let whole = |message: String| Fault::new("", message);
    if bytes.len() > FILE_BYTES {
        return Err(whole(format!("it has {} bytes, {FILE_BYTES} are allowed", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|bad| whole(format!("it is not UTF-8: {bad}")))?;
    // A key that stands twice is an error: reviewer and host would each read another one.
    let author: Value = parse_strictly(text)
        .map_err(|bad| whole(format!("it does not parse: {}", visible::line(&bad.to_string()))))?;
    keywords::check(&author)?;
    references::check(&author)?;
    agreement::check(&author, &tool.input_schema)?;
    let both = conjunction::of(&tool.input_schema, &author);
    headers::check(&both)?;
    EnforcedSchema::compile(both, path)
}
