//! What stands behind each rule: whether this program enforces it, or whether only the model is asked.
//!
//! The one rule: never claim enforcement that is not there. A rule is `enforced` only by something that this
//! build does, and a rule that merely resembles a known one is `advisory`.

use serde::Serialize;

use super::outputs;
use super::skills::SkillEntry;
use super::{Channel, Rule};
use crate::grant::Grant;
use crate::grant::approval::Approval;

/// How much of a rule holds without the model's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It holds whatever the model does.
    Enforced,
    /// A part of it holds.
    Partly,
    /// A grant says the opposite: an error.
    Contradicts,
    /// Only the model is asked.
    Advisory,
}

/// A rule's standing, and what makes it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleStanding {
    /// How much of the rule holds.
    pub standing: Standing,
    /// By what it holds, or what is left of it.
    pub by: String,
}

/// Longer rules resemble none of the known ones, and comparing is quadratic.
const LONGEST: usize = 200;

/// A rule as similar as this to a known one was probably meant as that one.
const SIMILAR: f64 = 0.8;

/// The rules that mean something to the program.
#[derive(Clone, Copy)]
enum Known {
    NoNetwork,
    NoExecution,
    Logged,
    Reviewed,
}

const KNOWN: [(&str, Known); 4] = [
    ("never access external networks", Known::NoNetwork),
    ("never execute code or system commands", Known::NoExecution),
    ("all outputs must be logged to heartbeat.md", Known::Logged),
    ("all outputs must be reviewed before publishing", Known::Reviewed),
];

/// Whether a rule is one that the program acts on, whatever stands beside it.
pub(super) fn is_enforceable(rule: &Rule) -> bool {
    let text = normal(&rule.text);
    !rule.output.is_empty() || KNOWN.iter().any(|(known, _)| *known == text)
}

/// Whether a rule makes every message to a channel wait for a person.
pub(super) fn requires_review(rule: &Rule) -> bool {
    let text = normal(&rule.text);
    KNOWN.iter().any(|(known, what)| *known == text && matches!(what, Known::Reviewed))
}

/// The rule's standing beside what the file grants.
pub(super) fn of(
    rule: &Rule,
    model: Option<&str>,
    skills: &[SkillEntry],
    channels: &[Channel],
) -> RuleStanding {
    let text = normal(&rule.text);
    if let Some((_, known)) = KNOWN.iter().find(|(known, _)| *known == text) {
        return known.standing(model, skills, channels);
    }
    if !rule.output.is_empty() {
        return output(rule);
    }
    if text.starts_with(outputs::HEAD) || text.split_once(':').is_some_and(|(head, _)| resembles_output(head))
    {
        return advisory("only the model is asked; the program knows the rule `Never output: <pattern>`");
    }
    let near = KNOWN.iter().map(|(known, _)| *known).filter(|_| text.chars().count() <= LONGEST);
    let near = near
        .map(|known| (strsim::normalized_levenshtein(&text, known), known))
        .filter(|(score, _)| *score >= SIMILAR);
    match near.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((_, known)) => {
            advisory(&format!("only the model is asked; the program knows the rule `{known}`"))
        }
        None => advisory("only the model is asked"),
    }
}

fn resembles_output(head: &str) -> bool {
    head.chars().count() <= LONGEST && strsim::normalized_levenshtein(head, outputs::HEAD) >= SIMILAR
}

fn output(rule: &Rule) -> RuleStanding {
    let readings: Vec<String> = rule.output.iter().map(|one| one.what.reading()).collect();
    let by = format!(
        "results, requests, file writes and channel messages are blocked if they hold {}",
        readings.join(", or ")
    );
    RuleStanding { standing: Standing::Enforced, by }
}

fn advisory(by: &str) -> RuleStanding {
    RuleStanding { standing: Standing::Advisory, by: by.to_owned() }
}

/// Case, spaces, emphasis and the final full stop make no other rule.
fn normal(text: &str) -> String {
    let text: String = text.chars().filter(|c| !matches!(c, '*' | '`')).collect();
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    text.trim_end_matches('.').to_owned()
}

impl Known {
    fn standing(self, model: Option<&str>, skills: &[SkillEntry], channels: &[Channel]) -> RuleStanding {
        match self {
            Self::NoNetwork => no_network(model, skills, channels),
            Self::NoExecution => RuleStanding {
                standing: Standing::Enforced,
                by: "components cannot start processes: no import for it exists".into(),
            },
            Self::Logged => RuleStanding {
                standing: Standing::Enforced,
                by: "every call through the gateway is recorded before it runs, and HEARTBEAT.md is written from the records: what was called and how it ended, not the text of answers".into(),
            },
            Self::Reviewed => reviewed(skills, channels),
        }
    }
}

/// Channels are where an agent publishes, and every message to one waits. A request that can change something outside is
/// a way to publish, too, unless it waits as well.
fn reviewed(skills: &[SkillEntry], channels: &[Channel]) -> RuleStanding {
    let waits = |grant: &Grant, method: &str| {
        grant.approve.iter().any(|approve| match &approve.what {
            Approval::Always | Approval::Writes => true,
            Approval::Method(waiting) => waiting.as_str() == method,
            _ => false,
        })
    };
    for skill in skills {
        for host in skill.grant.hosts.iter().filter(|host| host.is_public()) {
            let mut methods = host.methods().iter().filter(|method| !matches!(**method, "GET" | "HEAD"));
            if let Some(method) = methods.find(|method| !waits(&skill.grant, method)) {
                return RuleStanding {
                    standing: Standing::Partly,
                    by: format!(
                        "every message to a channel waits for a person; what is left: skill `{}` may send {method} to `{host}` (`approve: {method}` holds that too)",
                        skill.name
                    ),
                };
            }
        }
    }
    let by = match channels.len() {
        0 => "no channel is listed, and no skill may change anything outside".to_owned(),
        _ => "every message to a channel waits for a person".to_owned(),
    };
    RuleStanding { standing: Standing::Enforced, by }
}

fn no_network(model: Option<&str>, skills: &[SkillEntry], channels: &[Channel]) -> RuleStanding {
    for skill in skills {
        if let Some(host) = skill.grant.hosts.iter().find(|host| host.is_public()) {
            return RuleStanding {
                standing: Standing::Contradicts,
                by: format!("skill `{}` is granted `{host}` in line {}", skill.name, host.rule.line),
            };
        }
    }
    let model = model.filter(|model| !model.to_ascii_lowercase().starts_with("ollama/"));
    let mut remote: Vec<String> = model.iter().map(|model| format!("the model `{model}`")).collect();
    remote.extend(channels.iter().map(|channel| format!("the channel `{}`", channel.kind)));
    if remote.is_empty() {
        return RuleStanding { standing: Standing::Enforced, by: "no skill is granted a public host".into() };
    }
    let more = remote.len().saturating_sub(5);
    remote.truncate(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    RuleStanding {
        standing: Standing::Partly,
        by: format!("no skill is granted a public host; what is left: {}{more}", remote.join(", ")),
    }
}
