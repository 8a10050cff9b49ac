//! What an agent may call at one moment: trusted SOUL.md ∩ SOUL.md on disk ∩ the operator's ceiling, each skill bound from
//! the trusted bytes in the store.
//!
//! Made anew when any of these changes. A skill whose authority stayed as it was is carried over with its calls and its
//! budgets; the calls of one that lost something are ended.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use soulbound_runtime::grant::{ChannelGrant, LostDirectory};
use soulbound_runtime::sandbox::{BindError, CallError, Ending, ErrorKind, Outcome, tool_name};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::soul::{Effect, SkillEntry};
use soulbound_runtime::{Denial, DenialId, Soul, visible};
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::gateway::budgets;
use crate::gateway::news::{self, News};
use crate::gateway::offer::{Offer, OfferedSkill, OfferedTool};
use crate::gateway::policy::Policy;
use crate::oversight::outputs::Outputs;
use crate::trust::{Registry, Standing, Trusted, attacked, runs};

/// A skill that can be called now.
#[derive(Clone)]
pub(crate) struct Callable {
    /// The skill.
    pub(crate) offered: Arc<OfferedSkill>,
    /// The trusted SOUL.md, for the records.
    pub(crate) soul: Digest,
    /// The one on disk, where it narrows that, for the records.
    pub(crate) narrowed_by: Option<Digest>,
    /// The operator's settings, for the records.
    pub(crate) policy: Digest,
    /// Cancelled when the agent is stopped or the skill loses authority: running calls end.
    pub(crate) revoked: CancellationToken,
}

/// An agent as it was last looked at.
pub(crate) struct Live {
    trusted: Trusted,
    standing: Standing,
    policy: Arc<Policy>,
    callable: HashMap<String, Callable>,
    refused: HashMap<String, Outcome>,
    offer: Arc<Offer>,
    outputs: Arc<Outputs>,
    /// The agent's token when this was looked at: what was bound under one that is cancelled is of no use.
    running: CancellationToken,
    /// The agent had changed before this gateway first looked at it: it does not start until that is trusted.
    held: bool,
}

impl Live {
    /// Looks at the disk and binds. Blocks, and compiles what was never compiled.
    ///
    /// # Errors
    ///
    /// What is trusted cannot be had, so nothing of the agent runs.
    pub(crate) fn look(
        gateway: &Gateway,
        id: &str,
        running: &CancellationToken,
        before: Option<&Self>,
    ) -> Result<Self, Denial> {
        let registry = gateway.registry();
        let policy = gateway.policies().current();
        let trusted = registry.load(id).map_err(|error| unusable(id, &error))?.trusted;
        let sources = crate::agent::sources(&trusted.folder, Some(registry.state()));
        let standing = match before {
            Some(before) if before.trusted.digest == trusted.digest => {
                before.standing.again(&trusted, &sources, &policy.settings.files)
            }
            _ => Standing::of(&trusted, &sources, &policy.settings.files),
        };
        let held = match before {
            Some(before) if before.trusted.digest == trusted.digest => {
                before.held && !standing.is_as_trusted()
            }
            // An operator trusted what this gateway now runs with; what changed since then waits as it does in a running one.
            Some(_) => false,
            None => standing.has_to_be_looked_at(),
        };
        let mut live = Self {
            policy,
            callable: HashMap::new(),
            refused: HashMap::new(),
            offer: Arc::default(),
            outputs: Arc::default(),
            running: running.clone(),
            held,
            standing,
            trusted,
        };
        let entries: Vec<SkillEntry> =
            live.effective().map(|soul| soul.skills().to_vec()).unwrap_or_default();
        for entry in &entries {
            match live.callable_of(entry, gateway, running, before) {
                Ok(callable) => drop(live.callable.insert(entry.name.clone(), callable)),
                Err(outcome) => drop(live.refused.insert(entry.name.clone(), *outcome)),
            }
        }
        live.offer = Arc::new(live.make_offer(&entries));
        // Without anything in effect nothing can be called.
        live.outputs = live
            .effective()
            .map(|soul| Outputs::new(soul, &live.policy.settings.outputs))
            .map(Arc::new)
            .unwrap_or_default();
        Ok(live)
    }

    /// Whether SOUL.md and the operator's settings are what they were. The rest is asked by [`Live::is_untouched`], whenever
    /// the disk tells of a change and every few seconds.
    pub(crate) fn is_current(&self, gateway: &Gateway) -> bool {
        !self.running.is_cancelled()
            && Arc::ptr_eq(&self.policy, &gateway.policies().current())
            && self.standing.is_soul_current()
    }

    /// Whether no trusted file and no granted directory was touched.
    pub(crate) fn is_untouched(&self) -> bool {
        self.standing.is_current()
    }

