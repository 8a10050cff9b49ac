//! The report as a reviewer reads it, in a minute: a table by skill and class, then what got out, then what may.

use std::fmt::Write as _;

use soulbound_runtime::visible;

use super::{Count, Finding, Report};
use crate::redteam::attack::Class;
use crate::redteam::oracle::Verdict;
use crate::style::Style;

/// Ids that stand in a row.
const IDS: usize = 4;
/// Escapes and blind controls that are listed.
const LISTED: usize = 40;

/// The whole page.
pub(crate) fn text(report: &Report, style: Style) -> String {
    let total = report.total();
    let mut page = String::new();
    let _ = writeln!(
        page,
        "{}  {} attacks on the grants of {}{} in {:.1} s, seed {}\n",
        style.bold(&report.agent),
        total.tried,
        counted(report.skills().len() as u64, "skill"),
        if report.live { " over the real directories" } else { "" },
        report.seconds,
        report.seed
    );
    let head = format!(
        "{:22}{:>6}{:>9}{:>11}{:>10}{:>9}  refused by",
        "", "tried", "refused", "no effect", "residual", "escaped"
    );
    let _ = writeln!(page, "{}", style.dim(&head));
    for skill in report.skills() {
        let of = |class: Class| {
            let found = report.findings.iter().filter(|one| one.skill == skill && one.class == class);
            (class, Count::of(found))
        };
        let rows: Vec<(Class, Count)> = Class::ALL.into_iter().map(of).filter(has_row).collect();
        if !rows.is_empty() {
            let _ = writeln!(page, "{}", style.bold(skill));
        }
        for (class, count) in rows {
            let _ = writeln!(page, "{}", row(&format!("  {}", class.word()), &count, style));
        }
    }
    by_class(&mut page, report, style);
    let _ = writeln!(page, "{}", row("total", &total, style));
    listed(&mut page, report, style);
    not_tried(&mut page, report);
    residual(&mut page, report);
    if !report.notes.is_empty() {
        let _ = writeln!(page, "\nnotes");
        for note in &report.notes {
            let _ = writeln!(page, "  {}", visible::line(note));
        }
    }
    let _ = write!(page, "\n{}", verdict(&total, style));
    page
}

/// What was not tried at all is told below the table, with the reason.
fn has_row((_, count): &(Class, Count)) -> bool {
    count.tried + count.blind > 0
}

/// All skills together, a row a class: what is left when a reviewer has half a minute.
fn by_class(page: &mut String, report: &Report, style: Style) {
    let _ = writeln!(page, "{}", style.bold("by class"));
    for (class, count) in report.classes().into_iter().filter(has_row) {
        let _ = writeln!(page, "{}", row(&format!("  {}", class.word()), &count, style));
        let _ = writeln!(page, "    {}", style.dim(&class.tags().join(" ")));
    }
}

fn row(name: &str, count: &Count, style: Style) -> String {
    let ids: Vec<String> = count.ids.iter().take(IDS).map(|(id, times)| format!("{id} {times}")).collect();
    let more = count.ids.len().saturating_sub(IDS);
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    let escaped = format!("{:>9}", count.escaped);
    let escaped = if count.escaped > 0 { style.red(&escaped) } else { escaped };
    format!(
        "{name:22}{:>6}{:>9}{:>11}{:>10}{escaped}  {}{more}",
        count.tried,
        count.refused,
        count.no_effect,
        count.residual,
        ids.join(", ")
    )
}

fn listed(page: &mut String, report: &Report, style: Style) {
    let mut left = LISTED;
    for (head, wanted) in
        [("ESCAPED", true), ("BLIND: the grant allows it, and it failed, so nothing is known", false)]
    {
        let of = |finding: &&Finding| match &finding.verdict {
            Verdict::Escaped(_) => wanted,
            Verdict::Blind(_) => !wanted,
            _ => false,
        };
        let found: Vec<&Finding> = report.findings.iter().filter(of).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(page, "\n{}", style.red(head));
        for finding in found.iter().take(left) {
            let (Verdict::Escaped(why) | Verdict::Blind(why)) = &finding.verdict else { continue };
            let _ = writeln!(
                page,
                "  {} {}: {}: {}",
                finding.skill,
                finding.id,
                finding.what,
                visible::line(why)
            );
            let _ = writeln!(page, "    {}", style.dim(&report.again(finding)));
        }
        if found.len() > left {
            let _ = writeln!(page, "  and {} more; `--json` has them", found.len() - left);
        }
        left = left.saturating_sub(found.len());
    }
}

/// What could not be tried on this machine, each with the reason.
fn not_tried(page: &mut String, report: &Report) {
    let mut before = "\n";
    for finding in &report.findings {
        if let Verdict::NotTried(why) = &finding.verdict {
            let why = visible::line(why);
            let _ = writeln!(page, "{before}not tried: {}: {}: {why}", finding.id, finding.what);
            before = "";
        }
    }
}

/// What the grants themselves let out, each once.
fn residual(page: &mut String, report: &Report) {
    let mut said: Vec<String> = Vec::new();
    for finding in &report.findings {
        if let Verdict::Residual(what) = &finding.verdict {
            let line = format!("  {}: {}", finding.skill, visible::line(what));
            if !said.contains(&line) {
                said.push(line);
            }
        }
    }
    if !said.is_empty() {
        let _ = writeln!(page, "\nresidual: what the grants allow");
        let _ = writeln!(page, "{}", said.join("\n"));
    }
}

fn verdict(total: &Count, style: Style) -> String {
    if total.escaped > 0 {
        return style.red(&format!("{} got out", counted(total.escaped, "attack")));
    }
    if total.blind > 0 {
        return style
            .red(&format!("{} failed: what was not seen proves nothing", counted(total.blind, "control")));
    }
    style.green("nothing got out")
}

fn counted(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
