//! No case of a corpus is left out without a word: `tests/corpora/ledger.json` names, for each case that its runner skips, the
//! tests that cover it and what of it none does.
//!
//! Each runner holds what it skips against the ledger; here the ledger itself is held against the corpora and the sources.

use std::collections::BTreeSet;
use std::fs;

#[path = "../corpora/ledger.rs"]
mod ledger;

use ledger::skipped_only;
use serde_json::Value;
use soulbound_tests::{corpus, root};

fn ids(name: &str) -> Vec<String> {
    let corpus = corpus(&format!("{name}.json"));
    corpus["cases"].as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect()
}

fn entries() -> Vec<(String, String, Value)> {
    let ledger: Value = serde_json::from_str(ledger::LEDGER).unwrap();
    let mut entries = Vec::new();
    for (corpus, cases) in ledger.as_object().unwrap() {
        for (id, entry) in cases.as_object().unwrap() {
            entries.push((corpus.clone(), id.clone(), entry.clone()));
        }
    }
    entries
}

/// Whether the file has a test of this name that every run tries.
fn is_a_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| line.contains(&format!("fn {name}("))) else { return false };
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<&&str> = above.filter(|line| line.starts_with("#[")).collect();
    let is_test = |line: &&&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    attributes.iter().any(is_test) && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn every_entry_is_of_a_case_and_says_something_and_every_test_it_names_is_there() {
    let mut wrong = Vec::new();
    for (corpus, id, entry) in entries() {
        let by = entry["by"].as_array().cloned().unwrap_or_default();
        if !ids(&corpus).contains(&id) {
            wrong.push(format!("{corpus}.json has no case {id}"));
        }
        if by.is_empty() && entry["short"].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("{corpus} {id} names no test and gives no reason"));
        }
        if entry.as_object().unwrap().keys().any(|key| key != "by" && key != "short") {
            wrong.push(format!("{corpus} {id} says something that nobody reads: {entry}"));
        }
        for test in by {
            let (path, name) = test.as_str().unwrap().split_once("::").unwrap();
            if !fs::read_to_string(root().join(path)).is_ok_and(|source| is_a_test(&source, name)) {
                wrong.push(format!("{corpus} {id}: no test {test}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_corpus_is_in_the_ledger_and_no_id_is_there_twice() {
    let ledger: Value = serde_json::from_str(ledger::LEDGER).unwrap();
    let listed: BTreeSet<String> = ledger.as_object().unwrap().keys().cloned().collect();
    let files = fs::read_dir(root().join("tests/corpora")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let corpora: BTreeSet<String> = names
        .filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()))
        .filter(|name| name != "ledger")
        .collect();
    assert_eq!(corpora, listed);
    for name in corpora {
        let ids = ids(&name);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{name}");
    }
}

/// Its cases are told as procedures: none is run from the file, all are held by tests.
#[test]
fn every_case_of_oversight_is_told_by_a_test_or_said_to_be_short() {
    skipped_only("oversight", ids("oversight"));
}
