//! The shape of `gateway.toml`: every key that there is, in one place.

use serde::Deserialize;

use super::every_key;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) gateway: Option<Gateway>,
    pub(super) ceiling: Option<Ceiling>,
    pub(super) limits: Option<Limits>,
    pub(super) network: Option<Network>,
    pub(super) files: Option<Files>,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) audit: Option<Audit>,
    pub(super) trust: Option<Trust>,
    pub(super) secrets: Option<Secrets>,
    pub(super) outputs: Option<crate::oversight::outputs::settings::Outputs>,
    pub(super) anomalies: Option<crate::oversight::breakers::knobs::Section>,
    pub(super) alerts: Option<Vec<super::alerts::Entry>>,
    pub(super) channels: Option<Vec<super::channels::Entry>>,
    pub(super) approvals: Option<Approvals>,
}

/// `[gateway]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gateway {
    /// Where the gateway listens: never reachable for a skill.
    pub(super) listen: Option<String>,
}

/// `[ceiling]`: what any agent may reach at most.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ceiling {
    #[serde(default)]
    pub(super) deny_hosts: Vec<String>,
    pub(super) allow_hosts: Option<Vec<String>>,
    #[serde(default)]
    pub(super) deny_dirs: Vec<String>,
    #[serde(default)]
    pub(super) require_approval: Vec<String>,
}

/// `[limits]`: defaults that SOUL.md only tightens, in its spelling.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) time: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) output: Option<String>,
    pub(super) disk: Option<String>,
    pub(super) rate: Option<String>,
    pub(super) egress: Option<String>,
    /// Calls of one agent, and of all agents together; not SOUL.md's to tighten.
    pub(super) agent_rate: Option<String>,
    pub(super) gateway_rate: Option<String>,
}

/// `[network]`: how skills' requests leave.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// Certificates (PEM) trusted beside the public ones.
    pub(super) ca_file: Option<String>,
    /// `http://host:port` of a proxy that speaks CONNECT.
    pub(super) proxy: Option<String>,
}

/// `[files]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    /// `refuse` (the default) or `allow` files with more than one hard link.
    pub(super) hard_links: Option<String>,
}

/// `[sandbox]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sandbox {
    /// `thread` (the default) or `process`: where calls run.
    pub(super) isolation: Option<String>,
}

/// `[trust]`: what an agent has to have beside the operator's word.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trust {
    /// A redteam run of exactly what is trusted, with nothing out.
    #[serde(default)]
    pub(super) require_redteam: bool,
}

/// `[secrets]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secrets {
    /// The operator's own key that seals secrets at rest.
    pub(super) key_file: Option<String>,
    /// `auto` (the default), `off` or `required`: whether the key is in the system's keyring.
    pub(super) keyring: Option<String>,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    /// `process` (the default) or `power`.
    pub(super) durability: Option<String>,
    /// The size at which a trail goes on in a new file.
    pub(super) rotate: Option<String>,
}

/// `[approvals]`: how a person is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approvals {
    /// No decision within this is a refusal.
    pub(super) timeout: Option<String>,
    /// `cli`, `mcp`, `webhook`: the ways by which a decision may come.
    pub(super) ways: Option<Vec<String>>,
    /// `wait` (the default) or `deny`, when nobody could decide at this moment.
    pub(super) nobody: Option<String>,
    /// Actions of one agent that may wait at once.
    pub(super) waiting: Option<u32>,
    /// Actions that may wait at once in all.
    pub(super) gateway_waiting: Option<u32>,
    /// How often one skill may ask: `30/minute`.
    pub(super) rate: Option<String>,
    /// The longest body of a request that can be shown to a person.
    pub(super) body: Option<String>,
    /// The longest content of a file that can be.
    pub(super) file: Option<String>,
    /// Where a waiting action is told, with a link to decide.
    pub(super) webhook: Option<String>,
    /// What the link begins with, where a proxy stands before the gateway.
    pub(super) address: Option<String>,
}

