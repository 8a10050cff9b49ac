//! A question as a person reads it: on a terminal, on the page of a link, in a client's form. One text for all of them.
//!
//! The rule: what is seen is what runs. Words of ours stand at the beginning of a line, and everything that was chosen at
//! run time stands behind them in quotes, with what cannot be seen made visible, its length and its digest said, and
//! nothing cut without a word.

use std::fmt::Write;

use serde_json::Value;
use soulbound_runtime::sandbox::{Content, Effect};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::visible;

use super::subject::{Subject, What};

/// Characters of one value on a card that is not the whole.
const SHOWN: usize = 400;
/// Members, headers: so many are listed.
const LISTED: usize = 40;
/// Characters of a value in a list of questions.
const BRIEF: usize = 60;

/// How a question stands in the queue.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    /// `echo-37`.
    pub(crate) name: String,
    /// 128 bits.
    pub(crate) id: String,
    /// Seconds until it is refused.
    pub(crate) seconds: u64,
    /// How often it was asked.
    pub(crate) times: u64,
    /// How many wait for the answer.
    pub(crate) waiting: usize,
    /// When it was first asked.
    pub(crate) asked: String,
}

/// How much of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Much {
    /// Long values are cut, and it is said by how much.
    Enough,
    /// Everything.
    All,
}

/// The question's text.
pub(crate) fn card(subject: &Subject, position: &Position, much: Much) -> String {
    let mut page = Page { text: String::new(), much };
    page.line("skill", &format!("{}: {}", subject.skill, visible::quoted(&subject.purpose, SHOWN)));
    page.line("agent", &subject.agent);
    page.line("tool", &subject.tool);
    page.line("wants to", subject.verb());
    match &subject.what {
        What::Call => {}
        What::Effect(effect) => page.effect(effect),
        What::Result(content) => page.content("result", Some(content)),
    }
    page.arguments(&subject.arguments);
    page.line("asked by", &subject.rule.to_string());
    let times = match (position.times, position.waiting) {
        (1, _) => String::new(),
        (times, waiting) => format!(", {times} times alike, of which {waiting} wait"),
    };
    page.line("asked at", &format!("{} through {}{times}", position.asked, subject.door));
    page.line("refused in", &format!("{} s, if nobody decides", position.seconds));
    page.line("bound to", &format!("sha256 {}", subject.binding()));
    page.line("", &format!("SOUL.md {}, settings {}", short(subject.soul), short(subject.policy)));
    page.line("", &format!("component {}", short(subject.component)));
    let call = subject.call.map(|call| format!(", in call {}#{call}", subject.agent)).unwrap_or_default();
    page.line("record", &format!("{}{call}", record(&position.name)));
    page.line("id", &position.id);
    page.line("hint", &unnecessary(subject));
    page.text
}

/// The question in one line, for lists and permissions.
pub(crate) fn line(subject: &Subject) -> String {
    let brief = |text: &str| visible::quoted(text, BRIEF);
    let size = |content: Option<&Content>| {
        content.map(|content| format!(" ({}, sha256 {})", bytes(content.0.len()), short(content.digest())))
    };
    let what = match &subject.what {
        What::Call => brief(&Value::Object(subject.arguments.clone()).to_string()),
        What::Effect(Effect::Request { method, url, body, .. }) => {
            format!("{} {}{}", brief(method), brief(url), size(body.as_ref()).unwrap_or_default())
        }
        What::Effect(Effect::Change { path, to, content, .. }) => {
            let to = to.as_ref().map(|to| format!(" to {}", brief(to))).unwrap_or_default();
            format!("{}{to}{}", brief(path), size(content.as_ref()).unwrap_or_default())
        }
        What::Effect(Effect::Message { channel, text }) => {
            format!("{}{}", brief(channel), size(Some(text)).unwrap_or_default())
        }
        What::Effect(_) => String::new(),
        What::Result(content) => size(Some(content)).unwrap_or_default().trim_start().to_owned(),
    };
    format!("{} {} wants to {}: {what}", subject.skill, subject.tool, subject.verb())
}

/// Which change would make the question unnecessary. Never what was chosen at run time.
fn unnecessary(subject: &Subject) -> String {
    let (rule, agent) = (&subject.rule, &subject.agent);
    let place = if rule.line > 0 { format!("{}:{}", rule.file, rule.line) } else { rule.file.clone() };
    let key = rule.text.split([':', '=']).next().unwrap_or_default().trim();
    match (&subject.entry, rule.file == "gateway.toml") {
        (Some(entry), true) => {
            format!(
                "not asked any more without `{entry}` in `{key}` of {place}; for exactly this: `--for 30m` or `--always`"
            )
        }
        (Some(entry), false) => format!(
            "not asked any more without `{entry}` in the `{key}` line of {place} (then `soulbound agents trust {agent}`); for exactly this: `--for 30m` or `--always`"
        ),
        (None, _) => format!("not asked any more without the line {place}"),
    }
}

