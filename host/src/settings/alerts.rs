//! `[[alerts]]`: whom to tell of what.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use soulbound_runtime::{grant::limit, spelling, visible};

use super::place::{Credential, Keys, Telegram, agents};
use crate::oversight::alerts::{About, Command, Target, Way};

/// How many targets there may be.
const TARGETS: usize = 32;
/// Between two messages of one kind about one agent.
const COOLDOWN: Duration = Duration::from_secs(60);
/// A cool-down is no way to switch an alert off.
const COOLDOWN_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a command may run.
const COMMAND_TIME: Duration = Duration::from_secs(10);
const COMMAND_TIME_MOST: Duration = Duration::from_secs(60);

/// One entry as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    name: Option<String>,
    slack: Option<Credential>,
    discord: Option<Credential>,
    telegram: Option<Telegram>,
    webhook: Option<Credential>,
    secret: Option<Credential>,
    command: Option<Vec<String>>,
    /// How long the command may run.
    time: Option<String>,
    on: Option<Vec<String>>,
    agents: Option<Vec<String>>,
    cooldown: Option<String>,
    action: Option<String>,
}

/// All of them.
pub(super) fn read(entries: Vec<Entry>) -> Result<Vec<Target>> {
    if entries.len() > TARGETS {
        bail!("more than {TARGETS} `[[alerts]]`");
    }
    let mut targets: Vec<Target> = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let named =
            entry.name.as_ref().map(|name| format!(" (`{}`)", visible::line(name))).unwrap_or_default();
        let mut target = one(entry).with_context(|| format!("`[[alerts]]` number {}{named}", index + 1))?;
        if target.name.is_empty() {
            let kind = target.way.kind();
            let taken = |name: &str| targets.iter().any(|other| other.name == name);
            let mut free = (1..).map(|n| if n == 1 { kind.to_owned() } else { format!("{kind}-{n}") });
            target.name = free.find(|name| !taken(name)).unwrap_or_default();
        }
        if targets.iter().any(|other| other.name == target.name) {
            bail!("two `[[alerts]]` are called `{}`", target.name);
        }
        targets.push(target);
    }
    Ok(targets)
}

fn one(entry: Entry) -> Result<Target> {
    let Entry { slack, discord, telegram, webhook, secret, .. } = entry;
    let places = Keys { slack, discord, telegram, webhook, secret }.read()?;
    let mut ways: Vec<Way> = places.into_iter().map(Way::Post).collect();
    match (entry.command, entry.time) {
        (Some(argv), time) => ways.push(Way::Run(command(argv, time.as_deref())?)),
        (None, Some(_)) => bail!("`time` is for `command` alone"),
        (None, None) => {}
    }
    let mut ways = ways.into_iter();
    let (Some(way), None) = (ways.next(), ways.next()) else {
        bail!("expected exactly one of `slack`, `discord`, `telegram`, `webhook`, `command`");
    };
    let name = entry.name.unwrap_or_default();
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') || name.len() > 64 {
        bail!("`name` is letters, digits and `-`, at most 64");
    }
    let cooldown = match entry.cooldown {
        None => COOLDOWN,
        Some(text) => duration("cooldown", &text, COOLDOWN_MOST)?,
    };
    let disables = match entry.action.as_deref() {
        None => false,
        Some("disable") => true,
        Some(other) => bail!("`action` is `{}`; the only one is `disable`", visible::line(other)),
    };
    Ok(Target { name, way, on: about(entry.on)?, agents: agents(entry.agents)?, cooldown, disables })
}

fn about(on: Option<Vec<String>>) -> Result<Vec<About>> {
    let Some(on) = on else { return Ok(About::USUAL.to_vec()) };
    if on.is_empty() {
        bail!("`on` is empty, so nothing would ever be told");
    }
    let names = || About::ALL.iter().map(|about| about.name());
    let parse = |word: &String| match About::parse(word) {
        Some(about) => Ok(about),
        None => {
            let all = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let near =
                spelling::nearest(word, names()).map(|near| format!("\n  hint: did you mean `{near}`?"));
            bail!("`on` has `{}`; expected {all}{}", visible::line(word), near.unwrap_or_default())
        }
    };
    on.iter().map(parse).collect()
}

fn command(argv: Vec<String>, time: Option<&str>) -> Result<Command> {
    let Some(program) = argv.first() else { bail!("`command` is empty") };
    // No search on a path that somebody's profile sets, and no shell.
    if !program.starts_with('/') {
        bail!("`command` starts with `{}`; write the program's whole path", visible::line(program));
    }
    if argv.iter().any(|word| word.contains('\0')) {
        bail!("`command` holds a NUL");
    }
    let time = match time {
        None => COMMAND_TIME,
        Some(text) => duration("time", text, COMMAND_TIME_MOST)?,
    };
    Ok(Command { argv, time })
}

fn duration(key: &str, text: &str, most: Duration) -> Result<Duration> {
    let read = if text == "0s" { Some(Duration::ZERO) } else { limit::duration(text) };
    match read {
        Some(time) if time <= most => Ok(time),
        Some(_) => bail!("`{key}` is `{}`; at most {} s", visible::line(text), most.as_secs()),
        None => bail!("`{key}` is `{}`; expected a time such as `5m`", visible::line(text)),
    }
}
