//! What two directory entries permit together, as an entry: the deeper directory, in the weaker mode.
//!
//! This compares what is written. That a path still leads where it did, and through no link, is for whoever opens it
//! ([`crate::sandbox::files::OpenedDirectory`]).

use std::path::{Component, Path, PathBuf};

use super::{DirectoryGrant, DirectoryMode};
use crate::grant::directory::path::names_hidden;

impl DirectoryMode {
    /// What both modes permit; nothing for `read` and `create`.
    #[must_use]
    pub fn meet(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Write, mode) | (mode, Self::Write) => Some(mode),
            (own, other) => (own == other).then_some(own),
        }
    }
}

impl DirectoryGrant {
    /// The directory as an absolute path, as written, for an agent whose SOUL.md lies in `folder`.
    #[must_use]
    pub fn place(&self, folder: &Path) -> PathBuf {
        // `./docs` and `docs` are one place, and `.` is the folder itself.
        folder.join(&self.path).components().filter(|part| *part != Component::CurDir).collect()
    }

    /// What both entries of an agent in `folder` permit. The skill sees it where this entry shows it, so that narrowing
    /// moves nothing.
    #[must_use]
    pub fn meet(&self, other: &Self, folder: &Path) -> Option<Self> {
        let mode = self.mode.meet(other.mode)?;
        let (own, theirs) = (self.place(folder), other.place(folder));
        let hidden = self.hidden && other.hidden;
        let (deep, wide, below) = if let Ok(below) = own.strip_prefix(&theirs) {
            // One place, written twice: an absolute path is opened through no link at all.
            let absolute =
                below.as_os_str().is_empty() && !self.path.starts_with('/') && other.path.starts_with('/');
            (if absolute { other } else { self }, other, below)
        } else {
            (other, self, theirs.strip_prefix(&own).ok()?)
        };
        if !wide.hidden && names_hidden(below) {
            return None;
        }
        let own_guest = if std::ptr::eq(wide, self) && !below.as_os_str().is_empty() {
            format!("{}/{}", self.guest, below.to_str()?)
        } else {
            self.guest.clone()
        };
        Some(Self { mode, path: deep.path.clone(), guest: own_guest, hidden, rule: deep.rule.clone() })
    }

    /// Whether whatever `other` permits, this does.
    #[must_use]
    pub fn covers(&self, other: &Self, folder: &Path) -> bool {
        self.meet(other, folder).is_some_and(|met| {
            met.mode == other.mode && met.hidden == other.hidden && met.place(folder) == other.place(folder)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denial::RuleRef;

    fn grant(text: &str) -> DirectoryGrant {
        let rule = RuleRef { file: "SOUL.md".into(), line: 1, column: 1, text: text.into() };
        let (mode, entry) = text.split_once(' ').unwrap();
        let mode = match mode {
            "read" => DirectoryMode::Read,
            "write" => DirectoryMode::Write,
            _ => DirectoryMode::Create,
        };
        DirectoryGrant::parse(mode, entry, rule).unwrap()
    }

    #[test]
    fn the_deeper_directory_stays_in_the_weaker_mode() {
        for (own, other, both) in [
            ("read ./docs", "read ./docs", "read ./docs as /docs"),
            ("read ./docs", "read docs", "read ./docs as /docs"),
            ("read ./docs", "read /agent/docs as /x", "read /agent/docs as /docs"),
            ("write ./docs", "read ./docs/a", "read ./docs/a as /docs/a"),
            ("read ./docs/a", "write ./docs", "read ./docs/a as /a"),
            ("read ./docs", "write ./docs/a", "read ./docs/a as /docs/a"),
            ("write ./docs", "create ./docs", "create ./docs as /docs"),
            ("read . as /all", "read ./docs", "read ./docs as /all/docs"),
            ("read /agent as /all", "read ./docs", "read ./docs as /all/docs"),
            ("read ./docs (hidden)", "read ./docs", "read ./docs as /docs"),
            ("read ./docs (hidden)", "read ./docs (hidden)", "read ./docs as /docs (hidden)"),
            ("read ./docs (hidden)", "read ./docs/.git", "read ./docs/.git as /docs/.git"),
            ("read ./docs", "read ./docs/.git", ""),
            ("read ./docs", "read ./docs2", ""),
            ("read ./docs", "create ./docs", ""),
            ("read ./docs", "read /docs", ""),
        ] {
            let met = grant(own).meet(&grant(other), Path::new("/agent"));
            let shown = met.map(|met| {
                let hidden = if met.hidden { " (hidden)" } else { "" };
                format!("{} {} as {}{hidden}", met.mode, met.path, met.guest)
            });
            assert_eq!(shown.unwrap_or_default(), both, "{own} and {other}");
        }
    }

    #[test]
    fn covering_is_being_all_of_what_both_permit() {
        let covers = |wide: &str, narrow: &str| grant(wide).covers(&grant(narrow), Path::new("/agent"));
        assert!(
            covers("write ./docs", "read ./docs/a") && covers("read ./docs", "read ./docs as /elsewhere")
        );
        assert!(!covers("read ./docs", "write ./docs") && !covers("read ./docs/a", "read ./docs"));
        assert!(
            !covers("read ./docs", "read ./docs (hidden)") && covers("read ./docs (hidden)", "read ./docs")
        );
    }
}
