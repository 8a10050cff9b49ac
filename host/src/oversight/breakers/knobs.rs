//! `[anomalies]` of gateway.toml: from when on something is out of pattern, and what it trips.
//!
//! Every knob has a default that fits one person's agent; `docs/oversight.md` argues for each.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;
use soulbound_runtime::RuleRef;
use soulbound_runtime::grant::Limits;
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::spelling;

use super::kind::Kind;

/// `[anomalies]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    learn: Option<u64>,
    cool_down: Option<String>,
    over_limit: Option<String>,
    times_usual: Option<u64>,
    scope_violations: Option<String>,
    approvals_denied: Option<String>,
    error_share: Option<u64>,
    error_calls: Option<u64>,
    sent: Option<String>,
    written: Option<String>,
    #[serde(default)]
    off: Vec<String>,
    #[serde(default)]
    trip: BTreeMap<String, String>,
}

/// What an anomaly trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trip {
    /// It is noted and told, and that is all.
    Nothing,
    /// The breaker of the skill; of the agent, where no listed skill is concerned.
    Skill,
    /// The breaker of the agent.
    Agent,
    /// The breaker of the agent, which is disabled besides.
    Disable,
}

impl Trip {
    const ALL: [Self; 4] = [Self::Nothing, Self::Skill, Self::Agent, Self::Disable];

    /// As it stands in settings and records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Skill => "skill",
            Self::Agent => "agent",
            Self::Disable => "disable",
        }
    }
}

/// The knobs, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Knobs {
    /// Calls of a skill until its baseline is learned.
    pub(crate) learn: u64,
    /// One anomaly of a kind a skill in this time.
    pub(crate) cool_down: Duration,
    /// Calls refused by a rate.
    pub(crate) over_limit: Rate,
    /// So many times the busiest minute or hour of the baseline is out of pattern.
    pub(crate) times_usual: u64,
    /// Refused paths, hosts and imports.
    pub(crate) scope_violations: Rate,
    /// Actions that waited for a person and were denied.
    pub(crate) approvals_denied: Rate,
    /// Percent of the calls of ten minutes that fail …
    pub(crate) error_share: u64,
    /// … of at least so many.
    pub(crate) error_calls: u64,
    /// Bytes sent over the network.
    pub(crate) sent: Rate,
    /// Bytes written to files.
    pub(crate) written: Rate,
    /// Kinds that are not looked for.
    pub(crate) off: Vec<Kind>,
    trip: BTreeMap<Kind, Trip>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

impl Default for Knobs {
    fn default() -> Self {
        Self {
            learn: 50,
            cool_down: MINUTE * 10,
            over_limit: Rate { amount: 30, per: MINUTE },
            times_usual: 5,
            scope_violations: Rate { amount: 30, per: HOUR },
            approvals_denied: Rate { amount: 60, per: HOUR },
            error_share: 50,
            error_calls: 20,
            sent: Rate { amount: 32 << 20, per: HOUR },
            written: Rate { amount: 1 << 30, per: HOUR },
            off: Vec::new(),
            trip: BTreeMap::new(),
        }
    }
}

impl Knobs {
    /// Reads the section; what it does not say has its default.
    pub(crate) fn read(section: Section) -> Result<Self> {
        let mut knobs = Self::default();
        let calls = |name, value: Option<String>, to: &mut Rate| -> Result<()> {
            if let Some(rate) = value.map(|text| rate("rate", name, &text)).transpose()? {
                *to = rate;
            }
            Ok(())
        };
        let bytes = |name, value: Option<String>, to: &mut Rate| -> Result<()> {
            if let Some(rate) = value.map(|text| rate("egress", name, &text)).transpose()? {
                *to = rate;
            }
            Ok(())
        };
        let number = |name, value: Option<u64>, range: std::ops::RangeInclusive<u64>, to: &mut u64| {
            match value {
                Some(number) if !range.contains(&number) => {
                    bail!("`[anomalies] {name}` is {number}; expected {} to {}", range.start(), range.end())
                }
                Some(number) => *to = number,
                None => {}
            }
            Ok(())
        };
        number("learn", section.learn, 1..=1_000_000, &mut knobs.learn)?;
        number("times_usual", section.times_usual, 2..=1_000_000, &mut knobs.times_usual)?;
        number("error_share", section.error_share, 1..=100, &mut knobs.error_share)?;
        number("error_calls", section.error_calls, 1..=1_000_000, &mut knobs.error_calls)?;
        calls("over_limit", section.over_limit, &mut knobs.over_limit)?;
        calls("scope_violations", section.scope_violations, &mut knobs.scope_violations)?;
        calls("approvals_denied", section.approvals_denied, &mut knobs.approvals_denied)?;
        bytes("sent", section.sent, &mut knobs.sent)?;
        bytes("written", section.written, &mut knobs.written)?;
        if let Some(text) = section.cool_down {
            knobs.cool_down = limit("time", "[anomalies] cool_down", &text)?.time.unwrap_or(knobs.cool_down);
        }
        knobs.off = section.off.iter().map(|name| kind("off", name)).collect::<Result<_>>()?;
        for (name, what) in &section.trip {
            let trip = Trip::ALL.into_iter().find(|trip| trip.name() == what);
            let Some(trip) = trip else {
                bail!(
                    "`[anomalies] trip` of `{name}` is `{what}`; expected `none`, `skill`, `agent` or `disable`"
                );
            };
            let kind = kind("trip", name)?;
            if trip != Trip::Nothing && knobs.off.contains(&kind) {
                bail!(
                    "`[anomalies]` has `{name}` under `off`, so it never trips\n  hint: take it out of `off`, or out of `trip`"
                );
            }
            knobs.trip.insert(kind, trip);
        }
        Ok(knobs)
    }

