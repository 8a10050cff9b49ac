//! An operator's act on an agent: by the running gateway, or by this process for its short life.
//!
//! Stopping an agent never waits: the marker is made first, without any lock, and a gateway that does not answer is ended.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::operator::client::{self, Client};
use crate::operator::{Request, Who, stop, trails};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::state::lock::{Purpose, StateLock, Taken, Waited};
use crate::trust::act::{self, Act, Asks, Done};
use crate::trust::registry::{self, Marker, Registry};

/// How long a running gateway has to end an agent's calls, before it is ended itself.
const STOPS_WITHIN: Duration = Duration::from_millis(2_500);

/// Does it, as whoever runs this process.
pub(crate) fn perform(state: &StateFolder, act: Act) -> Result<Done> {
    let who = Who::this_process();
    let stops = marker(&act);
    if let Some((id, marker)) = &stops {
        Registry::open(state).mark(&registry::id(id)?, *marker, &who)?;
    }
    let held = match StateLock::take(state, Purpose::Command)? {
        Taken::Ours(lock) => return alone(state, act, who, &lock),
        Taken::Theirs(holder) => holder,
    };
    let request = Request::Act { act: act.clone(), who: who.clone() };
    let within = stops.as_ref().map(|_| STOPS_WITHIN);
    let asked = match Client::connect(state)? {
        Some(client) => client.ask(&request, within),
        // Between the lock and the socket, on the way in or out; or a command of a moment.
        None if stops.is_none() => {
            return match client::or_lock(state)? {
                Waited::Otherwise(client) => {
                    let reply = client.ask(&request, None)?.into_result()?;
                    serde_json::from_value(reply).context("the gateway's answer is not understood")
                }
                Waited::Ours(lock) => alone(state, act, who, &lock),
            };
        }
        None => Err(anyhow::anyhow!("the gateway does not listen")),
    };
    match (asked, stops) {
        (Ok(reply), _) => {
            serde_json::from_value(reply.into_result()?).context("the gateway's answer is not understood")
        }
        (Err(error), None) => Err(error),
        (Err(_), Some(_)) => {
            stop::put_down(state, held.as_ref())?;
            let lock = StateLock::wait(state, Purpose::Command)?;
            let mut done = alone(state, act, who, &lock)?;
            done.said
                .push("the gateway did not answer and was ended, with all calls of all agents".to_owned());
            done.said.push("  hint: soulbound gateway start".to_owned());
            Ok(done)
        }
    }
}

/// With no gateway: done and recorded here.
fn alone(state: &StateFolder, act: Act, who: Who, _lock: &StateLock) -> Result<Done> {
    // A stop must not fail for settings that cannot be read, and has no use for them.
    let redteam = act.trusts() && Settings::read(state)?.require_redteam;
    if let Act::Add { .. } = act {
        trails::begin(state)?;
    }
    let done = act::act(state, act, who, Asks { redteam })?;
    trails::note_act(state, &done.event)?;
    Ok(done)
}

fn marker(act: &Act) -> Option<(&str, Marker)> {
    match act {
        Act::Disable { id } => Some((id, Marker::Disabled)),
        Act::Remove { id } => Some((id, Marker::Removed)),
        _ => None,
    }
}
