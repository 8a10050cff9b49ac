//! From the Markdown parser's events to blocks: which block is open, where an item's own text ends, what the
//! parser leaves out.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

use super::{Block, Inline, Shape};
use crate::soul::source::Source;

/// Collects the blocks of one source. An event costs the same however deep it stands.
pub(super) struct Builder<'a> {
    source: &'a Source<'a>,
    pub(super) blocks: Vec<Block>,
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

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Self {
        Self { source, blocks: Vec::new(), open: Vec::new(), lists: Vec::new() }
    }

    pub(super) fn block(shape: Shape, at: Range<usize>, depth: usize, foreign: bool) -> Block {
        Block { shape, at, depth, foreign, inlines: Vec::new(), shown: String::new() }
    }

    pub(super) fn event(&mut self, event: Event<'_>, at: Range<usize>) {
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

    /// The parser leaves out the backslash of an escape: what it leaves out directly before a text is
    /// reported.
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

    /// Where a code span's content stands: within the backticks, and within the one space on each side that a
    /// page does not show.
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
