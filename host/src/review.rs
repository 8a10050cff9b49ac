//! A SOUL.md looked at as a whole: read, and each of its skills found and bound as for a call. What `check` reports and what
//! an operator is asked to trust is this one value.

mod channels;
mod page;

use std::collections::HashMap;

use anyhow::Result;
use serde_json::{Value, json};
use soulbound_runtime::grant::Capability;
use soulbound_runtime::grant::SecretGrant;
use soulbound_runtime::grant::host::{HostRefusal, Target, permits};
use soulbound_runtime::sandbox::files::{BoundFiles, OpenRules, OpenedDirectory};
use soulbound_runtime::sandbox::{BindError, GrantProblem, Runtime};
use soulbound_runtime::skill::imports::Standing;
use soulbound_runtime::skill::{JudgedImport, Origin, SkillFolder};
use soulbound_runtime::soul::{Diagnostic, SkillEntry, SoulErrors, SoulView};
use soulbound_runtime::{Denial, DenialId, RuleRef, Soul};

use crate::agent::SoulFile;
use crate::review::channels::Bound;
use crate::settings::Settings;
use crate::state::StateFolder;

pub(crate) use page::{Form, page};

/// Everything that was found.
#[derive(Default)]
pub(crate) struct Review {
    /// The file for programs, with the errors and warnings of file, folders and components.
    pub(crate) view: SoulView,
    /// The file; none if it has errors of its own.
    pub(crate) soul: Option<Soul>,
    /// The skills whose folders could be read, in the order of the file.
    pub(crate) skills: Vec<ReviewedSkill>,
    /// Where the operator lets the agent's channels lead, by their names; none for the file alone.
    bound: HashMap<String, Bound>,
}

/// A skill as it was found.
pub(crate) struct ReviewedSkill {
    /// The slug.
    pub(crate) name: String,
    /// In which place.
    pub(crate) origin: Origin,
    /// Its files, as they were read.
    pub(crate) folder: SkillFolder,
    /// Where its granted directories led; none of those that cannot be opened.
    pub(crate) opened: Vec<OpenedDirectory>,
    /// Its imports that carry authority; empty when the component could not be read.
    imports: Vec<JudgedImport>,
    tools: Vec<String>,
}

impl Review {
    /// The file alone.
    pub(crate) fn of_file(read: Result<Soul, SoulErrors>) -> Self {
        match read {
            Ok(soul) => Self { view: SoulView::from(&soul), soul: Some(soul), ..Self::default() },
            Err(errors) => Self { view: SoulView::from(&errors), ..Self::default() },
        }
    }

