//! The page as people read it, and as the ecosystem's script greps it.

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::audit::entry::{CallEntry, OutcomeEntry};
use crate::audit::event::Event;
use crate::audit::trail::Options;
use crate::audit::trail::tests::{Place, arguments, call, calls, entry, now};
use soulbound_runtime::sandbox::{CallError, ErrorKind};
use soulbound_runtime::{Denial, DenialId};

/// The script's own greps: lines that count as errors, and whether a restricted tool was used.
fn grep(page: &str) -> (usize, bool) {
    let run = |arguments: &[&str]| {
        let mut grep = Command::new("grep")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        grep.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
        grep.wait_with_output().unwrap()
    };
    let errors = String::from_utf8(run(&["-a", "-c", "ERROR"]).stdout).unwrap().trim().parse().unwrap();
    let restricted = run(&["-a", "Used skill:.*database\\|Used skill:.*admin"]).status.success();
    (errors, restricted)
}

fn sight<'a>(seq: u64, event: Event) -> Sight<'a> {
    Sight {
        seq,
        time: Moment::parse("2026-11-21T10:15:00Z").unwrap(),
        event: event.name(),
        call: None,
        skill: Some("browser"),
        tool: Some("fetch"),
        args: None,
        decision: None,
        denial: None,
        anomaly: None,
        today: None,
    }
}

/// One call, from its intent to its end.
fn ended(pulse: &mut Pulse, seq: u64, args: &str, decision: Decision, denial: Option<&str>) {
    pulse.saw(&Sight { args: Some(args), ..sight(seq, Event::Intent) });
    pulse.saw(&Sight { call: Some(seq), decision: Some(decision), denial, ..sight(seq + 1, Event::Outcome) });
}

fn page(pulse: &Pulse) -> String {
    let header = Header { name: "Echo".to_owned(), role: Some("Content Writer".to_owned()) };
    page::render(&header, pulse, Moment::parse("2026-11-21T12:00:00Z").unwrap())
}

