//! The filesystem that a skill sees: one virtual root `/` that holds its granted directories and nothing else.
//!
//! This is our own `wasi:filesystem` 0.2, because the common one follows hard links, waits on FIFOs, crosses mount
//! points and records nothing. How one path goes: [`root`] routes it to a grant, one `openat2` of the kernel resolves
//! the rest beneath the grant's handle ([`resolve`]), [`names`] judges the spelled and the real name, the verb's own
//! file (`open`, `remove`, `rename`, …) applies its rule, and [`call`] records what came of it.
//!
//! The rule that all of it keeps: **decide on a handle, act on that handle**. No path is checked and then used again.
//!
//! | file | what it holds |
//! |---|---|
//! | [`bind`], [`places`], [`opened`], [`moved`], [`handed`] | directories opened once, where none may be, which they were, whether they are still there, the same in a worker process |
//! | [`call`], [`descriptor`], [`node`] | one call's view, the WASI traits (dispatch only), what a descriptor is |
//! | [`root`], [`resolve`], [`names`], [`kernel`] | from a path to a judged handle |
//! | [`open`], [`make`], [`remove`], [`rename`], [`times`], [`link`], [`stat`], [`list`] | one verb each |
//! | [`stream`], [`quota`] | bytes, and how many |
//! | [`stage`], [`stages`], [`commit`], [`land`] | bytes that are held back until they are judged, whose and when, the question, and onto the disk |
//! | [`fault`], [`errno`], [`judge`] | refusals, error codes, `soulbound why` |

mod bind;
mod born;
mod call;
mod commit;
mod descriptor;
mod errno;
mod fault;
mod handed;
mod judge;
mod kernel;
mod land;
mod link;
mod list;
mod make;
mod moved;
mod names;
mod node;
mod open;
mod opened;
mod places;
mod quota;
mod remove;
mod rename;
mod resolve;
mod root;
mod stage;
mod stages;
mod stat;
mod stream;
mod times;
mod walk;

#[cfg(test)]
mod tests;

pub use bind::{BoundFiles, DirectoryError, OpenRules};
pub use born::Born;
pub use judge::Judgement;
pub use opened::{OpenedDirectory, TrustedPlace};

pub(crate) use call::{CallFiles, FilesView, add_to_linker};
pub(crate) use handed::{HandedGrant, HandedLoss};
