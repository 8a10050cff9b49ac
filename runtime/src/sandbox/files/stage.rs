//! One file's new content, held back until somebody has judged it.
//!
//! A [`Stage`] stands between a call's descriptors and the disk: what is written goes into memory, what is read comes from
//! there, and the file on disk stays as it is, or is not there at all, until [`commit`](super::commit) puts the whole of it
//! in place. A call has one stage a file, however often it opens it.
//!
//! The rule: a stage never writes to the disk, and never holds more than there is [`Room`] for.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::fault::{Fault, Verb};
use super::node::OpenFile;
use super::quota::Quota;
use super::resolve::{BoundGrant, Found};

/// What all stages of a call may hold at one moment, in bytes.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) most: u64,
    used: AtomicU64,
}

impl Room {
    pub(super) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, used: AtomicU64::new(0) })
    }

    fn take(&self, bytes: u64) -> Result<(), TooLarge> {
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.most);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(|_| ()).map_err(|_| TooLarge)
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// There is no room for the whole of it.
#[derive(Debug)]
pub(super) struct TooLarge;

/// One file of a call.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) grant: Arc<BoundGrant>,
    /// As the guest saw it when it was opened.
    pub(super) path: String,
    room: Arc<Room>,
    inner: Mutex<Inner>,
    /// As many as there are descriptors and streams that may write, and this one.
    writers: Arc<()>,
    /// Whether a descriptor asked for writes that reach the disk before they return.
    pub(super) durable: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    /// What is on disk, open to be read; for a file that is not there yet, an unnamed one of no content.
    file: Arc<OwnedFd>,
    /// Where the file will be, while it is not there.
    birth: Option<Arc<Birth>>,
    content: Held,
}

/// A file that is to be made.
#[derive(Debug)]
pub(super) struct Birth {
    /// The directory that will hold it.
    pub(super) parent: Found,
    /// Its name there.
    pub(super) name: String,
    /// Whether the unnamed file can be given that name: the file system made it.
    pub(super) linkable: bool,
}

#[derive(Debug)]
enum Held {
    /// Nothing: as on disk.
    Nothing,
    /// All of it.
    Whole(Whole),
    /// It was refused, or is being judged at this moment.
    Away,
}

/// A file's whole new content.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    /// What was on disk when it was taken up.
    pub(super) stamp: Stamp,
    modified: SystemTime,
}

/// What tells whether somebody else changed a file: its size and times. The time of a status change moves with every change
/// that there is, and nobody can set it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(i64, i64, u64, i64, u64);

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self(stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec)
    }
}

/// What is to be put in place.
#[derive(Debug)]
pub(super) enum Due {
    /// A new file with this content.
    Create(Arc<Birth>, Vec<u8>),
    /// A file that is there.
    Write(Whole),
}

impl Stage {
    /// A stage over what is on disk, or over an unnamed file that will be `birth`.
    pub(super) fn new(
        grant: &Arc<BoundGrant>,
        room: &Arc<Room>,
        path: String,
        file: OwnedFd,
        birth: Option<Birth>,
    ) -> Arc<Self> {
        let inner = Inner { file: Arc::new(file), birth: birth.map(Arc::new), content: Held::Nothing };
        Arc::new(Self {
            grant: Arc::clone(grant),
            path,
            room: Arc::clone(room),
            inner: Mutex::new(inner),
            writers: Arc::default(),
            durable: AtomicBool::new(false),
        })
    }

    /// A writer's token: while one lives, more may be written.
    pub(super) fn writer(&self) -> Arc<()> {
        Arc::clone(&self.writers)
    }

    pub(super) fn is_being_written(&self) -> bool {
        Arc::strong_count(&self.writers) > 1
    }

