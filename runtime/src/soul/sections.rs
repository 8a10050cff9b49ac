//! Which block belongs to which of the four sections, and everything that only nearly is one.
//!
//! A section is `## Identity`, `## Rules`, `## Skills` or `## Channels`, once, to the letter. A heading that
//! nearly is one is an error: a person who reads it would believe that it grants or forbids something.

use super::diagnostic::{Findings, literal};
use super::hidden;
use super::outline::{Block, Inline, NESTING, Shape};
use super::source::Source;
use crate::grant::EntryError;

/// One of the sections that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Identity,
    Rules,
    Skills,
    Channels,
}

impl Section {
    const ALL: [Self; 4] = [Self::Identity, Self::Rules, Self::Skills, Self::Channels];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "Identity",
            Self::Rules => "Rules",
            Self::Skills => "Skills",
            Self::Channels => "Channels",
        }
    }
}

/// The blocks of each section, without its heading.
#[derive(Default)]
pub(super) struct Sections<'a> {
    pub(super) identity: Vec<&'a Block>,
    pub(super) rules: Vec<&'a Block>,
    pub(super) skills: Vec<&'a Block>,
    pub(super) channels: Vec<&'a Block>,
    /// The first heading of level one that is not the file's own name.
    pub(super) title: Option<String>,
    /// The heading `## Identity`.
    pub(super) identity_heading: Option<&'a Block>,
}

/// Sorts the blocks into sections and reports what hides, nests too deeply or nearly is a section.
pub(super) fn sort<'a>(
    blocks: &'a [Block],
    source: &Source<'_>,
    findings: &mut Findings<'_>,
) -> Sections<'a> {
    let mut sections = Sections::default();
    let mut current = None;
    let mut seen = Vec::new();
    let mut too_deep = false;
    let mut first_heading = true;
    for block in blocks {
        if block.depth > NESTING - usize::from(is_container(block.shape)) && !too_deep {
            too_deep = true;
            findings.error(
                at_start(block, format!("nested deeper than {NESTING} levels")).hint("write it flatter"),
            );
        }
        if let Shape::Heading { level, marked } = block.shape {
            let exact = exact(block, source).filter(|_| level == 2 && marked && block.depth == 0);
            let is_title = first_heading && level == 1 && block.depth == 0;
            first_heading = false;
            match exact {
                Some(section) if seen.contains(&section) => {
                    findings.error(
                        at_text(block, format!("a second section `## {}`", section.name()))
                            .hint("write everything under the first one: nothing is merged"),
                    );
                    current = None;
                    continue;
                }
                Some(section) => {
                    seen.push(section);
                    current = Some(section);
                    if section == Section::Identity {
                        sections.identity_heading = Some(block);
                    }
                    continue;
                }
                None => {
                    if let Some(section) = near(block, source, is_title).filter(|_| !block.foreign) {
                        let name = section.name();
                        let hint = if block.depth > 0 {
                            "start the line with `##`, without spaces before it".to_owned()
                        } else {
                            format!("write `## {name}`, or another heading")
                        };
                        let message = format!("{} is nearly the section `## {name}`", literal(&block.shown));
                        findings.error(at_text(block, message).hint(hint));
                    }
                    if level == 1 && sections.title.is_none() && !block.shown.starts_with("SOUL.md") {
                        sections.title =
                            Some(block.shown.trim().to_owned()).filter(|title| !title.is_empty());
                    }
                    if level <= 2 && block.depth == 0 {
                        current = None;
                    }
                }
            }
        }
        hidden::report(block, current, source, findings);
        match current {
            Some(Section::Identity) => sections.identity.push(block),
            Some(Section::Rules) => sections.rules.push(block),
            Some(Section::Skills) => sections.skills.push(block),
            Some(Section::Channels) => sections.channels.push(block),
            None => {}
        }
    }
    sections
}

fn is_container(shape: Shape) -> bool {
    matches!(shape, Shape::Item { .. } | Shape::Quote | Shape::Footnote)
}

/// An error at a block's first character.
pub(super) fn at_start(block: &Block, message: impl Into<String>) -> EntryError {
    EntryError::at(block.at.start..block.at.start + 1, message)
}

/// An error at a block's text.
pub(super) fn at_text(block: &Block, message: impl Into<String>) -> EntryError {
    match block.text() {
        Some(text) => EntryError::at(text, message),
        None => at_start(block, message),
    }
}

fn exact(block: &Block, source: &Source<'_>) -> Option<Section> {
    let [Inline::Text { at, plain: true }] = block.inlines.as_slice() else { return None };
    Section::ALL.into_iter().find(|section| section.name() == source.slice(at))
}

/// The section that a heading nearly is, by what the page shows or by what the source says.
fn near(block: &Block, source: &Source<'_>, is_title: bool) -> Option<Section> {
    let raw = block.text().map(|at| source.slice(&at)).unwrap_or_default();
    near_text(&block.shown, is_title).or_else(|| near_text(raw, is_title))
}

pub(super) fn near_text(text: &str, is_title: bool) -> Option<Section> {
    let text = text.to_lowercase();
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let length = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    let (first, rest) = text.split_at(length);
    let goes_on = rest.chars().any(char::is_alphanumeric);
    if is_title && goes_on {
        // `# Rules Lawyer` is what the agent is called.
        return None;
    }
    if first == "permissions" {
        return Some(Section::Skills);
    }
    if let Some(section) = Section::ALL.into_iter().find(|section| section.name().eq_ignore_ascii_case(first))
    {
        return Some(section);
    }
    // `## Rule of thumb` is another heading; `## Skils` and `## Skils (prod)` are not.
    let in_words = rest.trim_start().starts_with(char::is_alphanumeric);
    let length = first.chars().count();
    if in_words || !(4..=13).contains(&length) {
        return None;
    }
    let nearly = |name: &str| {
        let allowed = if name.len() <= 5 { 1 } else { 2 };
        strsim::damerau_levenshtein(first, name) <= allowed
    };
    if nearly("permissions") {
        return Some(Section::Skills);
    }
    Section::ALL.into_iter().find(|section| nearly(&section.name().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nearly_is_a_section_is_told_from_other_headings() {
        for (text, section) in [
            ("skills", Section::Skills),
            ("SKILLS", Section::Skills),
            ("Skils", Section::Skills),
            ("Skills:", Section::Skills),
            ("🛠 Skills", Section::Skills),
            ("Skills & Tools", Section::Skills),
            ("\u{405}kills", Section::Skills),
            ("Permissions", Section::Skills),
            ("Permisions", Section::Skills),
            ("Rules (prod)", Section::Rules),
            ("Rule", Section::Rules),
            ("Rulse", Section::Rules),
            ("Chanels", Section::Channels),
            ("Identiy (x)", Section::Identity),
        ] {
            assert_eq!(near_text(text, false), Some(section), "{text}");
        }
        for text in [
            "Core Identity",
            "Capabilities",
            "Tools",
            "Responsibilities",
            "Tone",
            "Rule of thumb",
            "Notes",
            "",
            "Rules2x9",
        ] {
            assert_eq!(near_text(text, false), None, "{text}");
        }
        assert_eq!(near_text("Rules Lawyer", true), None);
        assert_eq!(near_text("Skills", true), Some(Section::Skills));
    }
}
