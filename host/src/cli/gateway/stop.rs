//! `soulbound gateway stop`: everything ends, whatever state it is in.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::audit::Event;
use crate::cli;
use crate::exit::Exit;
use crate::operator::Who;
use crate::operator::stop::{Stopped, stop};
use crate::state::StateFolder;
use crate::style::Style;

/// How long a gateway may take to leave in order.
pub(super) const LEAVES_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Stop {
    /// One JSON document
    #[arg(long)]
    json: bool,
    /// Accepted and ignored: a stop never asks
    #[arg(long, short, visible_alias = "yes")]
    force: bool,
}

impl Stop {
    pub(super) fn run(self, state: &StateFolder) -> Result<Exit> {
        let _ = self.force;
        let stopped = recorded(state)?;
        if self.json {
            cli::print_json(&stopped)?;
        } else {
            said(&stopped);
        }
        if let Some(complaint) = state.complaint() {
            cli::complain(&complaint);
        }
        Ok(Exit::Done)
    }
}

/// Stops everything, and writes down that it did.
pub(super) fn recorded(state: &StateFolder) -> Result<Stopped> {
    let who = Who::this_process();
    stop(state, &who, |_lock| {
        crate::operator::note(state, Event::GatewayStopped, &who, &json!({"calls_ended": null}))
    })
}

fn said(stopped: &Stopped) {
    let state = &stopped.state;
    cli::print(&match (&stopped.gateway, stopped.already) {
        (Some(ended), _) if ended.killed => {
            format!(
                "stopped `{state}`: the gateway (pid {}) did not answer and was killed, and every call with it",
                ended.pid
            )
        }
        (Some(ended), _) => {
            let calls = match ended.calls {
                Some(1) => "1 call in flight".to_owned(),
                Some(calls) => format!("{calls} calls in flight"),
                None => "what was in flight".to_owned(),
            };
            format!("stopped `{state}`: {calls} ended, the gateway (pid {}) left", ended.pid)
        }
        (None, true) => format!("`{state}` was stopped before; no gateway runs there"),
        (None, false) => format!("stopped `{state}`: no gateway ran there, and none starts"),
    });
    cli::note("  to let things run again: soulbound gateway start");
    let style = Style::stderr();
    for other in &stopped.others {
        cli::note(&style.red(&format!(
            "still running: another gateway of yours (pid {}) with the state folder `{}`",
            other.pid, other.state
        )));
        cli::note(&format!("  hint: SOULBOUND_HOME={} soulbound gateway stop", other.state));
    }
}
