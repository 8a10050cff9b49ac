//! The second matcher's rules for files: a path as the skill spelled it, walked by its names alone, and what a grant's mode
//! lets be done there.
//!
//! The folders on the way to a grant are the host's own, with nothing real behind them: they can be looked at, and no change
//! of one comes about. So a change there is fine where the record says that it failed, and a finding where it does not.
//!
//! The rule: what failed was a look and no more, so it needs what a look needs; whatever else was let pass needs a grant that
//! says so, and where `..` makes the text say nothing certain, the answer is [`Ruling::Unclear`].

use std::collections::HashSet;

use soulbound_runtime::grant::{DirectoryGrant, DirectoryMode};

use super::judge::{Ruling, Tried};

/// How a call ran so far.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Whether the SOUL.md on disk was another one, so that less was granted than the trusted one says.
    narrowed: bool,
    /// The files that it made under `create` grants, by their normal path: until it ends it may go on writing to them.
    made: HashSet<String>,
}

impl Course {
    /// Of a call that begins.
    pub(super) fn of(narrowed: bool) -> Self {
        Self { narrowed, made: HashSet::new() }
    }
}

/// Names that no skill writes, whatever the grant.
const PROTECTED: [&str; 7] =
    ["soul.md", "skill.md", "heartbeat.md", "agents.md", "claude.md", "memory.md", "tools.md"];

/// Bytes from which a target that ends in `…` was cut by the record.
const CUT: usize = 4_093;

/// Where a path leads, by its text.
enum Place<'a> {
    /// Under no grant.
    Outside,
    /// To a folder on the way to a grant.
    OnTheWay,
    /// Into a granted directory, with the names below it.
    Granted(&'a DirectoryGrant, Vec<&'a str>),
}

/// Judges an access to a file.
pub(super) fn judge(grants: &[DirectoryGrant], tried: &Tried<'_>, course: &mut Course) -> Ruling {
    let looks = matches!(tried.access, "open" | "list" | "stat" | "read-link" | "read");
    match place(grants, tried.target) {
        Place::Outside => Ruling::Ungranted("no directory entry covers it"),
        Place::OnTheWay if looks || tried.failed => Ruling::Granted,
        Place::OnTheWay => Ruling::Ungranted("a folder that only leads to granted ones was changed"),
        Place::Granted(grant, names) => {
            let cut = tried.target.len() >= CUT && tried.target.ends_with('…');
            let ruling = match inside(grant, &names, looks, tried, course) {
                // Out of this directory by `..`, and into another one whose grant is another.
                Ruling::Ungranted(_) if is_elsewhere(grants, grant, tried, course) => Ruling::Unclear,
                ruling => ruling,
            };
            match ruling {
                // Where `..` leads depends on what was a link then.
                Ruling::Granted if cut || names.contains(&"..") => Ruling::Unclear,
                // Earlier builds wrote both ends of a rename as one text.
                Ruling::Granted if tried.access == "rename" && tried.target.contains(" → ") => {
                    Ruling::Unclear
                }
                ruling => ruling,
            }
        }
    }
}

/// Whether a path leads out of this directory by its text, without a name that no skill has, to where the same is granted.
fn is_elsewhere(
    grants: &[DirectoryGrant],
    grant: &DirectoryGrant,
    tried: &Tried<'_>,
    course: &Course,
) -> bool {
    let names = || tried.target.split('/').filter(|name| !name.is_empty() && *name != ".");
    if names().any(|name| steers(name) || (name.starts_with('.') && name != "..")) {
        return false;
    }
    let mut way = Vec::new();
    for name in names() {
        if name != ".." {
            way.push(name);
        } else if way.pop().is_none() {
            return false;
        }
    }
    let target = format!("/{}", way.join("/"));
    // As text has it, the file is in another directory: in this one its mode has said all there is to say.
    let is_another = match place(grants, &target) {
        Place::Granted(other, _) => other.guest != grant.guest,
        Place::OnTheWay => true,
        Place::Outside => false,
    };
    let mut course = Course { narrowed: course.narrowed, made: course.made.clone() };
    is_another
        && !matches!(judge(grants, &Tried { target: &target, ..*tried }, &mut course), Ruling::Ungranted(_))
}

