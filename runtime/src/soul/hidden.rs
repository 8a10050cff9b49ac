//! What would hide something from a reader, or seem to him to be a heading: fences and HTML that stay open,
//! HTML inside a section, `##Skills` without its space.
//!
//! None of it grants anything; all of it could make a page show other sections than the ones that are read.

use super::diagnostic::{Findings, literal};
use super::html::{self, Html};
use super::outline::{Block, Inline, Shape};
use super::sections::{Section, at_start, near_text};
use super::source::Source;
use crate::grant::EntryError;

/// Reports what a block hides; `current` is the section that it stands in.
pub(super) fn report(
    block: &Block,
    current: Option<Section>,
    source: &Source<'_>,
    findings: &mut Findings<'_>,
) {
    unspaced(block, source, findings);
    swallowed(block, current, source, findings);
}

/// Reports `##Skills`, which is no heading, so that what follows it belongs to the section before.
fn unspaced(block: &Block, source: &Source<'_>, findings: &mut Findings<'_>) {
    if block.foreign || matches!(block.shape, Shape::Heading { .. }) {
        return;
    }
    let mut at_line_start = true;
    for inline in &block.inlines {
        let text = source.slice(inline.at());
        if at_line_start
            && matches!(inline, Inline::Text { .. })
            && text.starts_with('#')
            && let Some(section) = near_text(text, false)
        {
            findings.error(
                EntryError::at(inline.at().clone(), format!("{} is no heading", literal(text)))
                    .hint(format!("write `## {}`, with a space", section.name())),
            );
        }
        at_line_start = matches!(inline, Inline::Break { .. });
    }
}

/// Reports what would hide something from a reader: fences and HTML that stay open, HTML in a section.
fn swallowed(block: &Block, current: Option<Section>, source: &Source<'_>, findings: &mut Findings<'_>) {
    match block.shape {
        Shape::Code { closed: false } => {
            findings.error(
                at_start(block, "a code fence that is never closed: it swallows what follows")
                    .hint("close it with a line of the same fence"),
            );
        }
        Shape::Html => {
            let text = source.slice(&block.at);
            let start = block.at.start..block.at.start + 1;
            match (html::read(text), current) {
                (Html::Open(what), _) => {
                    findings.error(
                        EntryError::at(start, format!("{what}: it could hide what follows"))
                            .hint("delete it"),
                    );
                }
                (Html::Closed, Some(section)) => {
                    findings.error(
                        EntryError::at(start, format!("HTML in the section `## {}`", section.name()))
                            .hint("write Markdown: what a reviewer sees and what is read must be the same"),
                    );
                }
                (Html::Comments | Html::Closed, _) if html::holds_bullets(text) => {
                    findings.warn(
                        EntryError::at(start, "bullets inside HTML are not read")
                            .hint("delete them, or take them out of the HTML"),
                    );
                }
                _ => {}
            }
        }
        _ => {
            let pieces: Vec<&Inline> =
                block.inlines.iter().filter(|inline| matches!(inline, Inline::Html { .. })).collect();
            let Some(first) = pieces.first() else { return };
            let text: String = pieces.iter().map(|inline| source.slice(inline.at())).collect();
            if let Some(section) = current {
                findings.error(
                    EntryError::at(
                        first.at().clone(),
                        format!("HTML in the section `## {}`", section.name()),
                    )
                    .hint("put it in backticks, or write Markdown"),
                );
            } else if let Html::Open(what) = html::read(&text) {
                findings.error(
                    EntryError::at(first.at().clone(), format!("{what}: it could hide what follows"))
                        .hint("put it in backticks"),
                );
            }
        }
    }
}
