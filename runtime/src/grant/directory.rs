//! A granted directory as SOUL.md writes it: where it is, where the skill sees it, what may be done there.
//!
//! | entry | means |
//! |---|---|
//! | `./workspace/drafts` | beside SOUL.md, seen as `/drafts` |
//! | `/srv/policies as /policies` | absolute, seen as `/policies` |
//! | `` `./My Documents` as /documents`` | any other printable ASCII stands in backticks, and is literal |
//! | `./notes (hidden)` | names that start with a dot are there too |
//!
//! This is the text. Opening the directory, and everything that only the file system can tell, is the sandbox's.

use std::fmt;
use std::ops::Range;

use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::visible;

/// What a skill may do below a granted directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryMode {
    /// Read, recursively.
    Read,
    /// Read and write, recursively.
    Write,
    /// Make new files; no reading, no overwriting, no deleting.
    Create,
}

impl DirectoryMode {
    /// The key of SOUL.md that grants it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
        }
    }
}

impl fmt::Display for DirectoryMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.key())
    }
}

/// One entry of a `read`, `write` or `create` line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryGrant {
    /// What may be done.
    pub mode: DirectoryMode,
    /// The directory as written, without backticks and trailing slash: absolute, or relative to the SOUL.md's folder.
    pub path: String,
    /// Where the skill sees it: absolute, no trailing slash, never `/` itself, such as `/documents`.
    pub guest: String,
    /// Whether names that start with a dot are there for the skill.
    pub hidden: bool,
    /// The line of SOUL.md, with the entry's column.
    pub rule: RuleRef,
}

/// Directories of the kernel's own files, which hold the environment and the memory of every process.
const KERNEL: [(&str, &str); 3] =
    [("/proc", "the kernel's view of every process"), ("/sys", "the kernel's settings"), ("/dev", "devices")];

impl DirectoryGrant {
    /// Reads one entry. A path in backticks still has them.
    ///
    /// # Errors
    ///
    /// Says what is no directory that could be granted.
    pub fn parse(mode: DirectoryMode, entry: &str, rule: RuleRef) -> Result<Self, EntryError> {
        let mut words = Words { entry, at: 0 };
        let path = words.path("a directory")?;
        let (path, at) = (check_path(&path)?, path.at);
        let mut guest = None;
        let mut hidden = false;
        let mut word = words.word();
        if entry.get(word.clone()) == Some("as") {
            let path = words.path("a path after `as`")?;
            guest = Some(check_guest(&path)?);
            word = words.word();
        }
        if entry.get(word.clone()) == Some("(hidden)") {
            hidden = true;
            word = words.word();
        }
        if !word.is_empty() {
            let found = visible::line(entry.get(word.start..).unwrap_or_default());
            let error = EntryError::at(
                word.start..entry.len(),
                format!("did not expect `{found}` after the directory"),
            );
            return Err(error.hint(if found.starts_with('(') {
                "what may be done is said by the key: `read`, `write` or `create`"
            } else {
                "write `DIRECTORY`, `DIRECTORY as /PATH`, or separate two directories with a comma"
            }));
        }
        if mode != DirectoryMode::Read {
            check_writable(path, mode, &at)?;
        }
        let guest = match guest {
            Some(guest) => guest,
            None if path == "." => {
                return Err(EntryError::at(at, "`.` gives the skill no name to see it by")
                    .hint("write `. as /agent`"));
            }
            None => format!("/{}", last_component(path)),
        };
        Ok(Self { mode, path: path.to_owned(), guest, hidden, rule })
    }

    /// The path in one spelling, to compare it with others: without a leading `./`.
    #[must_use]
    pub fn location(&self) -> String {
        normal(&self.path).to_owned()
    }
}

impl fmt::Display for DirectoryGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote =
            |path: &str| if path.chars().all(is_plain) { path.to_owned() } else { format!("`{path}`") };
        formatter.write_str(&quote(&self.path))?;
        if self.path == "." || self.guest.strip_prefix('/') != Some(last_component(&self.path)) {
            write!(formatter, " as {}", quote(&self.guest))?;
        }
        if self.hidden {
            formatter.write_str(" (hidden)")?;
        }
        Ok(())
    }
}

/// A path of an entry, without its backticks.
struct Written<'a> {
    text: &'a str,
    /// Its place in the entry, backticks included.
    at: Range<usize>,
    is_literal: bool,
}

/// Goes through an entry from word to word.
struct Words<'a> {
    entry: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = self.entry.get(self.at..).unwrap_or_default();
        let word = rest.trim_start_matches([' ', '\t']);
        self.at += rest.len() - word.len();
        word
    }

    /// The next word: up to a space.
    fn word(&mut self) -> Range<usize> {
        let rest = self.rest();
        let start = self.at;
        self.at += rest.find([' ', '\t']).unwrap_or(rest.len());
        start..self.at
    }

    /// The next path: a word, or what stands in backticks.
    fn path(&mut self, expected: &str) -> Result<Written<'a>, EntryError> {
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

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '/')
}

