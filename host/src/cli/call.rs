//! `soulbound call SOUL.md SKILL TOOL [JSON]`: one call in the sandbox, as an operator tries something.

use std::io::Read;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{BindError, CallError, Ending, Outcome, Overseer, Runtime};
use soulbound_runtime::skill::SkillFolder;
use soulbound_runtime::soul::{Diagnostic, ReadError, SkillEntry};
use soulbound_runtime::{Denial, Soul, visible};

use crate::agent::{SoulFile, is_path, or_a_file};
use crate::answer::{self, Answered};
use crate::exit::Exit;
use crate::gateway::start;
use crate::operator::client::Client;
use crate::operator::waiting::Waits;
use crate::operator::{self, Arguments, Request, Who};
use crate::oversight::outputs::Outputs;
use crate::oversight::outputs::alone::Alone;
use crate::rates::KeptBudgets;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::registry::{self, Registry};

/// Call one tool of a skill, sandboxed under a SOUL.md
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound call examples/guardian/SOUL.md file-reader read path=/documents/policy.md\n  soulbound call examples/guardian/SOUL.md file-reader read '{\"path\": \"/documents/policy.md\"}' --json\n  echo '{\"path\": \"/documents\"}' | soulbound call examples/guardian/SOUL.md file-reader list -"
)]
pub(super) struct Call {
    /// An agent's id: through the gateway, on record. Or a SOUL.md (a path with `/` or `.md`): tried by you alone, on no record
    #[arg(value_name = "SOUL.md|AGENT")]
    agent: String,
    /// The skill, as SOUL.md lists it
    skill: String,
    /// The tool: a function that the component exports
    tool: String,
    /// One JSON object, or `key=value` words, or `-` for JSON on standard input
    #[arg(value_name = "JSON")]
    arguments: Vec<String>,
    /// One JSON document with the result, every access and the log
    #[arg(long)]
    json: bool,
    /// Show what the skill printed and logged
    #[arg(long)]
    log: bool,
}

/// A call that did not get as far as an outcome.
enum Failure {
    /// SOUL.md is bad.
    Soul(Vec<Diagnostic>),
    /// Refused before it began.
    Denied(Denial),
    /// An error of some kind.
    Error(CallError),
    /// The component, or what the operator set, cannot be used.
    Component { message: String, hint: Option<String> },
}

impl Call {
    pub(super) fn run(self) -> Result<Exit> {
        if !is_path(&self.agent) {
            return self.through_the_gateway();
        }
        let soul_file = SoulFile::from_argument(&self.agent)?;
        match self.outcome(&soul_file)? {
            Ok(outcome) => self.report(&outcome),
            Err(failure) => self.report_failure(&failure),
        }
    }

    /// An agent's id: the running gateway makes the call, recorded like any other; one is started if none runs.
    fn through_the_gateway(&self) -> Result<Exit> {
        let state = StateFolder::find()?;
        if state.is_stopped() {
            return self.report_failure(&Failure::Denied(operator::stopped(&state)));
        }
        // Asked before a gateway is started for it.
        let (registry, id) = (Registry::open(&state), registry::id(&self.agent)?);
        registry.record(&id).map_err(|error| or_a_file(&registry, &id, error))?;
        start::ensure_running(&state)?;
        let request = Request::Call {
            agent: self.agent.clone(),
            skill: self.skill.clone(),
            tool: self.tool.clone(),
            arguments: self.words()?,
            told: true,
            who: Who::this_process(),
        };
        let client = Client::connect(&state)?.context("the gateway left just now; try again")?;
        // With `--json` too: standard output stays one document.
        let hear = |waits: &Waits| super::note(&waits.said());
        let answer: Answered =
            serde_json::from_value(client.ask_hearing(&request, None, hear)?.into_result()?)
                .context("the gateway's answer is not understood: is it of another version?")?;
        if self.json {
            super::print_json(&answer.document)?;
            return Ok(answer.exit);
        }
        if let Some(result) = answer.document.get("result") {
            super::print_json(result)?;
        }
        say(&answer.said);
        Ok(answer.exit)
    }

    fn outcome(&self, soul_file: &SoulFile) -> Result<Result<Outcome, Failure>> {
        let state = StateFolder::find()?;
        if state.is_stopped() {
            return Ok(Err(Failure::Denied(operator::stopped(&state))));
        }
        let settings = Settings::read(&state)?;
        let soul = match Soul::read(&soul_file.path) {
            Ok(soul) => soul,
            Err(ReadError::Content(errors)) => return Ok(Err(Failure::Soul(errors.errors))),
            Err(error) => return Err(error.into()),
        };
        let Some(entry) = soul.skill(&self.skill) else {
            return Ok(Err(Failure::Denied(crate::agent::not_listed(&soul, None, &self.skill))));
        };
        let folder = match soul_file.sources(None).find(&self.skill) {
            Ok(found) => found.folder,
            Err(error) => {
                let (message, hint) = (visible::line(&error.to_string()), error.hint());
                return Ok(Err(Failure::Component { message, hint }));
            }
        };
        let alone = Alone::new(Outputs::new(&soul, &settings.outputs));
        let runtime = super::check::runtime(&state, settings)?;
        self.bind_and_call(alone, &runtime, soul_file, &soul, entry, &folder, &state)
    }

