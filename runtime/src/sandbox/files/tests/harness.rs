//! A call without a guest: directories in a temporary folder, one view, and the operations by short names.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, ErrorCode, HostDescriptor as _, HostDirectoryEntryStream as _,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, FsResult, StreamError};

use crate::denial::{Denial, DenialId, RuleRef};
use crate::grant::{DirectoryGrant, DirectoryMode};
use crate::sandbox::clock::CallClock;
use crate::sandbox::files::{BoundFiles, CallFiles, FilesView, OpenRules};
use crate::sandbox::overseer::{Access, BoxFuture, Carrier, Content, Effect, Overseer, Permit};
use crate::sandbox::witness::{Ledger, Witness};

pub(super) const READ: DescriptorFlags = DescriptorFlags::READ;
pub(super) const WRITE: DescriptorFlags = DescriptorFlags::WRITE;
pub(super) const CREATE: OpenFlags = OpenFlags::CREATE;
pub(super) const TRUNCATE: OpenFlags = OpenFlags::TRUNCATE;
pub(super) const EXCLUSIVE: OpenFlags = OpenFlags::EXCLUSIVE;

impl DirectoryGrant {
    /// A grant as a SOUL.md would make it.
    pub(in crate::sandbox::files) fn for_tests(
        mode: DirectoryMode,
        path: &str,
        guest: &str,
        hidden: bool,
    ) -> Self {
        let text = format!("{mode}: {path}");
        let rule = RuleRef { file: "SOUL.md".into(), line: 7, column: 5, text };
        Self { mode, path: path.into(), guest: guest.into(), hidden, rule }
    }
}

/// Hears everything, refuses what it was told to.
#[derive(Default)]
pub(super) struct Watcher {
    pub(super) effects: Mutex<Vec<Effect>>,
    pub(super) refuse: bool,
    /// Files are held back, up to so many bytes.
    pub(super) inspect: Option<u64>,
    /// What it puts in the place of every content.
    pub(super) mask: Option<&'static str>,
    /// What happens in the world while the overseer thinks.
    pub(super) meanwhile: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Overseer for Watcher {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.effects.lock().unwrap().push(effect.clone());
        self.meanwhile.iter().for_each(|happens| happens());
        let answer = match self.mask {
            _ if self.refuse => Err(Denial::new(DenialId::ApprovalDenied, "no")),
            Some(mask) => Ok(Permit::Masked(Content(mask.into()))),
            None => Ok(Permit::Unchanged),
        };
        Box::pin(std::future::ready(answer))
    }

    fn inspects(&self, _: Carrier<'_>) -> Option<u64> {
        self.inspect
    }

    fn record(&self, _: &Access) {}
}

/// One call on a folder of its own.
pub(super) struct Call {
    files: CallFiles,
    table: ResourceTable,
    witness: Arc<Witness>,
    pub(super) watcher: Arc<Watcher>,
    pub(super) root: u32,
}

/// A temporary folder with a `grant` in it.
pub(super) struct House {
    pub(super) folder: tempfile::TempDir,
}

