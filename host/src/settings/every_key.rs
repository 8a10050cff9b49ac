//! Every key of `gateway.toml`, as a file that does what no file does: what `soulbound gateway config` prints, and where an
//! error about a key finds how it is written. A test reads it back key by key.

/// The file.
pub(crate) const TEXT: &str = r#"# gateway.toml: the operator's settings. Strict: an unknown key is an error. Read again when it changes.
# Every key stands here with its default; a list that is absent restricts nothing, an empty one allows nothing.

[gateway]
# Where MCP clients connect. Loopback only: the gateway speaks no TLS. Changes with a restart.
listen = "127.0.0.1:7685"

[ceiling]
# What any agent may reach at most, whatever its SOUL.md says. Deny wins.
# allow_hosts = ["https://*.wikipedia.org"]   # absent: any host that SOUL.md grants
deny_hosts = []                               # such as ["*.internal.example", "10.0.0.0/8"]
deny_dirs = []                                # such as ["/etc", "~/.ssh"]; a grant that touches one is an error
require_approval = []                         # such as ["writes", "POST", "delete"]: waits for a person; or ["always"]. `delete` is the tool and the method

[limits]
# Of a skill whose SOUL.md says nothing; SOUL.md only tightens them.
time = "30s"
memory = "256MiB"
output = "1MiB"
disk = "256MiB"                               # written by one call; each new file or directory counts as 4KiB
rate = "120/minute"                           # calls
# egress = "1MiB/hour"                        # absent: no limit beyond that of one request
# agent_rate = "600/minute"                   # calls of one agent, all its skills together; absent: no limit
# gateway_rate = "6000/minute"                # calls of all agents together; absent: no limit

[anomalies]
# From when on a skill's calls are out of pattern: noted, told, and what `trip` says.
learn = 50                                    # calls of a skill until its baseline counts
cool_down = "10m"                             # one anomaly of a kind a skill in this time; the rest is counted
scope_violations = "30/hour"                  # refused paths, hosts and imports; more is an anomaly
approvals_denied = "60/hour"                  # actions that waited for a person and were denied
over_limit = "30/minute"                      # calls refused by a rate
times_usual = 5                               # a minute's calls, an hour's bytes, over the busiest of the baseline
error_share = 50                              # percent of the calls of ten minutes that fail …
error_calls = 20                              # … of at least so many
sent = "32MiB/hour"                           # bytes sent over the network
written = "1GiB/hour"                         # bytes written to files; each new file or directory counts as 4KiB, each change also as its record
off = []                                      # kinds that are not looked for; `soulbound explain` lists them

[anomalies.trip]
# none, skill, agent, or disable (the agent's breaker, and the agent is disabled)
unexpected-tool = "none"
high-frequency = "none"
scope-violation = "none"
error-spike = "none"
new-host = "none"
volume-out = "skill"
approval-spam = "skill"
soul-changed = "none"
skill-changed = "none"

[network]
# ca_file = "/etc/ssl/own-ca.pem"             # certificates trusted beside the public ones
# proxy = "http://127.0.0.1:3128"             # a proxy that speaks CONNECT; the environment's is not used

[files]
hard_links = "refuse"                         # or "allow": files with more than one hard link

[sandbox]
isolation = "thread"                          # or "process": each skill's calls in a process of its own, behind Landlock and seccomp; needs Linux 6.2. Changes with a restart

[trust]
require_redteam = false                       # true: an agent is trusted, and runs, only after `soulbound redteam` let nothing out of exactly these bytes

[secrets]
# key_file = "/run/credentials/soulbound.service/key"   # your own key that seals secrets at rest; absent: one is made when needed
keyring = "auto"                              # such a key goes to the system's keyring where there is one, else into keys/secrets.key; or "off", "required"

[approvals]
# How a person is asked about what `approve` of SOUL.md or `require_approval` names. No answer is no.
timeout = "120s"                              # at most a day
ways = ["cli"]                                # also "mcp": a form in the agent's own client; "webhook": a link
nobody = "wait"                               # or "deny": refuse at once while nobody watches and no other way is open
waiting = 32                                  # of one agent at once; what comes then is refused, what waits stays
gateway_waiting = 256                         # of all agents
rate = "30/minute"                            # how often one skill may ask
body = "1MiB"                                 # a request's body has to be complete to be shown; more is refused
file = "8MiB"                                 # likewise what a file will hold
# `webhook`, a URL, goes with "webhook" in `ways` and with nothing else: it is told of what waits, with a link.
# address = "https://gate.example"            # what links begin with, where a proxy stands before the gateway. Changes with a restart

[outputs]
# What may never leave an agent. Each place is "block", "hold" (ask a person), "redact", "note" or "allow" (not looked at).
# A SOUL.md's own `Never output: …` blocks everywhere, whatever stands here.
detectors = ["private-key", "cloud-token"]    # and "card", "iban", "email"
results = "redact"                            # what the model reads
http = "block"                                # URLs, headers and bodies; a URL or header that would be redacted is blocked
files = "allow"                               # names and content
channels = "block"
examples = "allow"                            # keys from documentation pass these detectors in results and files; or "judge"

