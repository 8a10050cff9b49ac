//! The stages of one call: which file has one, and when what it holds has to be put in place.
//!
//! It is put in place when the last descriptor and stream that could write to it is dropped, on `sync`, before a path is
//! looked at from which it could be seen, and at the latest when the tool returns; always in the order in which the files
//! were opened. A call that does not return puts nothing more in place.
//!
//! The rule: with an overseer that inspects files, every open file of a `write` or `create` grant has a stage; without one,
//! none has, and nothing here costs anything.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{FileType, OFlags};

use super::bind::BoundFiles;
use super::node::{Node, Spot};
use super::resolve::{BoundGrant, Found, Identity, Last, Slot};
use super::stage::{Birth, Room, Stage};
use crate::grant::DirectoryMode;
use crate::sandbox::overseer::Carrier;
use crate::sandbox::witness::Witness;

/// The stages of one call.
pub(crate) struct Stages {
    pub(super) bound: Arc<BoundFiles>,
    pub(super) witness: Arc<Witness>,
    room: OnceLock<Option<Arc<Room>>>,
    open: Mutex<Vec<Arc<Stage>>>,
}

/// Whose content would be seen at a path.
enum Seen<'a> {
    Everything,
    Path(&'a Node, &'a str),
    /// The same, new files only, and not those that lie in a directory there.
    Birth(&'a Node, &'a str),
    Directory(Identity),
}

impl Stages {
    /// No stages yet. The overseer is asked when the first file is opened.
    pub(super) fn new(bound: Arc<BoundFiles>, witness: Arc<Witness>) -> Arc<Self> {
        Arc::new(Self { bound, witness, room: OnceLock::new(), open: Mutex::default() })
    }

    /// The room that there is, if files of this grant are held back at all.
    pub(super) fn room(&self, grant: &BoundGrant) -> Option<&Arc<Room>> {
        if grant.grant.mode == DirectoryMode::Read {
            return None;
        }
        self.room.get_or_init(|| self.witness.inspects(Carrier::File).map(Room::new)).as_ref()
    }

    /// The stage of a file that is there.
    pub(super) fn of(
        &self,
        grant: &Arc<BoundGrant>,
        room: &Arc<Room>,
        found: &Found,
    ) -> Result<Arc<Stage>, rustix::io::Errno> {
        let identity = Identity::of(&found.stat);
        let is_same = |stage: &&Arc<Stage>| stage.birth().is_none() && is(&stage.file(), identity);
        if let Some(stage) = self.lock().iter().find(is_same) {
            return Ok(Arc::clone(stage));
        }
        // To be read, whatever the guest wants of it: what is judged is the whole content.
        let file = super::kernel::reopen(&found.handle, OFlags::RDONLY)?;
        let stage = Stage::new(grant, room, grant.guest_path(&found.real), file, None);
        self.lock().push(Arc::clone(&stage));
        Ok(stage)
    }

    /// The stage of a file that is to be made.
    pub(super) fn of_new(
        &self,
        grant: &Arc<BoundGrant>,
        room: &Arc<Room>,
        slot: Slot,
    ) -> Result<Arc<Stage>, rustix::io::Errno> {
        let (file, linkable) = super::land::unnamed(&slot.parent.handle)?;
        let path = grant.guest_path(&slot.real());
        let birth = Birth { parent: slot.parent, name: slot.name, linkable };
        let stage = Stage::new(grant, room, path, file, Some(birth));
        self.lock().push(Arc::clone(&stage));
        Ok(stage)
    }

    /// After something was dropped: puts in place what nobody can write to any more.
    pub(super) async fn settle_closed(&self) {
        for stage in self.due() {
            if !stage.is_being_written() {
                self.put_untold(&stage).await;
            }
        }
        // The list and this function's own handle; a descriptor would be a third.
        self.lock()
            .retain(|stage| stage.is_due() || stage.is_being_written() || Arc::strong_count(stage) > 1);
    }

    /// Before a path is looked at or changed: puts in place what would be seen there.
    pub(super) async fn settle(&self, node: &Node, path: &str) {
        self.settle_seen(Seen::Path(node, path)).await;
    }

    /// Before a path is opened: puts the new files in place that would be found there. What is held back of files that are
    /// there needs no such thing: whoever opens them shares it.
    pub(super) async fn settle_births(&self, node: &Node, path: &str) {
        if self.lock().iter().any(|stage| stage.birth().is_some() && stage.is_due()) {
            self.settle_seen(Seen::Birth(node, path)).await;
        }
    }

    /// Before a directory is listed.
    pub(super) async fn settle_within(&self, node: &Node) {
        if let Node::Directory(directory) = node
            && let Ok(stat) = rustix::fs::fstat(&*directory.handle)
        {
            self.settle_seen(Seen::Directory(Identity::of(&stat))).await;
        }
    }

    /// Before anything gets another path, and when the tool has returned.
    pub(super) async fn settle_all(&self) {
        self.settle_seen(Seen::Everything).await;
    }

    async fn settle_seen(&self, seen: Seen<'_>) {
        let due = self.due();
        if due.is_empty() {
            return;
        }
        let view = View::of(&self.bound, seen);
        for stage in due {
            if view.shows(&stage) {
                self.put_untold(&stage).await;
            }
        }
    }

    fn due(&self) -> Vec<Arc<Stage>> {
        self.lock().iter().filter(|stage| stage.is_due()).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Stage>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can be seen from a path, as it is on disk now.
#[derive(Default)]
struct View {
    everything: bool,
    /// The way there, or the end of a link there, is not there: it may be a file that is to be made.
    every_birth: bool,
    /// The file or directory at the path, and what a link there leads to.
    here: Vec<Identity>,
    /// The directory and the name.
    name: Option<(Identity, String)>,
}

impl View {
    fn of(bound: &BoundFiles, seen: Seen<'_>) -> Self {
        let (node, path) = match seen {
            Seen::Everything => return Self { everything: true, ..Self::default() },
            Seen::Directory(identity) => return Self { here: vec![identity], ..Self::default() },
            Seen::Path(node, path) | Seen::Birth(node, path) => (node, path),
        };
        // What does not resolve shows nothing; the verb itself will say so, and put it on record.
        let Ok(Spot::Below { grant, dir, rest }) = node.locate(bound, path) else { return Self::default() };
        let mut view = Self::default();
        let identity = |found: &Found| Identity::of(&found.stat);
        // The way there does not resolve: a file that is to be made may stand on it.
        view.every_birth = true;
        if let Ok(slot) = grant.find_slot(dir, rest) {
            view.name = Some((identity(&slot.parent), slot.name));
            view.every_birth = slot.there.as_ref().is_some_and(|there| there.kind() == FileType::Symlink);
            view.here.extend(slot.there.as_ref().map(identity));
        }
        if let Ok(found) = grant.find(dir, rest, Last::Follow) {
            view.every_birth = false;
            view.here.push(identity(&found));
        }
        if matches!(seen, Seen::Birth(..)) {
            view.here.clear();
        }
        view
    }

    fn shows(&self, stage: &Stage) -> bool {
        if self.everything {
            return true;
        }
        let Some(birth) = stage.birth() else {
            return self.here.iter().any(|identity| is(&stage.file(), *identity));
        };
        let parent = Identity::of(&birth.parent.stat);
        let is_named = self.name.as_ref().is_some_and(|(at, name)| *at == parent && *name == birth.name);
        self.every_birth || is_named || self.here.contains(&parent)
    }
}

fn is(file: &OwnedFd, identity: Identity) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| Identity::of(&stat) == identity)
}