    /// Finds and binds every skill; what does not bind is an error on its line. `start` makes the runtime.
    pub(crate) fn bind_all(
        &mut self,
        file: &SoulFile,
        state: &StateFolder,
        settings: Settings,
        start: impl FnOnce(Settings) -> Result<Runtime>,
    ) -> Result<()> {
        let Some(soul) = self.soul.clone() else { return Ok(()) };
        let sources = file.sources(Some(state));
        let (defaults, rules) = (settings.limits.clone(), settings.files.clone());
        self.bound = channels::bound(&soul, &settings.channels);
        let runtime = start(settings)?;
        for entry in soul.skills() {
            for (own, default) in entry.grant.limits.looser_than(&defaults) {
                let rule = entry.grant.limits.rule.as_ref().or(entry.grant.line.as_ref());
                let message = format!("`{own}` changes nothing: the operator's `{default}` is as strict");
                self.view.warnings.extend(rule.map(|rule| Diagnostic::at_rule(rule, message)));
            }
            self.view
                .warnings
                .extend(entry.grant.secrets.iter().filter_map(|secret| never_sent(entry, secret)));
            match sources.find(&entry.name) {
                Ok(found) => self.bind_one(&runtime, file, &soul, entry, found.origin, found.folder, &rules),
                Err(error) => self.view.errors.extend(at_line(entry, &error.to_string(), error.hint())),
            }
        }
        self.view.errors.sort_by_key(|error| (error.line, error.column));
        self.view.warnings.sort_by_key(|warning| (warning.line, warning.column));
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one skill and all that it is held against")]
    fn bind_one(
        &mut self,
        runtime: &Runtime,
        file: &SoulFile,
        soul: &Soul,
        entry: &SkillEntry,
        origin: Origin,
        folder: SkillFolder,
        rules: &OpenRules,
    ) {
        let mut seen = ReviewedSkill {
            name: entry.name.clone(),
            origin,
            folder,
            opened: Vec::new(),
            imports: Vec::new(),
            tools: Vec::new(),
        };
        match runtime.bind(&file.identity(soul), entry, &seen.folder) {
            Ok(bound) => {
                seen.tools = bound.tools().iter().map(|tool| tool.name.clone()).collect();
                let with_authority = bound.imports().iter().filter(|import| import.capability.is_some());
                seen.imports = with_authority.cloned().collect();
                seen.opened = bound.files().opened();
            }
            // The file is right and means what it says; it is this skill that will not run under it.
            Err(BindError::Denied(denial)) if denial.id == DenialId::ImportNotGranted => {
                self.view.warnings.push(of_denial(entry, &denial));
                match BoundFiles::open(&entry.grant.directories, &file.folder(), rules) {
                    Ok(files) => seen.opened = files.opened(),
                    Err(errors) => self.view.errors.extend(
                        errors
                            .into_iter()
                            .map(|error| Diagnostic::at_rule(&error.rule, error.message).hint(error.hint)),
                    ),
                }
            }
            Err(BindError::Denied(denial)) => self.view.errors.push(of_denial(entry, &denial)),
            Err(BindError::Directories(problems)) => self.view.errors.extend(problems.iter().map(diagnostic)),
            Err(BindError::Grant(problem)) => self.view.errors.push(diagnostic(&problem)),
            Err(error) => self.view.errors.extend(at_line(entry, &error.to_string(), None)),
        }
        self.skills.push(seen);
    }

    /// Whether there is no error.
    pub(crate) fn is_clean(&self) -> bool {
        self.view.errors.is_empty()
    }

    /// The machine-readable form, `check --json`.
    pub(crate) fn document(&self) -> Result<Value> {
        let mut document = serde_json::to_value(&self.view)?;
        if let Some(skills) = document.get_mut("skills").and_then(Value::as_array_mut) {
            for skill in skills.iter_mut().filter_map(Value::as_object_mut) {
                let name = skill.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                if let Some(Value::Object(seen)) = self.skill(&name).map(ReviewedSkill::json) {
                    skill.extend(seen);
                }
            }
        }
        if let Some(channels) = document.get_mut("channels").and_then(Value::as_array_mut) {
            channels.iter_mut().for_each(|channel| channels::extend(channel, &self.bound));
        }
        let mut whole = json!({"ok": self.is_clean()});
        if let (Value::Object(whole), Value::Object(rest)) = (&mut whole, document) {
            whole.extend(rest);
        }
        Ok(whole)
    }

    fn skill(&self, name: &str) -> Option<&ReviewedSkill> {
        self.skills.iter().find(|skill| skill.name == name)
    }
}

impl ReviewedSkill {
    /// Whether it can send to the agent's channels.
    fn sends(&self) -> bool {
        let sends = |import: &JudgedImport| {
            import.capability == Some(Capability::Channels) && import.standing == Standing::Granted
        };
        self.imports.iter().any(sends)
    }

    /// What SKILL.md says of it: the author's word.
    pub(crate) fn says(&self) -> &str {
        self.folder.manifest.as_ref().map_or("", |manifest| manifest.description.as_str())
    }

    fn json(&self) -> Value {
        let import = |import: &JudgedImport| {
            let capability = import.capability.map(|capability| capability.to_string());
            json!({"interface": import.interface, "capability": capability, "standing": import.standing})
        };
        json!({"origin": self.origin, "digest": self.folder.digest, "says": self.says(),
            "imports": self.imports.iter().map(import).collect::<Vec<_>>(), "tools": self.tools})
    }
}

/// A problem of a grant as a line of SOUL.md.
pub(crate) fn diagnostic(problem: &GrantProblem) -> Diagnostic {
    let diagnostic = Diagnostic::at_rule(&problem.rule, problem.message.clone());
    match &problem.hint {
        Some(hint) => diagnostic.hint(hint.clone()),
        None => diagnostic,
    }
}

/// A secret for a host that the skill may not ask.
fn never_sent(entry: &SkillEntry, secret: &SecretGrant) -> Option<Diagnostic> {
    let target = Target::from_url(&secret.origin()).ok()?;
    match permits(&entry.grant.hosts, "GET", &target) {
        Ok(_) | Err(HostRefusal::Method { .. }) => None,
        Err(_) => {
            let message =
                format!("no `hosts` entry covers {}, so `{}` is never sent", secret.origin(), secret.name);
            Some(Diagnostic::at_rule(&secret.rule, message).hint("grant the host too, or remove the line"))
        }
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
