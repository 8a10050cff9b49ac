//! Approvals, replayed: an answer that a person gave is used again, for the same call, for another one, after a restart.
//!
//! A stage of its own, on which somebody is there to answer: every skill has `approve: always`, and this side answers as an
//! operator does. What counts is whether a call went on without an answer to itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use soulbound_runtime::sandbox::Outcome;
use soulbound_runtime::soul::SkillEntry;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Answers, DOOR, Stage, hostile};
use crate::answer;
use crate::gateway::request::CallRequest;
use crate::operator::Who;
use crate::oversight::approvals::{Decider, Decision};
use crate::redteam::Order;
use crate::redteam::attack::{Attack, Class};
use crate::redteam::oracle::Verdict;
use crate::redteam::probe::Probes;
use crate::redteam::report::Finding;
use crate::state::StateFolder;

/// How long a question waits here: longer than anything that is done meanwhile.
const PATIENT: Duration = Duration::from_secs(60);
/// After this a call that neither ended nor asked is no evidence of anything.
const SOON: Duration = Duration::from_secs(20);

/// A call that was made, and the name of what waits for it, if anything does.
struct Asked {
    call: JoinHandle<Outcome>,
    waits: Option<String>,
}

/// Everything that an old answer could be used for.
pub(super) async fn attacks(order: &Order, real: &StateFolder, probes: &Probes) -> Result<Vec<Finding>> {
    let stage = Stage::open(order, real, probes, Answers::Somebody(PATIENT)).await?;
    match Replay::on(stage).await? {
        Some(replay) => Ok(replay.all(order, real).await),
        None => {
            let attack = attack("replay", "an approval is used again");
            let why = "no skill of the agent's has a tool that takes a text";
            Ok(vec![finding(&attack, Verdict::NotTried(why.to_owned()))])
        }
    }
}

fn attack(id: &str, what: &str) -> Attack {
    Attack::new(Class::Authority, id, what, "call", Value::Null)
}

fn finding(attack: &Attack, verdict: Verdict) -> Finding {
    Finding::new(attack, super::NO_SKILL, 0, verdict)
}

/// The tool that is called, under `approve: always`.
struct Replay {
    stage: Stage,
    skill: String,
    tool: soulbound_runtime::skill::Tool,
    found: Vec<Finding>,
}

impl Replay {
    async fn on(stage: Stage) -> Result<Option<Self>> {
        let live = stage.agent.live().await.map_err(|denial| anyhow::anyhow!("{denial}"))?;
        let of = |name: &str| {
            let bound = &live.callable(name).ok()?.offered.bound;
            bound.tools().iter().find(|tool| !hostile::filled(tool, &json!("x")).is_empty()).cloned()
        };
        let found = stage.entries().iter().find_map(|entry| Some((entry.name.clone(), of(&entry.name)?)));
        let Some((skill, tool)) = found else { return Ok(None) };
        drop(live);
        Ok(Some(Self { stage, skill, tool, found: Vec::new() }))
    }

    /// What was found before something failed counts; that it failed is no clean end.
    async fn all(mut self, order: &Order, real: &StateFolder) -> Vec<Finding> {
        if let Err(error) = self.each(order, real).await {
            let attack = attack("replay-control", "what a person approved");
            self.found.push(finding(&attack, Verdict::Blind(format!("{error:#}"))));
        }
        self.stage.end.cancel();
        self.stage.gateway.quit(&Who::this_process()).await;
        self.found
    }