    /// The skill, or why it cannot be called.
    pub(crate) fn callable(&self, skill: &str) -> Result<Callable, Box<Outcome>> {
        if let Some(callable) = self.callable.get(skill) {
            return Ok(callable.clone());
        }
        if let Some(outcome) = self.refused.get(skill) {
            return Err(Box::new(outcome.clone()));
        }
        Err(Box::new(Outcome::refused(match self.standing.refusal(skill) {
            Some(denial) => denial.clone(),
            None => {
                let trusted = &self.trusted.soul;
                let soul = self.effective().unwrap_or(trusted);
                crate::agent::not_listed(soul, Some((trusted, &self.standing)), skill)
            }
        })))
    }

    /// The skill as it was bound, whether or not it may be called now.
    pub(crate) fn bound(&self, skill: &str) -> Option<&Callable> {
        self.callable.get(skill)
    }

    /// Whether the operator trusted a skill of this name.
    pub(crate) fn trusts(&self, skill: &str) -> bool {
        self.trusted.soul.skill(skill).is_some()
    }

    /// What a model is offered.
    pub(crate) fn offer(&self) -> &Arc<Offer> {
        &self.offer
    }

    /// What may not leave.
    pub(crate) fn outputs(&self) -> Arc<Outputs> {
        Arc::clone(&self.outputs)
    }

    /// Whether the folder is other than trusted.
    pub(crate) fn is_changed(&self) -> bool {
        !self.standing.is_as_trusted()
    }

