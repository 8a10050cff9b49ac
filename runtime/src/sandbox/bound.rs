//! A skill bound to a grant: everything that can be decided before a call, decided once.
//!
//! Binding opens the granted directories, judges the imports, compiles and links. What comes out can only be called;
//! what it may reach is fixed.

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::Component;

use crate::compile::CompileError;
use crate::denial::{Denial, DenialId, RuleRef};
use crate::grant::{ApprovalGrant, Capability, ChannelGrant, Grant, SecretGrant};
use crate::sandbox::approval;
use crate::sandbox::budget::{BudgetState, Budgets};
use crate::sandbox::files::BoundFiles;
use crate::sandbox::guest::{Entry, Program};
use crate::sandbox::interfaces::SelfKnowledge;
use crate::sandbox::limits::CallLimits;
use crate::sandbox::linker::Linking;
use crate::sandbox::manners::Manners;
use crate::sandbox::network::{SkillNetwork, SkillSecrets};
use crate::sandbox::overseer::{Carrier, Effect};
use crate::sandbox::runtime::{AgentIdentity, Inner, Runtime};
use crate::sandbox::worker::{Setup, SkillProcess};
use crate::skill::imports::{self, JudgedImport, Standing};
use crate::skill::schema_file::EnforcedSchema;
use crate::skill::{Annotations, Digest, Inspection, SkillFolder, Tool};
use crate::soul::SkillEntry;
use crate::visible;

/// The longest name of a tool that every MCP client takes, `skill__function`.
const TOOL_NAME: usize = 64;

/// A skill under one agent's grant, ready to be called. Clones are the same skill.
#[derive(Clone)]
pub struct BoundSkill(pub(crate) Arc<Bound>);

pub(crate) struct Bound {
    pub(crate) runtime: Arc<Inner>,
    pub(crate) agent: Arc<str>,
    pub(crate) named: Arc<str>,
    pub(crate) skill: Arc<str>,
    pub(crate) grant: Grant,
    /// What waits for a person: of SOUL.md, and of the operator.
    pub(crate) approve: Vec<ApprovalGrant>,
    pub(crate) limits: CallLimits,
    pub(crate) digest: Digest,
    pub(crate) inspection: Inspection,
    pub(crate) imports: Vec<JudgedImport>,
    /// What runs.
    pub(crate) program: Arc<Program>,
    /// Where it runs, if not in this process.
    pub(crate) process: Option<SkillProcess>,
    /// What tools' authors say of the arguments.
    pub(crate) schemas: HashMap<String, EnforcedSchema>,
    pub(crate) network: Arc<SkillNetwork>,
    pub(crate) calls: Budgets,
    pub(crate) egress: Budgets,
    pub(crate) manners: Manners,
}

/// Why a skill cannot be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Its grant does not let it run.
    #[error("{0}")]
    Denied(Box<Denial>),
    /// Its component cannot be used.
    #[error(transparent)]
    Component(#[from] CompileError),
    /// The component's exports make no usable tools.
    #[error("{0}")]
    Tools(String),
    /// Granted directories cannot be opened.
    #[error("{}", .0.iter().map(|error| error.message.clone()).collect::<Vec<_>>().join("; "))]
    Directories(Vec<GrantProblem>),
    /// A key of SOUL.md does not fit the component.
    #[error("{}", .0.message)]
    Grant(Box<GrantProblem>),
}

