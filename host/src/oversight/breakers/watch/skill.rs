//! One skill's windows, and what each of them calls out of pattern.
//!
//! Each kind is told once in the cool-down and counted meanwhile. A kind that trips a breaker is told at once, cool-down or
//! not: a knob that was turned has to work.

use std::collections::HashSet;
use std::fmt::Display;
use std::time::{Duration, Instant};

use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::Outflow;
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{DenialId, visible};

use super::super::baseline::{Baseline, Current};
use super::super::kind::Kind;
use super::super::knobs::Trip;
use super::super::window::Window;
use super::{Anomaly, End, Look, Tool};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Over how long failures are looked at.
const FAILURES_OVER: Duration = Duration::from_secs(600);
/// A minute of fewer calls is never unusual, whatever the baseline says.
const FREQUENT: u64 = 60;
/// An hour that moves less than this part of what the knob allows is never unusual.
const LITTLE: u64 = 4;
/// Targets of refused accesses that are told apart; beyond, each counts.
const TARGETS: usize = 1_024;

/// What is known of one skill's calls.
#[derive(Debug)]
pub(super) struct SkillWatch {
    /// Whether it is of a listed skill, which can be stopped alone.
    is_listed: bool,
    baseline: Baseline,
    current: Current,
    calls: Window,
    over_limit: Window,
    scope: Window,
    approvals: Window,
    /// Refused targets that were counted since `targets_since`. A language runtime that looks for its time zone at every call is
    /// refused every time, and is no probing.
    targets: HashSet<u64>,
    targets_since: Option<Instant>,
    ended: Window,
    failed: Window,
    sent: Window,
    written: Window,
    told: [Told; Kind::ALL.len()],
}

/// When a kind was last told, and how many there were since.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    at: Option<Instant>,
    held_back: u64,
    tripped: bool,
}

/// An anomaly in words.
pub(super) struct Said {
    observed: String,
    expected: String,
    window: Option<String>,
}

impl Said {
    pub(super) fn new(observed: String, expected: String, window: Option<Duration>) -> Self {
        Self { observed, expected, window: window.map(shown) }
    }
}

impl Default for SkillWatch {
    fn default() -> Self {
        let mut watch = Self::with(Baseline::default());
        watch.is_listed = false;
        watch
    }
}

impl SkillWatch {
    pub(super) fn with(baseline: Baseline) -> Self {
        Self {
            is_listed: true,
            baseline,
            current: Current::default(),
            calls: Window::new(MINUTE),
            over_limit: Window::new(MINUTE),
            scope: Window::new(HOUR),
            approvals: Window::new(HOUR),
            targets: HashSet::new(),
            targets_since: None,
            ended: Window::new(FAILURES_OVER),
            failed: Window::new(FAILURES_OVER),
            sent: Window::new(HOUR),
            written: Window::new(HOUR),
            told: [Told::default(); Kind::ALL.len()],
        }
    }

    pub(super) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    pub(super) fn began(
        &mut self,
        look: Look<'_>,
        component: Digest,
        tool: Tool<'_>,
        found: &mut Vec<Anomaly>,
    ) {
        if self.baseline.component != Some(component) {
            self.baseline = Baseline::of(component);
            self.current = Current::default();
        }
        match tool {
            Tool::Listed(name) => {
                let learned = self.baseline.is_learned(look.knobs);
                let calls = self.baseline.calls;
                if !self.baseline.used(name) && learned {
                    found.extend(self.raise(look, Kind::UnexpectedTool, || {
                        let observed = format!(
                            "the first use of tool {} in {calls} calls",
                            visible::quoted_target(name)
                        );
                        Said::new(observed, "a tool of the baseline".to_owned(), None)
                    }));
                }
            }
            Tool::Unlisted(name) => found.extend(self.unlisted(look, name)),
        }
        self.current.call(&mut self.baseline, look.now);
        let calls = self.calls.add(look.now, 1);
        let usual = self.baseline.busiest_minute.saturating_mul(look.knobs.times_usual);
        if calls > usual.max(FREQUENT) && self.baseline.knows_minutes(look.knobs) {
            self.current.odd_minute = true;
            let busiest = self.baseline.busiest_minute;
            found.extend(self.raise(look, Kind::HighFrequency, || {
                let expected = format!("at most {usual}; the busiest minute of the baseline had {busiest}");
                Said::new(format!("{calls} calls"), expected, Some(MINUTE))
            }));
        }
    }

    pub(super) fn requested(&mut self, look: Look<'_>, origin: &str) -> Option<Anomaly> {
        let learned = self.baseline.is_learned(look.knobs);
        if self.baseline.contacted(origin) || !learned {
            return None;
        }
        let known = self.baseline.hosts.len();
        self.raise(look, Kind::NewHost, || {
            let observed = format!("the first request to {}", visible::quoted_target(origin));
            Said::new(observed, format!("one of the {known} hosts of the baseline"), None)
        })
    }

