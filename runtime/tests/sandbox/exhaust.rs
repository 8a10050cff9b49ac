//! The components of `exhaust.json`: each call ends as the corpus says, in time, and the next works.

use std::time::{Duration, Instant};

use serde_json::json;
use soulbound_runtime::sandbox::Outcome;

use crate::given::{bare, corpus, wat};
use crate::ledger::skipped_only;
use crate::shared::{bind, call, denied, none};

/// The corpus assumes these.
const LIMITS: &str = "limit: time 1s, memory 64MiB";

fn ends_as(expect: &str, outcome: &Outcome) -> bool {
    let id = denied(outcome);
    match expect {
        "ok" => outcome.succeeded(),
        "trap:timeout" => id == "limit.time",
        "trap:stack" => id == "limit.stack",
        "trap:oob" | "trap:div" | "trap:indirect" | "trap:abi" | "trap:unreachable" => id == "guest.trap",
        "error:instantiate" | "error" => matches!(id, "limit.memory" | "guest.trap"),
        "ok-or-trap" => outcome.succeeded() || matches!(id, "limit.memory" | "guest.trap"),
        "trap-or-error" => !outcome.succeeded() && !id.is_empty(),
        other => panic!("what is `{other}`?"),
    }
}

#[tokio::test]
async fn every_component_of_the_corpus_ends_as_it_must() {
    let quick = bind(&bare(&wat(QUICK)).unwrap(), &[]).unwrap();
    let mut skipped = Vec::new();
    let corpus = corpus("exhaust.json");
    for case in corpus["cases"].as_array().unwrap() {
        let Some(text) = case["wat"].as_str() else {
            skipped.push(case["id"].as_str().unwrap().to_owned());
            continue;
        };
        let (name, expect) = (case["name"].as_str().unwrap(), case["expect"].as_str().unwrap());
        let bound = match bare(&wat(text)).map(|skill| bind(&skill, &[LIMITS])) {
            Ok(Ok(bound)) => bound,
            // A feature that is off, or more than any call has: refused when it is bound.
            refused => {
                assert!(expect.starts_with("error"), "{name}: {:?}", refused.map(|bound| bound.map(drop)));
                continue;
            }
        };
        let arguments = if case["call"] == "string" { json!({"s": "text"}) } else { none() };
        let started = Instant::now();
        let outcome = call(&bound, "run", arguments).await;
        assert!(ends_as(expect, &outcome), "{name}: expected {expect}, found {:#?}", outcome.ending);
        // Other tests compile beside this one; how exact the deadline is, the tests of the program measure.
        assert!(started.elapsed() < Duration::from_secs(15), "{name} took {:?}", started.elapsed());
        assert!(outcome.memory_peak <= 64 << 20, "{name} had {} bytes", outcome.memory_peak);
        assert!(call(&quick, "run", none()).await.succeeded(), "after {name}");
    }
    skipped_only("exhaust", skipped);
}

const QUICK: &str = r#"(component (core module $m (func (export "run"))) (core instance $i (instantiate $m))
    (func (export "run") (canon lift (core func $i "run"))))"#;

#[tokio::test]
async fn several_memories_of_one_component_are_summed() {
    // Two modules, so that no feature is needed: 40 MiB each, under a limit of 64.
    let text = r#"(component
        (core module $a (memory 640) (func (export "run")))
        (core module $b (memory 640))
        (core instance $i (instantiate $a)) (core instance $j (instantiate $b))
        (func (export "run") (canon lift (core func $i "run"))))"#;
    let skill = bare(&wat(text)).unwrap();
    assert_eq!(denied(&call(&bind(&skill, &[LIMITS]).unwrap(), "run", none()).await), "limit.memory");
    let roomy = bind(&skill, &["limit: memory 100MiB"]).unwrap();
    assert!(call(&roomy, "run", none()).await.succeeded());
}

#[tokio::test]
async fn many_strings_over_one_text_do_not_multiply_in_the_host() {
    // 100,000 list elements that all point to the same 32 KiB: 3.2 GB when lifted one by one.
    let text = r#"(component
        (core module $m
            (memory (export "memory") 64)
            (func (export "run") (result i32) (local $i i32)
                (loop
                    (i32.store (i32.add (i32.const 65536) (i32.shl (local.get $i) (i32.const 3))) (i32.const 0))
                    (i32.store (i32.add (i32.const 65540) (i32.shl (local.get $i) (i32.const 3))) (i32.const 32768))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if 0 (i32.lt_u (local.get $i) (i32.const 100000))))
                (i32.store (i32.const 40000) (i32.const 65536))
                (i32.store (i32.const 40004) (i32.const 100000))
                (i32.const 40000)))
        (core instance $i (instantiate $m))
        (func (export "run") (result (list string))
            (canon lift (core func $i "run") (memory (core memory $i "memory")))))"#;
    let bound = bind(&bare(&wat(text)).unwrap(), &[LIMITS]).unwrap();
    let before = resident();
    assert_eq!(denied(&call(&bound, "run", none()).await), "limit.output");
    assert!(resident().saturating_sub(before) < 64 << 20);
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn a_result_that_is_no_utf_8_or_no_character_is_a_crash() {
    let lifted = |data: &str, ty: &str| {
        format!(
            r#"(component (core module $m (memory (export "memory") 1) (data (i32.const 8) "{data}")
                (func (export "run") (result i32) (i32.const 8))) (core instance $i (instantiate $m))
                (func (export "run") (result {ty}) (canon lift (core func $i "run") (memory (core memory $i "memory")))))"#
        )
    };
    let cases = [
        lifted("\\10\\00\\00\\00\\02\\00\\00\\00\\ff\\fe", "string"),
        lifted("\\10\\00\\00\\00\\ff\\ff\\ff\\7f", "string"),
        lifted("\\10\\00\\00\\00\\ff\\ff\\ff\\0f", "(list u64)"),
    ];
    for text in cases {
        let bound = bind(&bare(&wat(&text)).unwrap(), &[LIMITS]).unwrap();
        let outcome = call(&bound, "run", none()).await;
        assert!(!outcome.succeeded(), "{text}: {outcome:?}");
        assert!(matches!(denied(&outcome), "guest.trap" | "limit.output"), "{outcome:?}");
    }
    let text = r#"(component (core module $m (func (export "run") (result i32) (i32.const 0xd800)))
        (core instance $i (instantiate $m)) (func (export "run") (result char) (canon lift (core func $i "run"))))"#;
    let outcome = call(&bind(&bare(&wat(text)).unwrap(), &[LIMITS]).unwrap(), "run", none()).await;
    assert_eq!(denied(&outcome), "guest.trap");
}
