//! `gateway.toml`: what the operator decides for every agent. Strict: an unknown key is an error, and
//! every known one is enforced.

mod alerts;
pub(crate) mod approvals;
mod channels;
pub(crate) mod every_key;
mod file;
mod place;
pub(crate) mod restart;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use soulbound_runtime::RuleRef;
use soulbound_runtime::grant::host::HostCeiling;
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::grant::{ApprovalGrant, Limits};
use soulbound_runtime::sandbox::files::OpenRules;
use soulbound_runtime::sandbox::network::{NetworkConfig, ProxyUrl};
use soulbound_runtime::sandbox::worker::Isolation;
use soulbound_runtime::skill::Digest;

use crate::audit::{Durability, Options};
use crate::oversight::alerts::Target;
use crate::oversight::breakers::knobs::{self, Knobs};
use crate::oversight::channels::Binding;
use crate::oversight::outputs::OutputSettings;
use crate::oversight::secrets::place::KeySettings;
use crate::state::{StateFolder, home};

/// Where the gateway listens when nothing else is said.
const DEFAULT_LISTENER: &str = "127.0.0.1:7685";
/// The name under which settings stand in messages.
const FILE: &str = "gateway.toml";
/// The least size at which a trail is rotated, in bytes.
const ROTATE_LEAST: u64 = 1 << 20;
/// The largest settings file, in bytes.
const FILE_BYTES: u64 = 1 << 20;
/// The largest file of certificates, in bytes. All public ones together have a quarter of that.
const CERTIFICATE_BYTES: u64 = 1 << 20;

/// The operator's settings, read.
pub(crate) struct Settings {
    /// What any agent may reach over the network at most, and through what.
    pub(crate) network: NetworkConfig,
    /// Which directories may be granted.
    pub(crate) files: OpenRules,
    /// Where calls run.
    pub(crate) isolation: Isolation,
    /// Defaults, which SOUL.md only tightens.
    pub(crate) limits: Limits,
    /// How often one agent may call.
    pub(crate) agent_rate: Option<Rate>,
    /// How often all agents together may.
    pub(crate) gateway_rate: Option<Rate>,
    /// What is out of pattern, and what it trips.
    pub(crate) anomalies: Knobs,
    /// What must wait for a person whatever SOUL.md says.
    pub(crate) require_approval: Vec<ApprovalGrant>,
    /// Whether an agent runs only after redteam ran on exactly what is trusted of it.
    pub(crate) require_redteam: bool,
    /// Whom to tell of what.
    pub(crate) alerts: Vec<Target>,
    /// Where the channels that SOUL.md lists lead.
    pub(crate) channels: Vec<Binding>,
    deny_dirs: Vec<PathBuf>,
    deny_hosts: Vec<String>,
    allow_hosts: Option<Vec<String>>,
    /// Where the gateway listens.
    pub(crate) listen: SocketAddr,
    /// How a person is asked.
    pub(crate) approvals: approvals::Approvals,
    /// How the audit trails are kept.
    pub(crate) audit: Options,
    /// Where the key is that seals secrets at rest.
    pub(crate) secrets: KeySettings,
    /// What may never leave any agent.
    pub(crate) outputs: OutputSettings,
    /// SHA-256 of the file's bytes, of none when there is no file: the `policy` of the records.
    pub(crate) digest: Digest,
}

impl Settings {
    /// Reads the settings of a state folder; without a file, the defaults.
    pub(crate) fn read(state: &StateFolder) -> Result<Self> {
        let path = state.settings_file();
        let read = read_text(&path).and_then(|text| Self::parse(&path, &text.unwrap_or_default(), state));
        read.map_err(|error| {
            let text = format!("{error:#}");
            let remedy = if text.contains("\n  hint: ") {
                ""
            } else {
                "\n  hint: `soulbound gateway config` shows every key"
            };
            anyhow::anyhow!("{text}{remedy}")
        })
    }

