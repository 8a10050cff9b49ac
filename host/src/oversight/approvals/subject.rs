//! What a person is asked about, and the digest that binds their answer to exactly that.
//!
//! The rule: the digest is taken from the same value that the person is shown, and covers everything that runs. Another
//! byte anywhere, another component, SOUL.md or setting, is another question.

use soulbound_runtime::RuleRef;
use soulbound_runtime::sandbox::{Content, Effect, FileChange};
use soulbound_runtime::skill::Digest;

use crate::audit;
use crate::oversight::CallFacts;

/// What waits.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The call itself: nothing of it has run.
    Call,
    /// What the running component is about to do.
    Effect(Effect),
    /// What the model is about to be told.
    Result(Content),
}

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The agent's id.
    pub(crate) agent: String,
    /// The skill's slug.
    pub(crate) skill: String,
    /// What SOUL.md says that it is for.
    pub(crate) purpose: String,
    /// The tool.
    pub(crate) tool: String,
    /// The arguments, member by member, with every secret masked.
    pub(crate) arguments: serde_json::Map<String, serde_json::Value>,
    /// Stands for all of it before anything was masked, keyed: two secrets of one length are the same stars. A plain digest
    /// would let whoever reads the trail find a short one by trying.
    pub(crate) unmasked: String,
    /// What waits.
    pub(crate) what: What,
    /// The line that makes it wait.
    pub(crate) rule: RuleRef,
    /// The entry of that line: `writes`, `always`, …; none where the line as a whole asks.
    pub(crate) entry: Option<String>,
    /// The trusted SOUL.md.
    pub(crate) soul: Digest,
    /// The component.
    pub(crate) component: Digest,
    /// The operator's settings.
    pub(crate) policy: Digest,
    /// Through which door the call came.
    pub(crate) door: &'static str,
    /// The call's number in the trail, once it has begun.
    pub(crate) call: Option<u64>,
}

impl Subject {
    /// Of a call, or of an effect of it.
    pub(crate) fn of(
        agent: &str,
        facts: &CallFacts,
        what: What,
        rule: RuleRef,
        entry: Option<String>,
        call: Option<u64>,
    ) -> Self {
        Self {
            agent: agent.to_owned(),
            skill: facts.skill().to_owned(),
            purpose: facts.callable.offered.purpose.clone(),
            tool: facts.tool.clone(),
            arguments: facts.arguments.clone(),
            unmasked: String::new(),
            what,
            rule,
            entry,
            soul: facts.callable.soul,
            component: facts.component(),
            policy: facts.callable.policy,
            door: facts.door,
            call,
        }
    }

    /// What an answer is bound to. Each part stands behind its length, so that no two questions write the same bytes.
    pub(crate) fn binding(&self) -> Digest {
        let mut parts = Parts::default();
        parts.text("soulbound-approval-2").text(&self.agent).text(&self.skill).text(&self.tool);
        parts.digest(self.soul).digest(self.component).digest(self.policy);
        parts.text(&audit::exact_members(&self.arguments)).text(&self.unmasked);
        match &self.what {
            What::Call => parts.text("call"),
            What::Effect(effect) => parts.effect(effect),
            What::Result(content) => parts.text("result").digest(content.digest()),
        };
        Digest::of(&parts.0)
    }

    /// The content, where there is one.
    pub(crate) fn content(&self) -> Option<&Content> {
        match &self.what {
            What::Effect(Effect::Request { body, .. }) => body.as_ref(),
            What::Effect(Effect::Change { content, .. }) => content.as_ref(),
            What::Effect(Effect::Message { text, .. }) | What::Result(text) => Some(text),
            What::Call | What::Effect(_) => None,
        }
    }

    /// How many bytes of content and arguments it holds.
    pub(crate) fn bytes(&self) -> usize {
        let content = self.content().map_or(0, |content| content.0.len());
        content + audit::exact_members(&self.arguments).len()
    }

    /// In a few words, without anything that was chosen at run time.
    pub(crate) fn verb(&self) -> &'static str {
        match &self.what {
            What::Call => "call this tool",
            What::Effect(Effect::Request { .. }) => "send this request",
            What::Effect(Effect::Change { change, .. }) => match change {
                FileChange::Create => "create this file",
                FileChange::Write => "write this file",
                FileChange::SetTimes => "set the times of this",
                FileChange::MakeDirectory => "make this directory",
                FileChange::Delete => "delete this",
                FileChange::Rename => "rename this",
                _ => "change this",
            },
            What::Effect(Effect::Message { .. }) => "send this message",
            What::Effect(_) => "do this",
            What::Result(_) => "tell this to the model",
        }
    }
}

/// Length-prefixed parts.
#[derive(Default)]
struct Parts(Vec<u8>);

impl Parts {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn digest(&mut self, digest: Digest) -> &mut Self {
        self.bytes(&digest.0)
    }

    fn content(&mut self, content: Option<&Content>) -> &mut Self {
        match content {
            None => self.text("none"),
            Some(content) => self.text("some").digest(content.digest()),
        }
    }