impl House {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("grant")).unwrap();
        Self { folder }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Puts a file, with the directories above it.
    pub(super) fn put(&self, path: &str, content: &str) -> &Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub(super) fn link(&self, text: &str, path: &str) -> &Self {
        std::os::unix::fs::symlink(text, self.path(path)).unwrap();
        self
    }

    pub(super) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    pub(super) fn there(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(super) fn executable(&self, path: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A call that sees `grant` as `/data`.
    pub(super) fn call(&self, mode: DirectoryMode) -> Call {
        self.call_with(&[DirectoryGrant::for_tests(mode, "grant", "/data", false)])
    }

    pub(super) fn call_with(&self, grants: &[DirectoryGrant]) -> Call {
        Call::new(bind(grants, self.folder.path()), 1 << 20, Watcher::default())
    }
}

pub(super) fn bind(grants: &[DirectoryGrant], folder: &Path) -> BoundFiles {
    BoundFiles::open(grants, folder, &OpenRules::default()).unwrap()
}

pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What a guest would get.
pub(super) type Answer<T> = Result<T, ErrorCode>;

fn told<T>(answer: FsResult<T>) -> Answer<T> {
    answer.map_err(|error| error.downcast().expect("a trap"))
}

impl Call {
    pub(super) fn new(bound: BoundFiles, quota: u64, watcher: Watcher) -> Self {
        let line = RuleRef { file: "SOUL.md".into(), line: 6, column: 3, text: "- tester: Tests".into() };
        let watcher = Arc::new(watcher);
        let clock = CallClock::start(Duration::from_secs(60));
        let witness = Witness::new("tester".into(), "SOUL.md".into(), Arc::clone(&watcher) as _, clock);
        let witness = Arc::new(witness);
        let bound = Arc::new(bound.skill_line(Some(line)));
        let files = CallFiles::new(bound, Arc::clone(&witness), quota);
        let mut call = Self { files, table: ResourceTable::new(), witness, watcher, root: 0 };
        let directories = call.view().get_directories().unwrap();
        assert_eq!(directories.len(), 1);
        assert_eq!(directories[0].1, "/");
        call.root = directories[0].0.rep();
        call
    }

    pub(super) fn view(&mut self) -> FilesView<'_> {
        FilesView { files: &mut self.files, table: &mut self.table }
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.witness.ledger()
    }

    /// The ids of the denials so far.
    pub(super) fn denials(&self) -> Vec<&'static str> {
        self.ledger().denials.iter().map(|denial| denial.id.as_str()).collect()
    }

    /// The id of the denial with which the result is withheld.
    pub(super) fn withheld(&self) -> Option<&'static str> {
        self.witness.withheld().map(|denial| denial.id.as_str())
    }

    /// The tool returns.
    pub(super) fn finish(&mut self) {
        now(self.view().finish());
    }

    pub(super) fn sync(&mut self, file: u32) -> Answer<()> {
        told(now(self.view().sync(Resource::new_borrow(file))))
    }

    pub(super) fn size(&mut self, file: u32) -> Answer<(u64, u64)> {
        told(now(self.view().stat(Resource::new_borrow(file)))).map(|stat| (stat.size, stat.link_count))
    }

    pub(super) fn set_times(&mut self, file: u32, seconds: u64) -> Answer<()> {
        let time = || NewTimestamp::Timestamp(Datetime { seconds, nanoseconds: 0 });
        told(now(self.view().set_times(Resource::new_borrow(file), time(), time())))
    }

    /// A stream that writes at the start, for a test that drops it itself.
    pub(super) fn writer(&mut self, file: u32) -> DynOutputStream {
        let stream = told(self.view().write_via_stream(Resource::new_borrow(file), 0)).unwrap();
        self.table.delete(stream).unwrap()
    }

    /// Runs an operation and tells what came of it with the ids that were denied on the way.
    #[track_caller]
    pub(super) fn expect<T: std::fmt::Debug>(
        &mut self,
        id: &str,
        code: ErrorCode,
        operation: impl FnOnce(&mut Self) -> Answer<T>,
    ) {
        let before = self.ledger().denials.len();
        let answer = operation(self);
        let denials = self.denials();
        assert_eq!(answer.expect_err("it went through"), code);
        assert_eq!(denials.get(before..).unwrap_or_default(), [id]);
    }

    pub(super) fn open_at(
        &mut self,
        base: u32,
        path: &str,
        oflags: OpenFlags,
        flags: DescriptorFlags,
    ) -> Answer<u32> {
        let base = Resource::new_borrow(base);
        let follow = PathFlags::SYMLINK_FOLLOW;
        told(now(self.view().open_at(base, follow, path.into(), oflags, flags))).map(|opened| opened.rep())
    }

    pub(super) fn open(&mut self, path: &str, oflags: OpenFlags, flags: DescriptorFlags) -> Answer<u32> {
        self.open_at(self.root, path, oflags, flags)
    }

    pub(super) fn open_directory(&mut self, base: u32, path: &str) -> Answer<u32> {
        self.open_at(base, path, OpenFlags::DIRECTORY, READ)
    }

    pub(super) fn read_all(&mut self, file: u32) -> Answer<String> {
        let mut text = Vec::new();
        loop {
            let file = Resource::new_borrow(file);
            let offset = text.len() as u64;
            let (bytes, end) = told(now(self.view().read(file, 1 << 20, offset)))?;
            text.extend(bytes);
            if end {
                return Ok(String::from_utf8(text).unwrap());
            }
        }
    }

    pub(super) fn close(&mut self, descriptor: u32) {
        now(self.view().close(Resource::new_own(descriptor))).unwrap();
    }

    pub(super) fn read_at(&mut self, base: u32, path: &str) -> Answer<String> {
        let file = self.open_at(base, path, OpenFlags::empty(), READ)?;
        let text = self.read_all(file);
        self.close(file);
        text
    }

    pub(super) fn read(&mut self, path: &str) -> Answer<String> {
        self.read_at(self.root, path)
    }

    /// Writes through a stream, at the start or at the end.
    pub(super) fn stream(&mut self, file: u32, text: &str, append: bool) -> Result<(), StreamError> {
        let borrowed = Resource::new_borrow(file);
        let mut view = self.view();
        let stream = if append {
            told(view.append_via_stream(borrowed))
        } else {
            told(view.write_via_stream(borrowed, 0))
        };
        let stream = stream.map_err(|code| StreamError::trap(&code.to_string()))?;
        let mut writer = self.table.delete(stream).unwrap();
        let answer = now(writer.blocking_write_and_flush(text.to_owned().into()));
        // As a guest's drop of it does.
        now(writer.cancel());
        answer
    }

    pub(super) fn write_at(&mut self, file: u32, text: &str, offset: u64) -> Answer<u64> {
        let file = Resource::new_borrow(file);
        told(now(self.view().write(file, text.into(), offset)))
    }

    pub(super) fn save(&mut self, path: &str, text: &str) -> Answer<()> {
        let file = self.open(path, CREATE | TRUNCATE, WRITE)?;
        self.stream(file, text, false).expect("the open worked, the write did not");
        self.close(file);
        Ok(())
    }

    pub(super) fn list_at(&mut self, base: u32, path: &str) -> Answer<Vec<String>> {
        let directory = self.open_directory(base, path)?;
        let borrowed = Resource::new_borrow(directory);
        let stream = told(now(self.view().read_directory(borrowed)))?;
        let mut names = Vec::new();
        loop {
            let borrowed = Resource::new_borrow(stream.rep());
            match told(now(self.view().read_directory_entry(borrowed)))? {
                Some(entry) => names.push(entry.name),
                None => break,
            }
        }
        self.close(directory);
        names.sort();
        Ok(names)
    }

    pub(super) fn list(&mut self, path: &str) -> Answer<Vec<String>> {
        self.list_at(self.root, path)
    }

    pub(super) fn stat(&mut self, base: u32, path: &str, follow: bool) -> Answer<DescriptorStat> {
        let flags = if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
        let base = Resource::new_borrow(base);
        told(now(self.view().stat_at(base, flags, path.into())))
    }

    pub(super) fn mkdir(&mut self, base: u32, path: &str) -> Answer<()> {
        let base = Resource::new_borrow(base);
        told(now(self.view().create_directory_at(base, path.into())))
    }

    pub(super) fn unlink(&mut self, base: u32, path: &str) -> Answer<()> {
        let base = Resource::new_borrow(base);
        told(now(self.view().unlink_file_at(base, path.into())))
    }

    pub(super) fn rmdir(&mut self, base: u32, path: &str) -> Answer<()> {
        let base = Resource::new_borrow(base);
        told(now(self.view().remove_directory_at(base, path.into())))
    }

    pub(super) fn readlink(&mut self, base: u32, path: &str) -> Answer<String> {
        let base = Resource::new_borrow(base);
        told(now(self.view().readlink_at(base, path.into())))
    }

    pub(super) fn symlink(&mut self, base: u32, text: &str, path: &str) -> Answer<()> {
        let base = Resource::new_borrow(base);
        told(now(self.view().symlink_at(base, text.into(), path.into())))
    }

    pub(super) fn link(&mut self, from: (u32, &str), to: (u32, &str)) -> Answer<()> {
        let (old, new) = (Resource::new_borrow(from.0), Resource::new_borrow(to.0));
        told(now(self.view().link_at(old, PathFlags::empty(), from.1.into(), new, to.1.into())))
    }

    pub(super) fn rename_at(&mut self, from: (u32, &str), to: (u32, &str)) -> Answer<()> {
        let (old, new) = (Resource::new_borrow(from.0), Resource::new_borrow(to.0));
        told(now(self.view().rename_at(old, from.1.into(), new, to.1.into())))
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Answer<()> {
        self.rename_at((self.root, from), (self.root, to))
    }

    pub(super) fn set_times_at(&mut self, base: u32, path: &str, follow: bool) -> Answer<()> {
        let flags = if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
        let base = Resource::new_borrow(base);
        told(now(self.view().set_times_at(base, flags, path.into(), NewTimestamp::Now, NewTimestamp::Now)))
    }

    pub(super) fn set_size(&mut self, file: u32, size: u64) -> Answer<()> {
        let file = Resource::new_borrow(file);
        told(now(self.view().set_size(file, size)))
    }
}
