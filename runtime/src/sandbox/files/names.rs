//! Names that have a meaning of their own: hidden ones, the files that steer an agent, and the folder of its skills.
//!
//! The rule: names are compared after Unicode case folding with invisible characters dropped, because a file system
//! that folds case (ext4 `+F`, an exported one) would find `SOUL.md` under `soul.md`, `ſoul.md` or `so\u{200b}ul.md`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use crate::visible;

/// Files that steer an agent, folded. Never writable by a skill.
pub(super) const PROTECTED: [&str; 7] =
    ["soul.md", "skill.md", "heartbeat.md", "agents.md", "claude.md", "memory.md", "tools.md"];

/// The name of the file whose folder is an agent's.
pub(super) const SOUL: &str = "SOUL.md";

/// `name` folded for comparison. Upper case first: that alone maps `ſ` to `s` and ligatures to letters.
pub(super) fn folded(name: &str) -> String {
    let visible: String = name.chars().filter(|character| !visible::is_invisible(*character)).collect();
    visible.to_uppercase().to_lowercase()
}

/// Whether one component starts with a dot. `.` and `..` are not names.
pub(super) fn is_hidden(name: &[u8]) -> bool {
    if matches!(name, b"." | b"..") {
        return false;
    }
    if name.first() == Some(&b'.') {
        return true;
    }
    if name.is_ascii() {
        return false;
    }
    let text = String::from_utf8_lossy(name);
    text.chars().find(|character| !visible::is_invisible(*character)) == Some('.')
}

/// Whether one component is a protected file's name.
pub(super) fn is_protected(name: &[u8]) -> bool {
    // Most names are ASCII and of another length: no allocation for those.
    if name.is_ascii() && !(7..=12).contains(&name.len()) {
        return false;
    }
    let folded = folded(&String::from_utf8_lossy(name));
    PROTECTED.contains(&folded.as_str())
}

/// Whether one component is `skills`.
pub(super) fn is_skills(name: &[u8]) -> bool {
    if name.is_ascii() && name.len() != 6 {
        return false;
    }
    folded(&String::from_utf8_lossy(name)) == "skills"
}

/// Whether any component of a spelled path is hidden.
pub(super) fn spells_hidden(path: &str) -> bool {
    path.split('/').any(|name| is_hidden(name.as_bytes()))
}

/// Whether any component of a spelled path is protected.
pub(super) fn spells_protected(path: &str) -> bool {
    path.split('/').any(|name| is_protected(name.as_bytes()))
}

/// The names of a real path below a grant.
pub(super) fn real_names(path: &Path) -> impl Iterator<Item = &[u8]> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(OsStr::as_bytes(name)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_names_are_compared_after_case_folding() {
        for name in ["SOUL.md", "soul.MD", "ſoul.md", "S\u{200b}OUL.md", "s\u{212a}ill.md".trim(), "SKILL.md"]
        {
            let protected = is_protected(name.as_bytes());
            assert_eq!(protected, name != "s\u{212a}ill.md" || folded(name) == "skill.md", "{name}");
        }
        assert!(is_protected("S\u{212a}ILL.md".as_bytes()), "the Kelvin sign folds to k");
        for name in ["AGENTS.md", "claude.md", "Memory.md", "tools.md", "heartbeat.md\u{feff}"] {
            assert!(is_protected(name.as_bytes()), "{name}");
        }
        for name in ["SOUL.md.bak", "soul", "notes.md", "my-soul.md", "SOUL.mdx", "s.md"] {
            assert!(!is_protected(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_dot_behind_something_invisible_still_hides_a_name() {
        for name in [".git", "...", ".a", "\u{200b}.git", "..;"] {
            assert!(is_hidden(name.as_bytes()), "{name}");
        }
        for name in [".", "..", "a.b", "file.txt", "\u{e9}.x", ""] {
            assert!(!is_hidden(name.as_bytes()), "{name}");
        }
    }
}
