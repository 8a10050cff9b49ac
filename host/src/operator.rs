//! What an operator does to agents from the command line: by the running gateway, or by this process for its short life.

mod who;

use anyhow::Result;

pub(crate) use who::Who;

use crate::state::StateFolder;
use crate::trust::act::{Act, Done, act};

/// Does it, as whoever runs this process.
pub(crate) fn perform(state: &StateFolder, what: Act) -> Result<Done> {
    act(state, what, Who::this_process())
}