/// A line of SOUL.md that cannot hold, with the place and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantProblem {
    /// The line.
    pub rule: RuleRef,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl From<Denial> for BindError {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

impl Runtime {
    /// Binds a skill to what one agent's SOUL.md grants it.
    ///
    /// # Errors
    ///
    /// The grant refuses the component, directories cannot be opened, or the component cannot be used.
    pub fn bind(
        &self,
        agent: &AgentIdentity,
        entry: &SkillEntry,
        skill: &SkillFolder,
    ) -> Result<BoundSkill, BindError> {
        let grant = &entry.grant;
        let name = entry.name.as_str();
        pinned(name, grant, skill)?;
        let (compiled, schemas) = self.0.machinery.compiler.compile(&self.0.machinery.engine, skill)?;
        approvable(name, grant, &compiled.inspection)?;
        let judged: Vec<JudgedImport> =
            compiled.inspection.imports.iter().map(|import| imports::judge(import, Some(grant))).collect();
        if let Some(denial) = judged.iter().find_map(|import| imports::refusal(name, import, grant)) {
            return Err(denial.into());
        }
        usable_tools(name, &compiled.inspection)?;
        let files = BoundFiles::open(&grant.directories, &agent.folder, &self.0.files).map_err(|errors| {
            BindError::Directories(
                errors
                    .into_iter()
                    .map(|error| GrantProblem {
                        rule: error.rule,
                        message: error.message,
                        hint: Some(error.hint),
                    })
                    .collect(),
            )
        })?;
        let limits = CallLimits::of(&grant.limits, &self.0.limits);
        let machinery = &self.0.machinery;
        let linking = Linking::of(&judged);
        let program = Program {
            engine: machinery.engine.clone(),
            pre: linking.link(&machinery.linkers, &machinery.engine, &compiled.component)?,
            entries: entries(&compiled.component, &compiled.inspection.tools)?,
            skill: name.into(),
            environment: grant.environment.iter().map(|one| (one.name.clone(), one.value.clone())).collect(),
            files: Arc::new(files.skill_line(grant.line.clone()).lost(grant.lost.clone())),
            knowledge: Arc::new(knowledge(agent, name, grant, skill.digest)),
            memory: limits.memory,
            output: limits.output,
            disk: limits.disk,
        };
        let process = machinery.broker.as_ref().map(|broker| {
            let setup = Setup::new(&program, &agent.named, linking, &compiled.inspection.tools, grant);
            SkillProcess::new(
                Arc::clone(broker),
                setup,
                compiled.component.clone(),
                Arc::clone(&program.files),
            )
        });
        let bound = Bound {
            agent: agent.id.as_str().into(),
            named: agent.named.as_str().into(),
            skill: name.into(),
            approve: [grant.approve.as_slice(), &self.0.require_approval].concat(),
            grant: grant.clone(),
            digest: skill.digest,
            network: SkillNetwork::with_secrets(
                grant.hosts.clone(),
                SkillSecrets::new(&agent.id, &grant.secrets, machinery.secrets.clone()),
                Arc::clone(&self.0.network),
            ),
            program: Arc::new(program),
            process,
            schemas,
            calls: Budgets::full(&limits.rate),
            egress: Budgets::full(&limits.egress),
            manners: Manners::default(),
            inspection: compiled.inspection,
            imports: judged,
            limits,
            runtime: Arc::clone(&self.0),
        };
        Ok(BoundSkill(Arc::new(bound)))
    }
}

impl BoundSkill {
    /// The tools that can be called.
    #[must_use]
    pub fn tools(&self) -> &[Tool] {
        &self.0.inspection.tools
    }

    /// The tool of this name, or the bare function where that is unambiguous.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.0.inspection.tool(name)
    }

    /// The component's imports and what each amounts to under the grant.
    #[must_use]
    pub fn imports(&self) -> &[JudgedImport] {
        &self.0.imports
    }

    /// SHA-256 of the component's bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// Ends the process of this skill's calls, if it has one: now, or with the last call that runs in it. For whoever has just
    /// cancelled its calls; a next call starts another.
    pub fn end_process(&self) {
        if let Some(process) = &self.0.process {
            process.retire();
        }
    }

    /// What its tools may do to the world, as MCP clients are told: from the imports and the grant.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        Annotations::of(&self.0.imports, Some(&self.0.grant))
    }

    /// The limits of every call.
    #[must_use]
    pub fn limits(&self) -> &CallLimits {
        &self.0.limits
    }

    /// How full the budgets over time are, calls first. A program that ends between two calls keeps them.
    #[must_use]
    pub fn budget_states(&self) -> Vec<BudgetState> {
        [self.0.calls.states(), self.0.egress.states()].concat()
    }

    /// Takes the budgets up as [`BoundSkill::budget_states`] gave them. States of other limits are passed over: the
    /// budgets are full then.
    pub fn resume_budgets(&self, states: &[BudgetState]) {
        let calls = self.0.calls.len();
        if states.len() == calls + self.0.egress.len() {
            let (calls, egress) = states.split_at(calls);
            self.0.calls.resume(calls);
            self.0.egress.resume(egress);
        }
    }

    /// The secrets that its requests carry, by name.
    #[must_use]
    pub fn secrets(&self) -> &[SecretGrant] {
        &self.0.grant.secrets
    }

    /// The agent's channels as this skill has them; none if it does not import the interface or is refused it.
    #[must_use]
    pub fn channels(&self) -> &[ChannelGrant] {
        let sends = |import: &JudgedImport| {
            import.capability == Some(Capability::Channels) && import.standing == Standing::Granted
        };
        if self.0.imports.iter().any(sends) { &self.0.grant.channels } else { &[] }
    }

    /// The line by which every call of this tool waits for a person: SOUL.md's before the operator's.
    #[must_use]
    pub fn approval_of_call(&self, tool: &str) -> Option<&ApprovalGrant> {
        self.0.approve.iter().find(|grant| grant.concerns_call(tool))
    }

    /// The line by which this effect waits for a person. Messages wait by their channel's line, which is no skill's.
    #[must_use]
    pub fn approval_of_effect(&self, effect: &Effect) -> Option<&ApprovalGrant> {
        approval::of_effect(&self.0.approve, effect)
    }

    /// The line by which effects wait that carry such content.
    #[must_use]
    pub fn approval_of_carrier(&self, carrier: Carrier<'_>) -> Option<&ApprovalGrant> {
        approval::of_carrier(&self.0.approve, carrier)
    }

    /// The granted directories, for `why`.
    #[must_use]
    pub fn files(&self) -> &Arc<BoundFiles> {
        &self.0.program.files
    }
}

