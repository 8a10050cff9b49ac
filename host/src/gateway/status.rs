//! How a gateway stands: only what is true at this moment, asked anew each time.

use serde_json::{Value, json};
use soulbound_runtime::confine::Walls;
use soulbound_runtime::sandbox::worker::Standing;

use crate::gateway::Gateway;
use crate::oversight::breakers::open::{self, Open};
use crate::state::StateFolder;
use crate::trust::Registry;

impl Gateway {
    /// The running gateway's own word.
    pub(crate) fn status(&self) -> Value {
        let policy = self.policies.current();
        let load = policy.runtime.load();
        let loaded: Vec<Value> = self.loaded().iter().map(|agent| agent.status()).collect();
        json!({
            "running": true,
            "stopped": self.ready().is_err(),
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "since": self.started.to_string(),
            "listen": self.listen.to_string(),
            "state": self.state.path().display().to_string(),
            "policy": policy.digest.to_string(),
            "settings_error": self.policies.unreadable(),
            "settings_waiting": policy.waits,
            "calls": {"live": self.metrics.live_now(), "running": load.running, "waiting": load.waiting},
            "approvals": {"waiting": self.approvals().waiting(None)},
            "agents": loaded,
            "audit": {"writable": self.trail.writable(), "seq": self.trail.tip().seq},
            "breakers": open_breakers(&self.open_breakers()),
            "separation": separation(),
            "isolation": isolation(policy.runtime.isolation(), self.policies.walls()),
        })
    }
}

/// Where calls run, and what stands around them and around the process that compiles.
fn isolation(calls: Standing, compiling: Option<Walls>) -> Value {
    let mut isolation = json!(calls);
    if let Some(isolation) = isolation.as_object_mut() {
        isolation.insert("compiling".to_owned(), json!(compiling));
    }
    isolation
}

/// Open breakers, agent by agent.
fn open_breakers(open: &[(String, Open)]) -> Value {
    open.iter().map(|(agent, open)| json!({"agent": agent, "open": open.document()})).collect()
}

/// What can be said of a state folder with no gateway.
pub(crate) fn without_gateway(state: &StateFolder) -> Value {
    json!({
        "running": false,
        "stopped": state.is_stopped(),
        "state": state.path().display().to_string(),
        "breakers": open_breakers(&open::all(&Registry::open(state))),
        "separation": separation(),
    })
}

/// Whether the gateway runs as a user of its own, or as whoever runs the agents: then that user's shell is the operator.
///
/// A user of its own is one that nobody logs in as: no login shell in the system's table of users.
pub(crate) fn separation() -> &'static str {
    let uid = rustix::process::geteuid().as_raw();
    let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if logs_in(&table, uid) { "same-user" } else { "own-user" }
}

/// Whether a user can log in, by the table's lines `name:password:uid:gid:comment:home:shell`. One that the table does not
/// know may come from a directory service, and counts as one who can.
fn logs_in(table: &str, uid: u32) -> bool {
    let shell = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.nth(2)?.parse() == Ok(uid)).then(|| fields.nth(3).unwrap_or_default())
    });
    shell.is_none_or(|shell| !(shell.ends_with("/nologin") || shell.ends_with("/false")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_login_shell_is_one_of_its_own() {
        let table =
            "root:x:0:0:root:/root:/bin/bash\nsoulbound:x:999:999::/var/lib/soulbound:/usr/sbin/nologin\n";
        assert!(logs_in(table, 0) && !logs_in(table, 999) && logs_in(table, 1000));
    }
}