#[test]
fn the_page_reads_as_the_ecosystem_s_does() {
    let mut pulse = Pulse::default();
    ended(&mut pulse, 1, r#"{"url":"https://en.wikipedia.org"}"#, Decision::Allowed, None);
    ended(&mut pulse, 3, r#"{"url":"https://evil.test"}"#, Decision::Denied, Some("host.not-granted"));
    ended(&mut pulse, 5, "{}", Decision::Error, Some("guest.trap"));
    ended(&mut pulse, 7, "{}", Decision::Killed, Some("agent.stopped"));
    ended(&mut pulse, 9, "{}", Decision::Interrupted, None);
    pulse.saw(&sight(11, Event::SoulChanged));
    pulse.saw(&sight(12, Event::AgentDisabled));
    pulse.saw(&Sight { args: Some("{}"), ..sight(13, Event::Intent) });
    insta::assert_snapshot!(page(&pulse), @r###"
    # Heartbeat - Echo (Content Writer)
    ## Last Active
    2026-11-21T10:15:00.000Z
    ## Recent Actions
    - [10:15] Used skill: browser (fetch)
      args: {"url":"https://en.wikipedia.org"}
    - [10:15] Denied skill: browser (fetch) host.not-granted
      args: {"url":"https://evil.test"}
    - [10:15] Used skill: browser (fetch) ERROR guest.trap
    - [10:15] Stopped skill: browser (fetch) agent.stopped
    - [10:15] Interrupted skill: browser (fetch), ended with the gateway
    - [10:15] Anomaly: SOUL.md changed since it was trusted
    - [10:15] Agent stopped by the operator
    ## Status
    - Active tasks: 1
    - Waiting for approval: 0
    - Completed today: 1
    - Errors: 1
    - Anomalies: 1, the newest: SOUL.md changed since it was trusted
    "###);
}

#[test]
fn the_script_s_greps_see_failures_and_restricted_tools_and_no_denials() {
    let mut pulse = Pulse::default();
    ended(&mut pulse, 1, "{}", Decision::Denied, Some("host.not-granted"));
    assert_eq!(grep(&page(&pulse)), (0, false));
    ended(&mut pulse, 3, "{}", Decision::Error, Some("guest.trap"));
    ended(&mut pulse, 5, "{}", Decision::Error, None);
    assert_eq!(grep(&page(&pulse)), (2, false));
    let mut named = |seq, tool, decision| {
        pulse.saw(&Sight { tool: Some(tool), decision: Some(decision), ..sight(seq, Event::Refused) });
        grep(&page(&pulse))
    };
    assert_eq!(
        named(7, "admin", Decision::Denied),
        (2, false),
        "a refused call of a restricted tool is not a use"
    );
    assert_eq!(
        named(8, "ERROR", Decision::Allowed),
        (2, false),
        "an author cannot count as a failure by a name"
    );
    assert_eq!(named(9, "query-database", Decision::Allowed), (2, true), "a restricted tool is seen");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_argument_changes_what_a_grep_finds(
        texts in proptest::collection::vec(prop_oneof![
            any::<String>(),
            "(\n|ERROR|- \\[10:15\\] Used skill: |admin|database|Denied skill|## Status|`|\u{202e}|x| ){0,12}",
        ], 1..8)
    ) {
        let (mut with, mut without) = (Pulse::default(), Pulse::default());
        for (index, text) in texts.iter().enumerate() {
            let decision = [Decision::Allowed, Decision::Denied, Decision::Error][index % 3];
            let arguments = crate::audit::canonical::text(&serde_json::json!({"text": text}));
            ended(&mut with, 2 * index as u64 + 1, &arguments, decision, None);
            ended(&mut without, 2 * index as u64 + 1, "{}", decision, None);
        }
        let (with, without) = (page(&with), page(&without));
        prop_assert_eq!(grep(&with), grep(&without));
        let others = |page: &str| page.lines().filter(|line| !line.starts_with("  args: ")).map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(others(&with), others(&without));
    }
}

#[test]
fn the_page_is_bounded_whatever_happened() {
    let mut pulse = Pulse::default();
    let long = "\u{e0041}".repeat(2_000);
    for seq in 0..1_000 {
        ended(&mut pulse, 2 * seq + 1, &long, Decision::Error, None);
    }
    assert!(page(&pulse).len() < 64 << 10, "{}", page(&pulse).len());
    assert_eq!(pulse.acts.len(), 50);
}

#[test]
fn the_file_follows_the_trail_and_is_rebuilt_from_it() {
    let place = Place::new();
    let (book, _) = place.open();
    call(&book);
    let arguments = arguments("ERROR\n- [10:15] Used skill: admin");
    let intent = now(book.intend(&entry(&arguments))).unwrap();
    let error = CallError::new(ErrorKind::Tool, "no");
    now(book.conclude(
        intent,
        &OutcomeEntry { error: Some(&error), ..OutcomeEntry::without_result(Decision::Error) },
    ))
    .unwrap();
    let denial = Denial::new(DenialId::LimitRate, "too many");
    now(book.refuse(&CallEntry { tool: "write", ..entry(&arguments) }, &OutcomeEntry::of_denial(&denial)))
        .unwrap();
    book.note(Event::AgentTrusted, "operator", &Value::Null).unwrap();
    let live = book.heartbeat();
    drop(book);
    let file = std::fs::read_to_string(place.echo().join(NAME)).unwrap();
    assert_eq!(file, live, "closing writes what is not written yet");
    assert_eq!(grep(&file), (1, false), "{file}");
    assert!(file.contains("Denied skill: file-reader (write) limit.rate"));
    let (book, _) = place.open();
    assert_eq!(book.heartbeat(), live, "rebuilt from the trail");
}

#[test]
fn the_day_s_figures_are_carried_from_file_to_file() {
    let place = Place::with(Options { rotate: 4_000, ..Options::default() });
    let (book, _) = place.open();
    calls(&book, 12);
    drop(book);
    assert!(place.open().0.heartbeat().contains("- Completed today: 12\n"));
    // Killed within a rotation.
    let first = place.records()[0]["seq"].as_u64().unwrap();
    std::fs::rename(place.file(), place.echo().join(crate::audit::rotation::segment_name(first))).unwrap();
    for _ in 0..2 {
        assert!(place.open().0.heartbeat().contains("- Completed today: 12\n"));
    }
}

#[test]
fn an_anomaly_is_shown_at_once_and_other_acts_at_most_twice_a_second() {
    let place = Place::new();
    let (book, _) = place.open();
    let path = place.echo().join(NAME);
    let watch = crate::audit::Watch::on(&place.echo()).unwrap();
    let began = Instant::now();
    for _ in 0..20 {
        call(&book);
    }
    book.note(Event::SoulChanged, "gateway", &Value::Null).unwrap();
    let shown = || std::fs::read_to_string(&path).unwrap();
    while !shown().contains("Anomaly: SOUL.md changed") {
        watch.wait().unwrap();
    }
    assert!(began.elapsed() < BETWEEN, "{:?}", began.elapsed());
}
