//! Detection with a clock that the tests hold.

use std::time::Duration;

use proptest::prelude::*;
use soulbound_runtime::grant::limit::Rate;

use super::super::knobs::Section;
use super::super::open::{Open, Opened};
use super::*;

const ONE: Digest = Digest([1; 32]);
const OTHER: Digest = Digest([2; 32]);

fn knobs(text: &str) -> Knobs {
    Knobs::read(toml::from_str::<Section>(text).unwrap()).unwrap()
}

/// A watch, its knobs and its clock.
struct Stage {
    watch: Watch,
    knobs: Knobs,
    now: Instant,
}

impl Stage {
    fn new(text: &str) -> Self {
        Self { watch: Watch::default(), knobs: knobs(text), now: Instant::now() }
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    fn look(&self) -> Look<'static> {
        // Leaked, so that a test may hold it while it changes the rest.
        Look { knobs: Box::leak(Box::new(self.knobs.clone())), now: self.now }
    }

    fn call(&mut self, tool: &str) -> Vec<Anomaly> {
        self.call_of(ONE, Tool::Listed(tool), End::Unremarkable)
    }

    fn call_of(&mut self, component: Digest, tool: Tool<'_>, end: End<'_>) -> Vec<Anomaly> {
        let mut found = self.watch.began(self.look(), "probe", component, tool);
        found.extend(self.watch.ended(self.look(), "probe", end));
        found
    }

    fn denied(&mut self, target: &str) -> Vec<Anomaly> {
        self.watch.denied(self.look(), "probe", DenialId::PathOutside, target)
    }

    fn refused(&mut self, skill: Option<&str>, id: DenialId, asked: &str) -> Vec<Anomaly> {
        self.watch.refused(self.look(), skill, id, asked)
    }
}

fn kinds(found: &[Anomaly]) -> Vec<Kind> {
    found.iter().map(|anomaly| anomaly.kind).collect()
}

#[test]
fn a_first_use_is_unexpected_once_there_is_a_baseline() {
    let mut stage = Stage::new("learn = 10");
    assert!(stage.call("read").is_empty() && stage.call("list").is_empty(), "everything is new at first");
    for _ in 0..8 {
        assert!(stage.call("read").is_empty());
    }
    let found = stage.call("delete");
    assert_eq!(kinds(&found), [Kind::UnexpectedTool]);
    assert_eq!(found[0].observed, "the first use of tool \"delete\" in 10 calls");
    assert!(stage.after(3_600).call("delete").is_empty(), "it is part of the baseline now");
}

#[test]
fn another_component_has_another_normal() {
    let mut stage = Stage::new("learn = 3");
    (0..5).for_each(|_| drop(stage.call("read")));
    assert!(stage.call_of(OTHER, Tool::Listed("delete"), End::Unremarkable).is_empty());
    let baselines = stage.watch.changed_baselines().unwrap();
    assert_eq!((baselines["probe"].component, baselines["probe"].calls), (Some(OTHER), 1));
}

#[test]
fn a_kept_baseline_is_gone_on_with() {
    let mut stage = Stage::new("learn = 3");
    (0..5).for_each(|_| drop(stage.call("read")));
    stage.watch.end();
    let kept = stage.watch.changed_baselines().unwrap();
    assert!(stage.watch.changed_baselines().is_none(), "written once");
    stage.watch = Watch::with(kept);
    assert!(stage.call("read").is_empty());
    assert_eq!(kinds(&stage.call("delete")), [Kind::UnexpectedTool]);
}

#[test]
fn a_flood_of_unlisted_calls_is_one_anomaly_and_a_count() {
    let mut stage = Stage::new("");
    let mut found = Vec::new();
    for number in 0..10_000 {
        let name = format!("evil-{number}__run\u{202e}\n- [10:15] Used skill: x");
        found.extend(stage.refused(None, DenialId::SkillNotListed, &name));
    }
    assert_eq!(kinds(&found), [Kind::UnexpectedTool]);
    assert_eq!(
        found[0].observed,
        "a call of \"evil-0__run\\u202e\\n- [10:15] Used skill: x\", which is not listed"
    );
    assert_eq!((stage.watch.holding(), stage.watch.skills.len()), (9_999, 0));
    assert!(stage.watch.held_back(stage.look(), false).is_empty(), "not before the cool-down is over");
    let told = stage.after(600).watch_held();
    assert_eq!((told[0].held_back, stage.watch.holding()), (9_999, 0));
}

