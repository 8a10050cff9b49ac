//! The kinds of anomalies: the one table that the settings, the records, HEARTBEAT.md and `soulbound explain` read.
//!
//! A sentence of this table stands in HEARTBEAT.md as it is, so none has a word that scripts grep for.

use super::knobs::Trip;

macro_rules! kinds {
    ($($variant:ident = $name:literal, $sentence:literal, $trip:ident, $meaning:literal, $remedy:literal;)*) => {
        /// What is out of pattern.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Kind {
            $(#[doc = $meaning] $variant,)*
        }

        impl Kind {
            /// All of them, in the table's order.
            pub(crate) const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// As it stands in settings and records.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// In a few words, for HEARTBEAT.md and alerts.
            pub(crate) fn sentence(self) -> &'static str {
                match self { $(Kind::$variant => $sentence,)* }
            }

            /// What it is, in a sentence or two.
            pub(crate) fn meaning(self) -> &'static str {
                match self { $(Kind::$variant => $meaning,)* }
            }

            /// What to do about it, in a sentence or two.
            pub(crate) fn remedy(self) -> &'static str {
                match self { $(Kind::$variant => $remedy,)* }
            }

            /// What it trips where the settings say nothing.
            pub(crate) fn default_trip(self) -> Trip {
                match self { $(Kind::$variant => Trip::$trip,)* }
            }
        }
    };
}

kinds! {
    UnexpectedTool = "unexpected-tool", "a tool that was not expected", Nothing,
        "A call of a tool or skill that SOUL.md does not list, or the first call of a listed tool after the skill's baseline was learned without it.",
        "`soulbound audit show AGENT` shows what was called. A first use that is meant needs nothing: it is part of the baseline from now on.";
    HighFrequency = "high-frequency", "calls come much more often than they may or usually do", Nothing,
        "Many calls were refused by a rate, or a minute had many times the calls of the busiest one in the skill's baseline.",
        "Look whether the model runs in a loop. `limit: rate …` in SOUL.md bounds a skill, `[limits] agent_rate` the agent.";
    ScopeViolation = "scope-violation", "many refused paths, hosts or imports", Nothing,
        "The skill tried many paths, hosts or imports that it was not granted: by mistake once or twice, by the dozen because something steers it.",
        "`soulbound audit show AGENT` lists what was tried. Find out what told the model or the skill to try it, then `soulbound agents reset`.";
    ErrorSpike = "error-spike", "many calls fail", Nothing,
        "A large share of the skill's calls of the last ten minutes failed: its tool's own failures, traps, bad arguments, limits.",
        "`soulbound audit show AGENT` has each failure. Often the other side of the skill is down, or a new component is broken.";
    NewHost = "new-host", "a host that was never contacted before", Nothing,
        "A request to a granted host that the skill's baseline, once learned, does not have. Only a grant with a wildcard or a new line of SOUL.md makes this possible.",
        "Look whether the host is meant. It is part of the baseline from now on; a narrower `hosts` line keeps it out.";
    VolumeOut = "volume-out", "far more bytes go out than usual", Skill,
        "The skill sent or wrote more bytes in the window than the settings call normal, or many times what its baseline knows.",
        "`soulbound audit show AGENT` has each request and write. If it was meant, `soulbound agents reset` and raise `sent` or `written`.";
    ApprovalSpam = "approval-spam", "actions that nobody approves are asked for again and again", Skill,
        "Many actions of the skill waited for a person and were denied, by the person or because nobody answered. Whoever is asked often enough says yes one day.",
        "`soulbound audit show AGENT` has what was asked for. Tell the model to stop, or let it do what is meant, then `soulbound agents reset`.";
    SoulChanged = "soul-changed", "SOUL.md changed since it was trusted", Nothing,
        "The SOUL.md on disk is not the one that an operator trusted. What it adds waits for trust, what it takes away applies; an agent that changed before a gateway first looked at it runs nothing until an operator trusts the change or rolls back.",
        "`soulbound agents diff AGENT` shows the change; `soulbound agents trust` or `soulbound agents rollback` settles it.";
    SkillChanged = "skill-changed", "a skill's files changed since they were trusted", Nothing,
        "A skill's component or another of its files is not as an operator trusted it. The trusted bytes go on running.",
        "`soulbound agents diff AGENT` shows the change; `soulbound agents trust` or `soulbound agents rollback` settles it.";
}

impl Kind {
    /// The kind with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom("no kind of anomaly"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_words_that_no_grep_matches() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(*kind));
            let sentence = kind.sentence().to_ascii_lowercase();
            for word in ["error", "admin", "database", "used skill", "denied skill"] {
                assert!(!sentence.contains(word), "{sentence}");
            }
            assert!(kind.meaning().ends_with('.') && kind.remedy().ends_with('.'), "{}", kind.name());
        }
        assert_eq!(Kind::parse("Error-Spike"), None);
    }
}