    /// The file that all of it is about.
    pub(super) fn file(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.lock().file)
    }

    /// Where it will be, while it is not there.
    pub(super) fn birth(&self) -> Option<Arc<Birth>> {
        self.lock().birth.clone()
    }

    /// Whether anything waits to be put in place.
    pub(super) fn is_due(&self) -> bool {
        let inner = self.lock();
        match inner.content {
            Held::Nothing => inner.birth.is_some(),
            Held::Whole(_) => true,
            Held::Away => false,
        }
    }

    /// Size and times as the guest shall see them.
    pub(super) fn stat(&self) -> Result<Stat, Fault> {
        let inner = self.lock();
        let mut stat = rustix::fs::fstat(&*inner.file)?;
        if inner.birth.is_some() {
            stat.st_nlink = 1;
        }
        if let Held::Whole(whole) = &inner.content {
            stat.st_size = i64::try_from(whole.bytes.len()).unwrap_or(i64::MAX);
            if let Ok(since) = whole.modified.duration_since(UNIX_EPOCH) {
                stat.st_mtime = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
                stat.st_mtime_nsec = since.subsec_nanos().into();
            }
        }
        Ok(stat)
    }

    /// Reads at most `length` bytes into memory that was asked for.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Fault> {
        let inner = self.lock();
        match &inner.content {
            Held::Away => Err(ErrorCode::NotPermitted.into()),
            Held::Nothing if inner.birth.is_some() => Ok(0),
            Held::Nothing => {
                Ok(rustix::io::retry_on_intr(|| rustix::io::pread(&*inner.file, &mut *buffer, offset))?)
            }
            Held::Whole(whole) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = whole.bytes.get(from..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                for (to, from) in buffer.iter_mut().zip(rest) {
                    *to = *from;
                }
                Ok(count)
            }
        }
    }

    /// Pays for the bytes and takes them in, at `offset` or at the end.
    pub(super) fn write_at(
        &self,
        file: &OpenFile,
        quota: &Quota,
        bytes: &[u8],
        offset: Option<u64>,
    ) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        let length = inner.length()?;
        let offset = offset.unwrap_or(length);
        let end = offset.saturating_add(bytes.len() as u64);
        let hole = offset.saturating_sub(length);
        quota.pay_or_tell(file, Verb::Write, hole.saturating_add(bytes.len() as u64))?;
        self.take_up(&mut inner, file, quota)?;
        if self.grow(&mut inner, end).is_err() {
            return Err(quota.too_large(file, Verb::Write, self.room.most));
        }
        if let Held::Whole(whole) = &mut inner.content {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            for (to, from) in whole.bytes.iter_mut().skip(from).zip(bytes) {
                *to = *from;
            }
            whole.modified = SystemTime::now();
        }
        Ok(())
    }

    /// Makes it so long. Growth is paid like bytes written.
    pub(super) fn resize(&self, file: &OpenFile, quota: &Quota, size: u64) -> Result<(), Fault> {
        let mut inner = self.lock();
        let now = inner.length()?;
        if size == now {
            return Ok(());
        }
        quota.pay_or_tell(file, Verb::SetSize, size.saturating_sub(now))?;
        if size == 0 && matches!(inner.content, Held::Nothing) {
            return Ok(self.start_empty(&mut inner)?);
        }
        self.take_up(&mut inner, file, quota)?;
        if self.grow(&mut inner, size).is_err() {
            return Err(quota.too_large(file, Verb::SetSize, self.room.most));
        }
        if let Held::Whole(whole) = &mut inner.content {
            let given_back = (whole.bytes.len() as u64).saturating_sub(size);
            whole.bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
            whole.modified = SystemTime::now();
            self.room.give_back(given_back);
        }
        Ok(())
    }

    /// Empties it, as `O_TRUNC` does.
    pub(super) fn empty(&self) -> Result<(), Fault> {
        let mut inner = self.lock();
        match &mut inner.content {
            Held::Away => Err(ErrorCode::NotPermitted.into()),
            Held::Nothing => Ok(self.start_empty(&mut inner)?),
            Held::Whole(whole) => {
                self.room.give_back(whole.bytes.len() as u64);
                whole.bytes.clear();
                whole.modified = SystemTime::now();
                Ok(())
            }
        }
    }

    fn start_empty(&self, inner: &mut Inner) -> Result<(), rustix::io::Errno> {
        let stamp = Stamp::of(&rustix::fs::fstat(&*inner.file)?);
        inner.content = Held::Whole(Whole { bytes: Vec::new(), stamp, modified: SystemTime::now() });
        Ok(())
    }

    /// Takes the whole content up from the disk, the first time that some of it changes.
    fn take_up(&self, inner: &mut Inner, file: &OpenFile, quota: &Quota) -> Result<(), Fault> {
        if !matches!(inner.content, Held::Nothing) {
            return Ok(());
        }
        let size = inner.length()?;
        let stamp = Stamp::of(&rustix::fs::fstat(&*inner.file)?);
        if self.room.take(size).is_err() {
            inner.content = Held::Away;
            return Err(quota.too_large(file, Verb::Write, self.room.most));
        }
        let bytes = super::land::read(&inner.file, size).inspect_err(|_| self.room.give_back(size))?;
        // It may have been cut short meanwhile; what is held is what there is room for.
        self.room.give_back(size.saturating_sub(bytes.len() as u64));
        inner.content = Held::Whole(Whole { bytes, stamp, modified: SystemTime::now() });
        Ok(())
    }

    /// Makes it at least so long. Without room for it nothing is left: half a file is judged by nobody, and put nowhere.
    fn grow(&self, inner: &mut Inner, size: u64) -> Result<(), TooLarge> {
        let Held::Whole(whole) = &mut inner.content else { return Ok(()) };
        let more = size.saturating_sub(whole.bytes.len() as u64);
        if self.room.take(more).is_err() {
            self.room.give_back(whole.bytes.len() as u64);
            inner.content = Held::Away;
            return Err(TooLarge);
        }
        if more > 0 {
            whole.bytes.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        }
        Ok(())
    }

    /// Takes out what waits to be put in place. Until it [landed](Self::landed) the stage is of no use to the guest.
    pub(super) fn take_due(&self) -> Option<Due> {
        let mut inner = self.lock();
        let due = match (std::mem::replace(&mut inner.content, Held::Away), &inner.birth) {
            (Held::Whole(whole), Some(birth)) => Due::Create(Arc::clone(birth), whole.bytes),
            (Held::Whole(whole), None) => Due::Write(whole),
            (Held::Nothing, Some(birth)) => Due::Create(Arc::clone(birth), Vec::new()),
            (content @ (Held::Nothing | Held::Away), _) => {
                inner.content = content;
                return None;
            }
        };
        let (Due::Create(_, bytes) | Due::Write(Whole { bytes, .. })) = &due;
        self.room.give_back(bytes.len() as u64);
        Some(due)
    }

    /// What was taken out is on disk now; for a new file, this is it.
    pub(super) fn landed(&self, file: Option<OwnedFd>) {
        let mut inner = self.lock();
        inner.birth = None;
        inner.content = Held::Nothing;
        if let Some(file) = file {
            inner.file = Arc::new(file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// How long the file is for the guest.
    fn length(&self) -> Result<u64, Fault> {
        match &self.content {
            Held::Whole(whole) => Ok(whole.bytes.len() as u64),
            Held::Nothing if self.birth.is_some() => Ok(0),
            Held::Nothing => Ok(u64::try_from(rustix::fs::fstat(&*self.file)?.st_size).unwrap_or(0)),
            Held::Away => Err(ErrorCode::NotPermitted.into()),
        }
    }
}