/// Walks a path by its names. Above the grants there are no links, so `..` is certain there.
fn place<'a>(grants: &'a [DirectoryGrant], path: &'a str) -> Place<'a> {
    let Some(path) = path.strip_prefix('/') else { return Place::Outside };
    let mut names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
    let mut way: Vec<&str> = Vec::new();
    loop {
        if let Some(grant) = grants.iter().find(|grant| mount(grant).eq(way.iter().copied())) {
            return Place::Granted(grant, names.collect());
        }
        match names.next() {
            None => return Place::OnTheWay,
            Some("..") if way.pop().is_none() => return Place::Outside,
            Some("..") => {}
            Some(name) => {
                way.push(name);
                let leads =
                    |grant: &DirectoryGrant| mount(grant).zip(&way).all(|(mounted, name)| mounted == *name);
                if !grants.iter().any(leads) {
                    return Place::Outside;
                }
            }
        }
    }
}

/// The names of the path at which a skill sees a granted directory.
fn mount(grant: &DirectoryGrant) -> impl Iterator<Item = &str> {
    grant.guest.split('/').filter(|name| !name.is_empty())
}

fn inside(
    grant: &DirectoryGrant,
    names: &[&str],
    looks: bool,
    tried: &Tried<'_>,
    course: &mut Course,
) -> Ruling {
    // A hidden name is not there for the skill: not even a failure may tell of it.
    if !grant.hidden && names.iter().any(|name| name.starts_with('.') && *name != "..") {
        return Ruling::Ungranted("a hidden name, and the entry does not say `(hidden)`");
    }
    if tried.access == "link" {
        return Ruling::Ungranted("a link was made, and no grant covers that");
    }
    if !looks && !tried.failed && names.iter().any(|name| steers(name)) {
        return Ruling::Ungranted("a protected name was changed");
    }
    match grant.mode {
        DirectoryMode::Create => new_files(grant, names, tried, course),
        DirectoryMode::Read | DirectoryMode::Write if looks || tried.failed => Ruling::Granted,
        DirectoryMode::Read => Ruling::Ungranted("the directory is granted for reading only"),
        // Its times may be set; what is recorded of that says `write` before it happens.
        DirectoryMode::Write if names.is_empty() && !matches!(tried.access, "write" | "set-times") => {
            Ruling::Ungranted("the granted directory itself was changed")
        }
        DirectoryMode::Write => Ruling::Granted,
    }
}

/// What a `create` grant lets be done: nothing is shown but the directory itself, nothing is changed but what the call made.
fn new_files(grant: &DirectoryGrant, names: &[&str], tried: &Tried<'_>, course: &mut Course) -> Ruling {
    let path = || mount(grant).chain(names.iter().copied()).collect::<Vec<_>>().join("/");
    match tried.access {
        "open" | "stat" if names.is_empty() => Ruling::Granted,
        _ if tried.failed && names.is_empty() => Ruling::Granted,
        // A file that could not be made: its open may have been for writing.
        "create" | "open-new" | "write" if tried.failed => Ruling::Granted,
        "create" | "open-new" if !names.is_empty() => {
            if !names.contains(&"..") {
                course.made.insert(path());
            }
            Ruling::Granted
        }
        "write" | "set-size" | "set-times" if course.made.contains(&path()) => Ruling::Granted,
        // Only what is open is resized, and it may have been opened by another path: what else was done to it tells.
        "set-size" => Ruling::Unclear,
        // It may be a directory below this one that was granted then: that one can be looked at.
        "open" | "stat" | "list" if course.narrowed => Ruling::Unclear,
        _ if tried.failed && course.narrowed => Ruling::Unclear,
        _ => Ruling::Ungranted("the directory is granted for new files only"),
    }
}

/// Whether a name is one of those that steer an agent, on a file system that folds case too.
fn steers(name: &str) -> bool {
    let shown: String = name.chars().filter(|character| !is_format(*character)).collect();
    PROTECTED.contains(&shown.to_uppercase().to_lowercase().as_str())
}

/// Unicode's Cc and Cf: characters that change nothing about a name but its bytes.
fn is_format(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2 | 0x180e | 0x200b..=0x200f
            | 0x202a..=0x202e | 0x2060..=0x2064 | 0x2066..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0x110bd | 0x110cd
            | 0x13430..=0x1343f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0001 | 0xe0020..=0xe007f)
}