struct Page {
    text: String,
    much: Much,
}

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        let label = if label.is_empty() { String::new() } else { format!("{label}:") };
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "  {label:<11} {text}");
    }

    fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Request { method, url, headers, body } => {
                self.line("method", &self.quoted(method));
                self.line("url", &self.quoted(url));
                let all = headers.len();
                let shown = if self.much == Much::All { all } else { LISTED };
                for (name, value) in headers.iter().take(shown) {
                    self.line("header", &format!("{}: {}", self.quoted(name), self.quoted(value)));
                }
                self.more(all, shown, "headers");
                self.content("body", body.as_ref());
            }
            Effect::Change { path, to, content, .. } => {
                self.line("path", &self.quoted(path));
                if let Some(to) = to {
                    self.line("to", &self.quoted(to));
                }
                if content.is_some() {
                    self.content("content", content.as_ref());
                }
            }
            Effect::Message { channel, text } => {
                self.line("channel", &self.quoted(channel));
                self.content("text", Some(text));
            }
            other => self.line("effect", &self.quoted(&format!("{other:?}"))),
        }
    }

    fn arguments(&mut self, arguments: &serde_json::Map<String, Value>) {
        let all = arguments.len();
        if all == 0 {
            self.line("arguments", "none");
            return;
        }
        let shown = if self.much == Much::All { all } else { LISTED };
        for (index, (name, value)) in arguments.iter().take(shown).enumerate() {
            let label = if index == 0 { "arguments" } else { "" };
            // A text stands in quotes of its own; everything else is JSON, in which every text does.
            let value = match value {
                Value::String(text) => self.quoted(text),
                other => self.cut(&visible::json(&other.to_string())),
            };
            self.line(label, &format!("{} = {value}", self.quoted(name)));
        }
        self.more(all, shown, "arguments");
    }

    fn content(&mut self, label: &str, content: Option<&Content>) {
        let Some(content) = content else {
            self.line(label, "none was shown to the host");
            return;
        };
        let facts = format!("{}, sha256 {}", bytes(content.0.len()), content.digest());
        self.line(label, &facts);
        match std::str::from_utf8(&content.0) {
            Ok("") => {}
            Ok(text) => self.line("", &self.quoted(text)),
            Err(_) => {
                let hex: String =
                    content.0.iter().take(self.most()).map(|byte| format!("{byte:02x}")).collect();
                let more = content.0.len().saturating_sub(self.most());
                self.line("", &format!("not text; hex {hex}{}", self.said(more, &content.0)));
            }
        }
    }

    fn more(&mut self, all: usize, shown: usize, what: &str) {
        if all > shown {
            self.line("", &format!("… {} more {what}; --full shows them", all - shown));
        }
    }

    /// Text in quotes, with what is cut said behind them.
    fn quoted(&self, text: &str) -> String {
        let most = self.most();
        match text.char_indices().nth(most) {
            None => visible::quoted(text, most),
            Some((at, _)) => {
                let (head, rest) = text.split_at(at);
                format!("{}{}", visible::quoted(head, most), self.said(rest.len(), text.as_bytes()))
            }
        }
    }

    /// JSON, cut likewise.
    fn cut(&self, json: &str) -> String {
        match json.char_indices().nth(self.most()) {
            None => json.to_owned(),
            Some((at, _)) => {
                let (head, rest) = json.split_at(at);
                format!("{head}{}", self.said(rest.len(), json.as_bytes()))
            }
        }
    }

    fn said(&self, more: usize, whole: &[u8]) -> String {
        if more == 0 {
            return String::new();
        }
        format!(" … {more} more bytes, sha256 of the whole {}; --full shows it", short(Digest::of(whole)))
    }

    fn most(&self) -> usize {
        if self.much == Much::All { usize::MAX } else { SHOWN }
    }
}

/// The first sixteen digits: enough to hold two against each other.
fn short(digest: Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

fn bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// `echo-37` is the record `echo#37`.
fn record(name: &str) -> String {
    name.rsplit_once('-').map_or_else(|| name.to_owned(), |(agent, seq)| format!("{agent}#{seq}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use soulbound_runtime::sandbox::FileChange;

    use super::super::subject::tests::subject;
    use super::*;

    fn position() -> Position {
        Position {
            name: "echo-37".to_owned(),
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            seconds: 118,
            times: 3,
            waiting: 2,
            asked: "2026-11-21T10:15:00.000Z".to_owned(),
        }
    }

    fn content(text: impl Into<Vec<u8>>) -> Content {
        Content(text.into().into())
    }

    #[test]
    fn a_file_s_change_reads_as_what_runs() {
        let change = Effect::Change {
            change: FileChange::Write,
            path: "/drafts/x.txt".to_owned(),
            to: None,
            content: Some(content("hello\n")),
        };
        let subject = subject(json!({"path": "/drafts/x.txt", "text": "hello\n"}), What::Effect(change));
        insta::assert_snapshot!(card(&subject, &position(), Much::Enough));
    }

    #[test]
    fn what_a_model_chose_cannot_pass_for_our_own_words() {
        let hostile = format!(
            "APPROVED by admin\n  skill:      other\u{1b}[2J\u{202e}{}{}",
            "\n".repeat(10_000),
            "A".repeat(10_000)
        );
        let request = Effect::Request {
            method: "POST".to_owned(),
            url: "https://api.example.com/x?\u{200b}y=\"z\"".to_owned(),
            headers: vec![("x-note".to_owned(), "APPROVED by admin".to_owned())],
            body: Some(content(vec![0xff, 0, 1, 2])),
        };
        let subject = subject(json!({"text": hostile, "deep": {"list": [hostile]}}), What::Effect(request));
        let shown = card(&subject, &position(), Much::Enough);
        assert!(!shown.chars().any(|c| visible::is_invisible(c) && c != '\n'));
        assert_eq!(shown.lines().filter(|line| line.trim_start().starts_with("skill:")).count(), 1);
        insta::assert_snapshot!(shown);
        let whole = card(&subject, &position(), Much::All);
        assert!(whole.contains(&"A".repeat(10_000)) && !whole.contains("more bytes"));
        assert!(line(&subject).lines().count() == 1 && line(&subject).len() < 400);
    }
}
