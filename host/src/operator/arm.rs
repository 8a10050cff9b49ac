//! Letting things run again after a stop: the operator's act, recorded before it takes effect.

use anyhow::Result;
use serde_json::json;

use crate::audit::Event;
use crate::operator::Who;
use crate::state::StateFolder;
use crate::state::lock::{Purpose, StateLock};

/// Arms a state folder that was stopped. Whether it was.
pub(crate) fn arm(state: &StateFolder, who: &Who) -> Result<bool> {
    state.make()?;
    if !state.is_stopped() {
        return Ok(false);
    }
    // A gateway that is just being stopped leaves first.
    let _lock = StateLock::wait(state, Purpose::Command)?;
    super::note(state, Event::GatewayArmed, who, &json!({}))?;
    state.arm()
}
