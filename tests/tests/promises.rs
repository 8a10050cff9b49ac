//! SECURITY.md's promises, each with the tests that hold it. The rule: a promise without a test that runs is no promise, so a
//! row without one, or with one that does not exist, fails here.
//!
//! A test is named as `function_name` (once in the repository, and not `#[ignore]`d) or as a file of tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use soulbound_tests::root;

/// A test function: where it stands, and whether `cargo test` leaves it out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Test {
    file: String,
    ignored: bool,
}

/// Test functions by name. Several of one name are told apart by nothing, so none of them can be named.
type Tests = BTreeMap<String, Vec<Test>>;

/// The Rust sources of a folder, without the guests' and what was built.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("guests") && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Adds the test functions of one file.
fn read(file: &str, text: &str, tests: &mut Tests) {
    let (mut is_test, mut ignored) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            ignored = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let Some(name) = name.filter(|_| is_test) {
                let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                let test = Test { file: file.to_owned(), ignored };
                tests.entry(name.to_owned()).or_default().push(test);
            }
            (is_test, ignored) = (false, false);
        }
    }
}

fn every_test() -> Tests {
    let mut files = Vec::new();
    for folder in ["runtime", "host", "tests", "xtask", "fuzz"] {
        sources(&root().join(folder), &mut files);
    }
    let mut tests = Tests::new();
    for file in files {
        let name = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        read(&name, &fs::read_to_string(&file).unwrap(), &mut tests);
    }
    tests
}

/// The rows of the table under `## Promised`.
fn rows(page: &str) -> Vec<&str> {
    let from = page.split_once("\n## Promised\n").unwrap().1;
    let section = from.split("\n## ").next().unwrap();
    section.lines().filter(|line| line.starts_with('|')).skip(2).collect()
}

/// What is wrong with a row, if anything is.
fn fault(row: &str, tests: &Tests) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [promise, by, held_by] = cells[..] else { return Some("not `promise | by | held by`".to_owned()) };
    if promise.is_empty() || by.is_empty() {
        return Some("a promise without what it rests on".to_owned());
    }
    let mut names = held_by.split('`').skip(1).step_by(2).peekable();
    if names.peek().is_none() {
        return Some("no test".to_owned());
    }
    names.find_map(|name| {
        let runs = |test: &Test| !test.ignored;
        if name.contains('/') {
            let any = tests.values().flatten().any(|test| test.file == name && runs(test));
            return (!any).then(|| format!("`{name}` is no file with tests"));
        }
        match tests.get(name).map(Vec::as_slice) {
            None => Some(format!("there is no test `{name}`")),
            Some([test]) if runs(test) => None,
            Some([_]) => Some(format!("`{name}` is ignored")),
            Some(_) => Some(format!("there are several tests `{name}`")),
        }
    })
}

#[test]
fn every_promise_is_held_by_tests_that_exist() {
    let page = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let tests = every_test();
    let rows = rows(&page);
    assert!(rows.len() >= 31, "the table was not found whole: {} rows", rows.len());
    let faults: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{}\n  in: {row}", fault(row, &tests)?))).collect();
    assert!(faults.is_empty(), "SECURITY.md:\n{}", faults.join("\n"));
}

#[test]
fn a_row_that_nothing_holds_is_found() {
    let mut tests = Tests::new();
    let text = "#[test]\nfn it_holds() {}\n    #[tokio::test(start_paused = true)]\n    async fn it_waits() {}\n#[test]\n\
                #[ignore = \"a measurement\"]\nfn a_figure() {}\nfn no_test() {}\n";
    read("tests/tests/one.rs", text, &mut tests);
    read("tests/tests/two.rs", "#[test]\nfn twice() {}\n", &mut tests);
    read("tests/tests/three.rs", "#[test]\nfn twice() {}\n", &mut tests);
    read(
        "tests/tests/four.rs",
        "#[ignore = \"a measurement\"]\n#[test]\nfn first_ignored() {}\n",
        &mut tests,
    );
    for (row, expected) in [
        ("| p | by | `it_holds`, `it_waits`, `tests/tests/two.rs` |", None),
        ("| p | by `it_holds` |", Some("not `promise")),
        ("| p | by | |", Some("no test")),
        ("| p | by | it_holds |", Some("no test")),
        ("| p | | `it_holds` |", Some("rests on")),
        ("| p | by | `it_holds`, `no_test` |", Some("there is no test `no_test`")),
        ("| p | by | `a_figure` |", Some("is ignored")),
        ("| p | by | `first_ignored` |", Some("is ignored")),
        ("| p | by | `twice` |", Some("several")),
        ("| p | by | `tests/tests/four.rs` |", Some("no file with tests")),
        ("| p | by | `tests/tests/gone.rs` |", Some("no file with tests")),
    ] {
        match (fault(row, &tests), expected) {
            (None, None) => {}
            (Some(fault), Some(text)) => assert!(fault.contains(text), "{row}: {fault}"),
            (fault, _) => panic!("{row}: {fault:?}"),
        }
    }
}