    #[expect(clippy::too_many_arguments, reason = "all that a call needs, gathered by its only caller")]
    fn bind_and_call(
        &self,
        alone: Alone,
        runtime: &Runtime,
        soul_file: &SoulFile,
        soul: &Soul,
        entry: &SkillEntry,
        folder: &SkillFolder,
        state: &StateFolder,
    ) -> Result<Result<Outcome, Failure>> {
        let bound = match runtime.bind(&soul_file.identity(soul), entry, folder) {
            Ok(bound) => bound,
            Err(error) => return Ok(Err(of_bind(error))),
        };
        let arguments = match self.words()?.read(bound.tool(&self.tool)) {
            Ok(arguments) => arguments,
            Err(error) => return Ok(Err(Failure::Error(error))),
        };
        let (kept, admitted) = KeptBudgets::admit(state, &soul_file.path, &self.skill, &bound)?;
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(denial) => return Ok(Err(Failure::Denied(denial))),
        };
        let tokio = tokio::runtime::Builder::new_current_thread().build()?;
        let alone = Arc::new(alone);
        let overseer = Arc::clone(&alone) as Arc<dyn Overseer>;
        let outcome = tokio.block_on(bound.call_admitted(admitted, &self.tool, arguments, overseer));
        kept.keep(&bound)?;
        Ok(Ok(alone.answer(outcome)))
    }

    /// The arguments as they were written, standard input read.
    fn words(&self) -> Result<Arguments> {
        let words: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        Ok(match words.as_slice() {
            ["-"] => {
                let mut text = String::new();
                let stdin = std::io::stdin().lock();
                stdin.take(64 << 20).read_to_string(&mut text).context("standard input cannot be read")?;
                anyhow::ensure!(
                    !text.trim().is_empty(),
                    "standard input is empty\n  hint: `-` reads one JSON object from it: echo '{{}}' | soulbound call …"
                );
                Arguments::Json(text)
            }
            [one] if one.trim_start().starts_with(['{', '[']) => Arguments::Json((*one).to_owned()),
            words => Arguments::Pairs(words.iter().map(|word| (*word).to_owned()).collect()),
        })
    }

    fn report(&self, outcome: &Outcome) -> Result<Exit> {
        let exit = answer::exit(outcome);
        if self.json {
            super::print_json(&answer::document(outcome))?;
            return Ok(exit);
        }
        if self.log {
            for line in &outcome.log {
                super::note(&Style::stderr().dim(&line.shown()));
            }
        }
        match &outcome.ending {
            Ending::Returned(value) => {
                super::print_json(value)?;
                for denial in &outcome.denials {
                    super::note(&denial.to_string());
                }
            }
            Ending::Failed { denial, error } => {
                say_failure(denial.as_ref(), error.as_ref());
                if !self.log && !outcome.log.is_empty() {
                    super::note(&format!("  log:      {} lines; `--log` shows them", outcome.log.len()));
                }
            }
        }
        Ok(exit)
    }

    fn report_failure(&self, failure: &Failure) -> Result<Exit> {
        let exit = match failure {
            Failure::Denied(_) => Exit::Refused,
            Failure::Soul(_) | Failure::Error(_) | Failure::Component { .. } => Exit::CouldNotRun,
        };
        if self.json {
            super::print_json(&failure_document(failure))?;
            return Ok(exit);
        }
        match failure {
            Failure::Denied(denial) => say_failure(Some(denial), None),
            Failure::Error(error) => say_failure(None, Some(error)),
            Failure::Component { message, hint } => {
                super::complain(message);
                if let Some(hint) = hint {
                    super::note(&format!("  hint: {hint}"));
                }
            }
            Failure::Soul(errors) => errors.iter().for_each(|error| super::note(&error.to_string())),
        }
        Ok(exit)
    }
}

/// The machine-readable form of a call that did not begin.
fn failure_document(failure: &Failure) -> Value {
    let error = |kind: &str, message: &str, hint: Option<&str>| json!({"kind": kind, "id": null, "message": message, "hint": hint});
    let (denial, error) = match failure {
        Failure::Denied(denial) => (Some(denial), None),
        Failure::Error(CallError { message, .. }) => (None, Some(error("arguments", message, None))),
        Failure::Component { message, hint } => (None, Some(error("component", message, hint.as_deref()))),
        Failure::Soul(errors) => {
            let place =
                |one: &Diagnostic| format!("{}:{}:{}: {}", one.file, one.line, one.column, one.message);
            let message: Vec<String> = errors.iter().map(place).collect();
            let hint = errors.first().and_then(|error| error.hint.as_deref());
            (None, Some(error("soul", &message.join("\n"), hint)))
        }
    };
    json!({"ok": false, "denial": denial, "error": error, "denials": denial.into_iter().collect::<Vec<_>>(),
        "accesses": [], "accesses_dropped": 0, "log": [], "log_dropped_bytes": 0, "duration_us": 0,
        "memory_peak_bytes": 0})
}

/// The denial, and the error beside it, as a person reads them.
fn say_failure(denial: Option<&Denial>, error: Option<&CallError>) {
    say(&answer::failure(denial, error));
}

/// Lines on standard error, the first of a denial in red.
fn say(lines: &[String]) {
    let style = Style::stderr();
    for line in lines {
        match line.split_once('\n') {
            Some((head, rest)) => {
                super::note(&style.red(head));
                super::note(rest);
            }
            None if line.starts_with("denied[") => super::note(&style.red(line)),
            None => super::note(line),
        }
    }
}

fn of_bind(error: BindError) -> Failure {
    match error {
        BindError::Denied(denial) => Failure::Denied(*denial),
        BindError::Directories(problems) => {
            Failure::Soul(problems.iter().map(crate::review::diagnostic).collect())
        }
        BindError::Grant(problem) => Failure::Soul(vec![crate::review::diagnostic(&problem)]),
        other => Failure::Component { message: visible::line(&other.to_string()), hint: None },
    }
}
