//! Too much output, or output that is not what it seems.

use std::io::Write;

use crate::bindings::Stream;
use crate::bindings::soulbound::skill::log::{Level, log};
use crate::bindings::soulbound::skill::progress::report;

/// A stream that takes no more is the host's business; the tool goes on.
pub(crate) fn write(to: Stream, bytes: &[u8]) {
    let _ = match to {
        Stream::Out => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
        Stream::Err => std::io::stderr().write_all(bytes),
    };
}

pub(crate) fn print(bytes: u64, to: Stream) {
    let chunk = [b'x'; 4096];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(chunk.len() as u64);
        write(to, &chunk[..now as usize]);
        left -= now;
    }
}

pub(crate) fn print_singly(count: u32) {
    for _ in 0..count {
        write(Stream::Out, b"x");
    }
}

pub(crate) fn print_lines(count: u32) {
    for line in 0..count {
        write(Stream::Out, format!("line {line}\n").as_bytes());
    }
}

pub(crate) fn log_flood(count: u32) {
    for line in 0..count {
        log(Level::Info, &format!("line {line}"));
    }
}

pub(crate) fn log_text(text: &str) {
    log(Level::Warn, text);
}

pub(crate) fn progress_flood(count: u64) {
    for done in 0..count {
        report(done, Some(count), Some("flooding"));
    }
}
