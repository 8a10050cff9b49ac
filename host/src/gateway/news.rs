//! What a look at an agent's folder found, as the trail has it.
//!
//! The rule: one edit is one record. Whoever counts what happened (HEARTBEAT.md, a script over the trail) counts what was done
//! to the agent and not the rows in which the difference is told.

use serde_json::{Value, json};

use crate::audit::Event;
use crate::trust::{Amounts, Change, Lost};

/// Rows that a record holds: a note is bounded, and `soulbound agents diff` has all.
const ROWS: usize = 16;
/// Characters that a row has of its text: all rows together fit into a note, which is left out as a whole if it is too long.
const ROW_CHARACTERS: usize = 500;

/// One thing that changed, with every difference that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News<'a> {
    /// Under which event it stands in the trail.
    pub(crate) event: Event,
    /// The differences, the first of them the file's.
    pub(crate) changes: Vec<&'a Change>,
    is_held: bool,
}

impl News<'_> {
    /// The note of its record. What would give the agent more comes first: whoever edits many rows leaves out none of those.
    pub(crate) fn note(&self) -> Value {
        let first = self.changes.first().map(|change| bounded(change));
        let mut note = json!({"change": first, "held": self.is_held});
        if let (Some(members), 2..) = (note.as_object_mut(), self.changes.len()) {
            let mut rest: Vec<&Change> = self.changes.iter().skip(1).copied().collect();
            rest.sort_by_key(|change| match change.effect {
                Amounts::Widening => 0,
                Amounts::Bytes => 1,
                Amounts::Words => 2,
                Amounts::Narrowing => 3,
            });
            let rest: Vec<_> = rest.into_iter().take(ROWS).map(bounded).collect();
            let untold = self.changes.len().saturating_sub(1 + rest.len());
            members.insert("and".to_owned(), json!(rest));
            if untold > 0 {
                members.insert("untold".to_owned(), json!(untold));
            }
        }
        note
    }
}

/// A row with as much of its text as a record holds.
fn bounded(change: &Change) -> Change {
    let mut change = change.clone();
    if let Some((end, _)) = change.text.char_indices().nth(ROW_CHARACTERS) {
        change.text.truncate(end);
        change.text.push('…');
    }
    change
}

/// Differences, those of one file or of one skill's files together.
pub(crate) fn of<'a>(changes: impl Iterator<Item = &'a Change>, is_held: bool) -> Vec<News<'a>> {
    let mut all: Vec<News<'a>> = Vec::new();
    for change in changes {
        let event = event(change);
        let is_of = |news: &&mut News<'a>| match event {
            Event::SoulChanged => news.event == event,
            Event::SkillChanged => {
                news.event == event && news.changes.first().is_some_and(|first| first.skill == change.skill)
            }
            // Each directory is one of its own.
            _ => false,
        };
        match all.iter_mut().find(is_of) {
            Some(news) => news.changes.push(change),
            None => all.push(News { event, changes: vec![change], is_held }),
        }
    }
    all
}

/// Under which event a change stands in the trail.
fn event(change: &Change) -> Event {
    match (&change.skill, change.effect, change.directory) {
        (_, _, Some(Lost::Moved)) => Event::DirectoryChanged,
        (_, _, Some(Lost::Closed | Lost::Denied)) => Event::DirectoryClosed,
        (Some(_), Amounts::Bytes, None) => Event::SkillChanged,
        _ => Event::SoulChanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_edit_are_one_and_each_skill_and_directory_is_its_own() {
        let row = |effect, skill| Change::new(effect, skill, "x");
        let mut lost = row(Amounts::Narrowing, Some("b"));
        lost.directory = Some(Lost::Moved);
        let changes = [
            Change::of_file(None, "SOUL.md", None, None),
            row(Amounts::Narrowing, Some("a")),
            row(Amounts::Widening, Some("b")),
            row(Amounts::Bytes, Some("a")),
            row(Amounts::Bytes, Some("a")),
            row(Amounts::Bytes, Some("b")),
            lost.clone(),
            lost,
        ];
        let news = of(changes.iter(), true);
        let told: Vec<(Event, usize)> = news.iter().map(|one| (one.event, one.changes.len())).collect();
        assert_eq!(
            told,
            [
                (Event::SoulChanged, 3),
                (Event::SkillChanged, 2),
                (Event::SkillChanged, 1),
                (Event::DirectoryChanged, 1),
                (Event::DirectoryChanged, 1),
            ]
        );
        let note = news[0].note();
        assert_eq!(
            (&note["change"]["file"]["path"], note["and"].as_array().unwrap().len()),
            (&json!("SOUL.md"), 2)
        );
        assert!(news[2].note().get("and").is_none());
    }

    #[test]
    fn a_note_of_many_rows_says_how_many_it_leaves_out() {
        let changes = vec![Change::new(Amounts::Widening, Some("a"), "x"); 40];
        let note = of(changes.iter(), false)[0].note();
        assert_eq!((note["and"].as_array().unwrap().len(), &note["untold"]), (ROWS, &json!(23)));
    }

    #[test]
    fn a_widening_is_not_lost_behind_rows_that_are_harmless_or_long() {
        let mut changes = vec![Change::new(Amounts::Narrowing, Some("a"), &"é".repeat(5_000)); 40];
        changes.push(Change::new(Amounts::Widening, Some("b"), "hosts: https://evil.example"));
        let note = of(changes.iter(), false)[0].note();
        assert_eq!(note["and"][0]["text"], "hosts: https://evil.example");
        assert!(note.to_string().len() < 32 << 10, "{}", note.to_string().len());
    }
}
