//! What an agent may call at one moment: trusted SOUL.md ∩ SOUL.md on disk ∩ the operator's ceiling, each skill bound from
//! the trusted bytes in the store.
//!
//! Made anew when any of these changes. A skill whose authority stayed as it was is carried over with its calls and its
//! budgets; the calls of one that lost something are ended.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use soulbound_runtime::sandbox::{AgentIdentity, BindError, CallError, Ending, ErrorKind, Outcome, tool_name};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::soul::{Effect, SkillEntry};
use soulbound_runtime::{Denial, DenialId, Soul, visible};
use tokio_util::sync::CancellationToken;

use crate::audit::Event;
use crate::gateway::Gateway;
use crate::gateway::offer::{Offer, OfferedSkill, OfferedTool, SkillFile};
use crate::gateway::policy::Policy;
use crate::trust::{Standing, Trusted};

/// A skill that can be called now.
#[derive(Clone)]
pub(crate) struct Callable {
    /// The skill.
    pub(crate) offered: Arc<OfferedSkill>,
    /// The trusted SOUL.md, for the records.
    pub(crate) soul: Digest,
    /// The operator's settings, for the records.
    pub(crate) policy: Digest,
    /// Cancelled when the agent is stopped or the skill loses authority: running calls end.
    pub(crate) revoked: CancellationToken,
}

/// An agent as it was last looked at.
pub(crate) struct Live {
    standing: Standing,
    policy: Arc<Policy>,
    callable: HashMap<String, Callable>,
    refused: HashMap<String, Outcome>,
    offer: Arc<Offer>,
    /// The agent had changed before this gateway first looked at it: it does not start until that is trusted.
    held: bool,
}

impl Live {
    /// Looks at the disk and binds. Blocks, and compiles what was never compiled.
    ///
    /// # Errors
    ///
    /// The agent cannot run at all.
    pub(crate) fn look(
        gateway: &Gateway,
        id: &str,
        running: &CancellationToken,
        before: Option<&Self>,
    ) -> Result<Self, Denial> {
        let unusable = |error: anyhow::Error| {
            Denial::new(DenialId::SkillNotTrusted, format!("what is trusted of agent `{id}` cannot be used: {error:#}"))
                .hint(format!("soulbound agents show {id}"))
        };
        let trusted = gateway.registry().load(id).map_err(unusable)?;
        let standing = trusted.standing(gateway.registry().store()).map_err(unusable)?;
        let policy = gateway.policies().current();
        let held = match before {
            // Trust was given anew: what was held may go.
            Some(before) if before.standing.manifest() == standing.manifest() => before.held,
            _ => standing.is_changed(),
        };
        let mut live = Self {
            policy: Arc::clone(&policy),
            callable: HashMap::new(),
            refused: HashMap::new(),
            offer: Arc::default(),
            held,
            standing,
        };
        let entries: Vec<SkillEntry> = live.standing.effective().skills().to_vec();
        for entry in &entries {
            if held {
                live.refused.insert(entry.name.clone(), Outcome::refused(changed(id)));
                continue;
            }
            if let Some(callable) = before.and_then(|before| live.carried_over(before, entry, &trusted)) {
                live.callable.insert(entry.name.clone(), callable);
                continue;
            }
            match live.bind(&trusted, gateway, entry, running) {
                Ok(callable) => {
                    if let Some(before) = before.and_then(|before| before.callable.get(&entry.name)) {
                        callable.offered.bound.resume_budgets(&before.offered.bound.budget_states());
                    }
                    live.callable.insert(entry.name.clone(), callable);
                }
                Err(outcome) => drop(live.refused.insert(entry.name.clone(), *outcome)),
            }
        }
        live.offer = Arc::new(live.make_offer(&entries));
        Ok(live)
    }

    /// Whether nothing on disk and nothing of the operator's is other than it was.
    pub(crate) fn is_current(&self, gateway: &Gateway) -> bool {
        Arc::ptr_eq(&self.policy, &gateway.policies().current()) && self.standing.is_current()
    }

    /// The skill, or why it cannot be called.
    pub(crate) fn callable(&self, skill: &str) -> Result<Callable, Outcome> {
        if let Some(callable) = self.callable.get(skill) {
            return Ok(callable.clone());
        }
        if let Some(outcome) = self.refused.get(skill) {
            return Err(outcome.clone());
        }
        if let Some(denial) = self.standing.refused(skill) {
            return Err(Outcome::refused(denial));
        }
        Err(Outcome::refused(not_listed(self.standing.effective(), skill)))
    }

    /// What a model is offered.
    pub(crate) fn offer(&self) -> &Arc<Offer> {
        &self.offer
    }

    /// Whether the folder is other than trusted.
    pub(crate) fn is_changed(&self) -> bool {
        self.standing.is_changed()
    }

