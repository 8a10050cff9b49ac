//! SOUL.md as Markdown: a flat list of its blocks in order of the file, each with its place in the raw
//! source.
//!
//! This room is the only one that knows the Markdown parser. It decides nothing about grants; it keeps apart
//! what a page shows as it is written ([`Inline::Text`] that is `plain`) from what it shows otherwise.
//! Nothing here recurses, so that no nesting overflows the stack.

mod builder;

use std::ops::Range;

use pulldown_cmark::{Options, Parser};

use super::source::Source;
use builder::Builder;

/// Lists and quotes nest at most so deep.
pub(super) const NESTING: usize = 3;

/// A block of the page.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) shape: Shape,
    /// Its place, markers and everything inside included.
    pub(super) at: Range<usize>,
    /// List items, quotes and footnotes around it.
    pub(super) depth: usize,
    /// Whether one of these is a quote or a footnote.
    pub(super) foreign: bool,
    /// Its own text: of a list item, the first paragraph.
    pub(super) inlines: Vec<Inline>,
    /// A heading's text as the page shows it.
    pub(super) shown: String,
}

/// What kind of block it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A heading; `marked` if with `#`, not underlined.
    Heading {
        level: u8,
        marked: bool,
    },
    Item {
        ordered: bool,
    },
    Paragraph,
    /// A block of code; `closed` unless a fence has no end.
    Code {
        closed: bool,
    },
    Quote,
    Table,
    Html,
    Line,
    Footnote,
    /// `[label]: target`, which a page does not show at all.
    LinkDefinition,
}

/// A run of a block's text.
#[derive(Debug)]
pub(super) enum Inline {
    /// Text; `plain` if the page shows exactly the source.
    Text { at: Range<usize>, plain: bool },
    /// A code span; `content` is the place of what stands between the backticks.
    Code { at: Range<usize>, content: Range<usize> },
    /// Emphasis: shown without its markers, its text follows.
    Emphasis { at: Range<usize> },
    /// The text goes on in the next line.
    Break { at: Range<usize> },
    /// HTML.
    Html { at: Range<usize> },
    /// Anything else: a link, an image, a footnote's number, a backslash escape.
    Other { at: Range<usize>, what: &'static str },
}

impl Inline {
    pub(super) fn at(&self) -> &Range<usize> {
        match self {
            Self::Text { at, .. }
            | Self::Code { at, .. }
            | Self::Emphasis { at }
            | Self::Break { at }
            | Self::Html { at }
            | Self::Other { at, .. } => at,
        }
    }
}

impl Block {
    /// The place of its own text, from the first run to the last.
    pub(super) fn text(&self) -> Option<Range<usize>> {
        let start = self.inlines.first()?.at().start;
        let end = self.inlines.iter().map(|inline| inline.at().end).max()?;
        Some(start..end)
    }
}

/// All blocks of the source, in order.
pub(super) fn outline(source: &Source<'_>) -> Vec<Block> {
    // Tables, strikethrough and footnotes are read because the pages on which people review a SOUL.md show
    // them.
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let parser = Parser::new_ext(source.text, options);
    let definitions: Vec<Range<usize>> =
        parser.reference_definitions().iter().map(|(_, definition)| definition.span.clone()).collect();
    let mut builder = Builder::new(source);
    for (event, at) in parser.into_offset_iter() {
        builder.event(event, at);
    }
    let mut blocks = builder.blocks;
    for at in definitions {
        // In whichever container it stands: what matters is only that it is seen.
        blocks.push(Builder::block(Shape::LinkDefinition, at, 0, false));
    }
    blocks.sort_by_key(|block| block.at.start);
    blocks
}
