//! `SECURITY.md` promises nothing without a test: each row's last column names tests, or whole files of them, that exist.

use std::collections::HashSet;
use std::path::Path;

use soulbound_tests::root;

/// The names of all tests below a folder.
fn tests_below(folder: &Path, found: &mut HashSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            tests_below(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_in(&std::fs::read_to_string(&entry).unwrap()));
        }
    }
}

/// Functions under `#[test]` or `#[tokio::test]` that are not left out of a plain run.
fn tests_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut attributes = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes += line;
        } else if let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")) {
            let is_test = attributes.contains("#[test]") || attributes.contains("#[tokio::test");
            if is_test && !attributes.contains("#[ignore") {
                found.push(rest.split('(').next().unwrap_or_default().to_owned());
            }
            attributes.clear();
        } else if !line.is_empty() && !line.starts_with("//") {
            attributes.clear();
        }
    }
    found
}

/// Each row of the table of promises: the promise, and what stands in backticks in its last column.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let table = text.split("\n## Promised").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise "));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "not three columns: {line}");
        let names = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells[0].trim().to_owned(), names)
    })
    .collect()
}

#[test]
fn every_promise_names_tests_that_exist_and_run() {
    let mut known = HashSet::new();
    for folder in ["runtime", "host", "tests"] {
        tests_below(&root().join(folder), &mut known);
    }
    assert!(known.len() > 300, "only {} tests were found", known.len());
    let rows = rows(&std::fs::read_to_string(root().join("SECURITY.md")).unwrap());
    assert!(rows.len() > 25, "only {} rows were found", rows.len());
    for (promise, names) in rows {
        assert!(!names.is_empty(), "no test holds: {promise}");
        for name in names {
            let exists = match name.strip_suffix(".rs") {
                Some(_) => {
                    std::fs::read_to_string(root().join(&name)).is_ok_and(|text| !tests_in(&text).is_empty())
                }
                None => known.contains(&name),
            };
            assert!(exists, "`{name}` is no test that runs; it is said to hold: {promise}");
        }
    }
}
