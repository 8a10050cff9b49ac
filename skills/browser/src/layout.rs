//! Text as it is collected from a page. The rule: as a browser shows it, a run of spaces is one, and a block
//! stands on lines of its own.

/// Text with its white space folded.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    text: String,
    /// What is due before the next word: nothing, a space, or this many line breaks.
    due: Due,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    #[default]
    Nothing,
    Space,
    Line,
    Paragraph,
}

impl Layout {
    /// Adds text of a page, or, if `preformatted`, text whose white space counts.
    pub(crate) fn text(&mut self, text: &str, preformatted: bool) {
        if preformatted {
            if !text.is_empty() {
                self.settle();
                self.text.push_str(text);
            }
            return;
        }
        for (index, word) in text.split(|c: char| c.is_ascii_whitespace()).enumerate() {
            if index > 0 {
                self.due = self.due.max(Due::Space);
            }
            if !word.is_empty() {
                self.settle();
                self.text.push_str(word);
            }
        }
    }

    /// Adds a mark, such as a bullet, that begins a line.
    pub(crate) fn mark(&mut self, mark: &str) {
        self.line();
        self.settle();
        self.text.push_str(mark);
    }

    /// What follows stands on a new line.
    pub(crate) fn line(&mut self) {
        self.due = self.due.max(Due::Line);
    }

    /// What follows stands after an empty line.
    pub(crate) fn paragraph(&mut self) {
        self.due = self.due.max(Due::Paragraph);
    }

    /// What follows is a cell beside what is there.
    pub(crate) fn cell(&mut self) {
        if self.due < Due::Line && !self.text.is_empty() {
            self.text.push_str(" | ");
            self.due = Due::Nothing;
        }
    }

    /// How much there is, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// What was added since there were `len` bytes, in one line.
    pub(crate) fn since(&self, len: usize) -> String {
        self.text.get(len..).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// All of it.
    pub(crate) fn finish(self) -> String {
        self.text.trim_end().to_owned()
    }

    fn settle(&mut self) {
        if !self.text.is_empty() {
            self.text.push_str(match self.due {
                Due::Nothing => "",
                Due::Space => " ",
                Due::Line => "\n",
                Due::Paragraph => "\n\n",
            });
        }
        self.due = Due::Nothing;
    }
}
