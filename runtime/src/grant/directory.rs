//! A granted directory as SOUL.md writes it: where it is, where the skill sees it, what may be done there.
//!
//! | entry | means |
//! |---|---|
//! | `./workspace/drafts` | beside SOUL.md, seen as `/drafts` |
//! | `/srv/policies as /policies` | absolute, seen as `/policies` |
//! | `` `./My Documents` as /documents`` | any other printable ASCII stands in backticks, and is literal |
//! | `./notes (hidden)` | names that start with a dot are there too |
//!
//! This is the text. Opening the directory, and everything that only the file system can tell, is the
//! sandbox's.

mod meet;
mod path;

use std::fmt;

use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::visible;
use path::{Words, check_guest, check_path, check_writable, is_plain, last_component, normal};

/// What a skill may do below a granted directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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
    /// The directory as written, without backticks and trailing slash: absolute, or relative to the SOUL.md's
    /// folder.
    pub path: String,
    /// Where the skill sees it: absolute, no trailing slash, never `/` itself, such as `/documents`.
    pub guest: String,
    /// Whether names that start with a dot are there for the skill.
    pub hidden: bool,
    /// The line of SOUL.md, with the entry's column.
    pub rule: RuleRef,
}

impl DirectoryGrant {
    /// Reads one entry. A path in backticks still has them.
    ///
    /// # Errors
    ///
    /// Says what is no directory that could be granted.
    pub fn parse(mode: DirectoryMode, entry: &str, rule: RuleRef) -> Result<Self, EntryError> {
        let mut words = Words::of(entry);
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
