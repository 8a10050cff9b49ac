//! Answering: the first decision counts, stands in the trail before it takes effect, and is used once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use soulbound_runtime::{DenialId, visible};
use tokio::time::Instant;

use super::ask::denial;
use super::decision::{Approved, Decider, Decision, Way};
use super::kept::Permission;
use super::queue::{Found, Request};
use super::{Approvals, card};
use crate::audit::{Event, GatewayTrail};
use crate::clock::Moment;
use crate::gateway::attempts::Attempt;

impl Approvals {
    /// Decides about what waits under this name or id. What came of it, in a sentence.
    ///
    /// # Errors
    ///
    /// Nothing waits there, somebody else decided before, or the decision cannot be recorded: then it is none.
    pub(crate) fn decide(
        &self,
        reference: &str,
        decision: Decision,
        by: &Decider,
        trail: &GatewayTrail,
    ) -> Result<String> {
        let decision = decision.bounded()?;
        // A record's name means the same.
        let reference = reference.replace('#', "-");
        let found = self.queue().take(&reference, Instant::now());
        match found {
            Found::Waiting(request) => self.answer(request, decision, by),
            Found::Decided(before) => {
                bail!("{}\n  hint: nothing was changed; soulbound approvals list", before.said)
            }
            Found::Nothing => {
                self.record_forged(trail, by, &reference, "nothing waits under this id");
                let shown = visible::quoted_target(&reference);
                bail!("nothing waits under {shown}\n  hint: soulbound approvals list")
            }
        }
    }

    /// Writes down that somebody tried to decide who may not, or about what is not there. Beyond a rate it is counted.
    pub(crate) fn record_forged(&self, trail: &GatewayTrail, by: &Decider, reference: &str, why: &str) {
        let Attempt::Record(unrecorded) = self.forged.failed() else { return };
        let note = json!({
            "reference": visible::quoted_target(reference), "way": by.way.name(), "why": why,
            "unrecorded_before": unrecorded,
        });
        if let Err(error) = trail.note(Event::ApprovalForged, &by.who, &note) {
            tracing::error!(%error, "a refused decision could not be recorded");
        }
    }

    fn answer(&self, request: Request, decision: Decision, by: &Decider) -> Result<String> {
        let subject = std::sync::Arc::clone(&request.subject);
        let name = request.name.clone().unwrap_or_default();
        let is_denied = matches!(decision, Decision::Deny { .. });
        let event = if is_denied { Event::ApprovalDenied } else { Event::ApprovalGranted };
        let reason = match &decision {
            Decision::Deny { reason } => reason.clone(),
            _ => None,
        };
        let note = json!({
            "approval": name, "binding": request.binding, "scope": decision.scope(), "way": by.way.name(),
            "reason": reason, "waiting": request.waiting(),
        });
        self.changed();
        if let Err(error) = request.book.note(event, &by.who, &note) {
            request.tell_all(&Err(crate::gateway::call::unrecordable(&error)));
            bail!("the decision could not be recorded, so it is none: {error}");
        }
        let said = format!(
            "{name} was {} by {} ({}) at {}",
            decision.said(),
            visible::line(&by.who),
            by.way.name(),
            Moment::now()
        );
        self.queue().remember(request.id.clone(), name.clone(), said.clone());
        let (book, binding) = (std::sync::Arc::clone(&request.book), request.binding);
        let approved = Approved { name: name.clone(), who: by.who.clone() };
        let used = || {
            Err(denial(
                DenialId::ApprovalDenied,
                &subject,
                "the approval was for once, and another call that wanted exactly the same used it",
            ))
        };
        match decision {
            Decision::Deny { reason } => {
                self.counts.denied.fetch_add(1, Ordering::Relaxed);
                let why = match reason {
                    None => "a person refused it".to_owned(),
                    Some(reason) => {
                        format!("a person refused it, saying {}", visible::quoted(&reason, usize::MAX))
                    }
                };
                request.tell_all(&Err(denial(DenialId::ApprovalDenied, &subject, &why)));
                return Ok(said);
            }
            Decision::Once {} => {
                self.counts.granted.fetch_add(1, Ordering::Relaxed);
                if !request.tell_first(Ok(approved), used) {
                    bail!("{said}, and whoever asked had gone away: nothing was done");
                }
                return Ok(said);
            }
            Decision::For { seconds } => {
                let permission = Permission::of(&subject, &name, binding, by);
                let kept = self.kept.keep_for(&subject.agent, permission, Duration::from_secs(seconds));
                self.counts.granted.fetch_add(1, Ordering::Relaxed);
                if let Err(error) = kept {
                    request.tell_first(Ok(approved), used);
                    bail!("{said}, but it counts once only: {error:#}");
                }
            }
            Decision::Always {} => {
                let kept = self.kept.keep(&subject.agent, Permission::of(&subject, &name, binding, by));
                self.counts.granted.fetch_add(1, Ordering::Relaxed);
                if let Err(error) = kept {
                    let note = json!({"approval": name, "why": format!("it could not be kept: {error:#}")});
                    let _ = book.note(Event::ApprovalRevoked, "gateway", &note);
                    request.tell_first(Ok(approved), used);
                    bail!("{said}, but it counts once only: {error:#}");
                }
            }
        }
        request.tell_all(&Ok(approved));
        Ok(said)
    }

    /// Takes back what was approved for longer.
    ///
    /// # Errors
    ///
    /// Nothing of this name is approved for longer, or the state folder cannot be written.
    pub(crate) fn revoke(&self, agent: &str, name: &str) -> Result<Option<Permission>> {
        self.kept.revoke(agent, name)
    }

    /// Whether what waits under this id, or waited, is this agent's.
    pub(crate) fn is_of(&self, id: &str, agent: &str) -> bool {
        self.queue().agent_of(id, Instant::now()).is_some_and(|of| of == agent)
    }

    /// The question as a whole, as it waits under this name or id.
    pub(crate) fn shown(&self, reference: &str, much: card::Much) -> Option<(String, serde_json::Value)> {
        let queue = self.queue();
        let request = queue.find(&reference.replace('#', "-"), Instant::now())?;
        let position = super::list::position(request);
        Some((card::card(&request.subject, &position, much), super::list::document(request)))
    }
}

impl Decider {
    /// Who has the gateway's own user id.
    pub(crate) fn operator(who: &crate::operator::Who) -> Self {
        Self { who: who.to_string(), way: Way::Cli }
    }
}
