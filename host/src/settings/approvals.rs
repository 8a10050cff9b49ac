//! `[approvals]` and `[ceiling] require_approval`: what waits for a person whatever SOUL.md says, and how a person is asked.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use soulbound_runtime::grant::ApprovalGrant;
use soulbound_runtime::grant::limit::duration;
use soulbound_runtime::sandbox::network::OutboundUrl;
use soulbound_runtime::{RuleRef, spelling};

use super::{FILE, file, hint};

/// The longest that an action may wait: whoever is asked after a day decides about another world.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// The most that may wait at once: each holds up to a file's content in memory.
const MOST_WAITING: u32 = 10_000;
/// The most bytes of a body or a file that are kept for a person.
const MOST_BYTES: u64 = 64 << 20;

/// How a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approvals {
    /// No decision within this is a refusal.
    pub(crate) timeout: Duration,
    /// The ways by which a decision may come.
    pub(crate) ways: Ways,
    /// Whether to refuse at once when nobody could decide at this moment.
    pub(crate) deny_when_nobody: bool,
    /// Actions of one agent that may wait at once.
    pub(crate) waiting: usize,
    /// Actions that may wait at once in all.
    pub(crate) gateway_waiting: usize,
    /// How often one skill may ask in a minute.
    pub(crate) per_minute: u32,
    /// The longest body of a request that is shown, in bytes; a longer one is a denial.
    pub(crate) body_bytes: u64,
    /// The longest content of a file that is shown, in bytes; a longer one is a denial.
    pub(crate) file_bytes: u64,
    /// Where a waiting action is told.
    pub(crate) webhook: Option<String>,
    /// What links to the gateway begin with, without a slash at the end.
    pub(crate) address: Option<String>,
}

/// The ways by which a decision may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ways {
    /// The command line.
    pub(crate) cli: bool,
    /// A form in the agent's own client.
    pub(crate) mcp: bool,
    /// A link that a webhook is told.
    pub(crate) webhook: bool,
}

impl Default for Approvals {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            ways: Ways { cli: true, mcp: false, webhook: false },
            deny_when_nobody: false,
            waiting: 32,
            gateway_waiting: 256,
            per_minute: 30,
            body_bytes: 1 << 20,
            file_bytes: 8 << 20,
            webhook: None,
            address: None,
        }
    }
}

/// Reads `[approvals]`.
pub(super) fn read(file: file::Approvals) -> Result<Approvals> {
    let mut approvals = Approvals::default();
    if let Some(text) = &file.timeout {
        let time = duration(text);
        let time = time.filter(|time| !time.is_zero() && *time <= LONGEST);
        approvals.timeout = time.with_context(|| {
            format!("`[approvals] timeout` is `{text}`; expected a time such as `120s`, at most a day")
        })?;
    }
    if let Some(text) = &file.rate {
        let rate = text.strip_suffix("/minute").and_then(|number| number.parse().ok());
        approvals.per_minute = rate.filter(|rate| *rate > 0).with_context(|| {
            format!("`[approvals] rate` is `{text}`; expected how often a minute, such as `30/minute`")
        })?;
    }
    approvals.waiting = count("waiting", file.waiting, approvals.waiting)?;
    approvals.gateway_waiting = count("gateway_waiting", file.gateway_waiting, approvals.gateway_waiting)?;
    approvals.body_bytes = size("body", file.body, approvals.body_bytes)?;
    approvals.file_bytes = size("file", file.file, approvals.file_bytes)?;
    approvals.deny_when_nobody = match file.nobody.as_deref() {
        None | Some("wait") => false,
        Some("deny") => true,
        Some(other) => bail!("`[approvals] nobody` is `{other}`; expected `wait` or `deny`"),
    };
    if let Some(named) = &file.ways {
        approvals.ways = ways(named)?;
    }
    approvals.webhook = file.webhook.map(|url| place(&url)).transpose()?;
    approvals.address = file
        .address
        .map(|url| web(&url, "address"))
        .transpose()?
        .map(|url| url.trim_end_matches('/').to_owned());
    match (approvals.ways.webhook, approvals.webhook.is_some()) {
        (true, false) => {
            bail!(
                "`[approvals] ways` has `webhook`, and there is no `webhook`\n  hint: webhook = \"https://…\""
            )
        }
        (false, true) => bail!(
            "`[approvals] webhook` is set, and `ways` does not have it\n  hint: ways = [\"cli\", \"webhook\"]"
        ),
        _ => Ok(approvals),
    }
}

/// Reads `[ceiling] require_approval`. In SOUL.md a tool's name is held against the skill's; here there is no skill to ask, so what
/// is nearly one of the words is taken for a slip: as a tool's name it would protect nothing. And a method's name in lower case,
/// `delete`, is also the method: which of the two was meant, a ceiling need not guess.
pub(super) fn required(entries: &[String]) -> Result<Vec<ApprovalGrant>> {
    let parse = |entry: &String| {
        let slip = spelling::nearest(entry, ["writes", "always"]).filter(|word| word != entry);
        if let Some(word) = slip {
            bail!(
                "`require_approval` entry `{entry}` is the name of no method, and nearly a word\n  hint: did you mean `{word}`? for a tool of that name: `approve: {entry}` in SOUL.md"
            );
        }
        let text = format!("require_approval = [\"{entry}\"]");
        let rule = RuleRef { file: FILE.to_owned(), line: 0, column: 0, text };
        let mut granted = vec![ApprovalGrant::parse(entry, rule.clone()).map_err(|error| {
            anyhow::anyhow!("`require_approval` entry `{entry}`: {}{}", error.message, hint(error.hint))
        })?];
        granted.extend(ApprovalGrant::method_of(entry, rule));
        Ok(granted)
    };
    Ok(entries.iter().map(parse).collect::<Result<Vec<_>>>()?.concat())
}

