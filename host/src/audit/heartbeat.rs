//! HEARTBEAT.md: an agent's recent acts in the ecosystem's form, rendered from the trail's records, and from the list of
//! open breakers, which outlives any file of the trail.
//!
//! People read it and scripts grep it, while a model chose half of what stands in the records. So a line's words are
//! ours, and what was chosen stands escaped on a line of its own that no grep of theirs matches ([`words`]).

mod page;
mod pulse;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

pub(crate) use page::Header;
use pulse::Pulse;
use serde_json::Value;

use super::background::{Background, Errand};
use super::canonical::Fields;
use super::event::{Decision, Event, Weight};
use crate::clock::Moment;
use crate::durable;
use crate::oversight::breakers::Kind;

/// The file's name, in an agent's folder.
pub(crate) const NAME: &str = "HEARTBEAT.md";
/// It is replaced at most this often, unless there is an anomaly.
const BETWEEN: Duration = Duration::from_millis(500);

/// What a watcher sees of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(super) seq: u64,
    pub(super) time: Moment,
    pub(super) event: &'a str,
    pub(super) call: Option<u64>,
    pub(super) skill: Option<&'a str>,
    pub(super) tool: Option<&'a str>,
    /// The arguments in canonical form, bounded.
    pub(super) args: Option<&'a str>,
    pub(super) decision: Option<Decision>,
    pub(super) denial: Option<&'a str>,
    /// Of an anomaly: which, in the words of its table.
    pub(super) anomaly: Option<&'static str>,
    /// Of a rotation that is read back: the figures of the files before.
    pub(super) today: Option<Today>,
}

/// A day's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Today {
    /// Which day, as [`Moment::day`] counts.
    pub(super) day: i32,
    /// Calls that returned a value.
    pub(super) completed: u64,
    /// Calls that failed.
    pub(super) errors: u64,
}

impl<'a> Sight<'a> {
    /// Of a record that was just written.
    pub(super) fn of(seq: u64, fields: &'a Fields) -> Self {
        Self {
            seq,
            time: fields.time,
            event: fields.event.name(),
            call: fields.call,
            skill: fields.skill.as_deref(),
            tool: fields.tool.as_deref(),
            args: fields.args.as_deref(),
            decision: fields.decision,
            denial: fields.denial_id.map(|id| id.as_str()),
            anomaly: fields
                .note
                .as_deref()
                .filter(|_| fields.event == Event::AnomalyNoted)
                .and_then(|note| anomaly(&note.parse().ok()?)),
            today: None,
        }
    }
}

/// The sentence of the kind that an anomaly's note names.
pub(super) fn anomaly(note: &Value) -> Option<&'static str> {
    Kind::parse(note.get("kind")?.as_str()?).map(Kind::sentence)
}

/// Hears of every record of a trail, in order: those that are read when it is opened, and those that are written. Called
/// under the trail's lock.
pub(crate) trait Watcher: Send + Sync {
    /// Hears of one.
    fn saw(&self, sight: &Sight<'_>);

    /// The day's figures so far, to be carried into the next file.
    fn today(&self) -> Today;
}

/// One agent's HEARTBEAT.md.
pub(crate) struct Heartbeat {
    path: PathBuf,
    header: Header,
    background: Background,
    /// Itself, to be scheduled.
    this: Weak<Self>,
    state: Mutex<State>,
}

struct State {
    pulse: Pulse,
    /// The trail has been read, and the file is kept up to date from now on.
    live: bool,
    /// Something changed since the file was written.
    dirty: bool,
    /// When the file will be written, if it is to be.
    due: Option<Instant>,
    written: Option<Instant>,
}

impl Heartbeat {
    /// The heartbeat of an agent's folder. Its trail has still to be read.
    pub(super) fn new(folder: &Path, header: Header, background: Background) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            path: folder.join(NAME),
            header,
            background,
            this: Weak::clone(this),
            state: Mutex::new(State {
                pulse: Pulse::default(),
                live: false,
                dirty: true,
                due: None,
                written: None,
            }),
        })
    }

    /// The page as it is now.
    pub(crate) fn page(&self) -> String {
        page::render(&self.header, &self.lock().pulse, Moment::now())
    }

    /// Which breakers are open. They outlive a file of the trail, so their own file tells.
    pub(super) fn breakers(&self, open: Vec<String>) {
        let mut state = self.lock();
        state.pulse.breakers = open;
        state.dirty = true;
        if state.live {
            let now = Instant::now();
            state.due = Some(now);
            drop(state);
            self.background.at(now, Weak::<Self>::clone(&self.this));
        }
    }

    /// The trail has been read: the file is written, and from now on kept up to date.
    pub(super) fn begin(&self) {
        {
            let mut state = self.lock();
            state.live = true;
            // What waited when a gateway was killed waits no more.
            state.pulse.waiting = 0;
        }
        self.publish();
    }

    /// Replaces the file. One that cannot be replaced is an older one; the trail is what counts.
    pub(super) fn publish(&self) {
        {
            let mut state = self.lock();
            state.due = None;
            if !state.live || !std::mem::take(&mut state.dirty) {
                return;
            }
            state.written = Some(Instant::now());
        }
        let _ = durable::replace_lightly(&self.path, self.page().as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Heartbeat {
    fn today(&self) -> Today {
        self.lock().pulse.today
    }

    fn saw(&self, sight: &Sight<'_>) {
        let mut state = self.lock();
        let weight = state.pulse.saw(sight);
        state.dirty = true;
        let now = Instant::now();
        let when = match (weight, state.written) {
            (Weight::Anomaly, _) | (_, None) => now,
            (_, Some(written)) => (written + BETWEEN).max(now),
        };
        if state.live && state.due.is_none_or(|due| due > when) {
            state.due = Some(when);
            let errand: Weak<dyn Errand> = Weak::<Self>::clone(&self.this);
            drop(state);
            self.background.at(when, errand);
        }
    }
}

impl Errand for Heartbeat {
    fn run(&self) {
        self.publish();
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.publish();
    }
}

#[cfg(test)]
mod tests;
