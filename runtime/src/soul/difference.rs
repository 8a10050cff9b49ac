//! What changes for an agent from one SOUL.md to another, in words: what is gained, what is lost, what is only said
//! otherwise.
//!
//! The rule: what one grant covers is no gain, however it is written; and what is not plainly a narrowing is a widening.

use std::path::Path;

use serde::Serialize;

use super::{Channel, SkillEntry, Soul, standing};
use crate::grant::{Grant, host};
use crate::visible;

/// Which way a difference goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// More can be reached, or less waits or is limited.
    Widening,
    /// Less can be reached, or more waits or is limited.
    Narrowing,
    /// What people and models read; nothing that the program enforces.
    Words,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Which way it goes.
    pub effect: Effect,
    /// The skill; none for what concerns the agent.
    pub skill: Option<String>,
    /// What differs, such as ``gains `write: ./drafts` ``. Escaped.
    pub text: String,
    /// The line in the SOUL.md that has it; 0 where neither does.
    pub line: u32,
}

impl Soul {
    /// What changes from this file to `new`, agent first, then skill by skill. Empty when they mean the same to the
    /// program and say the same to a reader.
    #[must_use]
    pub fn differences(&self, new: &Self, folder: &Path) -> Vec<Difference> {
        let mut found = Found { list: Vec::new(), skill: None };
        for (what, old, new) in
            [("name", Some(self.name()), Some(new.name())), ("role", self.role(), new.role())]
        {
            found.words(what, old, new);
        }
        if self.model() != new.model() {
            let text = format!("the model is {} and was {}", or_none(new.model()), or_none(self.model()));
            // Another model may be another company's.
            found.push(Effect::Widening, text, 0);
        }
        found.rules(self, new);
        found.channels(&self.channels, &new.channels);
        for skill in &self.skills {
            found.skill = Some(skill.name.clone());
            match new.skill(&skill.name) {
                None => found.push(Effect::Narrowing, "is no longer listed".into(), skill.line),
                Some(other) => {
                    found.words("purpose", Some(&skill.purpose), Some(&other.purpose));
                    found.grants(&skill.grant, &other.grant, folder);
                }
            }
        }
        for skill in new.skills.iter().filter(|skill| self.skill(&skill.name).is_none()) {
            found.new_skill(skill, folder);
        }
        found.list
    }
}

fn or_none(text: Option<&str>) -> String {
    text.map_or("none".to_owned(), |text| format!("`{}`", visible::line(text)))
}

struct Found {
    list: Vec<Difference>,
    skill: Option<String>,
}

impl Found {
    fn push(&mut self, effect: Effect, text: String, line: u32) {
        self.list.push(Difference { effect, skill: self.skill.clone(), text: visible::line(&text), line });
    }

    fn words(&mut self, what: &str, old: Option<&str>, new: Option<&str>) {
        if old != new {
            let text = format!("the {what} is {} and was {}", or_none(new), or_none(old));
            self.push(Effect::Words, text, 0);
        }
    }

    fn rules(&mut self, old: &Soul, new: &Soul) {
        let missing =
            |from: &Soul, rule: &super::Rule| !from.rules.iter().any(|other| other.text == rule.text);
        for rule in old.rules.iter().filter(|rule| missing(new, rule)) {
            let effect = if standing::is_enforceable(rule) { Effect::Widening } else { Effect::Words };
            self.push(effect, format!("no longer has the rule `{}`", rule.text), rule.line);
        }
        for rule in new.rules.iter().filter(|rule| missing(old, rule)) {
            let effect = if standing::is_enforceable(rule) { Effect::Narrowing } else { Effect::Words };
            self.push(effect, format!("has the new rule `{}`", rule.text), rule.line);
        }
    }

    fn channels(&mut self, old: &[Channel], new: &[Channel]) {
        let same = |a: &Channel, b: &Channel| a.kind == b.kind && a.target == b.target;
        for channel in old {
            match new.iter().find(|other| same(channel, other)) {
                None => self.push(
                    Effect::Narrowing,
                    format!("loses the channel `{}: {}`", channel.kind, channel.target),
                    channel.line,
                ),
                Some(other) => self.waiting(
                    "the channel's approval",
                    channel.approve.len(),
                    other.approve.len(),
                    other.line,
                ),
            }
        }
        for channel in new.iter().filter(|channel| !old.iter().any(|other| same(channel, other))) {
            self.push(
                Effect::Widening,
                format!("gains the channel `{}: {}`", channel.kind, channel.target),
                channel.line,
            );
        }
    }

