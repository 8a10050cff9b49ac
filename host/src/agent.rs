//! An agent named on the command line, by its SOUL.md or by its id: what is read, and where its skills are looked for.
//!
//! By its SOUL.md it is what the file says. By its id it is what may run of it now: the trusted SOUL.md, narrowed by the one
//! on disk.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use soulbound_runtime::sandbox::AgentIdentity;
use soulbound_runtime::skill::{Origin, SkillSources};
use soulbound_runtime::{Denial, DenialId, Soul};

use crate::operator::holding::Holding;
use crate::settings::Settings;
use crate::standard;
use crate::state::StateFolder;
use crate::trust::registry::{self, Condition};
use crate::trust::{Registry, Runs, Standing, runs};

/// A SOUL.md argument.
#[derive(Debug, Clone)]
pub(crate) struct SoulFile {
    /// As the operator wrote it.
    pub(crate) named: String,
    /// The file.
    pub(crate) path: PathBuf,
}

impl SoulFile {
    /// A path has a `/` or ends in `.md`; anything else is an agent's id, which needs the gateway. A folder stands for
    /// its SOUL.md.
    pub(crate) fn from_argument(argument: &str) -> Result<Self> {
        if !is_path(argument) {
            bail!("`{argument}` names an agent of the gateway\n  hint: give the path of its SOUL.md");
        }
        let path = PathBuf::from(argument);
        let path = if path.is_dir() && !argument.ends_with(".md") { path.join("SOUL.md") } else { path };
        Ok(Self { named: argument.to_owned(), path })
    }

    /// The folder that holds it.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
    }

    /// Who a bound skill acts for.
    pub(crate) fn identity(&self, soul: &Soul) -> AgentIdentity {
        AgentIdentity { id: soul.id().to_owned(), named: self.named.clone(), folder: self.folder() }
    }

    /// Where its skills are looked for: beside it, in the state folder if the caller wants it, among the standard ones.
    pub(crate) fn sources(&self, state: Option<&StateFolder>) -> SkillSources {
        sources(&self.folder(), state.map(StateFolder::path))
    }
}

/// A path has a `/` or ends in `.md`; anything else is an agent's id.
pub(crate) fn is_path(argument: &str) -> bool {
    argument.contains('/') || argument.ends_with(".md") || argument == "."
}

/// An agent that a question is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// As the operator named it.
    pub(crate) named: String,
    /// The folder of its SOUL.md.
    pub(crate) folder: PathBuf,
    /// What it may do.
    pub(crate) soul: Soul,
    stopped: Option<Denial>,
    /// What is trusted, how the folder stands against it, and what runs.
    trust: Option<(Soul, Standing)>,
    runs: Runs,
}

impl Subject {
    /// The agent that an argument means.
    pub(crate) fn of(argument: &str, state: &StateFolder, settings: &Settings) -> Result<Self> {
        if is_path(argument) {
            let file = SoulFile::from_argument(argument)?;
            let soul = Soul::read(&file.path)?;
            return Ok(Self {
                folder: file.folder(),
                named: file.named,
                soul,
                stopped: None,
                trust: None,
                runs: Runs::AsTrusted,
            });
        }
        let registry = Registry::open(state);
        let id = registry::id(argument)?;
        let agent = registry.load(&id).map_err(|error| or_a_file(&registry, &id, error))?;
        let sources = sources(&agent.record.folder, Some(state.path()));
        let standing = Standing::of(&agent.trusted, &sources, &settings.files);
        let stopped = (registry.condition(&id) != Condition::Enabled).then(|| {
            Denial::new(DenialId::AgentStopped, format!("agent `{id}` was disabled by an operator"))
                .hint(format!("an operator can run `soulbound agents enable {id}`"))
        });
        let lacks = runs::lacks(&registry, agent.trusted.digest, settings.require_redteam);
        let is_held = !standing.is_as_trusted() && Holding::ask(state).holds(&id, &standing);
        let runs = Runs::of(&standing, is_held, lacks);
        // Where nothing may run, the trusted file still tells which skills there are to be refused.
        let trusted = agent.trusted.soul;
        let soul = standing.effective.clone().unwrap_or_else(|| trusted.clone());
        Ok(Self {
            named: id,
            folder: agent.record.folder,
            soul,
            stopped,
            trust: Some((trusted, standing)),
            runs,
        })
    }

