//! The forms of a report, as they are read.

use serde_json::Value;

use super::*;
use crate::redteam::oracle::Verdict;
use crate::style::Style;

fn report() -> Report {
    let mut report = Report::new("guardian", "guardian", "SOUL.md", 42);
    report.seconds = 9.87;
    let mut add = |class: Class, id: &str, skill: &str, verdict: Verdict| {
        let attack = Attack::new(class, id, "what it does", "files", Value::Null);
        report.findings.push(Finding::new(&attack, skill, 21, verdict));
    };
    add(Class::Paths, "control-read@/documents", "file-reader", Verdict::Allowed);
    add(Class::Paths, "link-read-0@/documents", "file-reader", Verdict::Refused(vec!["path.outside"]));
    add(
        Class::Paths,
        "link-read-1@/documents",
        "file-reader",
        Verdict::Refused(vec!["path.outside", "path.link"]),
    );
    add(Class::Paths, "spelling-read-4@/documents", "file-reader", Verdict::NoEffect);
    add(
        Class::Network,
        "private-5@0",
        "browser",
        Verdict::Escaped("a connection to 10.0.0.1:443 was made\u{1b}[2J".to_owned()),
    );
    add(Class::Network, "control@0", "browser", Verdict::Blind("no <answer> & \"none\"".to_owned()));
    add(
        Class::Exfiltration,
        "query@0",
        "browser",
        Verdict::Residual("what the skill read reaches https://en.wikipedia.org".to_owned()),
    );
    report.notes.push("`./missing` is missing; an empty directory stands for it".to_owned());
    report
}

#[test]
fn the_table_is_read_in_a_minute() {
    insta::assert_snapshot!(table::text(&report(), Style::plain()));
}

#[test]
fn sarif_names_each_rule_once_and_the_line_of_each_result() {
    let log = sarif::log(&report());
    assert_eq!(log["version"], "2.1.0");
    let results = log["runs"][0]["results"].as_array().unwrap();
    let rules: Vec<&str> = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(rules, ["network.private-5", "network.control", "exfiltration.query"]);
    assert_eq!(results.len(), 3);
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()));
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 21);
    }
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&log).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION")
    );
}

#[test]
fn junit_counts_what_json_counts() {
    let report = report();
    let text = junit::document(&report).unwrap();
    assert!(text.contains("tests=\"7\" skipped=\"0\" failures=\"1\" errors=\"1\""), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains("<answer>"), "{text}");
    let document = json::document(&report);
    assert_eq!(document["total"]["escaped"], 1);
    assert_eq!(document["total"]["tried"], 5);
    assert_eq!(document["ok"], false);
}