/// `sha256` names the only component that loads.
fn pinned(name: &str, grant: &Grant, skill: &SkillFolder) -> Result<(), Denial> {
    match grant.sha256.iter().find(|(pinned, _)| *pinned != skill.digest.0) {
        Some((_, rule)) => Err(Denial::new(
            DenialId::SkillNotTrusted,
            format!("skill `{name}` is another component than the one that SOUL.md pins: {}", skill.digest),
        )
        .rule(rule.clone())
        .hint("put the pinned component back, or review this one and change the `sha256` line")),
        None => Ok(()),
    }
}

/// `approve` names tools that there are: a misspelt one would wait for nothing.
fn approvable(name: &str, grant: &Grant, inspection: &Inspection) -> Result<(), BindError> {
    let tools: Vec<&str> = inspection.tools.iter().map(|tool| tool.name.as_str()).collect();
    match ApprovalGrant::unknown_tools(&grant.approve, &tools).first() {
        None => Ok(()),
        Some(approve) => Err(BindError::Grant(Box::new(GrantProblem {
            rule: approve.rule.clone(),
            message: format!("skill `{name}` exports no tool of the name that `approve` gives"),
            hint: Some(format!("its tools are `{}`", tools.join("`, `"))),
        }))),
    }
}

/// At least one tool, and names that every client can tell apart.
fn usable_tools(skill: &str, inspection: &Inspection) -> Result<(), BindError> {
    if inspection.tools.is_empty() {
        let why: Vec<String> = inspection
            .not_tools
            .iter()
            .map(|(name, why)| format!("`{}`: {why}", visible::line(name)))
            .collect();
        let why = if why.is_empty() { "it exports no function".to_owned() } else { why.join("; ") };
        return Err(BindError::Tools(format!("skill `{skill}` has no tool: {why}")));
    }
    let mut seen = HashMap::new();
    for tool in &inspection.tools {
        let name = tool_name(skill, tool);
        if name.len() > TOOL_NAME {
            return Err(BindError::Tools(format!(
                "`{name}` has {} characters, a tool's name may have {TOOL_NAME}",
                name.len()
            )));
        }
        if let Some(other) = seen.insert(name.clone(), &tool.name) {
            return Err(BindError::Tools(format!(
                "the tools `{other}` and `{}` would both be called `{name}`",
                tool.name
            )));
        }
    }
    Ok(())
}

/// A tool's name over MCP: `skill__function`, with `_` for `.`.
#[must_use]
pub fn tool_name(skill: &str, tool: &Tool) -> String {
    format!("{skill}__{}", tool.name.replace('.', "_"))
}

/// The tools' functions in the component.
pub(crate) fn entries<'a>(
    component: &Component,
    tools: impl IntoIterator<Item = &'a Tool>,
) -> Result<HashMap<String, Entry>, BindError> {
    use wasmtime::component::types::ComponentItem;
    let missing =
        |name: &str| BindError::Tools(format!("the component does not export `{}`", visible::line(name)));
    let mut entries = HashMap::new();
    for tool in tools {
        let parent = match &tool.interface {
            None => None,
            Some(interface) => {
                Some(component.get_export_index(None, interface).ok_or_else(|| missing(interface))?)
            }
        };
        let (item, index) =
            component.get_export(parent.as_ref(), &tool.function).ok_or_else(|| missing(&tool.name))?;
        let ComponentItem::ComponentFunc(ty) = item else { return Err(missing(&tool.name)) };
        entries.insert(tool.name.clone(), Entry { index, ty });
    }
    Ok(entries)
}

fn knowledge(agent: &AgentIdentity, skill: &str, grant: &Grant, digest: Digest) -> SelfKnowledge {
    SelfKnowledge {
        agent: agent.id.clone(),
        skill: skill.to_owned(),
        digest: digest.to_string(),
        directories: grant.directories.iter().map(|grant| (grant.guest.clone(), grant.mode)).collect(),
        hosts: grant.hosts.iter().map(ToString::to_string).collect(),
    }
}