impl Stage {
    fn watch_held(&mut self) -> Vec<Anomaly> {
        let look = self.look();
        self.watch.held_back(look, false)
    }
}

#[test]
fn many_refused_targets_are_a_scope_violation_and_one_again_and_again_is_none() {
    let mut stage = Stage::new("scope_violations = \"5/hour\"");
    for _ in 0..100 {
        assert!(stage.denied("/usr/share/zoneinfo").is_empty(), "a language runtime looks for its time zone");
    }
    for number in 0..4 {
        assert!(stage.denied(&format!("/etc/{number}")).is_empty());
    }
    let found = stage.denied("/etc/shadow");
    assert_eq!(kinds(&found), [Kind::ScopeViolation]);
    assert_eq!(found[0].observed, "6 refused accesses, the newest path.outside \"/etc/shadow\"");
    assert_eq!(found[0].window.as_deref(), Some("1 hour"));
}

#[test]
fn a_call_that_fails_at_the_same_target_again_counts_again() {
    let mut stage = Stage::new("scope_violations = \"5/hour\"");
    let mut found = Vec::new();
    for _ in 0..7 {
        found.extend(stage.denied("/etc/shadow"));
        found.extend(stage.call_of(
            ONE,
            Tool::Listed("read"),
            End::Scope(DenialId::PathOutside, "no /etc/shadow"),
        ));
    }
    assert_eq!(
        kinds(&found),
        [Kind::ScopeViolation],
        "one for the target, six for the calls after the first"
    );
    let mut stage = Stage::new("scope_violations = \"5/hour\"");
    let refused = End::Scope(DenialId::ImportRefused, "the same import");
    let found: Vec<_> = (0..6).flat_map(|_| stage.call_of(ONE, Tool::Listed("read"), refused)).collect();
    assert_eq!(kinds(&found), [Kind::ScopeViolation]);
}

#[test]
fn slow_probing_within_the_window_counts_and_beyond_it_does_not() {
    let mut stage = Stage::new("scope_violations = \"5/minute\"");
    let slow: Vec<_> = (0..50).flat_map(|number| stage.after(20).denied(&format!("/{number}"))).collect();
    assert!(slow.is_empty(), "three a minute");
    let quick: Vec<_> = (50..60).flat_map(|number| stage.after(5).denied(&format!("/{number}"))).collect();
    assert_eq!(kinds(&quick), [Kind::ScopeViolation]);
}

#[test]
fn failures_are_a_spike_by_share_and_number() {
    let mut stage = Stage::new("error_share = 50\nerror_calls = 10");
    let nine: Vec<_> = (0..9).flat_map(|_| stage.call_of(ONE, Tool::Listed("x"), End::Failed)).collect();
    assert!(nine.is_empty(), "too few to tell");
    let found = stage.call_of(ONE, Tool::Listed("x"), End::Failed);
    assert_eq!(kinds(&found), [Kind::ErrorSpike]);
    assert_eq!(found[0].observed, "10 of 10 calls failed");
    let mut stage = Stage::new("error_share = 50\nerror_calls = 10");
    for _ in 0..100 {
        assert!(stage.call("x").is_empty() && stage.call("x").is_empty());
        assert!(stage.call_of(ONE, Tool::Listed("x"), End::Failed).is_empty(), "a third");
    }
}

#[test]
fn a_minute_is_measured_against_the_busiest_one_and_against_the_limit() {
    let mut stage = Stage::new("learn = 20\ntimes_usual = 5\nover_limit = \"3/minute\"");
    for _ in 0..30 {
        assert!(stage.after(61).call("read").is_empty());
        assert!(stage.call("read").is_empty());
    }
    stage.after(120);
    let burst: Vec<_> = (0..100).flat_map(|_| stage.call("read")).collect();
    assert_eq!(kinds(&burst), [Kind::HighFrequency]);
    assert_eq!(burst[0].observed, "61 calls", "sixty a minute are never unusual");
    stage.after(120).call("read");
    assert_eq!(
        stage.watch.changed_baselines().unwrap()["probe"].busiest_minute,
        2,
        "the burst is not learned"
    );
    stage.after(600);
    let refused: Vec<_> =
        (0..10).flat_map(|_| stage.refused(Some("probe"), DenialId::LimitRate, "probe__read")).collect();
    assert_eq!(kinds(&refused), [Kind::HighFrequency]);
    assert_eq!(refused[0].observed, "4 calls refused by a rate");
}

