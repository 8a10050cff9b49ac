//! Where an agent's channels lead, as whoever trusts its SOUL.md should see it: who reads them, and whether anybody looks
//! before that.

use std::collections::HashMap;

use serde_json::{Value, json};
use soulbound_runtime::Soul;
use soulbound_runtime::grant::ChannelGrant;

use crate::oversight::channels::{Audience, Binding};

/// A channel that the operator bound.
pub(super) struct Bound {
    audience: Audience,
    kind: &'static str,
    /// What makes each message wait; none if nothing does.
    review: Option<String>,
}

impl Bound {
    /// In words.
    pub(super) fn sentence(&self) -> String {
        let review = match &self.review {
            Some(rule) => format!("each message waits for a person ({rule})"),
            None => "unreviewed".to_owned(),
        };
        format!("{}, by {}, {review}", self.audience.name(), self.kind)
    }
}

/// The channels of an agent that lead somewhere, by their names.
pub(super) fn bound(soul: &Soul, bindings: &[Binding]) -> HashMap<String, Bound> {
    // They are the same for every skill; an agent without skills has nobody who sends.
    let granted: &[ChannelGrant] = soul.skills().first().map_or(&[], |skill| &skill.grant.channels);
    let of = |channel: &ChannelGrant| {
        let name = channel.to_string();
        let binding = bindings.iter().find(|binding| binding.is_for(soul.id(), &name))?;
        let review = channel.review.clone().or_else(|| binding.review_rule()).map(|rule| rule.to_string());
        Some((name, Bound { audience: binding.audience, kind: binding.place.kind(), review }))
    };
    granted.iter().filter_map(of).collect()
}

/// The same for programs, beside what SOUL.md says of the channel.
pub(super) fn extend(channel: &mut Value, bound: &HashMap<String, Bound>) {
    let text = |name: &str| channel.get(name).and_then(Value::as_str).unwrap_or_default();
    let bound = bound.get(&format!("{}: {}", text("kind"), text("target")));
    if let Some(members) = channel.as_object_mut() {
        members.insert("bound".to_owned(), json!(bound.map(|bound| bound.kind)));
        members.insert("audience".to_owned(), json!(bound.map(|bound| bound.audience.name())));
        members.insert("reviewed".to_owned(), json!(bound.map(|bound| bound.review.is_some())));
    }
}
