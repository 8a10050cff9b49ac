//! Letting things run again after a stop: the operator's act, recorded before it takes effect.

use anyhow::Result;
use serde_json::json;

use crate::audit::Event;
use crate::operator::Who;
use crate::state::StateFolder;
use crate::state::lock::{Holder, Purpose, StateLock, Waited};

/// Arms a state folder that was stopped. Whether it was.
pub(crate) fn arm(state: &StateFolder, who: &Who) -> Result<bool> {
    state.make()?;
    if !state.is_stopped() {
        return Ok(false);
    }
    // A gateway that is just being stopped leaves first. Of two that arm at once the other one may have done it.
    let armed = |_: Option<&Holder>| Ok((!state.is_stopped()).then_some(()));
    let Waited::Ours(_lock) = StateLock::wait_unless(state, Purpose::Command, armed)? else {
        return Ok(false);
    };
    if !state.is_stopped() {
        return Ok(false);
    }
    super::note(state, Event::GatewayArmed, who, &json!({}))?;
    state.arm()
}