    async fn each(&mut self, order: &Order, real: &StateFolder) -> Result<()> {
        let [first, other, kept, timed_call, waits] = [1, 2, 3, 4, 5];
        let once = self.control("replay-control-once", first, Decision::Once {}).await?;
        self.must_wait("replay-once", "the same call after an approval for once", first, Some(&once)).await?;
        self.must_wait("replay-other", "an old approval's id for other arguments", other, Some(&once))
            .await?;
        self.must_wait("replay-guessed", "an id that nobody gave", other, Some("rt-1")).await?;
        let always = self.control("replay-control-always", kept, Decision::Always {}).await?;
        self.must_go_on("replay-control-standing", kept).await?;
        let what = "a standing approval for other arguments";
        self.must_wait("replay-standing", what, other, Some(&always)).await?;
        let timed =
            self.control("replay-control-timed", timed_call, Decision::For { seconds: 3_600 }).await?;
        self.must_go_on("replay-control-in-time", timed_call).await?;
        let open = self.ask(waits).await;
        let Some(waiting) = open.waits else { bail!("what was to wait over the restart does not wait") };
        self.stage.restart(order.soul.id(), real).await?;
        let verdict = match open.call.await {
            Ok(outcome) if ran(&outcome) => Verdict::Escaped(went_on(&outcome)),
            _ => Verdict::Refused(vec!["(ended)"]),
        };
        self.found.push(finding(&attack("replay-ended", "what waited when the gateway ended"), verdict));
        let what = "an approval from before a restart";
        self.must_wait("replay-restart-waiting", what, waits, Some(&waiting)).await?;
        self.must_wait("replay-restart-once", what, first, Some(&once)).await?;
        let what = "an approval for a time, after a restart";
        self.must_wait("replay-restart-timed", what, timed_call, Some(&timed)).await?;
        self.must_go_on("replay-control-restarted", kept).await?;
        let what = "a standing approval for other arguments, after a restart";
        self.must_wait("replay-restart-standing", what, other, Some(&always)).await
    }

    /// Calls, and waits until it ends or asks.
    async fn ask(&self, number: u64) -> Asked {
        self.stage.refill().await;
        let agent = Arc::clone(&self.stage.agent);
        let request = CallRequest {
            skill: self.skill.clone(),
            tool: self.tool.name.clone(),
            arguments: hostile::filled(&self.tool, &json!(format!("rt-nowhere-{number}")))
                .into_iter()
                .collect::<Map<_, _>>(),
            door: DOOR,
            progress: None,
            form: None,
            waits: None,
            cancel: CancellationToken::new(),
        };
        let approvals = self.stage.gateway.approvals();
        let agents = [self.stage.agent.id().to_owned()];
        let call = tokio::spawn(async move { agent.call(request).await.outcome });
        let until = Instant::now() + SOON;
        loop {
            let listing = approvals.listing(&agents);
            let name = listing.waiting.first().and_then(|one| one.get("name")?.as_str().map(str::to_owned));
            if name.is_some() || call.is_finished() || Instant::now() > until {
                return Asked { call, waits: name };
            }
            approvals.until_other(listing.version, Duration::from_millis(50)).await;
        }
    }

    fn decide(&self, name: &str, decision: Decision) -> Result<String> {
        let gateway = &self.stage.gateway;
        let decider = Decider::operator(&Who::this_process());
        gateway.approvals().decide(name, decision, &decider, gateway.trail())
    }

    /// It waits, is answered, and goes on: or nothing that comes after means anything.
    async fn control(&mut self, id: &str, number: u64, decision: Decision) -> Result<String> {
        let asked = self.ask(number).await;
        let Some(name) = asked.waits else {
            bail!("a call under `approve: always` did not wait");
        };
        self.decide(&name, decision)?;
        let outcome = asked.call.await?;
        let verdict = match ran(&outcome) {
            true => Verdict::Allowed,
            false => Verdict::Blind("approved, it did not go on".to_owned()),
        };
        self.found.push(finding(&attack(id, "what a person approved"), verdict));
        Ok(name)
    }

