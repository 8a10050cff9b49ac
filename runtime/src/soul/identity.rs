//! `## Identity`: who the agent is. The name is required, for it makes the id by which everything else knows
//! the agent.

use std::ops::Range;

use super::diagnostic::{Findings, literal};
use super::name;
use super::outline::Shape;
use super::sections::{Sections, at_start, at_text};
use super::skills::prose;
use super::source::Source;
use crate::grant::EntryError;
use crate::spelling;

/// What `## Identity` says.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: Option<String>,
    pub(super) model: Option<String>,
}

const LABELS: [&str; 3] = ["name", "role", "model"];

/// A value with the line and the place where it stands.
struct Field {
    label: &'static str,
    value: String,
    at: Range<usize>,
}

/// Reads the section.
pub(super) fn read(sections: &Sections<'_>, source: &Source<'_>, findings: &mut Findings<'_>) -> Identity {
    let mut fields: Vec<Field> = Vec::new();
    let mut near_name = None;
    let mut named = false;
    for block in &sections.identity {
        if !matches!(block.shape, Shape::Item { .. }) || block.foreign {
            continue;
        }
        let Some(text) = block.text() else { continue };
        let (label, value) = label_and_value(source, &text);
        let Some(label) = LABELS.into_iter().find(|known| *known == label) else {
            if spelling::nearest(&label, ["name"]).is_some() {
                near_name.get_or_insert(text);
            }
            continue;
        };
        let value_text = source.slice(&value);
        if value_text.starts_with('(') && value_text.ends_with(')') {
            // A template's `(placeholder)`.
            continue;
        }
        named |= label == "name";
        if block.depth > 0 {
            findings.error(
                at_text(block, format!("the {label} is nested in another bullet"))
                    .hint("write it on the top level"),
            );
            continue;
        }
        if value_text.is_empty() {
            findings.error(
                at_text(block, format!("the {label} is empty"))
                    .hint(format!("write `- {}: …`", capital(label))),
            );
        } else if value_text.contains('\n') {
            findings.error(
                EntryError::at(value, format!("the {label} is longer than one line"))
                    .hint("write it on one line"),
            );
        } else if fields.iter().any(|field| field.label == label) {
            findings.error(at_text(block, format!("a second {label}")).hint("delete one of the two"));
        } else if let Err(finding) = prose(block, &value, source) {
            findings.error(finding);
        } else {
            fields.push(Field { label, value: value_text.to_owned(), at: value });
        }
    }
    let mut take = |label: &str| {
        let index = fields.iter().position(|field| field.label == label)?;
        Some(fields.swap_remove(index))
    };
    let mut identity = Identity {
        role: take("role").map(|field| field.value),
        model: take("model").map(|field| field.value),
        ..Identity::default()
    };
    match take("name") {
        Some(field) => match name::agent_id(&field.value) {
            Ok(id) => {
                identity.id = id;
                identity.name = field.value;
            }
            Err(reason) => findings.error(
                EntryError::at(field.at, format!("the name {} makes no id: {reason}", literal(&field.value)))
                    .hint("a name is 1 to 64 ASCII letters, digits, single spaces and `-`"),
            ),
        },
        // A name that is wrong was reported on its line.
        None if named => {}
        None => {
            let finding = match (near_name, sections.identity_heading) {
                (Some(text), _) => EntryError::at(text, "the agent has no `Name`; is this meant to be it?"),
                (None, Some(heading)) => at_start(heading, "the agent has no `Name`"),
                (None, None) => EntryError::at(0..1, "no section `## Identity` gives the agent a `Name`"),
            };
            findings.error(finding.hint("write `- Name: …` under `## Identity`"));
        }
    }
    identity
}

/// The label in lower case and the place of the value, for `Label: value`, `**Label:** value` and `**Label**:
/// value`.
fn label_and_value(source: &Source<'_>, text: &Range<usize>) -> (String, Range<usize>) {
    let raw = source.slice(text);
    let Some(colon) = raw.find(':') else { return (String::new(), text.end..text.end) };
    let marks = ['*', '_'];
    let head = raw.get(..colon).unwrap_or_default();
    let label = head.trim_matches(marks).trim_matches(' ');
    let mut value = raw.get(colon + 1..).unwrap_or_default();
    let emphasised = head.len() - head.trim_start_matches(marks).len();
    if emphasised > head.len() - head.trim_end_matches(marks).len() {
        value = value.trim_start_matches(marks);
    }
    value = value.trim_start_matches([' ', '\t']);
    let start = text.end - value.len();
    (label.to_ascii_lowercase(), start..start + value.trim_end().len())
}

fn capital(label: &str) -> String {
    let mut characters = label.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}
