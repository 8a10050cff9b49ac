//! The report as JUnit XML, for whatever runs tests: a suite for each skill, a case for each attack, a failure for each escape.

use anyhow::Result;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, Report};
use crate::redteam::oracle::Verdict;

/// The document.
pub(crate) fn document(report: &Report) -> Result<String> {
    let mut document = quick_junit::Report::new(format!("soulbound redteam {}", report.agent));
    for skill in report.skills() {
        let mut suite = TestSuite::new(skill);
        suite.add_property(("live", if report.live { "true" } else { "false" }));
        suite.add_test_cases(
            report.findings.iter().filter(|finding| finding.skill == skill).map(|one| case(report, one)),
        );
        document.add_test_suite(suite);
    }
    Ok(document.to_string()?)
}

fn case(report: &Report, finding: &Finding) -> TestCase {
    let failed = |kind, why: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(why).set_description(report.again(finding));
        status
    };
    let status = match &finding.verdict {
        Verdict::Escaped(why) => failed(NonSuccessKind::Failure, why),
        Verdict::Blind(why) => failed(NonSuccessKind::Error, why),
        Verdict::NotTried(why) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.as_str());
            status
        }
        _ => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(&finding.id, status);
    for tag in finding.class.tags() {
        case.add_property(("tag", *tag));
    }
    case.set_classname(format!("{}.{}", finding.skill, finding.class.word()));
    match &finding.verdict {
        Verdict::Refused(ids) => drop(case.set_system_out(format!("refused by {}", ids.join(", ")))),
        Verdict::Residual(why) => drop(case.set_system_out(format!("residual: {why}"))),
        _ => {}
    }
    case
}
