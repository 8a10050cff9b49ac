//! `soulbound check [SOUL.md]`: read it; print every grant, the reach, every rule's standing, every warning.
//!
//! Without `--syntax` each skill is bound as for a call, so that what passes here runs.

mod report;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};
use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::sandbox::{BindError, GrantProblem, Runtime, RuntimeConfig};
use soulbound_runtime::skill::{Digest, Origin, SkillFolder, Standing};
use soulbound_runtime::soul::{Diagnostic, ReadError, SkillEntry, SoulView};
use soulbound_runtime::{Denial, DenialId, RuleRef, Soul};

use crate::agent::SoulFile;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::state::StateFolder;

/// Read a SOUL.md and print what it grants, what that reaches, and what is wrong with it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound check examples/guardian/SOUL.md\n  soulbound check --syntax draft/SOUL.md"
)]
pub(super) struct Check {
    /// The file, or its folder
    #[arg(value_name = "SOUL.md", default_value = "./SOUL.md")]
    soul: String,
    /// Read the file alone: directories and components need not be there
    #[arg(long)]
    syntax: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// What binding a skill showed.
struct Seen {
    origin: Origin,
    digest: Digest,
    /// Imports with authority and their standing; empty when the component could not be read.
    imports: Vec<(String, String, Standing)>,
    tools: Vec<String>,
}

/// Everything that a check found.
struct Findings {
    view: SoulView,
    seen: Map<String, Value>,
    /// `None` for a file with errors.
    soul: Option<Soul>,
}

impl Check {
    pub(super) fn run(self) -> Result<Exit> {
        let file = SoulFile::from_argument(&self.soul)?;
        let mut findings = match Soul::read(&file.path) {
            Ok(soul) => Findings { view: SoulView::from(&soul), seen: Map::new(), soul: Some(soul) },
            Err(ReadError::Content(errors)) => {
                Findings { view: SoulView::from(&errors), seen: Map::new(), soul: None }
            }
            Err(error) => return Err(error.into()),
        };
        if !self.syntax
            && let Some(soul) = findings.soul.take()
        {
            bind_all(&file, &soul, &mut findings)?;
            findings.soul = Some(soul);
        }
        findings.view.errors.sort_by_key(|error| (error.line, error.column));
        findings.view.warnings.sort_by_key(|warning| (warning.line, warning.column));
        let exit = if findings.view.errors.is_empty() { Exit::Done } else { Exit::Refused };
        if self.json {
            super::print_json(&document(&findings)?)?;
        } else {
            report::print(&findings, &file);
        }
        Ok(exit)
    }
}

/// Binds every skill; what does not bind is an error on its line.
fn bind_all(file: &SoulFile, soul: &Soul, findings: &mut Findings) -> Result<()> {
    let state = StateFolder::find()?;
    let settings = Settings::read(&state)?;
    let sources = file.sources(Some(&state));
    let defaults = settings.limits.clone();
    let required: Vec<Option<RuleRef>> = soul
        .skills()
        .iter()
        .map(|entry| settings.approval_required(entry).map(|grant| grant.rule.clone()))
        .collect();
    let runtime = runtime(&state, settings)?;
    for (entry, required) in soul.skills().iter().zip(required) {
        for (own, default) in entry.grant.limits.looser_than(&defaults) {
            let rule = entry.grant.limits.rule.as_ref().or(entry.grant.line.as_ref());
            let message = format!("`{own}` changes nothing: the operator's `{default}` is as strict");
            findings.view.warnings.extend(rule.map(|rule| Diagnostic::at_rule(rule, message)));
        }
        if let (Some(rule), Some(line)) = (required, &entry.grant.line) {
            let message =
                format!("the operator requires approval ({}), and nobody can be asked yet", rule.text);
            findings.view.warnings.push(Diagnostic::at_rule(line, message));
        }
        match sources.find(&entry.name) {
            Ok(found) => bind_one(&runtime, file, soul, entry, found.origin, &found.folder, findings),
            Err(error) => findings.view.errors.extend(at_line(entry, &error.to_string(), error.hint())),
        }
    }
    Ok(())
}

fn bind_one(
    runtime: &Runtime,
    file: &SoulFile,
    soul: &Soul,
    entry: &SkillEntry,
    origin: Origin,
    folder: &SkillFolder,
    findings: &mut Findings,
) {
    let mut seen = Seen { origin, digest: folder.digest, imports: Vec::new(), tools: Vec::new() };
    match runtime.bind(&file.identity(soul), entry, folder) {
        Ok(bound) => {
            seen.tools = bound.tools().iter().map(|tool| tool.name.clone()).collect();
            for import in bound.imports() {
                if let Some(capability) = import.capability {
                    seen.imports.push((import.interface.clone(), capability.to_string(), import.standing));
                }
            }
        }
        // The file is right and means what it says; it is this skill that will not run under it.
        Err(BindError::Denied(denial))
            if matches!(denial.id, DenialId::ImportNotGranted | DenialId::GrantUnenforced) =>
        {
            findings.view.warnings.push(of_denial(entry, &denial));
        }
        Err(BindError::Denied(denial)) => findings.view.errors.push(of_denial(entry, &denial)),
        Err(BindError::Directories(problems)) => findings.view.errors.extend(problems.iter().map(diagnostic)),
        Err(BindError::Grant(problem)) => findings.view.errors.push(diagnostic(&problem)),
        Err(error) => findings.view.errors.extend(at_line(entry, &error.to_string(), None)),
    }
    findings.seen.insert(entry.name.clone(), seen.json());
}

impl Seen {
    fn json(&self) -> Value {
        let imports: Vec<Value> = self
            .imports
            .iter()
            .map(|(interface, capability, standing)| json!({"interface": interface, "capability": capability, "standing": standing}))
            .collect();
        json!({"origin": self.origin, "digest": self.digest, "imports": imports, "tools": self.tools})
    }
}

/// A problem of a grant as a line of SOUL.md.
pub(super) fn diagnostic(problem: &GrantProblem) -> Diagnostic {
    let diagnostic = Diagnostic::at_rule(&problem.rule, problem.message.clone());
    match &problem.hint {
        Some(hint) => diagnostic.hint(hint.clone()),
        None => diagnostic,
    }
}

fn of_denial(entry: &SkillEntry, denial: &Denial) -> Diagnostic {
    let line = RuleRef { file: String::new(), line: entry.line, column: 1, text: String::new() };
    let rule = denial.rule.as_ref().or(entry.grant.line.as_ref()).unwrap_or(&line);
    let diagnostic =
        Diagnostic::at_rule(rule, format!("calls will be refused: {}: {}", denial.id, denial.message));
    match &denial.hint {
        Some(hint) => diagnostic.hint(hint.clone()),
        None => diagnostic,
    }
}

fn at_line(entry: &SkillEntry, message: &str, hint: Option<String>) -> Option<Diagnostic> {
    let diagnostic = Diagnostic::at_rule(entry.grant.line.as_ref()?, message);
    Some(match hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    })
}