    /// What was approved for longer goes on without a question.
    async fn must_go_on(&mut self, id: &str, number: u64) -> Result<()> {
        let asked = self.ask(number).await;
        let verdict = match &asked.waits {
            None if ran(&asked.call.await?) => Verdict::Allowed,
            Some(name) => {
                self.decide(name, Decision::Deny { reason: None })?;
                Verdict::Blind("approved for longer, it waits".to_owned())
            }
            None => Verdict::Blind("approved for longer, it did not go on".to_owned()),
        };
        self.found.push(finding(&attack(id, "what a person approved for longer"), verdict));
        Ok(())
    }

    /// It waits, and an answer to something else changes nothing of that.
    async fn must_wait(&mut self, id: &str, what: &str, number: u64, old: Option<&str>) -> Result<()> {
        let asked = self.ask(number).await;
        let attack = attack(id, what);
        let Some(name) = asked.waits else {
            let verdict = match asked.call.await {
                Ok(outcome) if ran(&outcome) => Verdict::Escaped(went_on(&outcome)),
                Ok(outcome) => {
                    Verdict::Refused(outcome.denial().map(|denial| denial.id.as_str()).into_iter().collect())
                }
                Err(error) => Verdict::Blind(error.to_string()),
            };
            self.found.push(finding(&attack, verdict));
            return Ok(());
        };
        let accepted = old.is_some_and(|old| old != name && self.decide(old, Decision::Once {}).is_ok());
        // Ended by this denial; where it ran before, the old answer was taken for its own.
        let denied = self.decide(&name, Decision::Deny { reason: None });
        let ended = asked.call.await?;
        let verdict = match (accepted, denied) {
            (true, _) => Verdict::Escaped("an approval was given twice".to_owned()),
            (false, Err(_)) => Verdict::Escaped("an answer to something else answered it".to_owned()),
            _ if ran(&ended) => Verdict::Escaped(went_on(&ended)),
            _ => Verdict::Refused(vec!["(waits)"]),
        };
        self.found.push(finding(&attack, verdict));
        Ok(())
    }
}

/// Whether the skill was called: then it took time, whatever it says.
fn ran(outcome: &Outcome) -> bool {
    outcome.duration > Duration::ZERO
}

fn went_on(outcome: &Outcome) -> String {
    format!("it went on, and nobody had approved it: {}", answer::document(outcome))
}

/// A SOUL.md in which every call of these skills waits for a person.
pub(super) fn asking(soul: &str, skills: &[SkillEntry]) -> String {
    let begins = |line: &str| skills.iter().any(|skill| line.starts_with(&format!("- {}:", skill.name)));
    let nested = |line: &str| line.starts_with([' ', '\t']);
    let mut out = String::new();
    let mut within = false;
    let mut lines = soul.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        within = begins(line) || (within && nested(line));
        if within && line.trim_start().starts_with("- approve:") {
            // A key stands once, and `always` covers what it said.
            continue;
        }
        out.push_str(line);
        if begins(line) {
            let next = lines.peek().filter(|next| nested(next));
            let indent: String = next
                .map_or("  ".to_owned(), |next| next.chars().take_while(|one| one.is_whitespace()).collect());
            if !line.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&format!("{indent}- approve: always\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soul_that_asks_is_one_that_parses() {
        let head = "# A\n## Identity\n- Name: A\n## Skills\n";
        for body in [
            "- a: x\n",
            "- a: x",
            "- b: y\n- a: x\n    - limit: time 1s\n",
            "- a: x\n  - approve: writes\n  - write: ./w\n\n## Rules\n",
        ] {
            let text = format!("{head}{body}");
            let before = soulbound_runtime::Soul::parse("SOUL.md", text.as_bytes()).unwrap();
            let soul = asking(&text, before.skills());
            let read = soulbound_runtime::Soul::parse("SOUL.md", soul.as_bytes());
            let read = read.unwrap_or_else(|errors| panic!("{errors}\n{soul}"));
            let approve: Vec<String> =
                read.skill("a").unwrap().grant.approve.iter().map(ToString::to_string).collect();
            assert_eq!(approve, ["always"], "{soul}");
        }
    }
}
