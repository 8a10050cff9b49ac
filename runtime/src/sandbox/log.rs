//! The log of one call: what the guest printed and what it wrote through `soulbound:skill/log`.
//!
//! A guest's standard output never reaches ours: on a stdio transport it would forge protocol messages, on a terminal
//! it would move the cursor. It ends up here, bounded, and is escaped when a person reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::visible;

/// Bytes that a call's log keeps.
pub(crate) const LOG_BYTES: usize = 64 << 10;
/// Bytes of one line; a longer one is cut there.
const LINE_BYTES: usize = 4 << 10;

/// One line of a call's log. The text is the guest's: show it through [`LogLine::shown`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// `stdout`, `stderr`, or the level that the guest named: `debug`, `info`, `warn`, `error`.
    pub source: &'static str,
    /// The line, without its newline, cut at 4 KiB; invalid UTF-8 is replaced.
    pub text: String,
}

impl LogLine {
    /// The line as a terminal may show it.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}: {}", self.source, visible::line(&self.text))
    }
}

/// Collects the lines of one call. Clones write to the same log.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallLog(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<LogLine>,
    kept: usize,
    dropped: u64,
    partial: [Vec<u8>; 2],
}

/// A guest's standard output or standard error.
#[derive(Debug, Clone)]
pub(crate) struct LogStream {
    log: CallLog,
    stderr: bool,
}

impl CallLog {
    /// A stream for the guest's standard output.
    pub(crate) fn stdout(&self) -> LogStream {
        LogStream { log: self.clone(), stderr: false }
    }

    /// A stream for the guest's standard error.
    pub(crate) fn stderr(&self) -> LogStream {
        LogStream { log: self.clone(), stderr: true }
    }

    /// Writes one line.
    pub(crate) fn line(&self, source: &'static str, text: &str) {
        self.lock().push(source, text.as_bytes());
    }

    /// So many bytes did not fit where they were printed.
    pub(crate) fn lost(&self, bytes: u64) {
        let mut lines = self.lock();
        lines.dropped = lines.dropped.saturating_add(bytes);
    }

    /// The lines, partial ones too, and the number of bytes that did not fit.
    pub(crate) fn finish(&self) -> (Vec<LogLine>, u64) {
        let mut lines = self.lock();
        for stderr in [false, true] {
            let partial = std::mem::take(lines.partial_mut(stderr));
            if !partial.is_empty() {
                lines.push(name(stderr), &partial);
            }
        }
        (std::mem::take(&mut lines.lines), lines.dropped)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line's source by its name: those that there are.
pub(crate) fn source(name: &str) -> Option<&'static str> {
    ["stdout", "stderr", "debug", "info", "warn", "error", "trap"].into_iter().find(|known| *known == name)
}

fn name(stderr: bool) -> &'static str {
    if stderr { "stderr" } else { "stdout" }
}

impl Lines {
    fn partial_mut(&mut self, stderr: bool) -> &mut Vec<u8> {
        let [stdout, err] = &mut self.partial;
        if stderr { err } else { stdout }
    }

    fn push(&mut self, source: &'static str, text: &[u8]) {
        // An empty line costs as much as its bookkeeping, so that a million of them are bounded too.
        let cost = text.len() + 16;
        if self.kept + cost.min(LINE_BYTES) > LOG_BYTES {
            self.dropped += text.len() as u64 + 1;
            return;
        }
        let kept = text.get(..LINE_BYTES).unwrap_or(text);
        self.dropped += (text.len() - kept.len()) as u64;
        self.kept += kept.len() + 16;
        self.lines.push(LogLine { source, text: String::from_utf8_lossy(kept).into_owned() });
    }

    fn print(&mut self, stderr: bool, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            let mut whole = std::mem::take(self.partial_mut(stderr));
            whole.extend_from_slice(line);
            self.push(name(stderr), &whole);
            bytes = rest.get(1..).unwrap_or_default();
        }
        let room = LINE_BYTES.saturating_sub(self.partial_mut(stderr).len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.dropped += (bytes.len() - kept.len()) as u64;
        self.partial_mut(stderr).extend_from_slice(kept);
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.2 is linked, and that asks for `p2_stream`.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.lock().print(self.stderr, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    /// What does not fit is dropped and counted: a full log is no reason for a guest to fail.
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(log: &CallLog, stderr: bool, text: &str) {
        let mut stream = if stderr { log.stderr() } else { log.stdout() };
        stream.write(Bytes::copy_from_slice(text.as_bytes())).unwrap();
    }

    #[test]
    fn lines_are_put_together_by_stream() {
        let log = CallLog::default();
        print(&log, false, "a");
        print(&log, true, "x\ny");
        print(&log, false, "b\nc");
        let (lines, dropped) = log.finish();
        let shown: Vec<String> = lines.iter().map(LogLine::shown).collect();
        assert_eq!(shown, ["stderr: x", "stdout: ab", "stdout: c", "stderr: y"]);
        assert_eq!(dropped, 0);
    }

    #[test]
    fn a_flood_is_bounded_and_counted() {
        let log = CallLog::default();
        print(&log, false, &"x".repeat(1 << 20));
        for _ in 0..100_000 {
            print(&log, true, "\n");
        }
        let (lines, dropped) = log.finish();
        let kept: usize = lines.iter().map(|line| line.text.len()).sum();
        assert!(kept <= LOG_BYTES && lines.len() <= LOG_BYTES / 16, "{kept} bytes, {} lines", lines.len());
        assert!(dropped >= (1 << 20) - LOG_BYTES as u64);
    }

    #[test]
    fn nothing_printed_moves_a_terminal() {
        let log = CallLog::default();
        print(&log, false, "\u{1b}[2J\u{202e}evil\r{\"jsonrpc\":\"2.0\"}\n");
        let (lines, _) = log.finish();
        let shown = lines.first().unwrap().shown();
        assert!(!shown.chars().any(visible::is_invisible), "{shown}");
    }
}
