//! `search`: the lines that hold a text, below a directory. The rule: every way to make it endless (links,
//! depth, many files, large files, many hits) has a bound, and reaching one is said in the answer.

use std::fs;
use std::path::{Path, PathBuf};

use granted::{Failure, Kind, Level, log, quoted, report_progress};

use crate::bindings::{Findings, Match};

/// The most lines in an answer.
const MOST_MATCHES: usize = 100;
/// The most files that one search opens.
const MOST_FILES: u32 = 5_000;
/// The largest file that is searched, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;
/// How far down a search goes.
const DEEPEST: usize = 32;
/// How much of a line is shown, in characters.
const LONGEST_LINE: usize = 300;
/// Files between two reports of progress.
const FILES_A_REPORT: u32 = 64;

/// Searches `path`, a file or a directory, for lines that hold `text`.
pub(crate) fn search(path: &str, text: &str) -> Result<Findings, Failure> {
    if text.is_empty() || text.contains(['\n', '\r']) {
        return Err(Failure::new(Kind::InvalidArgument, "`text` must be part of one line and not empty"));
    }
    let metadata = fs::metadata(path).map_err(|error| Failure::from_io(&error, path))?;
    let mut search =
        Search { text, findings: Findings { matches: Vec::new(), searched: 0, skipped: 0, more: false } };
    if metadata.is_dir() {
        search.directory(Path::new(path), 0).map_err(|error| Failure::from_io(&error, path))?;
    } else {
        search.file(Path::new(path), metadata.len());
    }
    let findings = search.findings;
    log(
        Level::Info,
        &format!(
            "searched {} files below {}: {} lines, {} skipped",
            findings.searched,
            quoted(path),
            findings.matches.len(),
            findings.skipped
        ),
    );
    Ok(findings)
}

struct Search<'a> {
    text: &'a str,
    findings: Findings,
}

impl Search<'_> {
    /// Searches below `path`. Only the first directory's failure is the search's own.
    fn directory(&mut self, path: &Path, depth: usize) -> std::io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            entries.push((entry.path(), entry.file_type()?));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, file_type) in entries {
            if self.findings.more {
                break;
            }
            if file_type.is_file() {
                match fs::metadata(&path) {
                    Ok(metadata) => self.file(&path, metadata.len()),
                    Err(_) => self.findings.skipped += 1,
                }
            } else if !file_type.is_dir() || depth == DEEPEST || self.directory(&path, depth + 1).is_err() {
                // Links are not followed: one that leads up again would have no end.
                self.findings.skipped += 1;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, size: u64) {
        if self.findings.searched == MOST_FILES {
            self.findings.more = true;
            return;
        }
        if size > LARGEST_FILE {
            self.findings.skipped += 1;
            return;
        }
        // Not UTF-8 is an error of `read_to_string` too.
        let Ok(content) = fs::read_to_string(path) else {
            self.findings.skipped += 1;
            return;
        };
        self.findings.searched += 1;
        if self.findings.searched.is_multiple_of(FILES_A_REPORT) {
            report_progress(u64::from(self.findings.searched), None, Some("files searched"));
        }
        for (line, content) in (1..).zip(content.lines()) {
            if let Some(at) = content.find(self.text) {
                if self.findings.matches.len() == MOST_MATCHES {
                    self.findings.more = true;
                    return;
                }
                self.findings.matches.push(Match { path: shown(path), line, text: around(content, at) });
            }
        }
    }
}

fn shown(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}

/// At most 300 characters of `line` around byte `at`, with a mark where something is missing.
fn around(line: &str, at: usize) -> String {
    let before = line.get(..at).unwrap_or_default();
    let kept = before.chars().count().min(LONGEST_LINE / 3);
    let start = before.char_indices().rev().take(kept).last().map_or(at, |(at, _)| at);
    let rest = line.get(start..).unwrap_or_default();
    let end = rest.char_indices().nth(LONGEST_LINE).map_or(rest.len(), |(end, _)| end);
    let part = rest.get(..end).unwrap_or_default();
    let (head, tail) = (if start > 0 { "…" } else { "" }, if end < rest.len() { "…" } else { "" });
    format!("{head}{part}{tail}")
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn a_short_line_is_shown_whole() {
        assert_eq!(around("the policy of today", 4), "the policy of today");
    }

    #[test]
    fn a_long_line_is_cut_around_the_text_and_between_characters() {
        let line = format!("{}needle{}", "é".repeat(5_000), "ü".repeat(5_000));
        let shown = around(&line, 10_000);
        assert!(shown.starts_with("…é") && shown.ends_with("ü…") && shown.contains("éneedleü"));
        assert_eq!(shown.chars().count(), 302);
    }
}