fn normal(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

fn last_component(path: &str) -> &str {
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
fn check_path<'a>(path: &Written<'a>) -> Result<&'a str, EntryError> {
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

fn check_guest(path: &Written<'_>) -> Result<String, EntryError> {
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
fn check_writable(path: &str, mode: DirectoryMode, at: &Range<usize>) -> Result<(), EntryError> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule() -> RuleRef {
        RuleRef { file: "SOUL.md".into(), line: 12, column: 11, text: "read: …".into() }
    }

    fn read(entry: &str) -> Result<DirectoryGrant, EntryError> {
        DirectoryGrant::parse(DirectoryMode::Read, entry, rule())
    }

    #[test]
    fn a_directory_is_read_with_its_guest_path() {
        for (entry, path, guest, hidden) in [
            ("./workspace/drafts", "./workspace/drafts", "/drafts", false),
            ("workspace/", "workspace", "/workspace", false),
            ("./workspace/", "./workspace", "/workspace", false),
            ("/srv/docs", "/srv/docs", "/docs", false),
            (". as /agent", ".", "/agent", false),
            ("./ as /agent/", ".", "/agent", false),
            ("./a as /b/c (hidden)", "./a", "/b/c", true),
            ("./a (hidden)", "./a", "/a", true),
            ("`./My Documents`", "./My Documents", "/My Documents", false),
            ("`./a*$[x]` as `/b c`", "./a*$[x]", "/b c", false),
            ("./.notes", "./.notes", "/.notes", false),
            ("./skills", "./skills", "/skills", false),
            ("/process", "/process", "/process", false),
        ] {
            let grant = read(entry).unwrap_or_else(|error| panic!("{entry}: {error:?}"));
            assert_eq!(
                (grant.path.as_str(), grant.guest.as_str(), grant.hidden),
                (path, guest, hidden),
                "{entry}"
            );
        }
    }

    #[test]
    fn what_is_no_directory_is_refused_in_its_own_words() {
        for (entry, part) in [
            ("", "expected a directory"),
            ("/", "whole machine"),
            ("`/`", "whole machine"),
            ("//", "empty component"),
            ("/.", "`.` in its middle"),
            (".", "no name to see it by"),
            ("..", "`..`"),
            ("../x", "`..`"),
            ("./a/../../x", "`..`"),
            ("./a/..", "`..`"),
            ("`./a/../b`", "`..`"),
            ("./a//b", "empty component"),
            ("./a/./b", "`.` in its middle"),
            ("/proc", "`/proc`"),
            ("/proc/self", "`/proc`"),
            ("`/proc/self`", "`/proc`"),
            ("/sys/", "`/sys`"),
            ("/dev/shm", "`/dev`"),
            ("~", "nothing is expanded"),
            ("~/docs", "nothing is expanded"),
            ("`~root/x`", "nothing is expanded"),
            ("$HOME/docs", "not expanded"),
            ("$(id)", "not expanded"),
            ("${X}", "not expanded"),
            ("./work*", "matches nothing"),
            ("./[a]", "matches nothing"),
            (".\\workspace", "backslash"),
            ("`a\\b`", "backslash"),
            ("file:///etc", "URL"),
            ("https://example.com", "URL"),
            ("./a:b", "`:`"),
            ("./caf\u{e9}", "U+00E9"),
            ("`./caf\u{e9}`", "U+00E9"),
            ("`./a\0`", "U+0000"),
            ("./a ./b", "did not expect"),
            ("./a (admin)", "did not expect"),
            ("./a (HIDDEN)", "did not expect"),
            ("./a (hidden) as /b", "did not expect"),
            ("./a as", "expected a path"),
            ("./a as b", "starts with `/`"),
            ("./a as /", "the root"),
            ("./a as /b/../c", "`..`"),
            ("`./a", "partner"),
            ("`./a`b", "directly after"),
            ("` ./a`", "space"),
            ("``", "empty"),
            ("`./a as /b`", "inside the backticks"),
            ("`./a (hidden)`", "inside the backticks"),
        ] {
            let error = read(entry).expect_err(entry);
            assert!(error.message.contains(part), "{entry}: {}", error.message);
            assert!(error.hint.is_some(), "{entry}");
            assert!(entry.get(error.at.clone()).is_some(), "{entry}: {:?}", error.at);
        }
    }

    #[test]
    fn no_skill_writes_soul_md_or_its_own_components() {
        for entry in
            [". as /x", "./ as /x", "skills", "./skills", "./skills/browser", "./Skills/", "`./SKILLS` as /x"]
        {
            for mode in [DirectoryMode::Write, DirectoryMode::Create] {
                assert!(DirectoryGrant::parse(mode, entry, rule()).is_err(), "{mode} {entry}");
            }
            assert!(read(entry).is_ok(), "{entry}");
        }
        assert!(DirectoryGrant::parse(DirectoryMode::Write, "./skills-notes", rule()).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_grant(entry in "(`?[./]{0,2}[a-z ,*$~_(]{1,8}(/[.a-zA-Z0-9_ -]{1,5}){0,3}/?`?)( as `?/[a-z /]{1,8}`?)?( \\(hidden\\))?") {
            if let Ok(grant) = read(&entry) {
                prop_assert_eq!(read(&grant.to_string()), Ok(grant));
            }
        }

        #[test]
        fn no_text_panics_and_no_accepted_path_climbs(entry in "\\PC{0,40}") {
            if let Ok(grant) = read(&entry) {
                prop_assert!(grant.path.is_ascii());
                prop_assert!(!grant.path.split('/').any(|component| component == ".."));
                prop_assert!(grant.guest.starts_with('/') && grant.guest.len() > 1);
            }
        }
    }
}
