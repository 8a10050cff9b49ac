//! Waiting for an answer: the one way by which anything comes to be approved.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use soulbound_runtime::{Denial, DenialId};
use tokio::time::Instant;

use super::decision::Approved;
use super::queue::{Full, Request, Room};
use super::subject::Subject;
use super::{Approvals, card};
use crate::audit::{Book, Event};
use crate::operator::waiting::{WaitSink, Waits};
use crate::oversight::form::{Asked, Form};
use crate::settings::approvals::Approvals as Settings;

/// A place in the line, left when it is dropped: whoever goes away waits no more.
struct Waiting<'a> {
    approvals: &'a Approvals,
    key: u64,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let left = self.approvals.queue().leave(self.key, self.number);
        if let Some(request) = left {
            self.approvals.closed(&request, "nobody waits for the answer any more");
        }
    }
}

impl Approvals {
    /// Asks, and waits until a person has decided or time is up. Dropping the future leaves the line.
    ///
    /// # Errors
    ///
    /// `approval.denied`, `approval.timeout`, `approval.too-many`, or `audit.unavailable` when the question cannot be
    /// recorded.
    pub(crate) async fn ask(
        &self,
        subject: Subject,
        book: &Arc<Book>,
        settings: &Settings,
        form: Option<&Arc<dyn Form>>,
        waits: Option<&WaitSink>,
    ) -> Result<Approved, Denial> {
        let binding = subject.binding();
        if let Some(approved) = self.kept.covers(&subject.agent, binding) {
            return Ok(approved);
        }
        if !self.may_ask(&subject, settings.per_minute) {
            let why = format!("it asked for more than {} approvals in a minute", settings.per_minute);
            return Err(self.too_many(&subject, &why));
        }
        if settings.deny_when_nobody && !self.somebody(settings, form.is_some()) {
            self.counts.denied.fetch_add(1, Ordering::Relaxed);
            return Err(denial(DenialId::ApprovalDenied, &subject, "nobody is there who could approve it")
                .hint("soulbound approvals watch"));
        }
        let id = new_id().map_err(|error| denial(DenialId::ApprovalDenied, &subject, &error.to_string()))?;
        let subject = Arc::new(subject);
        let room = Room { agent: settings.waiting, gateway: settings.gateway_waiting };
        let deadline = Instant::now() + settings.timeout;
        let joined = self.queue().join(&subject, binding, book, || id.clone(), deadline, room);
        let place = joined.map_err(|full| self.too_many(&subject, &full.to_string()))?;
        let _waiting = Waiting { approvals: self, key: place.key, number: place.number };
        if place.is_new {
            self.record(place.key, &subject, book)?;
            self.announce(place.key, settings);
        }
        self.changed();
        if let Some(form) = form {
            self.show(place.key, form);
        }
        if let Some(waits) = waits {
            self.tell(place.key, waits);
        }
        let answer = tokio::time::timeout_at(place.deadline, place.told).await;
        match answer {
            Ok(Ok(verdict)) => verdict,
            // The first to be out of time closes the question for all.
            Ok(Err(_)) | Err(_) => {
                let expired = self.queue().remove(place.key);
                if let Some(request) = expired {
                    self.closed(&request, "nobody decided in time");
                }
                let seconds = settings.timeout.as_secs_f32();
                Err(denial(
                    DenialId::ApprovalTimeout,
                    &subject,
                    &format!("nobody decided within {seconds} s"),
                ))
            }
        }
    }

    /// Writes the question down and names it after its record. What cannot be recorded is not asked.
    fn record(&self, key: u64, subject: &Subject, book: &Book) -> Result<(), Denial> {
        let (id, binding) = match self.queue().get_mut(key) {
            Some(request) => (request.id.clone(), request.binding),
            None => return Ok(()),
        };
        let note = json!({
            "id": id, "skill": subject.skill, "tool": subject.tool, "what": card::line(subject),
            "binding": binding, "rule": {"file": subject.rule.file, "line": subject.rule.line, "text": subject.rule.text},
            "digest": subject.component, "soul": subject.soul, "policy": subject.policy,
            "content_bytes": subject.content().map(|content| content.0.len()),
            "content": subject.content().map(soulbound_runtime::sandbox::Content::digest),
            "call": subject.call,
        });
        match book.note(Event::ApprovalRequested, subject.door, &note) {
            Ok(seq) => {
                if let Some(request) = self.queue().get_mut(key) {
                    request.name = Some(format!("{}-{seq}", subject.agent));
                }
                Ok(())
            }
            Err(error) => {
                let denial = crate::gateway::call::unrecordable(&error);
                if let Some(request) = self.queue().remove(key) {
                    request.tell_all(&Err(denial.clone()));
                }
                Err(denial)
            }
        }
    }

    /// Shows the question in the client that asked for the call.
    fn show(&self, key: u64, form: &Arc<dyn Form>) {
        let mut queue = self.queue();
        let Some(request) = queue.get_mut(key) else { return };
        // Not named yet: whoever asked first shows it.
        let Some(name) = request.name.clone() else { return };
        let within = request.deadline.saturating_duration_since(Instant::now());
        let card = card::card(&request.subject, &super::list::position(request), card::Much::Enough);
        let asked = Asked { id: request.id.clone(), name, card, within };
        drop(queue);
        form.show(asked);
    }

    /// Tells whoever made the call what it waits for, and until when.
    fn tell(&self, key: u64, waits: &WaitSink) {
        let mut queue = self.queue();
        let Some(request) = queue.get_mut(key) else { return };
        let left = request.deadline.saturating_duration_since(Instant::now());
        let told = Waits::Person {
            // Not named yet where somebody else asked the same a moment ago; its id leads to it too.
            name: request.name.clone().unwrap_or_else(|| request.id.clone()),
            what: card::line(&request.subject),
            rule: request.subject.rule.to_string(),
            milliseconds: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        };
        drop(queue);
        waits(told);
    }

    /// A question that nobody decided about.
    pub(super) fn closed(&self, request: &Request, why: &str) {
        self.changed();
        self.counts.expired.fetch_add(1, Ordering::Relaxed);
        // One that was never recorded ends without a record.
        let Some(name) = &request.name else { return };
        let note = json!({"approval": name, "why": why});
        if let Err(error) = request.book.note(Event::ApprovalExpired, "gateway", &note) {
            tracing::error!(%error, approval = name, "an expired approval could not be recorded");
        }
        self.queue().remember(request.id.clone(), name.clone(), format!("refused: {why}"));
    }

    fn too_many(&self, subject: &Subject, why: &str) -> Denial {
        self.counts.too_many.fetch_add(1, Ordering::Relaxed);
        denial(DenialId::ApprovalTooMany, subject, why).hint("soulbound approvals list")
    }
}

/// A refusal of what waited, as the model is told it: who may not do what, and why.
pub(super) fn denial(id: DenialId, subject: &Subject, why: &str) -> Denial {
    let message = format!("skill `{}` may not {}: {why}", subject.skill, subject.verb());
    Denial::new(id, message).rule(subject.rule.clone())
}

/// 128 random bits.
fn new_id() -> anyhow::Result<String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl std::fmt::Display for Full {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent(count) => {
                write!(formatter, "{count} actions of this agent wait for a person already")
            }
            Self::Gateway(count) => write!(formatter, "{count} actions wait for a person already"),
            Self::Bytes => {
                formatter.write_str("what waits for a person already fills the memory that there is for it")
            }
        }
    }
}
