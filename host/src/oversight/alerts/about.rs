//! The kinds of things that people can be told of: the closed set of `on`.

/// A kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum About {
    /// Something out of pattern: a changed SOUL.md, settings that cannot be read, wrong tokens, a scope violation.
    Anomaly,
    /// A breaker opened.
    Breaker,
    /// A call was refused, or something in it.
    Denial,
    /// The gateway or an agent was stopped, disabled or removed.
    Stop,
    /// Somebody is asked to decide.
    Approval,
    /// A call failed, or the gateway cannot do its work.
    Error,
}

impl About {
    /// All of them.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Anomaly, Self::Breaker, Self::Denial, Self::Stop, Self::Approval, Self::Error];

    /// What an entry without `on` is for: what needs somebody. Denials and errors are daily bread.
    pub(crate) const USUAL: &'static [Self] = &[Self::Anomaly, Self::Breaker, Self::Stop, Self::Approval];

    /// As gateway.toml writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anomaly => "anomaly",
            Self::Breaker => "breaker",
            Self::Denial => "denial",
            Self::Stop => "stop",
            Self::Approval => "approval",
            Self::Error => "error",
        }
    }

    /// The kind with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|about| about.name() == name)
    }
}
