//! A question to whoever sits at the terminal.
//!
//! The rule: no answer is no, and where nobody can be asked nothing is assumed.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::Result;

use crate::style::Style;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Yes.
    Yes,
    /// Anything else.
    No,
    /// There is no terminal to ask at.
    Nobody,
}

/// Asks, on standard error: standard output may be a document.
pub(super) fn ask(question: &str) -> Result<Heard> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(Heard::Nobody);
    }
    let mut err = io::stderr();
    write!(err, "\n{} [y/N] ", Style::stderr().bold(question))?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(if matches!(line.trim(), "y" | "Y" | "yes") { Heard::Yes } else { Heard::No })
}
