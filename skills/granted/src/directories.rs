//! The grants, asked for once something went wrong. The rule: what stands here is told, never enforced; the
//! host does that.

use crate::bindings::soulbound::skill::self_::{DirectoryMode, granted};
use crate::quoted;

/// What may be done at `path`, an absolute path: the mode of the granted directory that holds it, or `None`
/// if none does.
pub fn mode_of(path: &str) -> Option<DirectoryMode> {
    granted()
        .directories
        .into_iter()
        .find(|directory| holds(&directory.path, path))
        .map(|directory| directory.mode)
}

/// The granted directories as a phrase, such as "this skill sees `/documents` (read)".
pub fn directories_in_words() -> String {
    let directories = granted().directories;
    if directories.is_empty() {
        return "this skill was granted no directory".to_owned();
    }
    let listed: Vec<String> = directories
        .iter()
        .map(|directory| {
            let mode = match directory.mode {
                DirectoryMode::Read => "read",
                DirectoryMode::Write => "read and write",
                DirectoryMode::Create => "new files only",
            };
            format!("{} ({mode})", quoted(&directory.path))
        })
        .collect();
    format!("this skill sees {}", listed.join(", "))
}

/// The granted hosts as a phrase, such as "this skill reaches `https://en.wikipedia.org`".
pub fn hosts_in_words() -> String {
    let hosts = granted().hosts;
    if hosts.is_empty() {
        return "this skill was granted no host".to_owned();
    }
    let listed: Vec<String> = hosts.iter().map(|host| quoted(host)).collect();
    format!("this skill reaches {}", listed.join(", "))
}

/// Whether `path` is `directory` or lies below it. By whole names: `/documents-old` is not below
/// `/documents`.
fn holds(directory: &str, path: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn a_directory_holds_what_lies_below_it_and_no_namesake() {
        assert!(holds("/drafts", "/drafts/a.md"));
        assert!(holds("/drafts", "/drafts"));
        assert!(holds("/drafts/", "/drafts/sub/a.md"));
        assert!(holds("/", "/a.md"));
        assert!(!holds("/drafts", "/drafts-old/a.md"));
        assert!(!holds("/drafts", "/documents/a.md"));
    }
}
