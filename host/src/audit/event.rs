//! What a record is about, and how a call was decided: the words that stand in `event` and `decision`.

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $sentence:literal, $notable:expr;)*) => {
        /// What a record is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Event {
            $(#[doc = $sentence] $variant,)*
        }

        impl Event {
            /// All of them, in the table's order.
            pub(crate) const ALL: &'static [Event] = &[$(Event::$variant,)*];

            /// As it stands in a record.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Event::$variant => $name,)* }
            }

            /// What happened, as HEARTBEAT.md says it.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Event::$variant => $sentence,)* }
            }

            /// Whether it is in the ordinary course of things.
            pub(crate) fn weight(self) -> Weight {
                match self { $(Event::$variant => $notable,)* }
            }
        }
    };
}

/// How much an event matters to whoever watches HEARTBEAT.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The trail's own bookkeeping: no line.
    Silent,
    /// A line.
    Line,
    /// A line, counted, and shown at once.
    Anomaly,
}

use Weight::{Anomaly, Line, Silent};

// Dotted names are what an operator or the gateway did; plain ones are the trail's own and those of calls.
events! {
    Began = "began", "Trail began", Silent;
    Intent = "intent", "Call begins", Silent;
    Effect = "effect", "Call changes or requests something", Silent;
    Outcome = "outcome", "Call ended", Silent;
    Refused = "refused", "Call refused before it began", Silent;
    Repaired = "repaired", "Unfinished record of a killed gateway cut off", Line;
    Discontinuity = "discontinuity", "Audit trail is not what its tip says", Anomaly;
    Rotated = "rotated", "Trail goes on in a new file", Silent;
    Recovered = "recovered", "Audit trail can be written again", Anomaly;
    Tips = "tips", "Tips of the agents' trails", Silent;
    GatewayStarted = "gateway.started", "Gateway started", Line;
    GatewayArmed = "gateway.armed", "Stop taken back by the operator", Line;
    GatewayStopped = "gateway.stopped", "Gateway stopped by the operator", Line;
    GatewayEnded = "gateway.ended", "Gateway ended", Line;
    AgentAdded = "agent.added", "Agent added", Line;
    AgentTrusted = "agent.trusted", "SOUL.md and skills trusted", Line;
    AgentRolledBack = "agent.rolled-back", "Rolled back to what was trusted before", Line;
    AgentDisabled = "agent.disabled", "Agent stopped by the operator", Line;
    AgentEnabled = "agent.enabled", "Agent enabled again", Line;
    AgentAttacked = "agent.attacked", "Grants attacked by redteam", Line;
    AgentRemoved = "agent.removed", "Agent removed by the operator", Line;
    SoulChanged = "soul.changed", "SOUL.md changed since it was trusted", Anomaly;
    SkillChanged = "skill.changed", "A skill's files changed since they were trusted", Anomaly;
    DirectoryChanged = "directory.changed", "A granted directory is no longer the one that was trusted", Anomaly;
    DirectoryClosed = "directory.closed", "A granted directory cannot be opened, or the operator's settings deny it", Line;
    SettingsChanged = "settings.changed", "gateway.toml read anew", Line;
    SettingsUnreadable = "settings.unreadable", "gateway.toml cannot be read; the last good one stands", Anomaly;
    TokenMade = "token.made", "Token made or rotated", Line;
    TokenRefused = "token.refused", "Request with a wrong token refused", Anomaly;
    SecretSet = "secret.set", "Secret set by the operator", Line;
    SecretRemoved = "secret.removed", "Secret removed by the operator", Line;
    SecretKeyMoved = "secret.key-moved", "Key that seals secrets moved by the operator", Line;
    OutputBlocked = "output.blocked", "Output rule refused something", Anomaly;
    OutputRedacted = "output.redacted", "Output rule masked something", Line;
    OutputNoted = "output.noted", "Output rule noted something", Line;
    AlertSent = "alert.sent", "Alert sent", Silent;
    AlertFailed = "alert.failed", "Alert did not arrive", Line;
    ApprovalRequested = "approval.requested", "Waiting for a person's approval", Line;
    ApprovalGranted = "approval.granted", "Approved by a person", Line;
    ApprovalDenied = "approval.denied", "Refused by a person", Line;
    ApprovalExpired = "approval.expired", "Nobody approved it, so it did not happen", Line;
    ApprovalRevoked = "approval.revoked", "Standing approval taken back", Line;
    ApprovalForged = "approval.forged", "Decision that nobody may make refused", Anomaly;
    AnomalyNoted = "anomaly", "Anomaly noted", Anomaly;
    BreakerOpened = "breaker.opened", "Breaker opened; it stays open until an operator closes it", Line;
    BreakerClosed = "breaker.closed", "Breaker closed by the operator", Line;
}

impl Event {
    /// The event with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.name() == name)
    }
}

/// How a call was decided or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Decision {
    /// It ran, and the tool returned a value.
    Allowed,
    /// It was refused, before it ran or in the middle.
    Denied,
    /// It ran, and the tool or the engine failed.
    Error,
    /// An operator ended it.
    Killed,
    /// Whoever asked for it no longer wanted it.
    Cancelled,
    /// The gateway died while it ran.
    Interrupted,
    /// The gateway's own code forgot it: a bug, said rather than hidden.
    Lost,
}

impl Decision {
    /// All of them.
    pub(crate) const ALL: &'static [Decision] = &[
        Self::Allowed,
        Self::Denied,
        Self::Error,
        Self::Killed,
        Self::Cancelled,
        Self::Interrupted,
        Self::Lost,
    ];

    /// As it stands in a record.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Killed => "killed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
        }
    }

    /// The decision with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|decision| decision.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_unique_and_read_back() {
        for event in Event::ALL {
            assert_eq!(Event::parse(event.name()), Some(*event));
        }
        for decision in Decision::ALL {
            assert_eq!(Decision::parse(decision.name()), Some(*decision));
        }
        assert_eq!(Event::parse("Outcome"), None);
    }
}
