//! The report for programs: `redteam --json`. Fields may be added here, never renamed.

use serde_json::{Value, json};

use super::{Count, Finding, Report};
use crate::redteam::attack::Class;
use crate::redteam::oracle::Verdict;

/// The document.
pub(crate) fn document(report: &Report) -> Value {
    let total = report.total();
    json!({
        "ok": total.escaped == 0 && total.blind == 0,
        "agent": report.agent,
        "file": report.file,
        "seed": report.seed,
        "live": report.live,
        "seconds": report.seconds,
        "total": total,
        "ids": total.ids.iter().map(|(id, times)| json!({"id": id, "times": times})).collect::<Vec<_>>(),
        "classes": report.classes().into_iter().map(|(class, count)| of_class(class, &count)).collect::<Vec<_>>(),
        "attacks": report.findings.iter().map(|finding| attack(report, finding)).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

/// A row of the table: what was tried of a class, and by which ids it was refused.
fn of_class(class: Class, count: &Count) -> Value {
    let ids: Vec<Value> = count.ids.iter().map(|(id, times)| json!({"id": id, "times": times})).collect();
    json!({"class": class, "tags": class.tags(), "counts": count, "ids": ids})
}

fn attack(report: &Report, finding: &Finding) -> Value {
    let (verdict, ids, why) = match &finding.verdict {
        Verdict::Refused(ids) => ("refused", ids.clone(), None),
        Verdict::NoEffect => ("no-effect", Vec::new(), None),
        Verdict::Allowed => ("allowed", Vec::new(), None),
        Verdict::Residual(why) => ("residual", Vec::new(), Some(why)),
        Verdict::Escaped(why) => ("escaped", Vec::new(), Some(why)),
        Verdict::NotTried(why) => ("not-tried", Vec::new(), Some(why)),
        Verdict::Blind(why) => ("blind", Vec::new(), Some(why)),
    };
    json!({
        "id": finding.id,
        "class": finding.class,
        "skill": finding.skill,
        "line": finding.line,
        "what": finding.what,
        "verdict": verdict,
        "denials": ids,
        "evidence": why,
        "tags": finding.class.tags(),
        "again": report.again(finding),
    })
}
