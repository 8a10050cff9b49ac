//! What the gateway holds of the audit: the hands that work for all trails, one book for each agent, and its own trail.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use soulbound_runtime::sandbox::Access;
use soulbound_runtime::skill::Digest;

use super::background::Background;
use super::entry::{CallEntry, OutcomeEntry};
use super::error::AuditError;
use super::event::Event;
pub(crate) use super::heartbeat::Header;
use super::heartbeat::{Heartbeat, Watcher};
use super::intent::Intent;
use super::keys::Keys;
use super::opening::{self, Hands, Opening, Past};
use super::settle::Settler;
use super::tip::Tip;
use super::trail::{Durability, Options, Trail};
use crate::oversight::breakers::open::Open;

/// The name under which the gateway's own trail is kept. Not a slug, so no agent can have it.
pub(crate) const GATEWAY: &str = "(gateway)";
/// Tips of so many agents stand in one record.
const TIPS: usize = 256;

/// The audit of one state folder, for the holder of its lock. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Audit {
    state: PathBuf,
    hands: Hands,
}

impl Audit {
    /// Reads or makes the keys, and starts the threads that all trails share.
    pub(crate) fn open(state: &Path, options: Options) -> Result<Self, AuditError> {
        let threads = AuditError::file("served by a thread", state);
        let keys = Keys::open(state)?;
        let started = Background::start().and_then(|background| {
            let settler = (options.durability == Durability::Power).then(Settler::start).transpose()?;
            Ok((background, settler))
        });
        let (background, settler) = started.map_err(threads)?;
        Ok(Self { state: state.to_owned(), hands: Hands { keys, background, settler, options } })
    }

    /// Opens an agent's book. Its folder is made if it is not there.
    pub(crate) fn book(&self, agent: &str, header: Header) -> Result<(Book, Opening), AuditError> {
        let folder = agent_folder(&self.state, agent);
        super::keys::make_folder(&folder)?;
        let heartbeat = Heartbeat::new(&folder, header, self.hands.background.clone());
        let watcher = Arc::clone(&heartbeat) as Arc<dyn Watcher>;
        let (trail, opening) = opening::open(&folder, agent, &self.hands, Some(watcher), Past::Unknown)?;
        heartbeat.breakers(Open::read(&folder).lines());
        heartbeat.begin();
        Ok((Book { trail, heartbeat }, opening))
    }

    /// Opens the gateway's own trail.
    pub(crate) fn gateway(&self) -> Result<(GatewayTrail, Opening), AuditError> {
        let folders = agent_folders(&self.state).map_err(AuditError::file("listed", &self.state))?;
        // The gateway's own begins before the first agent's folder is made.
        let past = if folders.is_empty() { Past::Unknown } else { Past::Certain };
        let (trail, opening) = opening::open(&self.state, GATEWAY, &self.hands, None, past)?;
        Ok((GatewayTrail { trail }, opening))
    }
}

/// Where an agent's trail is.
pub(crate) fn agent_folder(state: &Path, agent: &str) -> PathBuf {
    state.join("agents").join(agent)
}

/// The agents with a folder, removed ones too.
pub(crate) fn agent_folders(state: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(state.join("agents")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut agents = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let (true, Ok(name)) = (entry.file_type()?.is_dir(), entry.file_name().into_string()) {
            agents.push(name);
        }
    }
    Ok(agents)
}

/// An agent's trail and its HEARTBEAT.md: what is written to the one is shown by the other. Clones are the same book.
#[derive(Clone)]
pub(crate) struct Book {
    trail: Trail,
    heartbeat: Arc<Heartbeat>,
}

impl Book {
    /// Records that a call is about to run; see [`Trail::intend`].
    pub(crate) async fn intend(&self, entry: &CallEntry<'_>) -> Result<Intent, AuditError> {
        self.trail.intend(entry).await
    }

    /// Records how it ended; see [`Trail::conclude`].
    pub(crate) async fn conclude(&self, intent: Intent, entry: &OutcomeEntry<'_>) -> Result<u64, AuditError> {
        self.trail.conclude(intent, entry).await
    }

    /// Records a call that was refused before it began; see [`Trail::refuse`].
    pub(crate) async fn refuse(
        &self,
        entry: &CallEntry<'_>,
        outcome: &OutcomeEntry<'_>,
    ) -> Result<u64, AuditError> {
        self.trail.refuse(entry, outcome).await
    }

    /// Records what a running call is about to do; see [`Trail::effect`].
    pub(crate) async fn effect(
        &self,
        call: u64,
        skill: &str,
        accesses: &[Access],
        approval: Option<&str>,
    ) -> Result<u64, AuditError> {
        self.trail.effect(call, skill, accesses, approval).await
    }

    /// Whether calls may begin, as far as the trail is concerned.
    pub(crate) fn writable(&self) -> bool {
        self.trail.writable()
    }

    /// Records something that is no call: a stop, a trust, a change of SOUL.md.
    pub(crate) fn note(&self, event: Event, who: &str, note: &Value) -> Result<u64, AuditError> {
        self.trail.note(event, who, note)
    }

    /// Stands for a digest of what may hold secrets: keyed, so that nobody without the key finds them by trying.
    pub(crate) fn stands_for(&self, digest: Digest) -> String {
        self.trail.keys().content(&digest.0).as_str().to_owned()
    }

    /// The trail's last record, for the gateway's own trail.
    pub(crate) fn tip(&self) -> Tip {
        self.trail.tip()
    }

    /// Shows which breakers are open, in HEARTBEAT.md, at once.
    pub(crate) fn breakers(&self, open: Vec<String>) {
        self.heartbeat.breakers(open);
    }

    #[cfg(test)]
    pub(super) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Signs the tip and brings HEARTBEAT.md up to date now: the process is about to leave.
    pub(crate) fn finish(&self) {
        self.trail.finish();
        self.heartbeat.publish();
    }

    #[cfg(test)]
    /// HEARTBEAT.md as it is now.
    pub(crate) fn heartbeat(&self) -> String {
        self.heartbeat.page()
    }
}

/// The gateway's own trail: acts of operators, and the tips of the agents' trails.
#[derive(Clone)]
pub(crate) struct GatewayTrail {
    trail: Trail,
}

impl GatewayTrail {
    /// Records something.
    pub(crate) fn note(&self, event: Event, who: &str, note: &Value) -> Result<u64, AuditError> {
        self.trail.note(event, who, note)
    }

    /// Records how far agents' trails are. An agent's trail that is put back to an earlier state, its own tip with it,
    /// is found by this. Worth doing every few seconds for those that changed, and at every stop.
    pub(crate) fn tips(&self, tips: &[(String, Tip)]) -> Result<(), AuditError> {
        for some in tips.chunks(TIPS) {
            let place =
                |(agent, tip): &(String, Tip)| (agent.clone(), json!({"seq": tip.seq, "hash": tip.hash}));
            let map: Map<String, Value> = some.iter().map(place).collect();
            self.trail.note(Event::Tips, "gateway", &Value::Object(map))?;
        }
        Ok(())
    }

    /// Waits until a record is as durable as the options say.
    pub(crate) async fn settled(&self, seq: u64) -> Result<(), AuditError> {
        self.trail.settled(seq).await
    }

    /// Signs the tip now: the process is about to leave.
    pub(crate) fn finish(&self) {
        self.trail.finish();
    }

    /// Whether it takes records.
    pub(crate) fn writable(&self) -> bool {
        self.trail.writable()
    }

    /// The last record.
    pub(crate) fn tip(&self) -> Tip {
        self.trail.tip()
    }
}
