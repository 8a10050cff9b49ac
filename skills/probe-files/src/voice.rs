//! Every way by which a guest's words reach people and records.

use std::io::Write;

use crate::bindings::Voice;
use crate::bindings::soulbound::skill::log::{Level, log};
use crate::bindings::soulbound::skill::progress::report;

/// Says it. A stream that takes no more is the host's business.
#[expect(clippy::panic, reason = "the message of a panic is one of the ways")]
pub(crate) fn say(text: String, by: Voice) -> Result<String, String> {
    match by {
        Voice::Out => {
            // What does not end a line would stay in the buffer, and be gone with it.
            let mut out = std::io::stdout();
            drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        }
        Voice::Err => drop(std::io::stderr().write_all(text.as_bytes())),
        Voice::Log => log(Level::Error, &text),
        Voice::Progress => report(1, Some(2), Some(&text)),
        Voice::Answer => return Ok(text),
        Voice::Failure => return Err(text),
        Voice::Panic => panic!("{text}"),
    }
    Ok("said".to_owned())
}
