//! `soulbound gateway status`: only what is true now. With a gateway that does not answer, that is what it says.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use soulbound_runtime::visible;

use crate::cli;
use crate::cli::agents::list::rows;
use crate::exit::Exit;
use crate::gateway::status::without_gateway;
use crate::operator::Request;
use crate::operator::client::Client;
use crate::oversight::breakers::open;
use crate::settings::restart;
use crate::state::StateFolder;
use crate::state::lock::Held;
use crate::style::Style;
use crate::trust::Runs;

/// What is said of a state folder that an operator stopped, wherever one would think that something runs.
pub(crate) const STOPPED: &str = "stopped by an operator; nothing runs until `soulbound gateway start`";
/// How long a gateway may take to say how it stands.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Prints it; exit 1 when no gateway takes calls.
pub(super) fn show(state: &StateFolder, json: bool) -> Result<Exit> {
    let mut status = ask(state)?;
    let takes_calls = status.get("running") == Some(&Value::Bool(true))
        && status.get("stopped") == Some(&Value::Bool(false));
    // By the folders and not by the gateway's word alone: it has not looked at what nobody called.
    let rows = rows(state).unwrap_or_default();
    let others: Vec<(&str, &Runs)> = rows
        .iter()
        .filter_map(|row| Some((row.id.as_str(), row.runs.as_ref()?)))
        .filter(|(_, runs)| !runs.is_as_trusted())
        .collect();
    if json {
        if let Some(members) = status.as_object_mut() {
            let told = others.iter().map(|(agent, runs)| json!({"agent": agent, "runs": runs.told()}));
            members.insert("not_as_trusted".to_owned(), told.collect());
        }
        cli::print_json(&status)?;
    } else {
        page(&status, &others);
    }
    Ok(if takes_calls { Exit::Done } else { Exit::Refused })
}