# [[outputs.rules]]                           # as many as you like; where neither it nor [outputs] says otherwise, it blocks
# name = "titan"                              # shown in denials: not what it looks for
# words = ["Project Titan"]                   # whole, in any case; or: expression = 'TICKET-[0-9]{6}'; or: detector = "card"
# files = "note"

[audit]
durability = "process"                        # survives kill -9; "power": every record is on the disk before a call runs. Changes with a restart
rotate = "64MiB"                              # a trail of this size goes on in a new file. Changes with a restart

# Whom to tell, any number of them: each has one of slack, discord, telegram, webhook, command. A URL, a token or a secret
# can stand in a file that only this user can read instead: write a table with its path, as for `discord` below.
# Places are https, or http to a loopback address by its number. `soulbound alerts test` tries them.
# [[alerts]]
# name = "ops"                                # absent: the kind
# slack = "https://hooks.slack.com/services/T0/B0/X"   # or whatever takes {"text": …}
# on = ["anomaly", "breaker", "stop", "approval"]   # the default; there are also denial and error
# agents = ["echo"]                           # absent: all
# cooldown = "60s"                            # per kind and agent; what comes meanwhile is counted
# action = "disable"                          # absent: only tells; this also disables the agent, at once
# [[alerts]]
# discord = { file = "/etc/soulbound/discord" }
# [[alerts]]
# telegram = { token = "123456:AAAA", chat = "-1001234" }
# [[alerts]]
# webhook = "https://ops.example.com/hook"    # JSON, with the header `Soulbound-Signature: t=SECONDS,v1=HEX`
# secret = "0123456789abcdef0123456789abcdef" # HEX is HMAC-SHA256 over `SECONDS.BODY`
# [[alerts]]
# command = ["/usr/local/bin/notify", "--now"]   # the same JSON on its standard input; no shell, and no environment but PATH and LANG
# time = "10s"                                # then it is killed

# Where the channels that SOUL.md lists lead: each has one of slack, discord, telegram, webhook, file.
# [[channels]]
# channel = "slack: content-team"             # as SOUL.md lists it
# audience = "internal"                       # or "public": who reads it; there is no default
# review = "soul"                             # as SOUL.md says (default if internal), or "always" (default if public)
# agents = ["echo"]                           # absent: every agent that lists it
# slack = "https://hooks.slack.com/services/T0/B0/Y"
# [[channels]]
# channel = "log: posts"
# audience = "public"
# file = "/srv/soulbound-posts/posts.log"     # in a folder of its own, which no grant may touch
"#;

/// How a key is written, with what stands beside it; none if the section has no such key.
pub(super) fn written(section: &str, key: &str) -> Option<String> {
    let mut inside = "";
    TEXT.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).find_map(|line| {
        if line.starts_with('[') {
            inside = line.split("  ").next().unwrap_or_default().trim_matches(['[', ']']);
            return None;
        }
        let own = inside == section && line.strip_prefix(key)?.starts_with(" = ");
        own.then(|| line.split_whitespace().collect::<Vec<_>>().join(" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oversight::breakers::Kind;
    use crate::oversight::breakers::knobs::{Knobs, Section};

    #[test]
    fn each_key_is_found_as_it_is_written() {
        for (section, key, line) in [
            ("limits", "time", Some("time = \"30s\"")),
            ("alerts", "time", Some("time = \"10s\" # then it is killed")),
            (
                "limits",
                "egress",
                Some("egress = \"1MiB/hour\" # absent: no limit beyond that of one request"),
            ),
            ("anomalies.trip", "volume-out", Some("volume-out = \"skill\"")),
            ("approvals", "file", Some("file = \"8MiB\" # likewise what a file will hold")),
            ("limits", "tim", None),
            ("network", "time", None),
            ("", "time", None),
        ] {
            assert_eq!(written(section, key).as_deref(), line, "{section} {key}");
        }
    }

    #[test]
    fn the_anomalies_that_are_shown_are_the_defaults() {
        let section = toml::from_str::<toml::Table>(TEXT).unwrap()["anomalies"].clone();
        let read = Knobs::read(section.try_into::<Section>().unwrap()).unwrap();
        let known = Knobs::default();
        for kind in Kind::ALL {
            assert_eq!(read.trip(*kind), known.trip(*kind), "{kind:?}");
            let line = format!("\n{} = \"{}\"\n", kind.name(), kind.default_trip().name());
            assert!(TEXT.contains(&line), "{line}");
        }
        let numbers = |of: &Knobs| (of.learn, of.cool_down, of.times_usual, of.error_share, of.error_calls);
        assert_eq!(numbers(&read), numbers(&known));
        let rates =
            |of: &Knobs| [of.over_limit, of.scope_violations, of.approvals_denied, of.sent, of.written];
        assert_eq!(rates(&read), rates(&known));
    }
}
