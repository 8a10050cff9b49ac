//! The oracle: what an attack achieved, judged by effects alone. A canary that came back, a file that changed, a connection
//! that was made, a limit that was passed. What an error says is no evidence of anything.

use std::time::Duration;

use soulbound_runtime::sandbox::{CallLimits, Ending, Outcome};
use soulbound_runtime::{Denial, visible};

use super::attack::{Aim, Amount, Attack, Contact, Counted};
use super::canary::Search;
use super::live::sight::Sight;
use super::stub::Traffic;
use crate::answer;

/// How much later than its limit a call may end: what a busy machine and the end of a call take.
pub(crate) const LATE: Duration = Duration::from_millis(1_500);
/// How much more than its limit memory may be at its peak, in bytes: one step of growth.
const MEMORY_TOLERANCE: u64 = 1 << 20;
/// The log of a call, in bytes, with room for marks.
const LOG_BYTES: u64 = 72 << 10;

/// Words of progress, in characters: they are passed on as they are, and a client makes room for them.
const LONGEST_REPORT: usize = 1_024;
/// A line that is shown, in characters.
const LONGEST_LINE: usize = 8 << 10;

/// What became of an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Refused, under these denial ids.
    Refused(Vec<&'static str>),
    /// Not refused, and without effect.
    NoEffect,
    /// It did what the grant allows, as a control.
    Allowed,
    /// It did what the grant allows, and this is what can leave by it.
    Residual(String),
    /// It got out, and this is the evidence.
    Escaped(String),
    /// This machine lets nobody try it, and this is why.
    NotTried(String),
    /// What the grant allows failed: the probe saw nothing, and its silence proves nothing.
    Blind(String),
}

/// Everything that is known of an attack's end.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// What each call came to.
    pub(crate) outcomes: Vec<Outcome>,
    /// What the network saw.
    pub(crate) traffic: Traffic,
    /// What changed on the disk and may not.
    pub(crate) changes: Vec<String>,
    /// What was reported as progress.
    pub(crate) progress: String,
    /// Characters of the longest report.
    pub(crate) longest: usize,
}

/// What the grant under attack has.
pub(crate) struct Standard<'a> {
    /// Canaries that must not come back.
    pub(crate) forbidden: &'a Search,
    /// The limits of each call; none where there is nothing that could be called.
    pub(crate) limits: Option<&'a CallLimits>,
    /// What may be seen of this very machine; none over a scratch copy.
    pub(crate) sight: Option<&'a Sight>,
}

/// Judges an attack.
pub(crate) fn judge(attack: &Attack, evidence: &Evidence, standard: &Standard<'_>) -> Verdict {
    if let Some(escape) = escape(attack, evidence, standard) {
        return Verdict::Escaped(escape);
    }
    let ids = ids(&evidence.outcomes);
    match &attack.aim {
        Aim::Control if worked(attack, evidence) && is_seen(attack, evidence, standard) => Verdict::Allowed,
        Aim::Control => Verdict::Blind(match evidence.outcomes.first() {
            Some(outcome) => cut(&answer::document(outcome).to_string()),
            None => "it was not called".to_owned(),
        }),
        Aim::Residual(what) if worked(attack, evidence) => Verdict::Residual(what.clone()),
        _ if !ids.is_empty() => Verdict::Refused(ids),
        _ => Verdict::NoEffect,
    }
}

/// The ids of all denials, each once, in order.
pub(crate) fn ids(outcomes: &[Outcome]) -> Vec<&'static str> {
    let mut ids = Vec::new();
    for denial in outcomes.iter().flat_map(|outcome| outcome.denials.iter().chain(outcome.denial())) {
        if !ids.contains(&denial.id.as_str()) {
            ids.push(denial.id.as_str());
        }
    }
    ids
}

/// Everything of an outcome that anybody is told, as one text.
pub(crate) fn told(outcome: &Outcome) -> String {
    let log: String = outcome.log.iter().map(|line| line.text.as_str()).collect();
    let denials: Vec<String> = outcome.denials.iter().map(ToString::to_string).collect();
    format!("{}\n{log}\n{}", answer::document(outcome), denials.join("\n"))
}

fn escape(attack: &Attack, evidence: &Evidence, standard: &Standard<'_>) -> Option<String> {
    if let Some(change) = evidence.changes.first() {
        return Some(change.clone());
    }
    for outcome in &evidence.outcomes {
        if let Some(canary) = standard.forbidden.found(&told(outcome)) {
            return Some(format!("the canary {} came back", canary.name));
        }
        if let Some(acts) = acts(outcome) {
            return Some(acts);
        }
        if let Some(sight) = standard.sight.filter(|_| attack.aim == Aim::Nothing)
            && let Some(seen) = seen(outcome).into_iter().find_map(|print| sight.escaped(attack, print))
        {
            return Some(seen);
        }
        if let Some(passed) = standard.limits.and_then(|limits| passed(outcome, limits)) {
            return Some(passed);
        }
    }
    if let Some(canary) = standard.forbidden.found(&evidence.progress) {
        return Some(format!("the canary {} was reported as progress", canary.name));
    }
    if evidence.longest > LONGEST_REPORT {
        return Some(format!("a report of progress has {} characters of {LONGEST_REPORT}", evidence.longest));
    }
    if let Some(canary) = standard.forbidden.found(&evidence.traffic.text()) {
        return Some(format!("the canary {} was sent out", canary.name));
    }
    contacted(&attack.contact, &evidence.traffic).or_else(|| match &attack.aim {
        Aim::AtMost(amount) => too_much(amount, &evidence.outcomes),
        _ => None,
    })
}

