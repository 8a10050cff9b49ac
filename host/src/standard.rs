//! Where the skills that come with the program are: beside it, like a library's data.
//!
//! The program's own file decides, not a variable: whoever can set the environment must not choose components.

use std::path::PathBuf;
use std::sync::OnceLock;

/// `../share/soulbound/skills` of an installed program, `../skills` of one in a build folder.
pub(crate) fn skills() -> Option<PathBuf> {
    // Asked once: it does not move while the program runs, and a list of agents asks for each of them.
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

/// Where the probes of `soulbound redteam` are: beside the standard skills and not among them, so that no SOUL.md finds one.
pub(crate) fn probes() -> Option<PathBuf> {
    beside(&["share/soulbound/redteam", "redteam"])
}

fn find() -> Option<PathBuf> {
    beside(&["share/soulbound/skills", "skills"])
}

fn beside(places: &[&str]) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let above = program.parent()?.parent()?;
    places.iter().map(|below| above.join(below)).find(|folder| folder.is_dir())
}
