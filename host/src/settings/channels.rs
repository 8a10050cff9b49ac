//! `[[channels]]`: where the channels that SOUL.md lists really lead.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use soulbound_runtime::grant::channel;
use soulbound_runtime::visible;

use super::place::{Credential, Keys, Telegram, agents};
use crate::oversight::channels::{Audience, Binding, Review, Where};

/// How many there may be.
const CHANNELS: usize = 256;
/// Names of files that steer agents and programs: an agent's words must not become one of them.
const STEERING: &[&str] =
    &["soul.md", "skill.md", "heartbeat.md", "agents.md", "claude.md", "memory.md", "tools.md"];

/// One entry as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// As SOUL.md lists it: `slack: content-team`.
    channel: String,
    audience: String,
    review: Option<String>,
    agents: Option<Vec<String>>,
    slack: Option<Credential>,
    discord: Option<Credential>,
    telegram: Option<Telegram>,
    webhook: Option<Credential>,
    secret: Option<Credential>,
    file: Option<String>,
}

/// All of them.
pub(super) fn read(entries: Vec<Entry>, state: &Path) -> Result<Vec<Binding>> {
    if entries.len() > CHANNELS {
        bail!("more than {CHANNELS} `[[channels]]`");
    }
    let mut bindings: Vec<Binding> = Vec::new();
    for entry in entries {
        let shown = visible::quoted_target(&entry.channel);
        let binding = one(entry, state).with_context(|| format!("`[[channels]]` {shown}"))?;
        if let Some(other) = bindings.iter().find(|other| other.overlaps(&binding)) {
            bail!(
                "`[[channels]]` {shown} is bound twice for one agent, the second time to {}",
                other.place.kind()
            );
        }
        bindings.push(binding);
    }
    Ok(bindings)
}

fn one(entry: Entry, state: &Path) -> Result<Binding> {
    let (kind, target) =
        channel::parse(&entry.channel).map_err(|error| anyhow::anyhow!("{}", error.message))?;
    let channel = format!("{kind}: {target}");
    let audience = match entry.audience.as_str() {
        "internal" => Audience::Internal,
        "public" => Audience::Public,
        other => bail!("`audience` is `{}`; expected `internal` or `public`", visible::line(other)),
    };
    let review = match (entry.review.as_deref(), audience) {
        (Some("always"), _) => Review::Always,
        (Some("soul"), _) | (None, Audience::Internal) => Review::AsSoulSays,
        // What strangers read is reviewed unless the operator says otherwise, in so many words.
        (None, Audience::Public) => Review::Always,
        (Some(other), _) => {
            bail!("`review` is `{}`; expected `always` or `soul` (as SOUL.md says)", visible::line(other))
        }
    };
    let Entry { slack, discord, telegram, webhook, secret, .. } = entry;
    let places = Keys { slack, discord, telegram, webhook, secret }.read()?;
    let mut places: Vec<Where> = places.into_iter().map(Where::Place).collect();
    if let Some(file) = entry.file {
        places.push(Where::File(file_of(&file, state)?));
    }
    let mut places = places.into_iter();
    let (Some(place), None) = (places.next(), places.next()) else {
        bail!("expected exactly one of `slack`, `discord`, `telegram`, `webhook`, `file`");
    };
    Ok(Binding { channel, agents: agents(entry.agents)?, audience, review, place })
}

/// A file in a directory of its own: no grant may touch that directory, so it is nobody's home.
fn file_of(text: &str, state: &Path) -> Result<PathBuf> {
    let path = super::directory(text)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    if name.is_empty() || name.starts_with('.') || STEERING.contains(&name.as_str()) {
        bail!("`file` is `{}`: its name steers other programs, or is none", path.display());
    }
    let folder = path.parent().context("`file` has a folder")?;
    let real =
        folder.canonicalize().with_context(|| format!("the folder of `file`, `{}`", folder.display()))?;
    if real != folder {
        bail!(
            "`file` goes through a link: `{}` is `{}`\n  hint: write where it leads",
            folder.display(),
            real.display()
        );
    }
    let state = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    if real.starts_with(&state) {
        bail!("`file` lies in the state folder");
    }
    if real.join("SOUL.md").exists() || real.join("SKILL.md").exists() {
        bail!("`file` lies in the folder of an agent or a skill");
    }
    Ok(path)
}