/// Reads the text. The error names line, column and key; for an unknown key those that there are and the nearest, for a known
/// one how it is written.
pub(super) fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let at = Place::of(text, &error);
        let hint = match nearest(error.message()) {
            Some(near) => format!("\n  hint: did you mean `{near}`?"),
            None => {
                at.key.and_then(|key| every_key::written(at.section, key)).map_or_else(String::new, |line| {
                    format!("\n  hint: it is written `{line}`; `soulbound gateway config` shows every key")
                })
            }
        };
        format!("{}{hint}", at.shown(&error))
    })
}

/// Where an error is.
struct Place<'a> {
    line: usize,
    column: usize,
    /// The table's name.
    section: &'a str,
    key: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let begun = before.rsplit('\n').next().unwrap_or_default();
        let (line, column) = (before.matches('\n').count() + 1, begun.chars().count() + 1);
        let whole = text.lines().nth(line - 1).unwrap_or_default();
        let key = whole.split_once('=').map(|(key, _)| key.trim()).filter(|key| {
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        });
        let section = before.lines().rev().find_map(|line| line.trim().strip_prefix('[')?.split(']').next());
        Self { line, column, section: section.unwrap_or_default().trim_start_matches('[').trim(), key }
    }

    /// The error with its place and its key, and without any text that stands there: a line may hold a credential, also one
    /// under a wrong key or in a wrong table, and the error goes to the log, the trail and whoever asks for the status.
    fn shown(&self, error: &toml::de::Error) -> String {
        let Self { line, column, .. } = self;
        let key = self.key.map_or_else(String::new, |key| format!("`{key}`: "));
        let quoted = |(part, text)| if part % 2 == 0 { text } else { "…" };
        let message: String = error.message().split('"').enumerate().map(quoted).collect();
        format!("line {line}, column {column}: {key}{message}")
    }
}

/// What an unknown key was probably meant as, from the error's own list: ``unknown field `x`, expected one of `a`, `b` ``.
fn nearest(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let found = quoted.next()?;
    soulbound_runtime::spelling::nearest(found, quoted).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_beside_a_credential_shows_nothing_of_it() {
        for text in [
            "[[alerts]]\nslack = \"https://hooks.example.com/T0/s3cr3t\" oops\n",
            "[[alerts]]\non = \"https://hooks.example.com/T0/s3cr3t\"\n",
            "[[alerts]]\ncommand = \"s3cr3t\"\n",
            "[[alerts]]\nsecret = s3cr3t\n",
            "[[channels]]\nchannel = \"a: b\"\naudience = \"public\"\nslack = \"https://h.example/s3cr3t\n",
            "slack = \"https://hooks.example.com/T0/s3cr3t\"\n",
            "alerts = [{ slack = \"https://hooks.example.com/s3cr3t\", on = 5 }]\n",
            "[audit]\nslack = \"https://hooks.example.com/s3cr3t\"\n",
            "[audit]\nrotate = [\"s3cr3t\"]\n",
            "[audit]\nrotate = s3cr3t\n",
            "[audit]\nrotate = \"64MiB\"\n[[alerts]]\nslack = [\"s3cr3t\"]\n",
            "[[alerts]]\nwebhook = { file = \"/x\", url = \"s3cr3t\" }\n",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("s3cr3t"), "{error}");
            assert!(error.contains("line "), "{error}");
        }
        let error = parse("[limits]\ntime = \"5s\"\nmemory = 5\n").unwrap_err();
        assert_eq!(
            error,
            "line 3, column 10: `memory`: invalid type: integer `5`, expected a string\n  \
             hint: it is written `memory = \"256MiB\"`; `soulbound gateway config` shows every key"
        );
    }

    #[test]
    fn an_unknown_key_is_an_error_with_the_nearest_one() {
        for (text, near) in [
            ("[ceiling]\ndeny_host = []\n", Some("deny_hosts")),
            ("[gatway]\n", Some("gateway")),
            ("[audit]\ndurabilty = \"power\"\n", Some("durability")),
            ("[gateway]\nlissten = \"x\"\n", Some("listen")),
            ("[elsewhere]\n", None),
        ] {
            let error = parse(text).unwrap_err();
            match near {
                Some(near) => assert!(error.ends_with(&format!("hint: did you mean `{near}`?")), "{error}"),
                None => assert!(!error.contains("did you mean"), "{error}"),
            }
        }
    }
}
