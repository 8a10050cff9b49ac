//! The report as SARIF 2.1.0, for code scanners: an error for each escape and each control that failed, a note for what the
//! grants let out.

use serde_json::{Value, json};
use url::Url;

use super::{Finding, Report};
use crate::redteam::oracle::Verdict;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log.
pub(crate) fn log(report: &Report) -> Value {
    let told: Vec<(&Finding, &'static str, &str)> = report
        .findings
        .iter()
        .filter_map(|finding| match &finding.verdict {
            Verdict::Escaped(why) | Verdict::Blind(why) => Some((finding, "error", why.as_str())),
            Verdict::Residual(why) => Some((finding, "note", why.as_str())),
            _ => None,
        })
        .collect();
    let mut rules: Vec<(String, Value)> = Vec::new();
    for (finding, ..) in &told {
        let id = rule(finding);
        if !rules.iter().any(|(known, _)| *known == id) {
            let tags: Vec<&str> = finding.class.tags().to_vec();
            let description = json!({"text": what(finding)});
            let rule = json!({"id": id, "shortDescription": description, "properties": {"tags": tags}});
            rules.push((id, rule));
        }
    }
    let results: Vec<Value> =
        told.iter().map(|(finding, level, why)| result(report, finding, level, why)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "soulbound redteam",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.into_iter().map(|(_, rule)| rule).collect::<Vec<_>>(),
            }},
            "results": results,
            "properties": {"seed": report.seed, "live": report.live, "agent": report.agent, "total": report.total()},
        }],
    })
}

/// What was tried, as a phrase of its own: the table goes on after a comma.
fn what(finding: &Finding) -> &str {
    finding.what.trim_end_matches(',')
}

/// An attack's id without the grant on which it was tried.
fn rule(finding: &Finding) -> String {
    finding.id.split('@').next().unwrap_or(&finding.id).to_owned()
}

/// A file as SARIF names one: a URI reference, so that a path with a space or `%` is one too.
fn uri(file: &str) -> String {
    match Url::from_file_path(std::path::Path::new("/").join(file)) {
        Ok(url) if file.starts_with('/') => url.to_string(),
        Ok(url) => url.path().trim_start_matches('/').to_owned(),
        // No path is without one.
        Err(()) => String::new(),
    }
}

fn result(report: &Report, finding: &Finding, level: &str, why: &str) -> Value {
    let what = what(finding);
    // Some reasons begin with what was tried.
    let why =
        why.strip_prefix(finding.what.as_str()).map_or_else(|| format!(": {why}"), |rest| format!(",{rest}"));
    let text = format!("skill `{}`: {what}{why}\n{}", finding.skill, report.again(finding));
    json!({
        "ruleId": rule(finding),
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&report.file)},
            "region": {"startLine": finding.line.max(1)},
        }}],
        "partialFingerprints": {"attack/v1": format!("{}/{}", finding.skill, finding.id)},
    })
}