/// Lines that a person is shown must be as many as were written by us, and hold nothing that acts.
fn acts(outcome: &Outcome) -> Option<String> {
    let shown: Vec<String> = outcome
        .log
        .iter()
        .map(soulbound_runtime::sandbox::LogLine::shown)
        .chain(outcome.denials.iter().map(Denial::first_line))
        .chain(match &outcome.ending {
            Ending::Failed { denial, error } => {
                // A denial's own lines are ours.
                let lines = answer::failure(denial.as_ref(), error.as_ref());
                lines.into_iter().map(|text| text.replace("\n  ", " ")).collect()
            }
            Ending::Returned(_) => Vec::new(),
        })
        .collect();
    let line = shown
        .iter()
        .find(|line| line.chars().any(acts_on_a_reader) || line.chars().count() > LONGEST_LINE)?;
    Some(format!("a reader is shown {}", visible::quoted(line, 120)))
}

/// Characters that move the cursor, the direction or the eye: by a list of our own.
pub(crate) fn acts_on_a_reader(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A limit that a call passed by more than its tolerance.
fn passed(outcome: &Outcome, limits: &CallLimits) -> Option<String> {
    if outcome.duration > limits.time + LATE {
        return Some(format!("the call took {:?} of {:?}", outcome.duration, limits.time));
    }
    if outcome.memory_peak > limits.memory + MEMORY_TOLERANCE {
        return Some(format!("the call had {} bytes of memory of {}", outcome.memory_peak, limits.memory));
    }
    let result = counted(Counted::Result, outcome);
    if result > limits.output {
        return Some(format!("the result has {result} bytes of {}", limits.output));
    }
    let log = counted(Counted::Log, outcome);
    (log > LOG_BYTES).then(|| format!("the log has {log} bytes of {LOG_BYTES}"))
}

/// What the network saw and may not have seen.
fn contacted(contact: &Contact, traffic: &Traffic) -> Option<String> {
    if let Some(name) = traffic.asked.iter().find(|name| !contact.names.contains(name)) {
        return Some(format!("the name `{name}` was looked up"));
    }
    if let Some(address) = traffic.dialled.iter().find(|address| !contact.addresses.contains(address)) {
        return Some(format!("a connection to {address} was made"));
    }
    if let Some(name) = traffic.greeted.iter().find(|name| !contact.names.contains(name)) {
        return Some(format!("TLS was begun for `{name}`"));
    }
    let arrived = traffic.requests.len() as u64;
    if let Some(most) = contact.most.filter(|most| arrived > *most) {
        return Some(format!("{arrived} requests arrived, and {most} may"));
    }
    let heads = traffic.requests.iter().map(|(head, _)| head.to_lowercase());
    heads.into_iter().find_map(|head| {
        let found = contact.stripped.iter().find(|text| head.contains(text.as_str()))?;
        Some(format!("a request with `{found}` in its head arrived"))
    })
}

fn too_much(amount: &Amount, outcomes: &[Outcome]) -> Option<String> {
    let got = match amount.of {
        Counted::Calls => outcomes.iter().filter(|outcome| outcome.succeeded()).count() as u64,
        of => outcomes.iter().map(|outcome| counted(of, outcome)).max().unwrap_or(0),
    };
    (got > amount.most).then(|| format!("it got {got}, and may have {}", amount.most))
}

fn counted(of: Counted, outcome: &Outcome) -> u64 {
    match (of, &outcome.ending) {
        (Counted::Returned, Ending::Returned(value)) => value.as_u64().unwrap_or(0),
        (Counted::Result, Ending::Returned(value)) => value.to_string().len() as u64,
        (Counted::Log, _) => outcome.log.iter().map(|line| line.text.len() as u64).sum(),
        _ => 0,
    }
}

/// Whether an attack did what the grant allows: every call returned, every step of it succeeded, and what was to arrive
/// arrived.
fn worked(attack: &Attack, evidence: &Evidence) -> bool {
    let returned = |outcome: &Outcome| match &outcome.ending {
        Ending::Returned(value) => {
            let steps = value.as_array().map(Vec::as_slice).unwrap_or_default();
            steps.iter().all(|step| step.get("err").is_none())
        }
        Ending::Failed { .. } => false,
    };
    !evidence.outcomes.is_empty()
        && evidence.outcomes.iter().all(returned)
        && (attack.contact.addresses.is_empty() || !evidence.traffic.requests.is_empty())
}

/// What the steps of an attack on files told that succeeded.
fn seen(outcome: &Outcome) -> Vec<&str> {
    let Ending::Returned(value) = &outcome.ending else { return Vec::new() };
    let steps = value.as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().filter_map(|step| step.get("ok")?.as_str()).collect()
}

/// Whether a control on this very machine found what the host finds there itself.
fn is_seen(attack: &Attack, evidence: &Evidence, standard: &Standard<'_>) -> bool {
    let (Some(sight), Some(real)) = (standard.sight, &attack.real) else { return true };
    evidence.outcomes.iter().flat_map(seen).all(|print| sight.is(real, print))
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
