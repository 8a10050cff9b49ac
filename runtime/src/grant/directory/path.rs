//! The paths of a directory's entry: how they are quoted, and what they must not hold.
//!
//! Nothing is expanded, folded or guessed. A path that could mean two things is refused, with words of its
//! own.

use std::ops::Range;

use super::DirectoryMode;
use crate::grant::EntryError;

/// Directories of the kernel's own files, which hold the environment and the memory of every process.
const KERNEL: [(&str, &str); 3] =
    [("/proc", "the kernel's view of every process"), ("/sys", "the kernel's settings"), ("/dev", "devices")];

/// A path of an entry, without its backticks.
pub(super) struct Written<'a> {
    pub(super) text: &'a str,
    /// Its place in the entry, backticks included.
    pub(super) at: Range<usize>,
    is_literal: bool,
}

/// Goes through an entry from word to word.
pub(super) struct Words<'a> {
    entry: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(entry: &'a str) -> Self {
        Self { entry, at: 0 }
    }

    fn rest(&mut self) -> &'a str {
        let rest = self.entry.get(self.at..).unwrap_or_default();
        let word = rest.trim_start_matches([' ', '\t']);
        self.at += rest.len() - word.len();
        word
    }

    /// The next word: up to a space.
    pub(super) fn word(&mut self) -> Range<usize> {
        let rest = self.rest();
        let start = self.at;
        self.at += rest.find([' ', '\t']).unwrap_or(rest.len());
        start..self.at
    }

    /// The next path: a word, or what stands in backticks.
    pub(super) fn path(&mut self, expected: &str) -> Result<Written<'a>, EntryError> {
        let rest = self.rest();
        let start = self.at;
        if let Some(quoted) = rest.strip_prefix('`') {
            let error =
                || EntryError::at(start..self.entry.len(), "a backtick without its partner").hint("close it");
            let length = quoted.find('`').ok_or_else(error)?;
            self.at += length + 2;
            let after = self.entry.get(self.at..).unwrap_or_default();
            if !after.is_empty() && !after.starts_with([' ', '\t']) {
                return Err(EntryError::at(
                    start..self.entry.len(),
                    "text directly after a path in backticks",
                )
                .hint("put the whole path in one pair of backticks"));
            }
            let text = quoted.get(..length).unwrap_or_default();
            return Ok(Written { text, at: start..self.at, is_literal: true });
        }
        let at = self.word();
        let text = self.entry.get(at.clone()).unwrap_or_default();
        if text.is_empty() {
            return Err(
                EntryError::whole(self.entry, format!("expected {expected}")).hint("such as `./documents`")
            );
        }
        Ok(Written { text, at, is_literal: false })
    }
}

pub(super) fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '/')
}

