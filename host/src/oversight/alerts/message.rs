//! An alert as it is sent: for people a head and lines, for programs a document. Both are bounded and escaped.

use serde_json::{Value, json};
use soulbound_runtime::visible;

use super::Alert;
use super::pending::Held;
use crate::clock::Moment;

/// Characters of a title, and of a name.
const TITLE: usize = 200;
/// Characters of the detail. With everything else it stays below Discord's 2,000.
const DETAIL: usize = 700;

/// One message to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// What it is about.
    pub(super) alert: Alert,
    /// When that was.
    pub(super) time: Moment,
    /// What of the same kind was held back before it.
    pub(super) held: Held,
    /// Alerts that were dropped since the last message, since the queue was full.
    pub(super) dropped: u64,
    /// Whether somebody only tries.
    pub(super) test: bool,
}

impl Message {
    /// A message of something that happens now.
    pub(super) fn now(alert: Alert) -> Self {
        Self { alert, time: Moment::now(), held: Held::default(), dropped: 0, test: false }
    }

    /// A message by which an operator finds out whether they arrive.
    pub(crate) fn test(name: &str) -> Self {
        let alert = Alert {
            about: super::About::Anomaly,
            agent: None,
            skill: None,
            title: format!("test of the alert `{name}`"),
            detail: "nothing happened; an operator tries whether this arrives".to_owned(),
            record: None,
        };
        Self { test: true, ..Self::now(alert) }
    }

    /// The first line: the program's own words, and an agent's id, which is a slug.
    pub(crate) fn head(&self) -> String {
        let about = if self.test { "test" } else { self.alert.about.name() };
        match &self.alert.agent {
            Some(agent) => format!("Soulbound: {about}, agent {}", shown(agent, TITLE)),
            None => format!("Soulbound: {about}"),
        }
    }

    /// The other lines, each of which may hold what somebody else chose.
    pub(crate) fn lines(&self) -> Vec<String> {
        let alert = &self.alert;
        let mut lines = vec![shown(&alert.title, TITLE)];
        if !alert.detail.is_empty() {
            lines.push(shown(&alert.detail, DETAIL));
        }
        for (name, value) in [("skill", &alert.skill), ("record", &alert.record)] {
            lines.extend(value.as_ref().map(|value| format!("{name}: {}", shown(value, TITLE / 2))));
        }
        lines.push(format!("time: {}", self.time));
        if self.held.count > 0 {
            lines.push(format!(
                "and {} more of this kind were held back{}",
                self.held.count,
                self.held.listed()
            ));
        }
        if self.dropped > 0 {
            lines.push(format!(
                "{} alerts before this were dropped: more came than could be sent",
                self.dropped
            ));
        }
        lines
    }

    /// The whole for a program. Its `text` is what a person would read.
    pub(crate) fn document(&self) -> Value {
        let alert = &self.alert;
        json!({
            "v": 1,
            "test": self.test,
            "kind": alert.about.name(),
            "time": self.time.to_string(),
            "agent": alert.agent.as_ref().map(|agent| shown(agent, TITLE)),
            "skill": alert.skill.as_ref().map(|skill| shown(skill, TITLE)),
            "title": shown(&alert.title, TITLE),
            "detail": shown(&alert.detail, DETAIL),
            "record": alert.record.as_ref().map(|record| shown(record, TITLE)),
            "held": self.held.count,
            "dropped": self.dropped,
            "text": format!("{}\n{}", self.head(), self.lines().join("\n")),
        })
    }
}

/// One line, nothing in it acts, and not too long.
pub(super) fn shown(text: &str, most: usize) -> String {
    let line = visible::line(text);
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oversight::alerts::About;
    use crate::oversight::place::Place;

    fn hostile() -> Message {
        let mut message = Message::now(Alert {
            about: About::Denial,
            agent: Some("echo".to_owned()),
            skill: Some("x\u{202e}y".to_owned()),
            title: "refused: host.not-granted".to_owned(),
            detail: format!(
                "may not reach \"https://evil.test\"\n```<!channel> @everyone{}",
                "x".repeat(5_000)
            ),
            record: Some("echo#37".to_owned()),
        });
        message.time = Moment::parse("2026-11-21T05:49:55.123Z").unwrap();
        message.dropped = 3;
        message
    }

    #[test]
    fn a_person_reads_what_happened_first_and_everything_is_cut_and_escaped() {
        let mut message = hostile();
        message.alert.detail.truncate(60);
        insta::assert_snapshot!(format!("{}\n{}", message.head(), message.lines().join("\n")));
    }

    #[test]
    fn no_alert_is_longer_than_a_chat_takes() {
        let url = soulbound_runtime::sandbox::network::OutboundUrl::parse("https://example.com/a").unwrap();
        let post = Place::Discord(url).of_alert(&hostile());
        let body: serde_json::Value = serde_json::from_slice(&post.body).unwrap();
        let content = body["content"].as_str().unwrap();
        assert!(content.encode_utf16().count() <= 2_000, "{}", content.len());
        assert_eq!(content.matches("```").count(), 2);
        // Smaller than a pipe holds, so that a command's input never waits.
        assert!(hostile().document().to_string().len() < 16 << 10);
    }
}