    /// The skills that can be called.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.offer.skills.iter().map(|skill| skill.name.as_str()).collect()
    }

    /// The folders whose change concerns the agent.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        self.standing.folders()
    }

    /// Ends the calls of skills that are not what they were when the calls began.
    pub(crate) fn revoke_what_is_gone(&self, before: Option<&Self>) {
        let Some(before) = before else { return };
        for (name, was) in &before.callable {
            let carried = self.callable.get(name).is_some_and(|now| Arc::ptr_eq(&now.offered, &was.offered));
            let kept = carried || (self.callable.contains_key(name) && !self.narrows(before, name));
            if !kept {
                was.revoked.cancel();
            }
        }
    }

    /// What there is to write down since the last look.
    pub(crate) fn news(&self, before: Option<&Self>) -> Vec<(Event, Value)> {
        let known: Vec<String> = before.map(|before| before.standing.words()).unwrap_or_default();
        let news = self.standing.changes().iter().filter(|change| !known.contains(&change.text()));
        news.map(|change| (change.event(), json!({"change": change.text(), "held": self.held}))).collect()
    }

    /// Whether a skill may do less than before: by SOUL.md, or by the operator's ceiling.
    fn narrows(&self, before: &Self, name: &str) -> bool {
        let lost = self.differences(before, name).any(|effect| effect == Effect::Narrowing);
        let networked = before.callable.get(name).is_some_and(|was| was.offered.reaches_hosts);
        lost || (networked && self.policy.settings.narrows_hosts(&before.policy.settings))
    }

    fn differences<'a>(&'a self, before: &'a Self, name: &'a str) -> impl Iterator<Item = Effect> + 'a {
        let all = before.standing.effective().differences(self.standing.effective(), self.standing.folder());
        all.into_iter().filter(move |one| one.skill.as_deref() == Some(name)).map(|one| one.effect)
    }

    /// The skill as it was, if neither its authority nor its bytes nor the operator's settings changed.
    fn carried_over(&self, before: &Self, entry: &SkillEntry, trusted: &Trusted) -> Option<Callable> {
        let was = before.callable.get(&entry.name)?;
        let same = Arc::ptr_eq(&self.policy, &before.policy)
            && !was.revoked.is_cancelled()
            && trusted.component(&entry.name) == Some(was.offered.bound.digest())
            && trusted.soul_digest() == was.soul
            && self.differences(before, &entry.name).next().is_none();
        same.then(|| was.clone())
    }

    fn bind(
        &self,
        trusted: &Trusted,
        gateway: &Gateway,
        entry: &SkillEntry,
        running: &CancellationToken,
    ) -> Result<Callable, Box<Outcome>> {
        let refuse = |denial: Denial| Box::new(Outcome::refused(denial));
        if let Some(denial) = self.standing.refused(&entry.name) {
            return Err(refuse(denial));
        }
        if let Some(required) = self.policy.settings.approval_required(entry) {
            return Err(refuse(crate::settings::approval_required(entry, &required.rule)));
        }
        let folder = trusted.skill(gateway.registry().store(), &entry.name).map_err(|error| broken(&format!("{error:#}")))?;
        let identity = AgentIdentity {
            id: trusted.id().to_owned(),
            named: trusted.id().to_owned(),
            folder: self.standing.folder().to_owned(),
        };
        let bound = self.policy.runtime.bind(&identity, entry, &folder).map_err(|error| match error {
            BindError::Denied(denial) => refuse(*denial),
            other => broken(&other.to_string()),
        })?;
        if let Some(denial) = self.standing.moved(&entry.name, &bound) {
            return Err(refuse(denial));
        }
        let files = trusted.files(&entry.name).into_iter();
        let offered = OfferedSkill {
            name: entry.name.clone(),
            purpose: entry.purpose.clone(),
            files: files.map(|file| SkillFile { path: file.path.clone(), digest: file.digest, bytes: file.bytes }).collect(),
            reaches_hosts: !entry.grant.hosts.is_empty(),
            bound,
        };
        Ok(Callable {
            offered: Arc::new(offered),
            soul: trusted.soul_digest(),
            policy: self.policy.digest,
            revoked: running.child_token(),
        })
    }

    fn make_offer(&self, entries: &[SkillEntry]) -> Offer {
        let mut offer = Offer::default();
        for entry in entries {
            match self.callable.get(&entry.name) {
                Some(callable) => {
                    let skill = &callable.offered;
                    offer.tools.extend(skill.bound.tools().iter().map(|tool| OfferedTool {
                        name: tool_name(&skill.name, tool),
                        skill: Arc::clone(skill),
                        tool: tool.clone(),
                    }));
                    offer.skills.push(Arc::clone(skill));
                }
                None => {
                    let why = self.callable(&entry.name).err().map(|outcome| reason(&outcome)).unwrap_or_default();
                    offer.refused.push((entry.name.clone(), why));
                }
            }
        }
        offer
    }
}

fn reason(outcome: &Outcome) -> String {
    match &outcome.ending {
        Ending::Failed { denial: Some(denial), .. } => denial.first_line(),
        Ending::Failed { error: Some(error), .. } => visible::line(&error.message),
        _ => String::new(),
    }
}

fn broken(message: &str) -> Box<Outcome> {
    let error = CallError::new(ErrorKind::Component, visible::line(message));
    let mut outcome = Outcome::refused(Denial::new(DenialId::SkillNotTrusted, ""));
    outcome.denials.clear();
    outcome.ending = Ending::Failed { denial: None, error: Some(error) };
    Box::new(outcome)
}

/// The agent had changed before the gateway started, and nobody has looked at that.
fn changed(id: &str) -> Denial {
    Denial::new(DenialId::SkillNotTrusted, format!("agent `{id}` changed since an operator trusted it"))
        .hint(format!("soulbound agents diff {id}, then soulbound agents trust {id} or soulbound agents rollback {id}"))
}

fn not_listed(soul: &Soul, skill: &str) -> Denial {
    let names: Vec<String> = soul.skills().iter().map(|entry| format!("`{}`", entry.name)).collect();
    let listed = if names.is_empty() { "no skill".to_owned() } else { names.join(", ") };
    Denial::new(
        DenialId::SkillNotListed,
        format!("agent `{}` has no skill {} under `## Skills`", soul.id(), visible::quoted_target(skill)),
    )
    .hint(format!("{} lists {listed}", soul.file()))
}
