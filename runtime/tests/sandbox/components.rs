//! `components.json` as a table: what loads, what is refused, and by what name.

use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use soulbound_runtime::compile::Compiler;
use soulbound_runtime::sandbox::BindError;

use crate::given::{bare, corpus, wat};
use crate::ledger::skipped_only;
use crate::shared::{bind, call, none};

/// What became of a component.
#[derive(Debug)]
enum Fate {
    /// It is no component that loads.
    Load,
    /// An import of it is refused, says this id and text.
    Link(&'static str, String),
    /// It has no tool, or none that can be named.
    World,
    /// Bound.
    Accepted,
}

fn fate(component: &[u8]) -> Fate {
    let skill = match bare(component) {
        Ok(skill) => skill,
        Err(error) => return said(&error, Fate::Load),
    };
    match bind(&skill, &[]) {
        Ok(_) => Fate::Accepted,
        Err(BindError::Denied(denial)) => Fate::Link(denial.id.as_str(), denial.message),
        Err(error @ BindError::Tools(_)) => said(&error, Fate::World),
        Err(error) => said(&error, Fate::Load),
    }
}

/// A refusal says what is wrong, in one line that a terminal can show.
fn said(error: &impl ToString, fate: Fate) -> Fate {
    let text = error.to_string();
    assert!(text.len() > 20 && !text.contains(char::is_control), "a refusal that says nothing: {text:?}");
    fate
}

/// Which WebAssembly a skill may be written in: `sandbox/engine.rs` says it by name.
const FEATURES: &[(&str, bool)] = &[
    ("feature-memory64", false),
    ("feature-multi-memory", false),
    ("feature-simd", true),
    ("feature-relaxed-simd", false),
    ("feature-gc", false),
    ("feature-exceptions", false),
    ("feature-tail-call", true),
    ("feature-custom-page", false),
    ("feature-stack-switching", false),
];

#[test]
fn every_component_of_the_corpus_gets_its_verdict() {
    let corpus = corpus("components.json");
    let mut skipped = Vec::new();
    for case in corpus["cases"].as_array().unwrap() {
        // Bombs are compiled where they can do no harm: in `tests/tests/bombs.rs`.
        let bomb = case["cat"] == "bomb" || case["cat"] == "nesting" && case["b64"].is_null();
        let bytes = match (&case["b64"], &case["wat"]) {
            (Value::String(text), _) if !bomb => BASE64_STANDARD.decode(text).unwrap(),
            (_, Value::String(text)) if !bomb => wat(text),
            _ => {
                skipped.push(case["id"].as_str().unwrap().to_owned());
                continue;
            }
        };
        let (name, expect) = (case["name"].as_str().unwrap(), case["expect"].as_str().unwrap());
        let found = fate(&bytes);
        let right = match expect {
            "accept" => matches!(found, Fate::Accepted),
            "reject:load" => matches!(found, Fate::Load),
            "reject:world" => matches!(found, Fate::World),
            "reject:link" if name == "import-component" => matches!(found, Fate::Load | Fate::Link(..)),
            "reject:link" => {
                matches!(&found, Fate::Link(id, text) if id.starts_with("import.") && names_the_import(case, text))
            }
            "reject:load-or-link" => matches!(found, Fate::Load | Fate::Link(..)),
            "reject:load-or-world" => matches!(found, Fate::Load | Fate::World),
            "documented" => {
                let (_, on) = FEATURES.iter().find(|(feature, _)| *feature == name).unwrap();
                if *on { matches!(found, Fate::Accepted) } else { matches!(found, Fate::Load) }
            }
            either if either.starts_with("accept-or-reject") => !matches!(found, Fate::Link(..)),
            other => panic!("{name}: what is `{other}`?"),
        };
        assert!(right, "{name}: expected {expect}, found {found:?}");
    }
    skipped_only("components", skipped);
}

#[test]
fn a_component_that_exports_what_it_imports_offers_nothing_of_ours() {
    let with = |export: &str| {
        fate(&wat(&format!(
            r#"(component (import "my:host/log" (instance $host (export "f" (func))))
            (core module $m (func (export "run"))) (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))) {export})"#
        )))
    };
    // The import alone is refused by its name; passed on as an export, it is no more than that.
    let found = with("");
    assert!(matches!(&found, Fate::Link(_, text) if text.contains("my:host/log")), "{found:?}");
    let found = with(r#"(export "my:host/log" (instance $host))"#);
    assert!(matches!(&found, Fate::Load | Fate::World | Fate::Link(..)), "{found:?}");
}

/// The import as the text of the component spells it stands in the denial.
fn names_the_import(case: &Value, text: &str) -> bool {
    let import = case["wat"].as_str().unwrap().split('"').nth(1).unwrap();
    text.contains(import)
}

#[tokio::test]
async fn spoofed_names_and_sections_change_nothing_of_a_call() {
    for case in corpus("components.json")["cases"].as_array().unwrap() {
        if case["cat"] == "names" && case["expect"] == "accept" {
            let skill = bare(&BASE64_STANDARD.decode(case["b64"].as_str().unwrap()).unwrap()).unwrap();
            let outcome = call(&bind(&skill, &[]).unwrap(), "run", none()).await;
            assert!(outcome.succeeded(), "{}: {outcome:?}", case["name"]);
        }
    }
}

/// A small generator of our own (SplitMix64): the edits are the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

#[tokio::test]
async fn two_thousand_edits_of_a_good_component_are_each_refused_or_run() {
    let corpus = corpus("components.json");
    let good = BASE64_STANDARD.decode(corpus["good_b64"].as_str().unwrap()).unwrap();
    let mut dice = Dice(corpus["mutations"]["seed"].as_u64().unwrap());
    let compiler = Compiler::in_process_for_trusted_components();
    let (mut looked_at, mut accepted) = (0, 0);
    for number in 0..corpus["mutations"]["count"].as_u64().unwrap() {
        let mut bytes = good.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len());
            let byte = u8::try_from(dice.below(256)).unwrap();
            match dice.below(4) {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << dice.below(8),
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let started = Instant::now();
        let skill = bare(&bytes);
        looked_at += usize::from(skill.is_ok());
        if let Ok(skill) = skill
            && compiler.inspect(&skill).is_ok()
            && let Ok(bound) = bind(&skill, &["limit: time 1s, memory 16MiB"])
        {
            let tool = bound.tools()[0].name.clone();
            let outcome = call(&bound, &tool, none()).await;
            accepted += 1;
            assert!(
                !outcome.denials.iter().any(|denial| denial.message.contains("fault of the host")),
                "{number}"
            );
        }
        // The corpus asks for 50 ms; a debug build on a busy machine gets more, and a hang would be seconds.
        assert!(started.elapsed() < Duration::from_secs(3), "edit {number} took {:?}", started.elapsed());
    }
    assert!(looked_at > 1_000, "only {looked_at} edits left the header whole");
    assert!(accepted > 0, "no edit reached a call");
}
