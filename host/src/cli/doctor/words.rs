//! What the words mean that `doctor` and `gateway status` show: one row for each check, for `soulbound explain`.
//!
//! The rule: no finding has an id that is not here. What to do about a finding stands beside it; here is what it is about.

/// A word and its page.
pub(crate) struct Word {
    /// The id of a finding, or the name of a line of the status.
    pub(crate) id: &'static str,
    /// What it is about.
    pub(crate) meaning: &'static str,
}

const fn word(id: &'static str, meaning: &'static str) -> Word {
    Word { id, meaning }
}

/// All of them.
pub(crate) const WORDS: [Word; 36] = [
    word(
        "agents.readable",
        "What is trusted of an agent stands in its part of the state folder. While that cannot be read nothing of the agent runs.",
    ),
    word(
        "agents.running",
        "An agent is enabled, and nothing of it runs: it changed before a gateway first looked at it and waits for trust, its SOUL.md cannot be used, its folder is gone, or it lacks a redteam run that the settings ask for. All its calls are refused.",
    ),
    word(
        "agents.set-aside",
        "What an agent's gateway had learned or counted could not be understood when it was read, so it began anew. The old file was kept beside it.",
    ),
    word(
        "approvals.readable",
        "What was approved for good could not be read, so it counts as not approved, and a person is asked again.",
    ),
    word(
        "audit.discontinuity",
        "The trail itself says that it was changed behind the gateway's back at some time. Such a record stays.",
    ),
    word(
        "audit.in-part",
        "The trails are long, so doctor proved their ends and their tips only. `soulbound audit verify` proves all.",
    ),
    word(
        "audit.readable",
        "A trail or a key of the trails cannot be read: its owner or mode was changed, or the disk fails.",
    ),
    word(
        "audit.trails",
        "A trail is not what the gateway wrote: records were changed, deleted, swapped or added. `soulbound audit verify` names each.",
    ),
    word(
        "audit.unfinished",
        "A trail ends in the middle of a line: a gateway was killed while it wrote. The next start closes it.",
    ),
    word(
        "audit.writable",
        "The running gateway cannot write its trail. What cannot be recorded does not run, so all calls are refused.",
    ),
    word(
        "breakers.closed",
        "A breaker opened because something was out of pattern, and stays open until an operator closes it. Calls behind it are refused with `breaker.open`.",
    ),
    word(
        "clock",
        "The clock is before this build was made. Certificates and the trail's times depend on it.",
    ),
    word(
        "gateway.answers",
        "A gateway holds the state folder and does not answer on its socket. `soulbound gateway stop` ends it whatever it does.",
    ),
    word(
        "gateway.port",
        "`[gateway] listen` names an address on which this program could not listen now: most often another program has the port. No gateway starts until one of the two moves.",
    ),
    word(
        "gateway.stopped",
        "An operator stopped everything under this state folder. Nothing runs until `soulbound gateway start`.",
    ),
    word(
        "isolation",
        "Where calls run. `thread`: in the gateway's own process, behind the engine's walls alone. `process`: each skill's in a process of its own, behind Landlock and seccomp as well, a second wall for the day on which the engine has a bug. Compiling happens in a confined process either way. `[sandbox] isolation` in gateway.toml says which; it changes with a restart, and docs/figures.md says what it costs.",
    ),
    word(
        "layer.compiling",
        "Components are decoded and compiled in a process behind Landlock and seccomp. Here the kernel lacks one of them or the process could not be started so.",
    ),
    word(
        "layer.directories",
        "Granted directories are opened by openat2 (Linux 5.6) and looked up in /proc. Without both no directory can be granted.",
    ),
    word(
        "layer.process",
        "Whether a skill's calls run in the gateway's own process, behind the engine's walls alone, or in a process of their own behind Landlock and seccomp too: `[sandbox] isolation` in gateway.toml is `thread` or `process`. With `thread` this is good to know and nothing to mend; with `process` it says which walls stand, and is an error where the kernel has them not, since then no call runs. It changes with a restart; docs/figures.md says what it costs.",
    ),
    word("limits.memory-maps", "vm.max_map_count is lower than many instances at once need."),
    word("limits.open-files", "A process may have fewer open files than a busy gateway needs."),
    word(
        "secrets.key",
        "Where the key is that seals agents' secrets: in the system's keyring, or in a file that whoever reads the state folder has too.",
    ),
    word(
        "secrets.readable",
        "An agent's secrets cannot be opened: the key is another one, the file was changed, or the keyring is locked or gone. Requests that need one are refused.",
    ),
    word(
        "secrets.set",
        "SOUL.md names a secret that nobody has set, or that was set for another host. Requests that need it are refused (`secret.missing`, `secret.host`).",
    ),
    word(
        "separation",
        "Whether the gateway runs as a user of its own. `own-user`: nobody logs in as it, so an agent's own shell is not the operator. `same-user`: the gateway runs as somebody who logs in, and whoever has that user's shell is the operator and can approve, trust and stop, an agent's client with a shell of its own too. To keep the two apart run the gateway as a user without a login shell, and let agents come in over HTTP with their tokens.",
    ),
    word(
        "settings.in-force",
        "gateway.toml says something that the running gateway does not do yet: it cannot be used and the last good one is in force, or a key of it waits for `soulbound gateway restart`.",
    ),
    word(
        "settings.names",
        "gateway.toml names a directory to deny, a program to run or an agent to tell of that is not there. Mistyped, the line does nothing.",
    ),
    word(
        "settings.readable",
        "gateway.toml cannot be used. A running gateway keeps the last good one; none starts with it.",
    ),
    word("skills.standard", "The standard skills are looked for beside the program, and are not there."),
    word(
        "state.disk",
        "Little is free where the trails are written. A trail that cannot be written refuses calls.",
    ),
    word(
        "state.folder",
        "The state folder has to be the gateway's user's alone (mode 0700), and outside of what agents reach.",
    ),
    word("state.format", "The state folder was written by another version of this program."),
    word(
        "state.set-aside",
        "What all agents together had left of their rate could not be understood, and is full again. The old file was kept beside it.",
    ),
    word("state.socket-path", "A socket's path has at most 107 bytes, and this state folder's is longer."),
    word(
        "state.writable",
        "The state folder cannot be written: no gateway starts, and a stop does not last.",
    ),
    word(
        "walls",
        "What the kernel adds around a process: Landlock (no file that was not named) and seccomp (no system call that is not needed). Lines of `gateway status` name those that stand. See `isolation`.",
    ),
];

/// The page of a word.
pub(crate) fn of(id: &str) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_has_its_page_and_every_page_is_of_something_shown() {
        let sources = [
            include_str!("checks.rs"),
            include_str!("trails.rs"),
            include_str!("files.rs"),
            include_str!("names.rs"),
            include_str!("port.rs"),
            include_str!("standing.rs"),
        ];
        let is_id = |text: &&str| {
            let is_word = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            };
            let parts: Vec<&str> = text.split('.').collect();
            parts.iter().all(|part| is_word(part))
                && (parts.len() == 2 && !["json", "toml"].contains(&parts[1])
                    || ["clock", "separation"].contains(text))
        };
        let shown: std::collections::BTreeSet<&str> =
            sources.iter().flat_map(|source| source.split('"').skip(1)).filter(is_id).collect();
        let known: std::collections::BTreeSet<&str> = WORDS.iter().map(|word| word.id).collect();
        assert_eq!(known.len(), WORDS.len(), "no id twice");
        let missing: Vec<_> = shown.difference(&known).collect();
        assert!(missing.is_empty(), "no page for {missing:?}");
        let unused: Vec<_> = known.difference(&shown).copied().collect();
        assert_eq!(unused, ["isolation", "walls"], "these are lines of the status");
    }
}