fn document(findings: &Findings) -> Result<Value> {
    let mut document = serde_json::to_value(&findings.view)?;
    if let Some(skills) = document.get_mut("skills").and_then(Value::as_array_mut) {
        for skill in skills.iter_mut().filter_map(Value::as_object_mut) {
            let name = skill.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(Value::Object(seen)) = findings.seen.get(&name) {
                skill.extend(seen.clone());
            }
        }
    }
    let mut whole = json!({"ok": findings.view.errors.is_empty()});
    if let (Value::Object(whole), Value::Object(rest)) = (&mut whole, document) {
        whole.extend(rest);
    }
    Ok(whole)
}

/// A runtime with the operator's settings, and the compile cache of the state folder where one can be had.
pub(super) fn runtime(state: &StateFolder, settings: Settings) -> Result<Runtime> {
    let mut compiler = Compiler::of_this_program();
    match state.make().and_then(|()| Ok(Cache::open(state.path().join("cache"))?)) {
        Ok(cache) => compiler = compiler.with_cache(cache),
        Err(error) => super::note(&format!("note: components are compiled anew each time: {error:#}")),
    }
    let mut config = RuntimeConfig::new(compiler);
    config.limits = settings.limits;
    config.files = settings.files;
    config.network = settings.network;
    Ok(Runtime::new(config)?)
}
