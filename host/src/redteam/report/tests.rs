//! The forms of a report, as they are read.

use serde_json::{Value, json};

use super::*;
use crate::redteam::oracle::Verdict;
use crate::style::Style;

fn report() -> Report {
    let mut report = Report::new("guardian", "guardian", "SOUL.md", 42);
    report.seconds = 9.87;
    let mut add = |class: Class, id: &str, skill: &str, verdict: Verdict| {
        let what = if id == "query@0" { "what the skill read, in a query," } else { "what it does" };
        let attack = Attack::new(class, id, what, "files", Value::Null);
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
        Verdict::Residual("what the skill read, in a query, reaches https://en.wikipedia.org".to_owned()),
    );
    add(Class::Paths, "mount", "(gateway)", Verdict::NotTried("unshare: Operation not permitted".to_owned()));
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
    assert!(text.contains("tests=\"8\" skipped=\"1\" failures=\"1\" errors=\"1\""), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains("<answer>"), "{text}");
    let document = json::document(&report);
    assert_eq!(document["total"]["escaped"], 1);
    assert_eq!(document["total"]["tried"], 5);
    assert_eq!(document["ok"], false);
}

/// Makes a log another than it has to be.
type Spoil = fn(&mut Value);

/// What SARIF 2.1.0's schema asks of the parts that are written here: required members, their types, their closed sets.
fn sarif_schema() -> Value {
    let text = json!({"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}});
    let rule = json!({
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, "shortDescription": text, "properties": {"type": "object", "properties": {
            "tags": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string"}}}}},
        "additionalProperties": false,
    });
    let driver = json!({
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "version": {"type": "string"}, "informationUri": {"type": "string", "format": "uri"},
            "rules": {"type": "array", "uniqueItems": true, "items": rule}},
        "additionalProperties": false,
    });
    let place = json!({"type": "object", "required": ["physicalLocation"], "properties": {"physicalLocation": {
    "type": "object",
    "required": ["artifactLocation"],
    "properties": {
        "artifactLocation": {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "format": "uri-reference", "minLength": 1}}},
        "region": {"type": "object", "properties": {"startLine": {"type": "integer", "minimum": 1}}, "additionalProperties": false},
    }}}});
    let result = json!({
        "type": "object",
        "required": ["message", "ruleId"],
        "properties": {"ruleId": {"type": "string"}, "level": {"enum": ["none", "note", "warning", "error"]}, "message": text,
            "locations": {"type": "array", "items": place},
            "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}}},
        "additionalProperties": false,
    });
    let run = json!({
        "type": "object",
        "required": ["tool", "results"],
        "properties": {"tool": {"type": "object", "required": ["driver"], "properties": {"driver": driver}}, "results": {"type": "array", "items": result},
            "properties": {"type": "object"}},
        "additionalProperties": false,
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["version", "runs"],
        "properties": {"$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"}, "runs": {"type": "array", "minItems": 1, "items": run}},
        "additionalProperties": false,
    })
}

#[test]
fn sarif_has_the_structure_that_its_schema_asks_for_and_a_broken_one_is_seen() {
    let schema = sarif_schema();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let mut report = report();
    for file in ["SOUL.md", "agents/my agent/SOUL.md", "/srv/50% \u{e9}/SOUL.md"] {
        report.file = file.to_owned();
        let log = sarif::log(&report);
        let wrong: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{log:#}");
    }
    let good = sarif::log(&report);
    let broken: [(&str, Spoil); 6] = [
        ("version", |log| log["version"] = json!("2.0.0")),
        ("driver", |log| drop(log["runs"][0]["tool"].as_object_mut().unwrap().remove("driver"))),
        ("level", |log| log["runs"][0]["results"][0]["level"] = json!("fatal")),
        ("message", |log| log["runs"][0]["results"][0]["message"] = json!("words")),
        ("line", |log| {
            log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = json!(0)
        }),
        ("uri", |log| {
            let place = &mut log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
            place["artifactLocation"]["uri"] = json!("my agent/SOUL.md");
        }),
    ];
    for (what, spoil) in broken {
        let mut log = good.clone();
        spoil(&mut log);
        assert!(!validator.is_valid(&log), "{what}");
    }
}

#[test]
fn junit_is_read_back_as_what_was_written() {
    let report = report();
    let text = junit::document(&report).unwrap();
    let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let cases: Vec<&quick_junit::TestCase> =
        read.test_suites.iter().flat_map(|suite| &suite.test_cases).collect();
    assert_eq!(cases.len(), report.findings.len());
    for finding in &report.findings {
        let case = cases.iter().find(|case| case.name.as_str() == finding.id).unwrap();
        assert_eq!(case.properties.len(), finding.class.tags().len());
        let is_success = matches!(case.status, quick_junit::TestCaseStatus::Success { .. });
        let is_skipped = matches!(case.status, quick_junit::TestCaseStatus::Skipped { .. });
        assert_eq!(is_skipped, matches!(finding.verdict, Verdict::NotTried(_)), "{}", finding.id);
        let got_out = matches!(finding.verdict, Verdict::Escaped(_) | Verdict::Blind(_));
        assert_eq!(is_success, !got_out && !is_skipped, "{}", finding.id);
    }
}