    /// Whether this kind is looked for.
    pub(crate) fn looks_for(&self, kind: Kind) -> bool {
        !self.off.contains(&kind)
    }

    /// What an anomaly of this kind trips, of a listed skill or of none. Where `skill` is to be stopped and none is concerned, none
    /// is: a model that makes up a name must not stop the whole agent by it. A changed SOUL.md concerns all of them.
    pub(crate) fn trip_of(&self, kind: Kind, is_of_a_skill: bool) -> Trip {
        match self.trip(kind) {
            Trip::Skill if !is_of_a_skill && kind != Kind::SoulChanged => Trip::Nothing,
            trip => trip,
        }
    }

    /// What this kind trips.
    pub(crate) fn trip(&self, kind: Kind) -> Trip {
        self.trip.get(&kind).copied().unwrap_or_else(|| kind.default_trip())
    }
}

/// An amount over a time, in the spelling of `limit`.
pub(crate) fn rate(limit_name: &str, name: &str, text: &str) -> Result<Rate> {
    let limits = limit(limit_name, name, text)?;
    let rate = limits.rate.first().or(limits.egress.first()).copied();
    rate.ok_or_else(|| anyhow::anyhow!("`{name}` is `{text}`; expected an amount over a time"))
}

/// A value in the spelling of the entry of `limit` with this name.
fn limit(limit_name: &str, name: &str, text: &str) -> Result<Limits> {
    let rule = RuleRef { file: String::new(), line: 0, column: 0, text: String::new() };
    let mut limits = Limits::default();
    limits.add(&format!("{limit_name} {text}"), rule).map_err(|error| {
        let hint = error.hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        anyhow::anyhow!("`{name}` is `{text}`: {}{hint}", error.message)
    })?;
    Ok(limits)
}

fn kind(knob: &str, name: &str) -> Result<Kind> {
    Kind::parse(name).ok_or_else(|| {
        let names = Kind::ALL.iter().map(|kind| kind.name());
        let hint = match spelling::nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the kinds are {}",
                names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
        };
        anyhow::anyhow!("`[anomalies] {knob}` names no kind of anomaly: `{name}`\n  hint: {hint}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Knobs> {
        Knobs::read(toml::from_str(text)?)
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        assert_eq!(read("").unwrap(), Knobs::default());
        let knobs =
            read("learn = 5\ncool_down = \"1s\"\nscope_violations = \"3/minute\"\nsent = \"1KiB/day\"\n")
                .unwrap();
        assert_eq!((knobs.learn, knobs.cool_down), (5, Duration::from_secs(1)));
        assert_eq!(knobs.scope_violations, Rate { amount: 3, per: MINUTE });
        assert_eq!(knobs.sent, Rate { amount: 1024, per: HOUR * 24 });
        assert_eq!(knobs.trip(Kind::ScopeViolation), Trip::Nothing);
        let knobs =
            read("off = [\"new-host\"]\n[trip]\nscope-violation = \"none\"\nerror-spike = \"disable\"\n")
                .unwrap();
        assert_eq!(
            (knobs.trip(Kind::ScopeViolation), knobs.trip(Kind::ErrorSpike)),
            (Trip::Nothing, Trip::Disable)
        );
        assert!(!knobs.looks_for(Kind::NewHost) && knobs.looks_for(Kind::VolumeOut));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_remedy() {
        for (text, part) in [
            ("lern = 5", "unknown field `lern`"),
            ("learn = 0", "`[anomalies] learn` is 0; expected 1 to 1000000"),
            ("error_share = 101", "expected 1 to 100"),
            ("times_usual = 1", "expected 2 to"),
            ("over_limit = \"30\"", "with `/` between"),
            ("scope_violations = \"0/hour\"", "zero"),
            ("sent = \"5/hour\"", "without a unit"),
            ("written = \"5MiB\"", "with `/` between"),
            ("cool_down = \"5\"", "without a unit"),
            ("off = [\"new-hosts\"]", "did you mean `new-host`?"),
            ("[trip]\nscope-violations = \"skill\"", "did you mean `scope-violation`?"),
            ("[trip]\nnew-host = \"all\"", "expected `none`, `skill`, `agent` or `disable`"),
            ("off = [\"new-host\"]\n[trip]\nnew-host = \"skill\"", "never trips"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