#[test]
fn a_new_host_is_told_when_the_others_are_known() {
    let mut stage = Stage::new("learn = 3");
    for _ in 0..3 {
        stage.call("fetch");
        assert!(stage.watch.requested(stage.look(), "probe", "https://a.example:443").is_empty());
    }
    let found = stage.watch.requested(stage.look(), "probe", "https://evil.example:443");
    assert_eq!(kinds(&found), [Kind::NewHost]);
    assert_eq!(found[0].expected, "one of the 2 hosts of the baseline");
}

#[test]
fn bytes_are_measured_against_the_knob_and_against_the_busiest_hour() {
    let mut stage = Stage::new("learn = 5\nsent = \"1MiB/hour\"");
    assert!(stage.watch.moved(stage.look(), "probe", Outflow::Sent, 1 << 20).is_empty());
    let found = stage.watch.moved(stage.look(), "probe", Outflow::Sent, 1);
    assert_eq!(kinds(&found), [Kind::VolumeOut]);
    assert!(stage.watch.moved(stage.look(), "probe", Outflow::Written, 1 << 20).is_empty());
    let mut stage = Stage::new("learn = 5\nsent = \"1MiB/hour\"");
    for _ in 0..8 {
        stage.after(3_700).call("post");
        assert!(stage.watch.moved(stage.look(), "probe", Outflow::Sent, 1_000).is_empty());
    }
    stage.after(3_700).call("post");
    let found = stage.watch.moved(stage.look(), "probe", Outflow::Sent, 300_000);
    assert_eq!(found[0].expected, "at most 262144 bytes; the busiest hour of the baseline had 1000");
}

#[test]
fn a_kind_that_trips_is_told_although_it_cools_down_and_an_off_one_never() {
    let mut stage = Stage::new("scope_violations = \"1/hour\"\n[trip]\nscope-violation = \"none\"");
    let first: Vec<_> = (0..5).flat_map(|number| stage.denied(&format!("/{number}"))).collect();
    assert_eq!(first.len(), 1);
    stage.knobs = knobs("scope_violations = \"1/hour\"\n[trip]\nscope-violation = \"skill\"");
    let found = stage.denied("/again");
    assert_eq!(found[0].held_back, 3);
    assert!(stage.denied("/and again").is_empty(), "once");
    stage.watch.forget(Some("probe"));
    assert!(stage.denied("/x").is_empty());
    assert_eq!(stage.denied("/y").len(), 1, "after a reset it may trip again at once");
    let mut stage = Stage::new("scope_violations = \"1/hour\"\noff = [\"scope-violation\"]");
    assert!((0..50).all(|number| stage.denied(&format!("/{number}")).is_empty()));
    assert_eq!(stage.watch.holding(), 0);
}

#[test]
fn whoever_asks_for_approval_again_and_again_is_stopped() {
    let mut stage = Stage::new("approvals_denied = \"3/hour\"");
    assert_eq!(stage.knobs.trip(Kind::ApprovalSpam), super::super::knobs::Trip::Skill);
    for id in [DenialId::ApprovalDenied, DenialId::ApprovalTimeout, DenialId::ApprovalDenied] {
        assert!(stage.refused(Some("probe"), id, "probe__post").is_empty());
    }
    let look = stage.look();
    let found = stage.watch.denied(look, "probe", DenialId::ApprovalDenied, "https://example.com:443");
    assert_eq!(kinds(&found), [Kind::ApprovalSpam]);
}

#[test]
fn other_knobs_count_anew() {
    let mut stage = Stage::new("scope_violations = \"5/hour\"");
    (0..5).for_each(|number| drop(stage.denied(&format!("/{number}"))));
    stage.knobs.scope_violations = Rate { amount: 2, per: Duration::from_secs(3_600) };
    assert_eq!(stage.denied("/x").len(), 1, "a lower amount applies to what was counted");
}