    /// Reads the text of the file at `path`.
    pub(crate) fn parse(path: &Path, text: &str, state: &StateFolder) -> Result<Self> {
        let file = file::parse(text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        Self::build(file, state, Digest::of(text.as_bytes())).with_context(|| path.display().to_string())
    }

    /// The directories that no grant may touch, as the operator wrote them.
    pub(crate) fn denied_directories(&self) -> &[PathBuf] {
        &self.deny_dirs
    }

    /// The hosts that nothing may reach, as they are written.
    #[cfg(feature = "fuzz")]
    pub(crate) fn denied_hosts(&self) -> &[String] {
        &self.deny_hosts
    }

    fn build(file: file::File, state: &StateFolder, digest: Digest) -> Result<Self> {
        let ceiling = file.ceiling.unwrap_or_default();
        let mut network = NetworkConfig::default();
        network.ceiling = HostCeiling::parse(FILE, ceiling.allow_hosts.as_deref(), &ceiling.deny_hosts)
            .map_err(|(list, entry, error)| {
                anyhow::anyhow!("`{list}` entry `{entry}`: {}{}", error.message, hint(error.hint))
            })?;
        let listen = file.gateway.and_then(|gateway| gateway.listen);
        let listen = listener(listen.as_deref().unwrap_or(DEFAULT_LISTENER))?;
        network.own_listeners = vec![listen];
        if let Some(own) = file.network {
            network.extra_ca_pem = own.ca_file.map(|path| certificate(&path)).transpose()?;
            network.proxy = own
                .proxy
                .map(|url| ProxyUrl::parse(&url).map_err(|error| anyhow::anyhow!("`proxy`: {error}")))
                .transpose()?;
        }
        let channels = channels::read(file.channels.unwrap_or_default(), state.path())?;
        let deny_dirs = ceiling.deny_dirs.iter().map(|text| directory(text)).collect::<Result<Vec<_>>>()?;
        let mut files = OpenRules::default();
        files.state_folder = Some(state.path().to_owned());
        files.deny = deny_dirs.clone();
        files.home = home();
        files.path =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        files.allow_hard_links = match file.files.and_then(|files| files.hard_links).as_deref() {
            None | Some("refuse") => false,
            Some("allow") => true,
            Some(other) => bail!("`[files] hard_links` is `{other}`; expected `allow` or `refuse`"),
        };
        let written = file.limits.unwrap_or_default();
        let rate_of = |name: &str, text: &Option<String>| {
            let read = |text: &String| knobs::rate("rate", &format!("[limits] {name}"), text);
            text.as_ref().map(read).transpose()
        };
        // What an agent sent stays as it was sent: no grant touches a channel's file.
        files.deny.extend(channels.iter().filter_map(Binding::folder));
        Ok(Self {
            network,
            files,
            isolation: isolation(file.sandbox.unwrap_or_default())?,
            agent_rate: rate_of("agent_rate", &written.agent_rate)?,
            gateway_rate: rate_of("gateway_rate", &written.gateway_rate)?,
            anomalies: Knobs::read(file.anomalies.unwrap_or_default())?,
            limits: limits(written)?,
            require_approval: approvals::required(&ceiling.require_approval)?,
            require_redteam: file.trust.unwrap_or_default().require_redteam,
            approvals: approvals::read(file.approvals.unwrap_or_default())?,
            alerts: alerts::read(file.alerts.unwrap_or_default())?,
            channels,
            deny_dirs,
            deny_hosts: ceiling.deny_hosts,
            allow_hosts: ceiling.allow_hosts,
            listen,
            audit: audit(file.audit.unwrap_or_default())?,
            secrets: secrets(file.secrets.unwrap_or_default())?,
            outputs: file.outputs.map_or_else(|| Ok(OutputSettings::default()), OutputSettings::read)?,
            digest,
        })
    }

    /// Whether a host that these settings forbid was allowed under the others. Judged by the lists alone, so an entry that is
    /// only written otherwise counts too.
    pub(crate) fn narrows_hosts(&self, before: &Self) -> bool {
        let denies_more = self.deny_hosts.iter().any(|host| !before.deny_hosts.contains(host));
        let allows_less = match (&self.allow_hosts, &before.allow_hosts) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(now), Some(then)) => then.iter().any(|host| !now.contains(host)),
        };
        denies_more || allows_less
    }

    /// Whether a channel leads elsewhere than before, or nowhere any more.
    pub(crate) fn narrows_channels(&self, before: &Self) -> bool {
        before.channels.iter().any(|binding| !self.channels.contains(binding))
    }

    /// Whether something waits for a person under these settings that did not under the others.
    pub(crate) fn asks_more(&self, before: &Self) -> bool {
        let asked = |what| before.require_approval.iter().any(|grant| &grant.what == what);
        self.require_approval.iter().any(|grant| !asked(&grant.what))
    }
}