fn ways(named: &[String]) -> Result<Ways> {
    const NAMES: [&str; 3] = ["cli", "mcp", "webhook"];
    let mut ways = Ways { cli: false, mcp: false, webhook: false };
    for name in named {
        match name.as_str() {
            "cli" => ways.cli = true,
            "mcp" => ways.mcp = true,
            "webhook" => ways.webhook = true,
            other => {
                let near =
                    spelling::nearest(other, NAMES).map(|near| format!("\n  hint: did you mean `{near}`?"));
                bail!(
                    "`[approvals] ways` has `{other}`; the ways are `cli`, `mcp` and `webhook`{}",
                    near.unwrap_or_default()
                );
            }
        }
    }
    Ok(ways)
}

fn count(name: &str, given: Option<u32>, default: usize) -> Result<usize> {
    match given {
        None => Ok(default),
        Some(number @ 1..=MOST_WAITING) => Ok(number as usize),
        Some(number) => bail!("`[approvals] {name}` is {number}; expected 1 to {MOST_WAITING}"),
    }
}

fn size(name: &str, given: Option<String>, default: u64) -> Result<u64> {
    let Some(text) = given else { return Ok(default) };
    let bytes = soulbound_runtime::grant::limit::bytes(&text).filter(|bytes| *bytes <= MOST_BYTES);
    bytes.with_context(|| {
        format!("`[approvals] {name}` is `{text}`; expected a size such as `1MiB`, at most 64MiB")
    })
}

/// The webhook: a place that the host's own way out reaches. It may hold a credential, so no error repeats it.
fn place(url: &str) -> Result<String> {
    OutboundUrl::parse(url).map_err(|error| anyhow::anyhow!("`[approvals] webhook`: {error}"))?;
    Ok(url.to_owned())
}

/// An address of the web: encrypted, or on this machine.
fn web(url: &str, name: &str) -> Result<String> {
    let parsed: http::Uri =
        url.parse().with_context(|| format!("`[approvals] {name}` is `{url}`, which is no URL"))?;
    let host = parsed.host().unwrap_or_default();
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match parsed.scheme_str() {
        Some("https") if !host.is_empty() => Ok(url.to_owned()),
        Some("http") if local => Ok(url.to_owned()),
        _ => bail!(
            "`[approvals] {name}` is `{url}`; whoever reads along could decide\n  hint: use https, or an address of this machine"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_toml(text: &str) -> Result<Approvals> {
        read(toml::from_str(text).unwrap())
    }

    #[test]
    fn what_is_set_is_read_and_what_makes_no_sense_is_an_error_that_names_it() {
        assert_eq!(read_toml("").unwrap(), Approvals::default());
        let all = "timeout = \"5s\"\nways = [\"mcp\", \"webhook\"]\nnobody = \"deny\"\nwaiting = 2\ngateway_waiting = 3\nrate = \"4/minute\"\nbody = \"5KiB\"\nfile = \"6KiB\"\nwebhook = \"https://x.example/hook\"\naddress = \"https://gate.example/\"\n";
        let expected = Approvals {
            timeout: Duration::from_secs(5),
            ways: Ways { cli: false, mcp: true, webhook: true },
            deny_when_nobody: true,
            waiting: 2,
            gateway_waiting: 3,
            per_minute: 4,
            body_bytes: 5 << 10,
            file_bytes: 6 << 10,
            webhook: Some("https://x.example/hook".to_owned()),
            address: Some("https://gate.example".to_owned()),
        };
        assert_eq!(read_toml(all).unwrap(), expected);
        for (text, named) in [
            ("timeout = \"0s\"", "timeout"),
            ("timeout = \"soon\"", "timeout"),
            ("timeout = \"2000m\"", "timeout"),
            ("ways = [\"clii\"]", "did you mean `cli`"),
            ("nobody = \"panic\"", "nobody"),
            ("waiting = 0", "waiting"),
            ("gateway_waiting = 100000", "gateway_waiting"),
            ("rate = \"30\"", "rate"),
            ("rate = \"0/minute\"", "rate"),
            ("body = \"1GiB\"", "body"),
            ("ways = [\"webhook\"]", "no `webhook`"),
            ("webhook = \"https://x.example\"", "ways"),
            ("ways = [\"webhook\"]\nwebhook = \"http://x.example\"", "https"),
            ("ways = [\"webhook\"]\nwebhook = \"nowhere\"", "webhook"),
        ] {
            let error = format!("{:#}", read_toml(text).unwrap_err());
            assert!(error.contains(named), "{text}: {error}");
        }
        assert!(read_toml("ways = [\"webhook\"]\nwebhook = \"http://127.0.0.1:1/x\"").is_ok());
    }
}
