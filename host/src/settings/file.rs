//! The shape of `gateway.toml`: every key that there is, in one place.

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) gateway: Option<Gateway>,
    pub(super) ceiling: Option<Ceiling>,
    pub(super) limits: Option<Limits>,
    pub(super) network: Option<Network>,
    pub(super) files: Option<Files>,
    pub(super) audit: Option<Audit>,
    pub(super) approvals: Option<Approvals>,
    // Known, and not enforced by this build: `unenforced` refuses them.
    pub(super) alerts: Option<toml::Value>,
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

/// Reads the text. The error names line, column and, for an unknown key, those that there are and the nearest.
pub(super) fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let hint = nearest(error.message()).map(|near| format!("\n  hint: did you mean `{near}`?"));
        format!("{}{}", error.to_string().trim_end(), hint.unwrap_or_default())
    })
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