fn read_text(path: &Path) -> Result<Option<String>> {
    use std::io::Read;
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("`{}` cannot be read", path.display()))?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("`{}` cannot be read", path.display()))?;
    if text.len() as u64 > FILE_BYTES {
        bail!("`{}` has more than {FILE_BYTES} bytes", path.display());
    }
    Ok(Some(text))
}

fn hint(hint: Option<String>) -> String {
    hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default()
}

fn listener(text: &str) -> Result<SocketAddr> {
    let address: SocketAddr = text.parse().with_context(|| {
        format!("`[gateway] listen` is `{text}`; expected an address such as `{DEFAULT_LISTENER}`")
    })?;
    // Tokens would cross the network in the clear.
    if !address.ip().is_loopback() {
        bail!(
            "`[gateway] listen` is `{text}`, which others can reach, and the gateway speaks no TLS\n  hint: listen on `{DEFAULT_LISTENER}`, and let a proxy that does speak TLS forward to it"
        );
    }
    Ok(address)
}

/// Where calls run.
fn isolation(file: file::Sandbox) -> Result<Isolation> {
    match file.isolation.as_deref() {
        None | Some("thread") => Ok(Isolation::Thread),
        Some("process") => Ok(Isolation::Process),
        Some(other) => bail!("`[sandbox] isolation` is `{other}`; expected `thread` or `process`"),
    }
}

/// How the trails are kept.
fn audit(file: file::Audit) -> Result<Options> {
    let durability = match file.durability.as_deref() {
        None | Some("process") => Durability::Process,
        Some("power") => Durability::Power,
        Some(other) => bail!("`[audit] durability` is `{other}`; expected `process` or `power`"),
    };
    let mut options = Options { durability, ..Options::default() };
    if let Some(text) = file.rotate {
        let bytes = soulbound_runtime::grant::limit::bytes(&text)
            .with_context(|| format!("`[audit] rotate` is `{text}`; expected a size such as `64MiB`"))?;
        if bytes < ROTATE_LEAST {
            bail!("`[audit] rotate` is `{text}`; at least 1MiB makes sense");
        }
        options.rotate = bytes;
    }
    Ok(options)
}

/// Where the key that seals secrets is.
fn secrets(file: file::Secrets) -> Result<KeySettings> {
    let key_file = file.key_file.map(|path| directory(&path).context("`[secrets] key_file`")).transpose()?;
    KeySettings::read(key_file, file.keyring.as_deref())
}

fn certificate(path: &str) -> Result<Vec<u8>> {
    let path = directory(path)?;
    let shown = path.display();
    let real =
        path.canonicalize().with_context(|| format!("`[network] ca_file` `{shown}` cannot be read"))?;
    // Never a device or a FIFO: reading one of those has no end.
    soulbound_runtime::skill::files::read_file(&real, CERTIFICATE_BYTES)
        .with_context(|| format!("`[network] ca_file` `{shown}`"))
}

/// An operator's path: absolute, or below `~`.
fn directory(text: &str) -> Result<PathBuf> {
    let path = match text.strip_prefix("~") {
        Some("") => home().context("`~` needs HOME")?,
        Some(below) if below.starts_with('/') => {
            home().context("`~` needs HOME")?.join(below.trim_start_matches('/'))
        }
        _ => PathBuf::from(text),
    };
    if path.is_absolute() { Ok(path) } else { bail!("`{text}` is not absolute; write it from `/` or `~/`") }
}

/// The operator's limits over the built-in ones.
fn limits(file: file::Limits) -> Result<Limits> {
    let mut limits = Limits::default();
    let given = [
        ("rate", file.rate),
        ("time", file.time),
        ("memory", file.memory),
        ("output", file.output),
        ("disk", file.disk),
        ("egress", file.egress),
    ];
    for (name, value) in given {
        let Some(value) = value else { continue };
        let rule =
            RuleRef { file: FILE.to_owned(), line: 0, column: 0, text: format!("{name} = \"{value}\"") };
        limits
            .add(&format!("{name} {value}"), rule)
            .map_err(|error| anyhow::anyhow!("`[limits] {name}`: {}{}", error.message, hint(error.hint)))?;
    }
    limits.rule = None;
    Ok(limits.over(&soulbound_runtime::sandbox::default_limits()))
}
