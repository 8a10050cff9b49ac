//! Where the skills that come with the program are: beside it, like a library's data.
//!
//! The program's own file decides, not a variable: whoever can set the environment must not choose components.

use std::path::PathBuf;

/// `../share/soulbound/skills` of an installed program, `../skills` of one in a build folder.
pub(crate) fn skills() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let above = program.parent()?.parent()?;
    ["share/soulbound/skills", "skills"].iter().map(|below| above.join(below)).find(|folder| folder.is_dir())
}