#[test]
#[ignore = "a measurement"]
fn what_a_call_costs() {
    use std::sync::Mutex;
    let knobs = Knobs::default();
    let watch = Mutex::new(Watch::default());
    let rounds = 200_000;
    let started = Instant::now();
    for _ in 0..rounds {
        let began = watch.lock().unwrap().began(
            Look { knobs: &knobs, now: Instant::now() },
            "probe",
            ONE,
            Tool::Listed("read"),
        );
        let ended = watch.lock().unwrap().ended(
            Look { knobs: &knobs, now: Instant::now() },
            "probe",
            End::Unremarkable,
        );
        std::hint::black_box((began, ended));
    }
    println!("before and after a call: {:?}", started.elapsed() / rounds);
    let meter = super::super::rates::Meter::default();
    let rate = Some(Rate { amount: 1_000_000, per: Duration::from_secs(1) });
    let started = Instant::now();
    for _ in 0..rounds {
        meter.take(rate, "agent_rate", "agent `echo` was").unwrap();
        meter.take(None, "gateway_rate", "the agents were").unwrap();
    }
    println!("a rate that is set and one that is not: {:?}", started.elapsed() / rounds);
}

/// What may happen to an agent.
#[derive(Debug, Clone)]
enum Step {
    Call(u8, bool),
    Denied(u8),
    Unlisted(u8),
    Limited,
    Moved(u32),
    Wait(u32),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<u8>(), any::<bool>()).prop_map(|(tool, fine)| Step::Call(tool, fine)),
        any::<u8>().prop_map(Step::Denied),
        any::<u8>().prop_map(Step::Unlisted),
        Just(Step::Limited),
        (0_u32..1 << 20).prop_map(Step::Moved),
        (0_u32..100_000).prop_map(Step::Wait),
        Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn no_sequence_closes_a_breaker_and_nothing_is_counted_that_did_not_happen(
        steps in proptest::collection::vec(step(), 1..300)
    ) {
        let mut stage = Stage::new(
            "learn = 5\ncool_down = \"30s\"\nscope_violations = \"3/minute\"\nover_limit = \"3/minute\"\nerror_calls = 5\nsent = \"1MiB/hour\"\n[trip]\nunexpected-tool = \"agent\"\nerror-spike = \"skill\"",
        );
        let folder = tempfile::tempdir().unwrap();
        let mut open = Open::default();
        let (mut events, mut noted, mut calls) = (0_u64, 0_u64, 0_u64);
        for step in steps {
            let was = open.clone();
            events += 1;
            let found = match step {
                Step::Call(tool, fine) => {
                    calls += 1;
                    events += 2;
                    let end = if fine { End::Unremarkable } else { End::Failed };
                    stage.call_of(ONE, Tool::Listed(&format!("tool-{}", tool % 8)), end)
                }
                Step::Denied(target) => stage.denied(&format!("/{target}")),
                Step::Unlisted(name) => stage.refused(None, DenialId::SkillNotListed, &name.to_string()),
                Step::Limited => stage.refused(Some("probe"), DenialId::LimitRate, "x"),
                Step::Moved(bytes) => stage.watch.moved(stage.look(), "probe", Outflow::Sent, u64::from(bytes)),
                Step::Wait(milliseconds) => {
                    stage.now += Duration::from_millis(u64::from(milliseconds));
                    stage.watch_held()
                }
                Step::Restart => {
                    let held = stage.watch.held_back(stage.look(), true);
                    stage.watch.end();
                    let kept = stage.watch.changed_baselines().unwrap_or_default();
                    if !kept.is_empty() {
                        stage.watch = Watch::with(kept);
                    }
                    open = Open::read(folder.path());
                    held
                }
            };
            for anomaly in found {
                noted += if anomaly.expected == "none" { 0 } else { 1 } + anomaly.held_back;
                let of = match stage.knobs.trip(anomaly.kind) {
                    super::super::knobs::Trip::Nothing => continue,
                    super::super::knobs::Trip::Skill => anomaly.skill.clone(),
                    _ => None,
                };
                let opened = Opened { kind: Some(anomaly.kind), when: String::new(), observed: anomaly.observed, by: None };
                open.trip(of.as_deref(), opened);
                open.write(folder.path(), false).unwrap();
            }
            prop_assert!(was.0.iter().all(|(of, why)| open.0.get(of) == Some(why)), "{was:?} became {open:?}");
            let known = stage.watch.skills.get("probe").map_or(0, |probe| probe.baseline().calls);
            prop_assert!(known <= calls && noted + stage.watch.holding() <= events, "{noted} of {events}");
        }
    }
}
