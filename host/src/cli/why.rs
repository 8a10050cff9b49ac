//! `soulbound why SOUL.md SKILL --host URL | --path P | --import I`: allowed or denied, and by which line.
//!
//! The same judges answer as in a call: the host matcher, the filesystem's walk, the table of imports.

use anyhow::{Context, Result};
use clap::{ArgGroup, Args};
use serde_json::json;
use soulbound_runtime::grant::host::Target;
use soulbound_runtime::sandbox::files::{BoundFiles, DirectoryError, Judgement};
use soulbound_runtime::sandbox::network::judge_request;
use soulbound_runtime::skill::inspection::Import;
use soulbound_runtime::skill::{Standing, imports};
use soulbound_runtime::soul::SkillEntry;
use soulbound_runtime::{Denial, DenialId, RuleRef, visible};

use crate::agent::Subject;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;

/// Say whether a skill may reach a host, a path or an import, and by which line
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["host", "path", "import"]))]
#[command(
    after_help = "Example:\n  soulbound why examples/guardian/SOUL.md browser --host https://en.wikipedia.org/wiki/Soul\n  soulbound why examples/guardian/SOUL.md file-reader --path /documents/policy.md --write"
)]
pub(super) struct Why {
    /// The agent: its SOUL.md, or its id
    #[arg(value_name = "SOUL.md|AGENT")]
    agent: String,
    /// The skill
    skill: String,
    /// A URL that it would request
    #[arg(long, value_name = "URL")]
    host: Option<String>,
    /// The method of the request
    #[arg(long, default_value = "GET", requires = "host")]
    method: String,
    /// A path, as the skill would spell it
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// To write there
    #[arg(long, requires = "path")]
    write: bool,
    /// A WIT import, such as `wasi:http/outgoing-handler@0.2.0`
    #[arg(long, value_name = "INTERFACE")]
    import: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// The answer: the line that allows, or the denial; and what only a call can tell.
struct Answer {
    decided: Result<Option<RuleRef>, Box<Denial>>,
    note: Option<String>,
}

impl Why {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let settings = Settings::read(&state)?;
        let subject = Subject::of(&self.agent, &state, &settings)?;
        let soul = &subject.soul;
        let answer = match soul.skill(&self.skill) {
            _ if let Some(denial) = subject.refusal(&self.skill) => {
                Answer { decided: Err(Box::new(denial.clone())), note: None }
            }
            None => {
                let message = format!(
                    "agent `{}` has no skill {} under `## Skills`",
                    soul.id(),
                    visible::quoted_target(&self.skill)
                );
                Answer { decided: Err(Box::new(Denial::new(DenialId::SkillNotListed, message))), note: None }
            }
            Some(entry) => match refused_altogether(&state) {
                Some(denial) => Answer { decided: Err(Box::new(denial)), note: None },
                None => self.answer(&subject, &settings, entry)?,
            },
        };
        self.report(&answer)
    }

    fn answer(&self, subject: &Subject, settings: &Settings, entry: &SkillEntry) -> Result<Answer> {
        if let Some(url) = &self.host {
            let target = match Target::from_url(url) {
                Ok(target) => target,
                Err(error) => {
                    let message = format!(
                        "{} is no target that a skill may have: {error}",
                        visible::quoted_target(url)
                    );
                    return Ok(Answer {
                        decided: Err(Box::new(Denial::new(DenialId::HostMalformed, message))),
                        note: None,
                    });
                }
            };
            let decided = judge_request(
                &entry.name,
                &subject.named,
                &entry.grant.hosts,
                &settings.network.ceiling,
                &self.method,
                &target,
            );
            let mut note =
                "the addresses that the name resolves to are judged when a request is made".to_owned();
            for secret in entry.grant.secrets.iter().filter(|secret| secret.is_for(&target)) {
                note.push_str(&format!(
                    "; the host adds the secret `{}` as header `{}`, if it is set for {}",
                    secret.name,
                    secret.header,
                    secret.origin()
                ));
            }
            return Ok(Answer { decided: decided.map(Some).map_err(Box::new), note: Some(note) });
        }
        if let Some(path) = &self.path {
            let line = entry.grant.line.clone();
            let files = BoundFiles::open(&entry.grant.directories, &subject.folder, &settings.files)
                .map_err(|errors| {
                    let place = |error: &DirectoryError| {
                        format!("{}: {}\n  hint: {}", error.rule, error.message, error.hint)
                    };
                    anyhow::anyhow!("{}", errors.iter().map(place).collect::<Vec<_>>().join("\n"))
                })?;
            let decided = match files.skill_line(line).judge(&entry.name, &subject.named, path, self.write) {
                Judgement::Allowed(rule) => Ok(rule),
                Judgement::Denied(denial) => Err(denial),
            };
            return Ok(Answer { decided, note: None });
        }
        let interface = self.import.as_ref().context("one of --host, --path, --import")?;
        let import =
            Import { interface: interface.clone(), kind: "instance".to_owned(), functions: Vec::new() };
        let judged = imports::judge(&import, Some(&entry.grant));
        let note = match judged.standing {
            Standing::Inert => Some("it carries no authority under this grant".to_owned()),
            Standing::Refused => Some("it links, and every call of it is refused".to_owned()),
            _ => None,
        };
        let decided = match imports::refusal(&entry.name, &judged, &entry.grant) {
            Some(denial) => Err(Box::new(denial)),
            None => Ok(entry.grant.line.clone()),
        };
        Ok(Answer { decided, note })
    }

    fn report(&self, answer: &Answer) -> Result<Exit> {
        let style = Style::stdout();
        let exit = if answer.decided.is_ok() { Exit::Done } else { Exit::Refused };
        if self.json {
            let document = match &answer.decided {
                Ok(rule) => json!({"decision": "allowed", "rule": rule, "denial": null, "note": answer.note}),
                Err(denial) => {
                    json!({"decision": "denied", "rule": denial.rule, "denial": denial, "note": answer.note})
                }
            };
            super::print_json(&document)?;
            return Ok(exit);
        }
        match &answer.decided {
            Ok(rule) => {
                super::print(&style.green("allowed"));
                if let Some(rule) = rule {
                    super::print(&format!("  rule:     {rule}"));
                }
            }
            Err(denial) => {
                // Its own hint would lead back here.
                let denial = (**denial).clone().hint(format!("soulbound explain {}", denial.id));
                super::print(&denial.to_string());
            }
        }
        if let Some(note) = &answer.note {
            super::print(&style.dim(&format!("  note:     {note}")));
        }
        Ok(exit)
    }
}

/// What refuses every call of the skill, whatever it reaches for.
fn refused_altogether(state: &StateFolder) -> Option<Denial> {
    state.is_stopped().then(|| crate::operator::stopped(state))
}