    /// What every call of this skill is answered, if it may not run at all.
    pub(crate) fn refusal(&self, skill: &str) -> Option<&Denial> {
        let of_standing = || self.trust.as_ref().and_then(|(_, standing)| standing.refusal(skill));
        self.stopped.as_ref().or_else(of_standing)
    }

    /// Whether its folder is another than was trusted.
    pub(crate) fn is_changed(&self) -> bool {
        self.trust.as_ref().is_some_and(|(_, standing)| !standing.is_as_trusted())
    }

    /// What of it runs: a SOUL.md that is tried alone is tried as it is.
    pub(crate) fn runs(&self) -> &Runs {
        &self.runs
    }

    /// What a call of a skill is answered that is not listed.
    pub(crate) fn not_listed(&self, skill: &str) -> Denial {
        not_listed(&self.soul, self.trust.as_ref().map(|(trusted, standing)| (trusted, standing)), skill)
    }
}

/// What is told where no agent has an id, by a command that takes a file as well.
pub(crate) fn or_a_file(registry: &Registry, id: &str, error: anyhow::Error) -> anyhow::Error {
    match registry.condition(id) {
        Condition::Unknown => {
            anyhow::anyhow!("{error:#}\n  hint: a file is named by its path, such as `./{id}/SOUL.md`")
        }
        _ => error,
    }
}

/// The SOUL.md of an argument, as it is on disk: the file that is named, or that of the agent.
pub(crate) fn soul_file(argument: &str) -> Result<SoulFile> {
    if is_path(argument) {
        return SoulFile::from_argument(argument);
    }
    let (registry, id) = (Registry::open(&StateFolder::find()?), registry::id(argument)?);
    let record = registry.record(&id).map_err(|error| or_a_file(&registry, &id, error))?;
    let path = record.folder.join("SOUL.md");
    Ok(SoulFile { named: path.display().to_string(), path })
}

/// Where the skills of the agent in this folder are looked for: beside it, in the state folder if the caller wants it, among
/// the standard ones.
pub(crate) fn sources(folder: &Path, state: Option<&Path>) -> SkillSources {
    let mut sources = SkillSources::new().with(Origin::Agent, folder.join("skills"));
    if let Some(state) = state {
        sources = sources.with(Origin::State, state.join("skills"));
    }
    if let Some(standard) = standard::skills() {
        sources = sources.with(Origin::Standard, standard);
    }
    sources
}

/// A skill that is called and stands under no `## Skills`: never, or not any more. `trusted` is what an operator trusted,
/// `standing` how the folder stands against it; a file that is tried alone has neither.
pub(crate) fn not_listed(soul: &Soul, trusted: Option<(&Soul, &Standing)>, skill: &str) -> Denial {
    let shown = soulbound_runtime::visible::quoted_target(skill);
    if trusted.is_some_and(|(trusted, _)| trusted.skill(skill).is_some()) {
        let message = format!(
            "agent `{}` is trusted with skill {shown}, and its SOUL.md does not list it any more",
            soul.id()
        );
        let hint = format!("what SOUL.md takes away applies at once: soulbound agents diff {}", soul.id());
        return Denial::new(DenialId::SkillNotListed, message).hint(hint);
    }
    let mut names: Vec<&str> = soul.skills().iter().map(|entry| entry.name.as_str()).collect();
    // Listed too, and not in force at the moment.
    names.extend(trusted.iter().flat_map(|(_, standing)| &standing.refused).map(|(name, _)| name.as_str()));
    // What is in force and refused for a part of it stands in both.
    let mut told = std::collections::HashSet::new();
    names.retain(|name| told.insert(*name));
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let listed = if names.is_empty() { "no skill".to_owned() } else { names.join(", ") };
    let message = format!("agent `{}` has no skill {shown} under `## Skills`", soul.id());
    Denial::new(DenialId::SkillNotListed, message).hint(format!("{} lists {listed}", soul.file()))
}
