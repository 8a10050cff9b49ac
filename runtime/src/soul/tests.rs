//! SOUL.md from outside: the corpus of attacks, the messages that a person reads, and what no text may ever
//! do.

mod corpus;
mod hostile;
mod messages;
mod reading;
mod written_again;

use super::{Soul, SoulErrors};

/// Reads a text as `SOUL.md`.
fn soul(text: &str) -> Result<Soul, SoulErrors> {
    Soul::parse("SOUL.md", text.as_bytes())
}

/// Reads the lines below `## Skills` of an agent that is otherwise fine; the first of them is line 4.
fn skills(lines: &str) -> Result<Soul, SoulErrors> {
    soul(&format!("## Identity\n- Name: Echo\n## Skills\n{lines}"))
}

/// The line and message of every error.
fn errors(result: Result<Soul, SoulErrors>) -> Vec<(u32, String)> {
    match result {
        Ok(soul) => panic!("accepted: {soul:#?}"),
        Err(errors) => errors.errors.into_iter().map(|error| (error.line, error.message)).collect(),
    }
}
