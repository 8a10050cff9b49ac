//! The oracle is seen to fail: each kind of evidence by itself is an escape, and error texts are none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use soulbound_runtime::DenialId;
use soulbound_runtime::sandbox::{CallError, ErrorKind};

use super::*;
use crate::redteam::attack::Class;
use crate::redteam::canary::{Canary, Seed};

fn canary() -> Canary {
    Canary::new(Seed(3), std::path::Path::new("/s"), "/s/outside/secret.txt".into(), "outside every grant")
}

fn attack() -> Attack {
    Attack::new(Class::Paths, "test", "a test", "files", json!({}))
}

fn denied() -> Outcome {
    Outcome::refused(Denial::new(DenialId::PathOutside, "no"))
}

fn returned(value: serde_json::Value) -> Outcome {
    let mut outcome = denied();
    outcome.denials.clear();
    outcome.ending = Ending::Returned(value);
    outcome
}

fn evidence(outcome: Outcome) -> Evidence {
    Evidence {
        outcomes: vec![outcome],
        traffic: Traffic::default(),
        changes: Vec::new(),
        progress: String::new(),
        longest: 0,
    }
}

fn judged(attack: &Attack, evidence: &Evidence) -> Verdict {
    let forbidden = Search::new(vec![canary()]).unwrap();
    judge(attack, evidence, &Standard { forbidden: &forbidden, limits: None, sight: None })
}

fn escaped(attack: &Attack, evidence: &Evidence) -> String {
    match judged(attack, evidence) {
        Verdict::Escaped(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_canary_in_a_result_a_log_an_error_or_a_message_is_an_escape() {
    let secret = canary().text;
    let encoded = STANDARD.encode(format!("content: {secret}"));
    let mut all = vec![
        evidence(returned(json!([{"ok": secret}]))),
        evidence(returned(json!({"deep": [encoded]}))),
        evidence(Outcome::failed(CallError::new(ErrorKind::Tool, format!("failed at {secret}")))),
        evidence(Outcome::refused(Denial::new(DenialId::PathOutside, format!("no {secret}")))),
    ];
    let mut reported = evidence(denied());
    reported.progress = secret.chars().rev().collect();
    all.push(reported);
    for evidence in all {
        assert!(escaped(&attack(), &evidence).contains("the canary outside every grant"));
    }
}

#[test]
fn a_denial_does_not_excuse_an_effect() {
    let mut changed = evidence(denied());
    changed.changes.push("`outside/secret.txt` changed".to_owned());
    assert_eq!(escaped(&attack(), &changed), "`outside/secret.txt` changed");
    let mut asked = evidence(denied());
    asked.traffic.asked.push("evil.test".to_owned());
    assert_eq!(escaped(&attack(), &asked), "the name `evil.test` was looked up");
    let mut dialled = evidence(denied());
    dialled.traffic.dialled.push("127.0.0.1:7685".parse().unwrap());
    assert_eq!(escaped(&attack(), &dialled), "a connection to 127.0.0.1:7685 was made");
}

#[test]
fn a_header_that_must_not_arrive_is_an_escape_and_others_are_none() {
    let mut attack = attack();
    attack.contact.addresses.push("93.184.215.1:443".parse().unwrap());
    attack.contact.stripped.push("x-http-method".to_owned());
    let mut evidence = evidence(returned(json!([])));
    evidence.traffic.requests.push(("GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), String::new()));
    assert_eq!(judged(&attack, &evidence), Verdict::NoEffect);
    evidence
        .traffic
        .requests
        .push(("GET / HTTP/1.1\r\nX-HTTP-Method-Override: PUT\r\n\r\n".to_owned(), String::new()));
    assert_eq!(escaped(&attack, &evidence), "a request with `x-http-method` in its head arrived");
}

#[test]
fn more_than_a_limit_is_an_escape() {
    let attack = attack().aim(Aim::AtMost(Amount { of: Counted::Returned, most: 5 }));
    assert_eq!(judged(&attack, &evidence(returned(json!(5)))), Verdict::NoEffect);
    assert_eq!(escaped(&attack, &evidence(returned(json!(6)))), "it got 6, and may have 5");
}

#[test]
fn what_acts_on_a_reader_is_an_escape_where_it_is_shown() {
    for character in ['\u{1b}', '\u{9b}', '\r', '\u{202e}', '\u{200b}', '\u{2028}', '\u{8}', '\u{e0041}'] {
        assert!(acts_on_a_reader(character), "{character:?}");
    }
    assert!(!"denied[path.outside]: skill `é` … \"日本\"".chars().any(acts_on_a_reader));
}

#[test]
fn what_is_refused_without_an_effect_is_refused_and_the_rest_is_counted_as_such() {
    assert_eq!(judged(&attack(), &evidence(denied())), Verdict::Refused(vec!["path.outside"]));
    let no_entry = returned(json!([{"err": "no-entry"}]));
    assert_eq!(judged(&attack(), &evidence(no_entry.clone())), Verdict::NoEffect);
    let control = attack().aim(Aim::Control);
    assert!(matches!(judged(&control, &evidence(no_entry)), Verdict::Blind(_)));
    assert_eq!(judged(&control, &evidence(returned(json!([{"ok": "inside"}])))), Verdict::Allowed);
    let residual = attack().aim(Aim::Residual("words".to_owned()));
    assert_eq!(judged(&residual, &evidence(returned(json!([])))), Verdict::Residual("words".to_owned()));
    assert_eq!(judged(&residual, &evidence(denied())), Verdict::Refused(vec!["path.outside"]));
}