    /// Whether nothing of it runs because it had changed before this gateway first looked at it.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// The skills that can be called.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.offer.skills.iter().map(|skill| skill.name.as_str()).collect()
    }

    /// What is left of the skills' budgets.
    pub(crate) fn budgets(&self) -> budgets::Kept {
        let states =
            self.callable.iter().map(|(name, one)| (name.clone(), one.offered.bound.budget_states()));
        states.filter(|(_, states)| !states.is_empty()).collect()
    }

    /// The folders whose change concerns the agent.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> =
            self.standing.paths().iter().filter_map(|path| path.parent().map(PathBuf::from)).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// Ends the calls of skills that may do less than when the calls began.
    pub(crate) fn revoke_what_is_gone(&self, before: &Self) {
        for (name, was) in &before.callable {
            let stays = self.callable.get(name).is_some_and(|now| {
                Arc::ptr_eq(&now.offered, &was.offered)
                    || (now.offered.bound.digest() == was.offered.bound.digest()
                        && !self.narrows(before, name))
            });
            if !stays {
                was.revoked.cancel();
                was.offered.bound.end_process();
            }
        }
    }

    /// Ends the calls of a skill, or of all.
    pub(crate) fn cut(&self, skill: Option<&str>) {
        for (name, callable) in &self.callable {
            if skill.is_none_or(|skill| skill == name) {
                callable.revoked.cancel();
                callable.offered.bound.end_process();
            }
        }
    }

    /// What there is to write down since the last look.
    pub(crate) fn news(&self, before: Option<&Self>) -> Vec<News<'_>> {
        let known = before.map(|before| before.standing.changes.as_slice()).unwrap_or_default();
        let changes = self.standing.changes.iter().filter(|change| !known.contains(change));
        news::of(changes, self.held)
    }

    fn effective(&self) -> Option<&Soul> {
        self.standing.effective.as_ref()
    }

    fn callable_of(
        &self,
        entry: &SkillEntry,
        gateway: &Gateway,
        running: &CancellationToken,
        before: Option<&Self>,
    ) -> Result<Callable, Box<Outcome>> {
        if self.policy.settings.require_redteam
            && let Some(denial) =
                attacked::refusal(gateway.registry().state(), &self.trusted.id, self.trusted.digest)
        {
            return Err(Box::new(Outcome::refused(denial)));
        }
        if self.held {
            return Err(Box::new(Outcome::refused(runs::held(&self.trusted.id))));
        }
        let was = before.and_then(|before| Some((before, before.callable.get(&entry.name)?)));
        if let Some((before, was)) = was
            && self.is_same(before, was, &entry.name)
        {
            return Ok(Callable { narrowed_by: self.standing.narrowed_by, ..was.clone() });
        }
        let mut callable = self.bind(entry, gateway.registry(), running)?;
        // Calls that go on hang on the old token: it stays the skill's, so that the next narrowing ends them too.
        if let Some((before, was)) = was
            && !was.revoked.is_cancelled()
            && was.offered.bound.digest() == callable.offered.bound.digest()
            && !self.narrows(before, &entry.name)
        {
            callable.revoked = was.revoked.clone();
        }
        match was {
            Some((_, was)) => callable.offered.bound.resume_budgets(&was.offered.bound.budget_states()),
            None => {
                let (state, id) = (gateway.state(), &self.trusted.id);
                budgets::resume(state, id, &entry.name, &callable.offered.bound)
                    .map_err(|denial| Box::new(Outcome::refused(denial)))?;
            }
        }
        Ok(callable)
    }

    /// Whether a skill has the authority and the bytes that it had.
    fn is_same(&self, before: &Self, was: &Callable, name: &str) -> bool {
        Arc::ptr_eq(&self.policy, &before.policy)
            && !was.revoked.is_cancelled()
            && self.trusted.digest == before.trusted.digest
            && self.channels_of(name) == before.channels_of(name)
            && self.lost_of(name) == before.lost_of(name)
            && self.differences(before, name).is_some_and(|all| all.is_empty())
    }

    /// Whether a skill may do less than before: by SOUL.md, or by the operator's ceiling.
    fn narrows(&self, before: &Self, name: &str) -> bool {
        let lost = self.differences(before, name).is_none_or(|all| all.contains(&Effect::Narrowing));
        let networked = before.callable.get(name).is_some_and(|was| was.offered.reaches_hosts);
        // The agent's channels are in the grant of each skill, and no difference of the skill's own.
        let sends = before.callable.get(name).is_some_and(|was| !was.offered.bound.channels().is_empty());
        let settings = &self.policy.settings;
        let mute = sends
            && (settings.narrows_channels(&before.policy.settings)
                || lost_a_channel(before.channels_of(name), self.channels_of(name)));
        lost || mute
            || settings.asks_more(&before.policy.settings)
            || (networked && settings.narrows_hosts(&before.policy.settings))
    }

    /// The channels of a skill, as what is effective now grants them.
    fn channels_of(&self, skill: &str) -> &[ChannelGrant] {
        self.effective().and_then(|soul| soul.skill(skill)).map_or(&[], |entry| &entry.grant.channels)
    }

    /// The directories of a skill that cannot be had: what is said of them may change while the grant does not.
    fn lost_of(&self, skill: &str) -> &[LostDirectory] {
        self.effective().and_then(|soul| soul.skill(skill)).map_or(&[], |entry| &entry.grant.lost)
    }

    /// What changed for a skill; `None` when it cannot be told, since nothing may run.
    fn differences(&self, before: &Self, name: &str) -> Option<Vec<Effect>> {
        let all = before.effective()?.differences(self.effective()?, &self.trusted.folder);
        Some(all.into_iter().filter(|one| one.skill.as_deref() == Some(name)).map(|one| one.effect).collect())
    }

    fn bind(
        &self,
        entry: &SkillEntry,
        registry: &Registry,
        running: &CancellationToken,
    ) -> Result<Callable, Box<Outcome>> {
        let refuse = |denial: Denial| Box::new(Outcome::refused(denial));
        let folder = self
            .trusted
            .skill(registry.store(), &entry.name)
            .map_err(|error| broken(&format!("{error:#}")))?;
        let bound = self.policy.runtime.bind(&self.trusted.identity(), entry, &folder);
        let bound = bound.map_err(|error| match error {
            BindError::Denied(denial) => refuse(*denial),
            other => broken(&other.to_string()),
        })?;
        self.trusted.admits(&entry.name, &bound.files().opened()).map_err(|denial| refuse(*denial))?;
        let files =
            self.trusted.manifest.skill(&entry.name).map(|skill| skill.files.clone()).unwrap_or_default();
        let offered = OfferedSkill {
            name: entry.name.clone(),
            purpose: entry.purpose.clone(),
            files,
            reaches_hosts: !entry.grant.hosts.is_empty(),
            bound,
        };
        Ok(Callable {
            offered: Arc::new(offered),
            narrowed_by: self.standing.narrowed_by,
            soul: self.trusted.manifest.soul,
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
                    let why =
                        self.callable(&entry.name).err().map(|outcome| reason(&outcome)).unwrap_or_default();
                    offer.refused.push((entry.name.clone(), why));
                }
            }
        }
        let of_standing =
            self.standing.refused.iter().map(|(name, denial)| (name.clone(), denial.first_line()));
        offer.refused.extend(of_standing);
        offer
    }
}

/// Whether a channel is gone, or waits for a person now.
fn lost_a_channel(before: &[ChannelGrant], now: &[ChannelGrant]) -> bool {
    before.iter().any(|was| {
        let now = now.iter().find(|now| now.kind == was.kind && now.target == was.target);
        now.is_none_or(|now| now.review.is_some() && was.review.is_none())
    })
}

fn reason(outcome: &Outcome) -> String {
    match &outcome.ending {
        Ending::Failed { denial: Some(denial), .. } => denial.first_line(),
        Ending::Failed { error: Some(error), .. } => visible::line(&error.message),
        _ => String::new(),
    }
}

fn broken(message: &str) -> Box<Outcome> {
    Box::new(Outcome::failed(CallError::new(ErrorKind::Component, visible::line(message))))
}

fn unusable(id: &str, error: &anyhow::Error) -> Denial {
    Denial::new(
        DenialId::SkillNotTrusted,
        format!("what is trusted of agent `{id}` cannot be used: {error:#}"),
    )
    .hint(format!("soulbound agents show {id}"))
}