    pub(super) fn moved(&mut self, look: Look<'_>, out: Outflow, bytes: u64) -> Option<Anomaly> {
        let (sent, written) = match out {
            Outflow::Sent => (bytes, 0),
            _ => (0, bytes),
        };
        self.current.moved(&mut self.baseline, look.now, sent, written);
        let (window, knob, usual, verb) = match out {
            Outflow::Sent => (&mut self.sent, look.knobs.sent, self.baseline.sent.busiest_hour, "sent"),
            _ => (&mut self.written, look.knobs.written, self.baseline.written.busiest_hour, "written"),
        };
        let sum = window.over(knob.per).add(look.now, bytes);
        if sum > knob.amount {
            self.current.odd_hour = true;
            return self.raise(look, Kind::VolumeOut, || {
                let expected = format!("at most {} bytes, by `{verb}` in gateway.toml", knob.amount);
                Said::new(format!("{sum} bytes {verb}"), expected, Some(knob.per))
            });
        }
        let most = usual.saturating_mul(look.knobs.times_usual).max(knob.amount / LITTLE);
        if knob.per == HOUR && sum > most && self.baseline.knows_hours(look.knobs) {
            self.current.odd_hour = true;
            return self.raise(look, Kind::VolumeOut, || {
                let expected = format!("at most {most} bytes; the busiest hour of the baseline had {usual}");
                Said::new(format!("{sum} bytes {verb}"), expected, Some(HOUR))
            });
        }
        None
    }

    pub(super) fn denied(&mut self, look: Look<'_>, id: DenialId, target: &str, key: u64) -> Option<Anomaly> {
        if !is_scope(id) {
            return self.disapproved(look, target);
        }
        // What is tried again and again is counted where it makes a call fail.
        if self.is_known(look, key) { None } else { self.violated(look, id, target) }
    }

    pub(super) fn ended(&mut self, look: Look<'_>, end: End<'_>, key: u64, found: &mut Vec<Anomaly>) {
        self.baseline.calls += 1;
        let ended = self.ended.add(look.now, 1);
        if end == End::Failed {
            self.baseline.failed += 1;
            let failed = self.failed.add(look.now, 1);
            let share = look.knobs.error_share;
            if ended >= look.knobs.error_calls && failed.saturating_mul(100) >= ended.saturating_mul(share) {
                found.extend(self.raise(look, Kind::ErrorSpike, || {
                    let expected =
                        format!("fewer than {share} % of {} calls or more", look.knobs.error_calls);
                    Said::new(format!("{failed} of {ended} calls failed"), expected, Some(FAILURES_OVER))
                }));
            }
        }
        if let End::Scope(id, message) = end
            // An import has no access of its own. Whatever else refused the call counts when it does so again.
            && (id.as_str().starts_with("import.") || self.is_known(look, key))
        {
            found.extend(self.violated(look, id, message));
        }
    }

    pub(super) fn refused(&mut self, look: Look<'_>, id: DenialId, asked: &str) -> Option<Anomaly> {
        match id {
            DenialId::SkillNotListed => self.unlisted(look, asked),
            DenialId::LimitRate => {
                let Rate { amount, per } = look.knobs.over_limit;
                let refused = self.over_limit.over(per).add(look.now, 1);
                if refused <= amount {
                    return None;
                }
                self.raise(look, Kind::HighFrequency, || {
                    let expected = format!("at most {amount}, by `over_limit` in gateway.toml");
                    Said::new(format!("{refused} calls refused by a rate"), expected, Some(per))
                })
            }
            id if is_scope(id) => self.violated(look, id, asked),
            id if is_disapproval(id) => self.disapproved(look, asked),
            _ => None,
        }
    }

    /// Tells of something out of pattern, or counts it.
    pub(super) fn raise(
        &mut self,
        look: Look<'_>,
        kind: Kind,
        what: impl FnOnce() -> Said,
    ) -> Option<Anomaly> {
        if !look.knobs.looks_for(kind) {
            return None;
        }
        let trips = look.knobs.trip_of(kind, self.is_listed) != Trip::Nothing;
        let told = self.told.get_mut(kind as usize)?;
        let cooling = told.at.is_some_and(|at| look.now.saturating_duration_since(at) < look.knobs.cool_down);
        if cooling && (!trips || told.tripped) {
            told.held_back += 1;
            return None;
        }
        let held_back = std::mem::take(&mut told.held_back);
        *told = Told { at: Some(look.now), held_back: 0, tripped: trips };
        let Said { observed, expected, window } = what();
        Some(Anomaly { kind, skill: None, observed, expected, window, held_back })
    }