pub(super) fn normal(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// Whether a path has a component that starts with a dot: a grant without `(hidden)` does not reach it.
pub(super) fn names_hidden(path: &std::path::Path) -> bool {
    path.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
}

pub(super) fn last_component(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What no path may hold, in backticks or not.
fn check_characters(path: &Written<'_>) -> Result<(), EntryError> {
    let error = |message: String, hint: &str| Err(EntryError::at(path.at.clone(), message).hint(hint));
    let text = path.text;
    if let Some(odd) = text.chars().find(|c| !c.is_ascii() || c.is_ascii_control()) {
        let code = u32::from(odd);
        return error(format!("a path holds U+{code:04X}"), "use a directory whose path is printable ASCII");
    }
    if text.contains('\\') {
        return error("a path holds a backslash".into(), "separate directories with `/`");
    }
    if text.starts_with('~') {
        return error(
            "`~` is not a directory: nothing is expanded".into(),
            "write the path in full, or `./~` for that very name",
        );
    }
    if text.trim() != text || text.is_empty() {
        return error("a path is empty, or starts or ends with a space".into(), "write the path without it");
    }
    if path.is_literal {
        // Literal, this would be a directory `b` in a directory `a as `: nobody means that.
        if text.contains(" as /") || text.ends_with(" (hidden)") {
            return error("`as` or `(hidden)` inside the backticks".into(), "put only the path in backticks");
        }
        return Ok(());
    }
    if text.contains('$') {
        return error("variables and commands are not expanded".into(), "write the path in full");
    }
    if text.contains("://") || text.starts_with("file:") {
        return error(
            "a URL is not a directory".into(),
            "write the path alone, or grant a host with `hosts`",
        );
    }
    if let Some(odd) = text.chars().find(|c| matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '!')) {
        return error(
            format!("`{odd}` matches nothing here: a grant is one directory and all below it"),
            "name the directory above, or put the path in backticks if the name is meant literally",
        );
    }
    match text.chars().find(|c| !is_plain(*c)) {
        Some(odd) => error(format!("a path holds `{odd}`"), "put the path in backticks"),
        None => Ok(()),
    }
}

/// Checks the components and takes the trailing slash off.
fn check_components<'a>(path: &Written<'a>, relative: &'a str) -> Result<&'a str, EntryError> {
    let error = |message: &str, hint: &str| Err(EntryError::at(path.at.clone(), message).hint(hint));
    let relative = relative.strip_suffix('/').unwrap_or(relative);
    for component in relative.split('/') {
        match component {
            "" => return error("a path holds an empty component", "write one `/` between directories"),
            "." => return error("a path holds `.` in its middle", "leave the `.` out"),
            ".." => {
                return error(
                    "`..` leaves the directory that is written before it",
                    "write the path without `..`",
                );
            }
            _ if component.trim() != component => {
                return error("a directory's name starts or ends with a space", "rename the directory");
            }
            _ => {}
        }
    }
    Ok(relative)
}

/// The path without its trailing slash.
pub(super) fn check_path<'a>(path: &Written<'a>) -> Result<&'a str, EntryError> {
    check_characters(path)?;
    let text = path.text;
    let error = |message: String, hint: &str| Err(EntryError::at(path.at.clone(), message).hint(hint));
    if text == "/" {
        return error("`/` is the whole machine".into(), "grant the directory that the skill needs");
    }
    if matches!(text, "." | "./") {
        return Ok(".");
    }
    let relative = text.strip_prefix('/').unwrap_or_else(|| normal(text));
    check_components(path, relative)?;
    let text = text.strip_suffix('/').unwrap_or(text);
    for (root, what) in KERNEL {
        if text.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return error(format!("`{root}` holds {what}, not files"), "grant a directory of files");
        }
    }
    Ok(text)
}

pub(super) fn check_guest(path: &Written<'_>) -> Result<String, EntryError> {
    check_characters(path)?;
    let Some(relative) = path.text.strip_prefix('/') else {
        return Err(EntryError::at(
            path.at.clone(),
            "the path after `as` starts with `/`: the skill has one root",
        )
        .hint(format!("write `as /{}`", normal(path.text))));
    };
    if relative.is_empty() {
        return Err(
            EntryError::at(path.at.clone(), "`/` is the root that holds all grants").hint("write `as /name`")
        );
    }
    Ok(format!("/{}", check_components(path, relative)?))
}

/// A skill that could write SOUL.md or the components beside it could grant itself anything.
pub(super) fn check_writable(path: &str, mode: DirectoryMode, at: &Range<usize>) -> Result<(), EntryError> {
    if path == "." {
        return Err(EntryError::at(at.clone(), format!("`{mode}` here would reach SOUL.md itself"))
            .hint("grant a directory beside SOUL.md"));
    }
    let first = normal(path).split('/').next().unwrap_or_default();
    // On a file system that folds case, `Skills` is the same folder.
    if first.eq_ignore_ascii_case("skills") {
        return Err(EntryError::at(
            at.clone(),
            format!("`{mode}` here would reach the components of `skills/`"),
        )
        .hint("grant another directory beside SOUL.md"));
    }
    Ok(())
}
