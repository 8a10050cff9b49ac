//! What tests of approvals ask and do: an agent whose actions wait, and whoever decides.

use std::process::Child;

use serde_json::Value;

use crate::gateway::{ECHO, until};
use crate::{Agent, Ended};

/// An agent whose `who` waits, and whose changes to `./ws` do.
#[must_use]
pub fn agent(toml: &str) -> Agent {
    Agent::new("- probe: Try \"things\"\n  - write: ./ws\n  - approve: who, writes")
        .guest("probe")
        .directory("ws")
        .gateway(toml)
}

/// What waits now.
#[must_use]
pub fn waiting(agent: &Agent) -> Vec<Value> {
    agent.run(&["approvals", "--json"]).ends(0).json()["waiting"].as_array().unwrap().clone()
}

/// Waits until so many questions wait; their names.
pub fn until_waiting(agent: &Agent, count: usize) -> Vec<String> {
    until(|| waiting(agent).len() == count, "the questions to wait");
    waiting(agent).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// `soulbound approvals …`.
#[must_use]
pub fn decide(agent: &Agent, words: &[&str]) -> Ended {
    agent.program().words(&["approvals"]).words(words).run()
}

/// What a call that was started came to.
#[must_use]
pub fn ended(call: Child) -> Value {
    let output = call.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// The denial with which a call that was started ended: its id and its sentence.
#[must_use]
pub fn denied(call: Child) -> (String, String) {
    let document = ended(call);
    let text = |name: &str| document["denial"][name].as_str().unwrap_or_default().to_owned();
    (text("id"), text("message"))
}

/// The agent's records of this event.
#[must_use]
pub fn events(agent: &Agent, event: &str) -> Vec<Value> {
    let shown = agent.run(&["audit", "show", ECHO, "--event", event, "--limit", "1000", "--json"]).json();
    shown["records"].as_array().unwrap().clone()
}
