//! What a skill was granted, and what went wrong, in words that a model can act on.
//!
//! Every standard skill answers a failure with a kind and a message. The messages are made here, so that all
//! of them say the same: outside a grant and not there look alike, and these are the directories or hosts
//! that were granted. The rule: a message never proposes to widen a grant; it says where to look instead.

mod bindings;
mod directories;
mod failure;
mod words;

pub use bindings::soulbound::skill::log::{Level, log};
pub use bindings::soulbound::skill::progress::report as report_progress;
pub use bindings::soulbound::skill::self_::{DirectoryMode, writes_are_held};
pub use directories::{directories_in_words, hosts_in_words, mode_of};
pub use failure::{Failure, Kind, kind_of};
pub use words::{cut, quoted};
