//! Returning to what is trusted: the trusted bytes back into the folder, or an earlier manifest.
//!
//! The rule: what is trusted is written down first, the folder after it. Killed in between, the folder differs from what is
//! trusted, which narrows, and the same command goes on where it stopped. What is replaced is kept.

use std::path::Path;

use anyhow::{Result, bail};
use soulbound_runtime::Soul;
use soulbound_runtime::sandbox::files::OpenRules;
use soulbound_runtime::skill::Digest;

use super::act::{Asks, Done, asked, short, trusting, write};
use super::change::{Amounts, Change};
use super::event::{Event, What};
use super::manifest::Manifest;
use super::record::{How, Record};
use super::registry::Registry;
use super::restore;
use super::standing::{self, Standing};
use super::trusted::Trusted;
use crate::agent::sources;
use crate::operator::Who;

/// Rolls an agent back.
pub(super) fn roll_back(
    registry: &Registry,
    id: &str,
    to: Option<Digest>,
    who: Who,
    asks: Asks,
) -> Result<Done> {
    let mut record = registry.record(id)?;
    let before = record.trusted;
    let target = match to {
        Some(to) => to,
        None => default_target(registry, &record)?,
    };
    if !record.history.iter().any(|act| act.manifest == target) {
        bail!(
            "{} was never trusted for agent `{id}`\n  hint: `soulbound agents history {id}` lists what was",
            short(target)
        );
    }
    if target == before && stands(registry, &record)?.is_as_trusted() {
        bail!("{}", already(id, target));
    }
    Manifest::load(registry.store(), target)?.verify(registry.store())?;
    let trusted = Trusted::load(registry.store(), id, &record.folder, target)?;
    let in_force = in_force(registry, &record);
    if target != before {
        // Putting back the bytes of what is trusted already trusts nothing.
        asked(registry, target, asks, &format!("soulbound redteam {id} --manifest {}", short(target)))?;
        record.accept(trusting(target, How::RolledBack, &who));
        record.name = trusted.soul.name().to_owned();
        write(registry, record.clone(), &trusted)?;
    }
    let put_back = restore::put_back(registry.store(), &trusted)?;
    // With the stamps of the files as they are now.
    write(registry, record, &trusted)?;
    // Bytes can be put back; a directory that is another one only by whoever moved it.
    let left =
        Standing::of(&trusted, &sources(&trusted.folder, Some(registry.state())), &OpenRules::default());
    let mut said = gained(in_force, left.effective.as_ref().unwrap_or(&trusted.soul), &trusted.folder);
    said.extend(put_back);
    said.extend(left.changes.iter().map(|change| {
        let skill = change.skill.as_ref().map(|skill| format!("{skill}: ")).unwrap_or_default();
        format!("still differs: {skill}{}", change.text)
    }));
    said.push(match (target == before, left.is_as_trusted()) {
        (false, _) => format!("agent `{id}`: {} is trusted again, and was {}", short(target), short(before)),
        (true, true) => format!("agent `{id}` is as trusted again: {}", short(target)),
        (true, false) => format!("agent `{id}` is not yet as trusted: {}", short(target)),
    });
    let what = What::RolledBack { manifest: target, before };
    if left.changes.iter().any(|change| change.directory.is_some()) {
        said.push(format!("  hint: rollback puts files back, not directories: {}", standing::put_back(id)));
    }
    let falls_short = target == before && !left.is_as_trusted();
    Ok(Done { event: Event { agent: id.to_owned(), what, who }, said, falls_short })
}

/// What could be reached before: what was trusted, narrowed by how the folder stood.
struct InForce {
    soul: Soul,
    /// Whether nothing ran, since the folder's SOUL.md could not be used.
    is_nothing: bool,
}

fn in_force(registry: &Registry, record: &Record) -> Result<InForce> {
    let effective = stands(registry, record)?.effective;
    let is_nothing = effective.is_none();
    let soul = match effective {
        Some(soul) => soul,
        None => Trusted::load(registry.store(), &record.id, &record.folder, record.trusted)?.soul,
    };
    Ok(InForce { soul, is_nothing })
}

/// What more may be reached than until now, in the words of `agents diff`.
fn gained(in_force: Result<InForce>, now: &Soul, folder: &Path) -> Vec<String> {
    let InForce { soul, is_nothing } = match in_force {
        Ok(in_force) => in_force,
        Err(error) => return vec![format!("what this widens cannot be told: {error:#}")],
    };
    let all = format!("{}: nothing of it ran, and what is trusted may run again", Amounts::Widening.word());
    let changes = soul.differences(now, folder).into_iter().map(Change::from);
    let wider = changes.filter(|change| change.effect == Amounts::Widening).map(|change| {
        let skill = change.skill.as_ref().map(|skill| format!("{skill}: ")).unwrap_or_default();
        format!("{} {skill}{}", change.effect.word(), change.text)
    });
    is_nothing.then_some(all).into_iter().chain(wider).collect()
}

/// What is trusted now, if the folder differs from it; else what was before.
fn default_target(registry: &Registry, record: &Record) -> Result<Digest> {
    if !stands(registry, record)?.is_as_trusted() {
        return Ok(record.trusted);
    }
    match record.before() {
        Some(before) => Ok(before),
        None => bail!(
            "{}, and nothing was trusted before that\n  hint: `soulbound agents history {id}` lists what was trusted, `--to` \
             returns to any of it; `soulbound agents disable {id}` stops the agent",
            already(&record.id, record.trusted),
            id = record.id
        ),
    }
}

/// How the folder stands, wherever directories may be.
fn stands(registry: &Registry, record: &Record) -> Result<Standing> {
    let trusted = Trusted::load(registry.store(), &record.id, &record.folder, record.trusted)?;
    Ok(Standing::of(&trusted, &sources(&record.folder, Some(registry.state())), &OpenRules::default()))
}

/// What an operator is told who asks for what is so.
fn already(id: &str, at: Digest) -> String {
    format!("agent `{id}` is already at {}, as it was trusted: nothing to roll back", short(at))
}