    fn waiting(&mut self, what: &str, old: usize, new: usize, line: u32) {
        match (old, new) {
            (0, 0) => {}
            (0, _) => self.push(Effect::Narrowing, format!("gains {what}"), line),
            (_, 0) => self.push(Effect::Widening, format!("loses {what}"), line),
            _ => {}
        }
    }

    fn new_skill(&mut self, skill: &SkillEntry, folder: &Path) {
        self.skill = Some(skill.name.clone());
        self.push(Effect::Widening, format!("is new: {}", skill.purpose), skill.line);
        self.grants(&Grant::default(), &skill.grant, folder);
    }

    fn grants(&mut self, old: &Grant, new: &Grant, folder: &Path) {
        self.directories(old, new, folder);
        let line = |rule: &crate::RuleRef| rule.line;
        self.listed(
            "hosts",
            (&old.hosts, &new.hosts),
            (Effect::Widening, Effect::Narrowing),
            |entry, list| list.iter().any(|wide| host::covers(wide, entry)),
            |entry| (entry.to_string(), line(entry.rule())),
        );
        let gains = (Effect::Widening, Effect::Narrowing);
        let holds = (Effect::Narrowing, Effect::Widening);
        self.listed("env", (&old.environment, &new.environment), gains, has, |e| {
            (e.to_string(), line(&e.rule))
        });
        self.listed("secrets", (&old.secrets, &new.secrets), gains, has, |e| (e.to_string(), line(&e.rule)));
        self.listed("approve", (&old.approve, &new.approve), holds, has, |e| (e.to_string(), line(&e.rule)));
        let refused =
            |e: &(crate::grant::Capability, crate::RuleRef),
             list: &[(crate::grant::Capability, crate::RuleRef)]| list.iter().any(|o| o.0 == e.0);
        self.listed("refuse", (&old.refuse, &new.refuse), holds, refused, |e| (e.0.to_string(), line(&e.1)));
        self.limits(old, new);
        let pinned = |e: &([u8; 32], crate::RuleRef), list: &[([u8; 32], crate::RuleRef)]| {
            list.iter().any(|o| o.0 == e.0)
        };
        self.listed("sha256", (&old.sha256, &new.sha256), holds, pinned, |e| {
            (crate::skill::Digest(e.0).to_string(), line(&e.1))
        });
    }

    fn directories(&mut self, old: &Grant, new: &Grant, folder: &Path) {
        let text = |entry: &crate::grant::DirectoryGrant| {
            (format!("{}: {entry}", entry.mode.key()), entry.rule.line)
        };
        let covered = |entry: &crate::grant::DirectoryGrant, list: &[crate::grant::DirectoryGrant]| {
            list.iter().any(|wide| wide.covers(entry, folder))
        };
        for entry in old.directories.iter().filter(|entry| !covered(entry, &new.directories)) {
            let (text, line) = text(entry);
            self.push(Effect::Narrowing, format!("loses `{text}`"), line);
        }
        for entry in &new.directories {
            let (text, line) = text(entry);
            let same = old.directories.iter().find(|old| old.place(folder) == entry.place(folder));
            if !covered(entry, &old.directories) {
                self.push(Effect::Widening, format!("gains `{text}`"), line);
            } else if same.is_some_and(|old| old.guest != entry.guest) {
                // The path that a model knows leads elsewhere.
                self.push(Effect::Widening, format!("sees `{}` as `{}`", entry.path, entry.guest), line);
            }
        }
    }

    fn listed<T>(
        &mut self,
        key: &str,
        (old, new): (&[T], &[T]),
        (gained, lost): (Effect, Effect),
        is_in: impl Fn(&T, &[T]) -> bool,
        shown: impl Fn(&T) -> (String, u32),
    ) {
        for entry in old.iter().filter(|entry| !is_in(entry, new)) {
            let (text, line) = shown(entry);
            self.push(lost, format!("loses `{key}: {text}`"), line);
        }
        for entry in new.iter().filter(|entry| !is_in(entry, old)) {
            let (text, line) = shown(entry);
            self.push(gained, format!("gains `{key}: {text}`"), line);
        }
    }

