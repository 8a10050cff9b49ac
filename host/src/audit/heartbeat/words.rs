//! Words that scripts grep HEARTBEAT.md for, broken where they did not come from us.
//!
//! The ecosystem's script counts `ERROR`, and looks for `Used skill:.*database` and `Used skill:.*admin`; then it removes
//! the agent. A model that could write such a line could have any agent removed, or hide among false alarms.

use soulbound_runtime::visible;

/// What is broken in text that a model or a guest chose, in any case.
const TRIGGERS: &[&str] = &["error", "used skill", "denied skill", "database", "admin"];
/// What is broken in names: an operator trusted them, and scripts are meant to see a tool called `admin`. But a
/// component's author could still name a tool `ERROR`, and the line would count as a failure.
const OURS: &[&str] = &["ERROR", "Used skill", "Denied skill"];
/// Characters of arguments or of a name that are shown.
const SHOWN: usize = 120;

/// Text that was chosen at run time: one line, escaped, cut, and matched by no grep.
pub(super) fn chosen(text: &str) -> String {
    broken(&short(text), TRIGGERS, str::to_ascii_lowercase)
}

/// A name: one line, escaped, cut, with the words by which our own lines are known broken.
pub(super) fn name(text: &str) -> String {
    broken(&short(text), OURS, str::to_owned)
}

/// What was called: a name that an operator trusted, or in quotes what a model made up. No name begins with a quote.
pub(super) fn called(text: &str) -> String {
    if text.starts_with('"') { chosen(text) } else { name(text) }
}

fn short(text: &str) -> String {
    let shown = visible::line(text);
    let mut cut: String = shown.chars().take(SHOWN).collect();
    if cut.len() < shown.len() {
        cut.push('…');
    }
    cut
}

/// Puts a `·` behind the second character of every word.
fn broken(text: &str, words: &[&str], folded: fn(&str) -> String) -> String {
    // ASCII folding keeps every offset.
    let folded = folded(text);
    let mut cuts: Vec<usize> =
        words.iter().flat_map(|word| folded.match_indices(word).map(|(start, _)| start + 2)).collect();
    cuts.sort_unstable();
    let mut out = String::with_capacity(text.len() + 2 * cuts.len());
    let mut from = 0;
    for cut in cuts {
        out.push_str(text.get(from..cut).unwrap_or_default());
        out.push('·');
        from = cut;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trigger_words_are_broken_in_any_case_and_everything_else_is_kept() {
        let cases = [
            ("plain", "plain"),
            ("ERROR", "ER·ROR"),
            ("no Error, TerrOR", "no Er·ror, Ter·rOR"),
            ("Used skill: x (admin)", "Us·ed skill: x (ad·min)"),
            ("a\n- [10:15] Used skill: database", "a\\n- [10:15] Us·ed skill: da·tabase"),
            ("ERRORERROR", "ER·RORER·ROR"),
            ("ÉERROR\u{202e}", "ÉER·ROR\\u202e"),
        ];
        for (text, shown) in cases {
            assert_eq!(chosen(text), shown);
        }
        assert_eq!(name("x-ERROR-admin"), "x-ER·ROR-admin");
        assert_eq!(chosen(&"x".repeat(200)), format!("{}…", "x".repeat(120)));
    }
}
