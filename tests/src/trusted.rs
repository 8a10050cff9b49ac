//! An agent that is added to a state folder, and what tests ask of it: shared by those that change its folder.

use serde_json::Value;

use crate::{Agent, Ended, Gateway};

/// Its SOUL.md.
pub const SOUL: &str = "# Agent\n## Identity\n- Name: Echo\n## Skills\n- probe: Try\n  - read: ./docs, ./more\n  - write: ./drafts\n";

/// An agent with a skill of its own and three granted directories.
#[must_use]
pub fn agent() -> Agent {
    let agent = Agent::with_soul(SOUL).guest("probe").directory("drafts").file("more/m.txt", "m");
    agent.file("docs/x.txt", "x").file("docs/deep/y.txt", "y").file("private/key", "secret")
}

/// The digest of what is in the folder, as the card shows it.
#[must_use]
pub fn card(agent: &Agent) -> String {
    let words = ["agents", "add", ".", "--json"];
    agent.run(&words).json()["digest"].as_str().expect("a card has a digest").to_owned()
}

/// The same, added with all that is in its folder.
#[must_use]
pub fn added() -> Agent {
    let agent = agent();
    let digest = card(&agent);
    agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(0);
    agent
}

/// A gateway that has called the agent: what is done to its folder from now on is done under a running one.
#[must_use]
pub fn running(agent: &Agent) -> Gateway<'_> {
    let gateway = Gateway::start(agent);
    gateway.call("probe", "nothing", &[]).ends(0);
    gateway
}

/// Accepts what is in the folder now.
#[must_use]
pub fn trust(agent: &Agent) -> Ended {
    let shown = agent.run(&["agents", "trust", "echo", "--json"]).json();
    let digest = shown["card"]["digest"].as_str().unwrap_or_else(|| panic!("{shown:#}"));
    agent.run(&["agents", "trust", "echo", "--yes", "--digest", digest])
}

/// `agents show echo --json`.
#[must_use]
pub fn show(agent: &Agent) -> Value {
    agent.run(&["agents", "show", "echo", "--json"]).json()
}

/// The digest that is trusted now.
#[must_use]
pub fn trusted(agent: &Agent) -> String {
    show(agent)["trusted"]["digest"].as_str().unwrap().to_owned()
}

/// What a question about the agent's skill is answered: `allowed`, or the denial's id.
#[must_use]
pub fn why(agent: &Agent, words: &[&str]) -> String {
    let answer = agent.program().words(&["why", "echo", "probe", "--json"]).words(words).run().json();
    match answer["decision"].as_str().unwrap() {
        "allowed" => "allowed".to_owned(),
        _ => answer["denial"]["id"].as_str().unwrap().to_owned(),
    }
}

/// The same for reading a path.
#[must_use]
pub fn may_read(agent: &Agent, path: &str) -> String {
    why(agent, &["--path", path])
}

/// The changes as `effect text`.
#[must_use]
pub fn changes(agent: &Agent) -> Vec<String> {
    let document = agent.run(&["agents", "diff", "echo", "--json"]).json();
    let changes = document["changes"].as_array().unwrap();
    let one = |change: &Value| {
        format!("{} {}", change["effect"].as_str().unwrap(), change["text"].as_str().unwrap())
    };
    changes.iter().map(one).collect()
}

/// The rows of `agents --json`.
#[must_use]
pub fn listed(agent: &Agent) -> Value {
    agent.run(&["agents", "--json"]).json()["agents"].clone()
}
