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
    /// A URL that it would request, or a host as `example.com` or `example.com:8443`
    #[arg(long, value_name = "URL|HOST")]
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
        let answer = match refused_altogether(&state) {
            // What refuses this skill alone says more.
            Some(denial)
                if subject.soul.skill(&self.skill).is_some() && subject.refusal(&self.skill).is_none() =>
            {
                Answer { decided: Err(Box::new(denial)), note: None }
            }
            _ => self.judged(&subject, &settings)?,
        };
        let mut answer = under(answer, &subject);
        if answer.decided.is_err()
            && let Some(waiting) = self.waiting(&subject, &state, &settings)
        {
            answer.note = Some(answer.note.map_or(waiting.clone(), |note| format!("{note}; {waiting}")));
        }
        self.report(&answer)
    }

    fn judged(&self, subject: &Subject, settings: &Settings) -> Result<Answer> {
        match subject.soul.skill(&self.skill) {
            _ if let Some(denial) = subject.refusal(&self.skill) => {
                Ok(Answer { decided: Err(Box::new(denial.clone())), note: None })
            }
            None => Ok(Answer { decided: Err(Box::new(subject.not_listed(&self.skill))), note: None }),
            Some(entry) => self.answer(subject, settings, entry),
        }
    }

    /// What is said where the folder's own SOUL.md would allow what is refused: whoever has just written the line would look for
    /// a fault in it.
    fn waiting(&self, subject: &Subject, state: &StateFolder, settings: &Settings) -> Option<String> {
        if !subject.is_changed() {
            return None;
        }
        let file = subject.folder.join("SOUL.md").display().to_string();
        let on_disk = Subject::of(&file, state, settings).ok()?;
        self.judged(&on_disk, settings).ok()?.decided.ok()?;
        let id = subject.soul.id();
        Some(format!("SOUL.md as it stands in the folder allows it, and waits: soulbound agents trust {id}"))
    }

    fn answer(&self, subject: &Subject, settings: &Settings, entry: &SkillEntry) -> Result<Answer> {
        if let Some(host) = &self.host {
            return self.about_host(host, subject, settings, entry);
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
            let decided = match files.skill_line(line).lost(entry.grant.lost.clone()).judge(
                &entry.name,
                &subject.named,
                path,
                self.write,
            ) {
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

    /// A bare `en.wikipedia.org`, with a port or a path, is asked about as the URLs that it can mean: what is told is of the first
    /// that is allowed, or else of the first.
    fn about_host(
        &self,
        host: &str,
        subject: &Subject,
        settings: &Settings,
        entry: &SkillEntry,
    ) -> Result<Answer> {
        let (method, host) = match host.split_once(' ') {
            Some((method, rest)) if is_method(method) => (method, rest.trim_start()),
            _ => (self.method.as_str(), host),
        };
        anyhow::ensure!(
            !host.is_empty(),
            "--host is empty\n  hint: a URL or a host: --host https://example.com"
        );
        let bare = host.trim_start_matches('/');
        let urls = match host.contains("://") {
            true => vec![host.to_owned()],
            false => vec![format!("https://{bare}"), format!("http://{bare}")],
        };
        let mut answers = Vec::new();
        for url in urls {
            let mut answer = about_url(&url, method, subject, settings, entry);
            if url != host {
                let read = format!("read as {}", visible::quoted_target(&url));
                answer.note = Some(answer.note.map_or(read.clone(), |note| format!("{read}; {note}")));
            }
            if answer.decided.is_ok() {
                return Ok(answer);
            }
            answers.push(answer);
        }
        answers.into_iter().next().context("one of --host, --path, --import")
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
                let mut denial = (**denial).clone();
                // Its own hint may lead back here.
                if denial.hint.as_ref().is_none_or(|hint| hint.starts_with("soulbound why")) {
                    denial.hint = Some(format!("soulbound explain {}", denial.id));
                }
                super::print(&denial.to_string());
            }
        }
        if let Some(note) = &answer.note {
            super::print(&style.dim(&format!("  note:     {note}")));
        }
        Ok(exit)
    }
}

/// What is answered of an agent of which nothing runs: what the grants refuse is told as that, what they allow is refused.
fn under(mut answer: Answer, subject: &Subject) -> Answer {
    let Some(denial) = subject.runs().denial(subject.soul.id()) else { return answer };
    match &answer.decided {
        Ok(_) => {
            Answer { decided: Err(Box::new(denial)), note: Some("the grants themselves allow it".to_owned()) }
        }
        Err(_) => {
            answer.note.get_or_insert_with(|| subject.runs().sentence());
            answer
        }
    }
}

/// What refuses every call of the skill, whatever it reaches for.
fn refused_altogether(state: &StateFolder) -> Option<Denial> {
    state.is_stopped().then(|| crate::operator::stopped(state))
}

/// Whether this is how an entry of `hosts` begins that names a method: `POST https://api.example.com`.
fn is_method(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn about_url(url: &str, method: &str, subject: &Subject, settings: &Settings, entry: &SkillEntry) -> Answer {
    let target = match Target::from_url(url) {
        Ok(target) => target,
        Err(error) => {
            let message =
                format!("{} is no target that a skill may have: {error}", visible::quoted_target(url));
            let denial = Denial::new(DenialId::HostMalformed, message);
            return Answer { decided: Err(Box::new(denial)), note: None };
        }
    };
    let decided = judge_request(
        &entry.name,
        &subject.named,
        &entry.grant.hosts,
        &settings.network.ceiling,
        method,
        &target,
    );
    // Of what is denied no address is ever looked at.
    let mut notes = Vec::new();
    if decided.is_ok() {
        notes.push("the addresses that the name resolves to are judged when a request is made".to_owned());
    }
    for secret in entry.grant.secrets.iter().filter(|secret| secret.is_for(&target)) {
        notes.push(format!(
            "the host adds the secret `{}` as header `{}`, if it is set for {}",
            secret.name,
            secret.header,
            secret.origin()
        ));
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Answer { decided: decided.map(Some).map_err(Box::new), note }
}