fn ask(state: &StateFolder) -> Result<Value> {
    // One that was stopped closes its socket first, and then its trails.
    let mut is_leaving = false;
    let answer = match Client::connect(state) {
        Ok(Some(client)) => client
            .ask(&Request::Status {}, Some(ANSWERS_WITHIN))
            .and_then(crate::operator::Reply::into_result),
        Ok(None) => {
            is_leaving = state.is_stopped();
            Err(anyhow::anyhow!("nobody listens on the socket"))
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(status) => Ok(status),
        Err(error) => {
            let mut status = without_gateway(state);
            if let (Some(Held(holder)), Some(members)) = (state.holder()?, status.as_object_mut()) {
                let (name, value) = if is_leaving {
                    ("stopping", json!({"holder": holder}))
                } else {
                    // Somebody holds the folder and does not answer: neither running nor not.
                    ("unresponsive", json!({"holder": holder, "error": format!("{error:#}")}))
                };
                members.insert(name.to_owned(), value);
            }
            Ok(status)
        }
    }
}

fn page(status: &Value, others: &[(&str, &Runs)]) {
    let style = Style::stdout();
    let text = |name: &str| visible::line(status.get(name).and_then(Value::as_str).unwrap_or_default());
    let flag = |name: &str| status.get(name) == Some(&Value::Bool(true));
    let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let line = |name: &str, value: &str| cli::print(&format!("  {name:<11}{value}"));
    let pid =
        |held: &Value| held.pointer("/holder/pid").map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let head = match (flag("running"), flag("stopped"), status.get("unresponsive")) {
        (true, false, _) => style.green(&format!("gateway running (pid {})", number("/pid"))),
        (true, true, _) => style.red(&format!("gateway stopping (pid {})", number("/pid"))),
        _ if let Some(held) = status.get("stopping") => {
            style.yellow(&format!("gateway stopping (pid {}): its calls are ended, and it leaves", pid(held)))
        }
        (false, _, Some(held)) => {
            let pid = pid(held);
            style.red(&format!("a process holds the state folder and does not answer (pid {pid})"))
        }
        (false, true, None) => style.red(STOPPED),
        (false, false, None) => "no gateway runs\n  hint: soulbound gateway start".to_owned(),
    };
    cli::print(&head);
    line("state", &text("state"));
    if flag("running") {
        line("listening", &format!("http://{}", text("listen")));
        line("since", &text("since"));
        line("calls", &format!("{} live, {} waiting", number("/calls/live"), number("/calls/waiting")));
        line(
            "agents",
            &format!("{} loaded", status.get("agents").and_then(Value::as_array).map_or(0, Vec::len)),
        );
        if number("/approvals/waiting") > 0 {
            let waiting = format!("{} wait: soulbound approvals", number("/approvals/waiting"));
            line("approvals", &style.yellow(&waiting));
        }
        if status.pointer("/audit/writable") == Some(&Value::Bool(false)) {
            line("audit", &style.red("cannot be written: calls are refused"));
        }
    }
    for (agent, runs) in others {
        let sentence = visible::line(&format!("{agent}: {}", runs.sentence()));
        line("agent", &if runs.is_nothing() { style.red(&sentence) } else { style.yellow(&sentence) });
    }
    for (agent, open) in open_breakers(status) {
        line("breaker", &style.red(&format!("{} open: {}", visible::line(&agent), visible::line(&open))));
    }
    if let Some(error) = status.get("settings_error").and_then(Value::as_str) {
        let error = cli::escaped(error);
        line(
            "settings",
            &style.red(&format!("gateway.toml cannot be used, the last good one is in force: {error}")),
        );
    }
    if let Some(waits) = waiting_settings(status) {
        line("settings", &style.yellow(&format!("{waits}: soulbound gateway restart")));
    }
    let separation = text("separation");
    let what = if separation == "own-user" {
        "the gateway has a user of its own"
    } else {
        "whoever has this user's shell is the operator"
    };
    line("separation", &format!("{separation} ({what})"));
    if flag("running") {
        line("isolation", &isolation(status));
    }
}

/// Which keys of gateway.toml wait for a restart, in a sentence.
pub(crate) fn waiting_settings(status: &Value) -> Option<String> {
    let keys = status.get("settings_waiting")?.as_array()?;
    restart::said(keys.iter().filter_map(Value::as_str)).map(|said| visible::line(&said))
}

/// What stands around a call, and around the process that compiles.
fn isolation(status: &Value) -> String {
    let compiling = match status.pointer("/isolation/compiling") {
        None | Some(Value::Null) => "cannot be confined, so nothing new compiles".to_owned(),
        Some(walls) => format!("confined ({})", shown(walls)),
    };
    let calls = match status.pointer("/isolation/walls") {
        None => "calls in the gateway's own process".to_owned(),
        Some(walls) => {
            let workers = status.pointer("/isolation/workers").and_then(Value::as_u64).unwrap_or_default();
            format!("calls in a process for each skill ({}; {workers} at the moment)", shown(walls))
        }
    };
    format!("{calls}; compiling {compiling}")
}

fn shown(walls: &Value) -> String {
    let landlock = walls.get("landlock").and_then(Value::as_u64);
    let landlock = landlock.map_or("no Landlock".to_owned(), |version| format!("Landlock {version}"));
    let seccomp = if walls.get("seccomp") == Some(&Value::Bool(true)) { "seccomp" } else { "no seccomp" };
    format!("{landlock}, {seccomp}")
}

/// Each open breaker: the agent, and what tripped that of which skill.
fn open_breakers(status: &Value) -> Vec<(String, String)> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let agents = status.get("breakers").and_then(Value::as_array).into_iter().flatten();
    let of = |agent: &Value| {
        let name = text(agent, "agent").unwrap_or_default();
        let open = agent.get("open").and_then(Value::as_array).cloned().unwrap_or_default();
        open.into_iter()
            .map(|one| {
                let of = text(&one, "skill");
                let kind = text(&one, "kind").unwrap_or_else(|| "unreadable".to_owned());
                (name.clone(), format!("{} ({kind})", open::name(of.as_deref())))
            })
            .collect::<Vec<_>>()
    };
    agents.flat_map(of).collect()
}