    fn effect(&mut self, effect: &Effect) -> &mut Self {
        match effect {
            Effect::Request { method, url, headers, body } => {
                self.text("request").text(method).text(url).bytes(&(headers.len() as u64).to_le_bytes());
                for (name, value) in headers {
                    self.text(name).text(value);
                }
                self.content(body.as_ref())
            }
            Effect::Change { change, path, to, content } => {
                self.text("change").text(&format!("{change:?}")).text(path);
                match to {
                    None => self.text("none"),
                    Some(to) => self.text("some").text(to),
                };
                self.content(content.as_ref())
            }
            Effect::Message { channel, text } => self.text("message").text(channel).content(Some(text)),
            // A kind that this build does not know has all of itself in its name.
            other => self.text(&format!("{other:?}")),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A question about a call with these arguments.
    pub(crate) fn subject(arguments: serde_json::Value, what: What) -> Subject {
        Subject {
            agent: "echo".to_owned(),
            skill: "file-writer".to_owned(),
            purpose: "Save drafts to the workspace".to_owned(),
            tool: "save".to_owned(),
            arguments: arguments.as_object().unwrap().clone(),
            unmasked: String::new(),
            what,
            rule: RuleRef {
                file: "SOUL.md".to_owned(),
                line: 14,
                column: 5,
                text: "approve: writes, delete".to_owned(),
            },
            entry: Some("writes".to_owned()),
            soul: Digest::of(b"soul"),
            component: Digest::of(b"component"),
            policy: Digest::of(b"policy"),
            door: "mcp-http",
            call: Some(7),
        }
    }

    fn content(text: &str) -> Content {
        Content(text.to_owned().into_bytes().into())
    }

    #[test]
    fn any_change_is_another_question() {
        let request = |method: &str, url: &str, headers: &[(&str, &str)], body: Option<&str>| {
            What::Effect(Effect::Request {
                method: method.to_owned(),
                url: url.to_owned(),
                headers: headers
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                body: body.map(content),
            })
        };
        let change = |change, path: &str, to: Option<&str>, held: Option<&str>| {
            let (to, content) = (to.map(str::to_owned), held.map(content));
            What::Effect(Effect::Change { change, path: path.to_owned(), to, content })
        };
        let message = |channel: &str, text: &str| {
            What::Effect(Effect::Message { channel: channel.to_owned(), text: content(text) })
        };
        let arguments = json!({"a": 1});
        let same = || subject(arguments.clone(), What::Call);
        let mut all = vec![
            same(),
            subject(json!({"a": 2}), What::Call),
            subject(json!({"a": "1"}), What::Call),
            subject(json!({"a": 1, "b": null}), What::Call),
            subject(json!({"a": 9_007_199_254_740_993_u64}), What::Call),
            subject(json!({"a": 9_007_199_254_740_992_u64}), What::Call),
            Subject { agent: "eve".to_owned(), ..same() },
            Subject { skill: "other".to_owned(), ..same() },
            Subject { tool: "delete".to_owned(), ..same() },
            Subject { unmasked: "of another secret".to_owned(), ..same() },
            Subject { soul: Digest::of(b"x"), ..same() },
            Subject { component: Digest::of(b"x"), ..same() },
            Subject { policy: Digest::of(b"x"), ..same() },
        ];
        let whats = [
            request("POST", "https://a.example/", &[], None),
            request("PUT", "https://a.example/", &[], None),
            request("POST", "https://a.example/x", &[], None),
            request("POST", "https://a.example/", &[("a", "b")], None),
            request("POST", "https://a.example/", &[("ab", "")], None),
            request("POST", "https://a.example/", &[("a", "b"), ("a", "b")], None),
            request("POST", "https://a.example/", &[], Some("")),
            request("POST", "https://a.example/", &[], Some("x")),
            change(FileChange::Write, "/a", None, None),
            change(FileChange::Create, "/a", None, None),
            change(FileChange::Delete, "/a", None, None),
            change(FileChange::SetTimes, "/a", None, None),
            change(FileChange::Write, "/b", None, None),
            change(FileChange::Rename, "/a", Some("/b"), None),
            change(FileChange::Rename, "/a", Some("/c"), None),
            change(FileChange::Write, "/a", None, Some("x")),
            change(FileChange::Write, "/a", None, Some("y")),
            message("slack: team", "x"),
            message("slack: team", "y"),
            message("slack: ops", "x"),
            What::Result(content("x")),
        ];
        all.extend(whats.into_iter().map(|what| subject(arguments.clone(), what)));
        let digests: std::collections::HashSet<Digest> = all.iter().map(Subject::binding).collect();
        assert_eq!(digests.len(), all.len());
        assert_eq!(same().binding(), same().binding());
        let swapped = subject(json!({"y": 2, "x": 1}), What::Call);
        assert_eq!(swapped.binding(), subject(json!({"x": 1, "y": 2}), What::Call).binding());
    }
}
