//! SOUL.md as Markdown: a flat list of its blocks in order of the file, each with its place in the raw source.
//!
//! This is the only file that knows the Markdown parser. It decides nothing about grants; it keeps apart what a page
//! shows as it is written ([`Inline::Text`] that is `plain`) from what it shows otherwise. Nothing here recurses, so
//! that no nesting overflows the stack.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::source::Source;

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
    // Tables, strikethrough and footnotes are read because the pages on which people review a SOUL.md show them.
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let parser = Parser::new_ext(source.text, options);
    let definitions: Vec<Range<usize>> =
        parser.reference_definitions().iter().map(|(_, definition)| definition.span.clone()).collect();
    let mut builder = Builder { source, blocks: Vec::new(), open: Vec::new(), lists: Vec::new() };
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

struct Builder<'a> {
    source: &'a Source<'a>,
    blocks: Vec<Block>,
    /// The blocks that are open, innermost last.
    open: Vec<Open>,
    /// Of the lists that are open, whether they are ordered.
    lists: Vec<bool>,
}

/// An open block.
struct Open {
    index: usize,
    /// For an item: its own text is over, because another block began inside.
    over: bool,
    /// For code: where the last line of its content ends.
    content_end: usize,
}

impl Builder<'_> {
    fn block(shape: Shape, at: Range<usize>, depth: usize, foreign: bool) -> Block {
        Block { shape, at, depth, foreign, inlines: Vec::new(), shown: String::new() }
    }

    fn event(&mut self, event: Event<'_>, at: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, at),
            Event::End(tag) => self.end(tag, at),
            Event::Text(text) => {
                if let Some(open) = self.open.last_mut()
                    && let Some(Block { shape: Shape::Code { .. }, .. }) = self.blocks.get(open.index)
                {
                    open.content_end = at.end;
                    return;
                }
                let plain = *text == *self.source.slice(&at);
                self.escape_before(&at);
                self.show(&text);
                self.inline(Inline::Text { at, plain });
            }
            Event::Code(text) => {
                self.show(&text);
                let content = self.code_content(&at, &text);
                self.inline(match content {
                    Some(content) => Inline::Code { at, content },
                    None => Inline::Other { at, what: "code over more than one line" },
                });
            }
            Event::SoftBreak | Event::HardBreak => self.inline(Inline::Break { at }),
            Event::InlineHtml(_) => self.inline(Inline::Html { at }),
            Event::Html(_) => {}
            Event::Rule => self.leaf(Shape::Line, at),
            Event::FootnoteReference(_) => self.inline(Inline::Other { at, what: "a footnote" }),
            Event::InlineMath(_) | Event::DisplayMath(_) | Event::TaskListMarker(_) => {
                self.inline(Inline::Other { at, what: "markup" });
            }
        }
    }

    fn start(&mut self, tag: &Tag<'_>, at: Range<usize>) {
        let shape = match tag {
            Tag::Paragraph => {
                // The first paragraph of an item is the item's own text.
                if self.own_item().is_none() {
                    self.push(Shape::Paragraph, at);
                }
                return;
            }
            Tag::Heading { level, .. } => {
                let marks = self.source.slice(&at).trim_start_matches([' ', '\t']);
                let after = marks.trim_start_matches('#');
                let marked = after.len() < marks.len()
                    && (after.is_empty() || after.starts_with([' ', '\t', '\n', '\r']));
                Shape::Heading { level: *level as u8, marked }
            }
            Tag::Item => Shape::Item { ordered: self.lists.last().copied().unwrap_or(false) },
            Tag::List(first) => {
                self.close_tight_paragraph();
                self.close_text();
                self.lists.push(first.is_some());
                return;
            }
            Tag::BlockQuote(_) => Shape::Quote,
            Tag::CodeBlock(kind) => Shape::Code { closed: matches!(kind, CodeBlockKind::Indented) },
            Tag::HtmlBlock => Shape::Html,
            Tag::FootnoteDefinition(_) => Shape::Footnote,
            Tag::Table(_) => Shape::Table,
            Tag::TableHead | Tag::TableRow | Tag::TableCell => return,
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough => return self.inline(Inline::Emphasis { at }),
            Tag::Link { .. } => return self.inline(Inline::Other { at, what: "a link" }),
            Tag::Image { .. } => return self.inline(Inline::Other { at, what: "an image" }),
            _ => return self.inline(Inline::Other { at, what: "markup" }),
        };
        self.push(shape, at);
    }

    fn end(&mut self, tag: TagEnd, at: Range<usize>) {
        match tag {
            TagEnd::List(_) => {
                self.close_tight_paragraph();
                self.lists.pop();
            }
            TagEnd::Paragraph => {
                if self.top_shape() == Some(Shape::Paragraph) {
                    self.open.pop();
                } else {
                    self.close_text();
                }
            }
            TagEnd::CodeBlock => {
                if let Some(open) = self.open.pop() {
                    self.close_fence(&open, &at);
                }
            }
            TagEnd::Item | TagEnd::BlockQuote(_) | TagEnd::FootnoteDefinition => {
                self.close_tight_paragraph();
                self.open.pop();
            }
            TagEnd::Heading(_) | TagEnd::HtmlBlock | TagEnd::Table => {
                self.open.pop();
            }
            _ => {}
        }
    }

    /// A fence is closed if anything but content stands at its end: the closing line is no content.
    fn close_fence(&mut self, open: &Open, at: &Range<usize>) {
        let first_line_end = self.source.line_end(at.start);
        let rest = self.source.slice(&(open.content_end.max(first_line_end)..at.end));
        let is_closed = rest.contains("```") || rest.contains("~~~");
        if let Some(block) = self.blocks.get_mut(open.index)
            && let Shape::Code { closed } = &mut block.shape
        {
            *closed |= is_closed;
        }
    }

    fn push(&mut self, shape: Shape, at: Range<usize>) {
        self.close_tight_paragraph();
        self.close_text();
        let (depth, foreign) = self.around();
        self.open.push(Open { index: self.blocks.len(), over: false, content_end: 0 });
        self.blocks.push(Self::block(shape, at, depth, foreign));
    }

    fn leaf(&mut self, shape: Shape, at: Range<usize>) {
        self.push(shape, at);
        self.open.pop();
    }

    /// How many containers are open, and whether one of them is a quote or a footnote.
    fn around(&self) -> (usize, bool) {
        let Some(block) = self.open.last().and_then(|open| self.blocks.get(open.index)) else {
            return (0, false);
        };
        match block.shape {
            Shape::Item { .. } => (block.depth + 1, block.foreign),
            Shape::Quote | Shape::Footnote => (block.depth + 1, true),
            _ => (block.depth, block.foreign),
        }
    }

    fn top_shape(&self) -> Option<Shape> {
        Some(self.blocks.get(self.open.last()?.index)?.shape)
    }

    /// The innermost open block, if it is an item whose own text is not over.
    fn own_item(&self) -> Option<usize> {
        let open = self.open.last()?;
        let is_item = matches!(self.top_shape()?, Shape::Item { .. });
        (is_item && !open.over).then_some(open.index)
    }

    /// The innermost open block's own text is over.
    fn close_text(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.over = true;
        }
    }

    /// In a tight list the parser does not say where a paragraph ends: the next block ends it.
    fn close_tight_paragraph(&mut self) {
        if self.top_shape() == Some(Shape::Paragraph) {
            self.open.pop();
        }
    }

    fn inline(&mut self, inline: Inline) {
        // In a tight list the parser does not say either where a second paragraph of an item begins.
        if matches!(self.top_shape(), Some(Shape::Item { .. })) && self.own_item().is_none() {
            self.push(Shape::Paragraph, inline.at().clone());
        }
        if let Some(open) = self.open.last()
            && let Some(block) = self.blocks.get_mut(open.index)
        {
            block.inlines.push(inline);
        }
    }

    /// The parser leaves out the backslash of an escape: what it leaves out directly before a text is reported.
    fn escape_before(&mut self, at: &Range<usize>) {
        let last = self.open.last().and_then(|open| self.blocks.get(open.index)?.inlines.last());
        let from = match last {
            Some(Inline::Emphasis { at }) | Some(Inline::Other { at, .. }) => at.start,
            Some(inline) => inline.at().end,
            None => at.start.saturating_sub(1),
        };
        if from < at.start && self.source.slice(&(from..at.start)).ends_with('\\') {
            self.inline(Inline::Other { at: at.start - 1..at.start + 1, what: "a backslash escape" });
        }
    }

    fn show(&mut self, text: &str) {
        if let Some(open) = self.open.last()
            && let Some(block) = self.blocks.get_mut(open.index)
            && matches!(block.shape, Shape::Heading { .. })
        {
            block.shown.push_str(text);
        }
    }

    /// Where a code span's content stands: within the backticks, and within the one space on each side that a page
    /// does not show.
    fn code_content(&self, at: &Range<usize>, shown: &str) -> Option<Range<usize>> {
        let raw = self.source.slice(at);
        let ticks = raw.len() - raw.trim_start_matches('`').len();
        let inner = at.start + ticks..at.end.checked_sub(ticks)?;
        let padded = inner.start + 1..inner.end.saturating_sub(1);
        [inner, padded]
            .into_iter()
            .find(|place| place.start <= place.end && self.source.slice(place) == shown)
    }
}
