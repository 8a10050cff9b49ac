//! Where the agents' messages go: the channels that SOUL.md lists, bound by the operator to places.
//!
//! The rule: SOUL.md says that an agent may speak, the operator says where that is and who listens, and a person says
//! yes where one of the two asks for it. Each message carries whose it is and who reviewed it, where its reader begins.

pub(crate) mod binding;
mod file;
mod stamp;

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::json;
use soulbound_runtime::grant::ChannelGrant;
use soulbound_runtime::sandbox::Content;
use soulbound_runtime::{Denial, DenialId, RuleRef, visible};

pub(crate) use binding::{Audience, Binding, Review, Where};
pub(crate) use stamp::{Reviewed, Stamp};

use crate::clock::Moment;
use crate::oversight::CallFacts;
use crate::oversight::delivery::{Delivery, EndsWhenDropped};

/// The channels of all agents.
pub(crate) struct Channels {
    bindings: RwLock<Arc<Vec<Binding>>>,
    delivery: Arc<Delivery>,
}

impl Channels {
    /// As the operator bound them.
    pub(crate) fn new(bindings: &[Binding], delivery: Arc<Delivery>) -> Arc<Self> {
        Arc::new(Self { bindings: RwLock::new(Arc::new(bindings.to_vec())), delivery })
    }

    /// Other bindings, from the next message on. The calls of skills that lost one are ended by whoever looks at the
    /// settings.
    pub(crate) fn reconfigure(&self, bindings: &[Binding]) {
        *self.bindings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(bindings.to_vec());
    }

    fn bound(&self, agent: &str, channel: &str) -> Option<Binding> {
        let bindings = Arc::clone(&self.bindings.read().unwrap_or_else(PoisonError::into_inner));
        bindings.iter().find(|binding| binding.is_for(agent, channel)).cloned()
    }

    /// Whether a message can be sent at all, before anybody is asked about it.
    ///
    /// # Errors
    ///
    /// `channel.not-bound`.
    pub(crate) fn judge(&self, agent: &str, facts: &CallFacts, channel: &str) -> Result<(), Denial> {
        if self.bound(agent, channel).is_some() {
            return Ok(());
        }
        let message = format!(
            "channel {} of agent `{agent}` leads nowhere: the operator did not bind it",
            visible::quoted_target(channel)
        );
        let denial = Denial::new(DenialId::ChannelNotBound, message)
            .hint("the operator adds a `[[channels]]` entry of this name to gateway.toml; `soulbound gateway config` shows one");
        Err(match granted(facts, channel) {
            Some(grant) => denial.rule(grant.rule.clone()),
            None => denial,
        })
    }

    /// What makes a message to this channel wait for a person: SOUL.md (the channel's own line or the rule that all
    /// outputs are reviewed), or the operator. None if it may go unreviewed.
    pub(crate) fn review_required(&self, agent: &str, facts: &CallFacts, channel: &str) -> Option<RuleRef> {
        let by_soul = granted(facts, channel).and_then(|grant| grant.review.clone());
        by_soul.or_else(|| self.bound(agent, channel)?.review_rule())
    }

    /// Sends a message that was let go on. Where it went and how it was stamped, for the guest.
    ///
    /// # Errors
    ///
    /// Why it did not arrive, in one line that holds nothing of the place's credentials.
    pub(crate) async fn deliver(
        &self,
        agent: &str,
        call: u64,
        channel: &str,
        text: &Content,
        reviewed: Option<&Reviewed>,
    ) -> Result<String, String> {
        // Asked again: it may have been taken away while a person thought about it.
        let binding = self.bound(agent, channel).ok_or("the operator no longer binds the channel")?;
        let text = std::str::from_utf8(&text.0).map_err(|_| "the text is no UTF-8")?;
        let stamp =
            Stamp { agent: agent.to_owned(), record: format!("{agent}#{call}"), reviewed: reviewed.cloned() };
        let now = Moment::now();
        match &binding.place {
            Where::Place(place) => {
                let document = json!({
                    "v": 1, "time": now.to_string(), "channel": channel, "agent": agent,
                    "review": stamp.review(), "record": stamp.record, "stamp": stamp.to_string(), "text": text,
                });
                let post = place.message(&stamp.to_string(), text, &document)?;
                self.delivery.post_to(place, post).await.map_err(|error| error.to_string())?;
            }
            Where::File(path) => {
                let (path, entry) = (path.clone(), file::entry(&stamp, now, text));
                let writing = self.delivery.handle().spawn_blocking(move || file::append(&path, &entry));
                EndsWhenDropped(writing).await.unwrap_or_else(|| Err("it was not written".to_owned()))?;
            }
        }
        Ok(format!("sent to `{channel}` ({}) as {stamp}", binding.audience.name()))
    }
}

/// The channel as the calling skill has it.
fn granted<'a>(facts: &'a CallFacts, channel: &str) -> Option<&'a ChannelGrant> {
    facts.callable.offered.bound.channels().iter().find(|grant| grant.is_named(channel))
}