    pub(super) fn held_back(&mut self, look: Look<'_>, leaving: bool) -> Vec<Anomaly> {
        let mut all = Vec::new();
        for (kind, told) in Kind::ALL.iter().zip(&mut self.told) {
            let over =
                told.at.is_none_or(|at| look.now.saturating_duration_since(at) >= look.knobs.cool_down);
            if told.held_back == 0 || !(over || leaving) {
                continue;
            }
            let held_back = std::mem::take(&mut told.held_back);
            told.at = Some(look.now);
            all.push(Anomaly {
                kind: *kind,
                skill: None,
                observed: format!("{held_back} more since the last one that was noted"),
                expected: "none".to_owned(),
                window: None,
                held_back,
            });
        }
        all
    }

    pub(super) fn holding(&self) -> u64 {
        self.told.iter().map(|told| told.held_back).sum()
    }

    pub(super) fn forget(&mut self) {
        for window in [
            &mut self.calls,
            &mut self.over_limit,
            &mut self.scope,
            &mut self.approvals,
            &mut self.ended,
            &mut self.failed,
            &mut self.sent,
            &mut self.written,
        ] {
            window.clear();
        }
        self.targets.clear();
        self.told = [Told::default(); Kind::ALL.len()];
    }

    pub(super) fn end(&mut self) {
        self.current.end(&mut self.baseline);
    }

    fn unlisted(&mut self, look: Look<'_>, name: &str) -> Option<Anomaly> {
        self.raise(look, Kind::UnexpectedTool, || {
            let observed = format!("a call of {}, which is not listed", visible::quoted_target(name));
            Said::new(observed, "a tool that SOUL.md and the component list".to_owned(), None)
        })
    }

    fn violated(&mut self, look: Look<'_>, id: DenialId, target: &str) -> Option<Anomaly> {
        let Rate { amount, per } = look.knobs.scope_violations;
        let refused = self.scope.over(per).add(look.now, 1);
        if refused <= amount {
            return None;
        }
        self.raise(look, Kind::ScopeViolation, || {
            let observed =
                format!("{refused} refused accesses, the newest {id} {}", visible::quoted_target(target));
            Said::new(observed, format!("at most {amount}, by `scope_violations` in gateway.toml"), Some(per))
        })
    }

    fn disapproved(&mut self, look: Look<'_>, what: &str) -> Option<Anomaly> {
        let Rate { amount, per } = look.knobs.approvals_denied;
        let denied = self.approvals.over(per).add(look.now, 1);
        if denied <= amount {
            return None;
        }
        self.raise(look, Kind::ApprovalSpam, || {
            let observed =
                format!("{denied} actions that nobody approved, the newest {}", visible::quoted_target(what));
            Said::new(observed, format!("at most {amount}, by `approvals_denied` in gateway.toml"), Some(per))
        })
    }

    /// Whether this target was counted in the window already; from now on it is.
    fn is_known(&mut self, look: Look<'_>, key: u64) -> bool {
        let since = *self.targets_since.get_or_insert(look.now);
        if look.now.saturating_duration_since(since) >= look.knobs.scope_violations.per {
            self.targets.clear();
            self.targets_since = Some(look.now);
        }
        if self.targets.len() >= TARGETS {
            return self.targets.contains(&key);
        }
        !self.targets.insert(key)
    }
}

/// Whether a denial says that something was not granted, rather than used up or changed underneath.
pub(in crate::oversight::breakers) fn is_scope(id: DenialId) -> bool {
    match id {
        DenialId::PathQuota | DenialId::PathMoved => false,
        id => ["path.", "host.", "import."].iter().any(|start| id.as_str().starts_with(start)),
    }
}

/// Whether a denial says that a person did not approve.
pub(in crate::oversight::breakers) fn is_disapproval(id: DenialId) -> bool {
    id != DenialId::ApprovalTooMany && id.as_str().starts_with("approval.")
}

/// A window in words.
fn shown(window: impl Into<Duration>) -> String {
    let seconds = Into::<Duration>::into(window).as_secs();
    let of = |unit: u64, name: &dyn Display| match seconds / unit {
        1 => format!("1 {name}"),
        many => format!("{many} {name}s"),
    };
    match seconds {
        86_400.. if seconds.is_multiple_of(86_400) => of(86_400, &"day"),
        3_600.. if seconds.is_multiple_of(3_600) => of(3_600, &"hour"),
        60.. if seconds.is_multiple_of(60) => of(60, &"minute"),
        _ => of(1, &"second"),
    }
}