    /// A limit that is set, tightened, loosened or gone.
    fn limits(&mut self, old: &Grant, new: &Grant) {
        let line = new.limits.rule.as_ref().or(old.limits.rule.as_ref()).map_or(0, |rule| rule.line);
        let (was, is, both) =
            (old.limits.entries(), new.limits.entries(), old.limits.tighten(&new.limits).entries());
        let name = |entry: &str| entry.split(' ').next().unwrap_or_default().to_owned();
        let same_name =
            |list: &[String], entry: &str| list.iter().find(|other| name(other) == name(entry)).cloned();
        for entry in was.iter().filter(|entry| !is.contains(entry) && both.contains(entry)) {
            // One that is only looser now is said below, with what it was.
            if same_name(&is, entry).is_none_or(|new| both.contains(&new)) {
                self.push(Effect::Widening, format!("loses `limit: {entry}`"), line);
            }
        }
        for entry in is.iter().filter(|entry| !was.contains(entry)) {
            let replaced = same_name(&was, entry).map(|old| format!(" (was `{old}`)")).unwrap_or_default();
            let effect = if both.contains(entry) { Effect::Narrowing } else { Effect::Widening };
            self.push(effect, format!("has `limit: {entry}`{replaced}"), line);
        }
    }
}

fn has<T: PartialEq + ToString>(entry: &T, list: &[T]) -> bool {
    list.iter().any(|other| other.to_string() == entry.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soul(rest: &str) -> Soul {
        let text = format!("## Identity\n- Name: Echo\n## Skills\n- s: Try\n{rest}");
        Soul::parse("SOUL.md", text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn between(old: &str, new: &str) -> Vec<String> {
        let found = soul(old).differences(&soul(new), Path::new("/agent"));
        found.into_iter().map(|one| format!("{:?} {}", one.effect, one.text)).collect()
    }

    #[test]
    fn a_difference_says_what_is_gained_and_lost() {
        for (old, new, expected) in [
            ("  - read: ./a\n", "  - read: a\n", &[][..]),
            ("  - read: ./a\n", "  - write: ./a\n", &["Widening gains `write: ./a`"]),
            ("  - write: ./a\n", "  - read: ./a/b\n", &["Narrowing loses `write: ./a`"]),
            ("  - read: ./a\n", "  - read: ./a as /b\n", &["Widening sees `./a` as `/b`"]),
            ("  - hosts: *.a.org\n", "  - hosts: b.a.org\n", &["Narrowing loses `hosts: https://*.a.org`"]),
            (
                "  - hosts: a.org\n",
                "  - hosts: POST a.org\n",
                &["Narrowing loses `hosts: https://a.org`", "Widening gains `hosts: POST https://a.org`"],
            ),
            ("  - approve: always\n", "", &["Widening loses `approve: always`"]),
            ("", "  - approve: always\n", &["Narrowing gains `approve: always`"]),
            ("  - limit: time 5s\n", "", &["Widening loses `limit: time 5s`"]),
            (
                "  - limit: time 5s\n",
                "  - limit: time 2s\n",
                &["Narrowing has `limit: time 2s` (was `time 5s`)"],
            ),
            (
                "  - limit: time 2s\n",
                "  - limit: time 5s\n",
                &["Widening has `limit: time 5s` (was `time 2s`)"],
            ),
            (
                "  - env: A=1\n",
                "  - env: A=2\n",
                &["Narrowing loses `env: A=1`", "Widening gains `env: A=2`"],
            ),
            ("  - refuse: http\n", "", &["Widening loses `refuse: http`"]),
            ("", "- t: Other\n  - read: ./x\n", &["Widening is new: Other", "Widening gains `read: ./x`"]),
            ("- t: Other\n", "", &["Narrowing is no longer listed"]),
            (
                "## Channels\n- slack: a\n",
                "## Channels\n- slack: b\n",
                &["Narrowing loses the channel `slack: a`", "Widening gains the channel `slack: b`"],
            ),
            (
                "## Rules\n- Never execute code or system commands\n",
                "## Rules\n- Be kind\n",
                &[
                    "Widening no longer has the rule `Never execute code or system commands`",
                    "Words has the new rule `Be kind`",
                ],
            ),
        ] {
            assert_eq!(between(old, new), expected, "{old:?} to {new:?}");
        }
    }

    #[test]
    fn what_says_the_same_does_not_differ() {
        let text = "  - read: ./a\n  - hosts: POST a.org, *.b.org\n  - limit: time 5s, rate 5/second\n  - approve: always\n";
        assert_eq!(between(text, text), Vec::<String>::new());
    }
}
