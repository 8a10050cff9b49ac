//! What code of an attacker's choosing could do in a process that runs guests: each attempt in a process of its own, which
//! was handed three directories and confined as a worker is.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps};

use super::tests::{ATTEMPT, DID_IT, REFUSED, SIGSYS, kernel_has_all, passed, tried_by};
use super::to_directories;
use crate::grant::DirectoryMode;

const CHILD: &str = "confine::directory_tests::the_confined_child_that_tries_one_thing";

fn each(attempts: &[&str], code: i32) {
    if kernel_has_all() {
        for attempt in attempts {
            assert_eq!(tried_by(CHILD, attempt).code(), Some(code), "{attempt}");
        }
    }
}

#[test]
fn a_worker_does_below_its_handles_what_their_mode_grants() {
    each(
        &[
            "read-granted",
            "list-granted",
            "write-granted",
            "make-granted",
            "rename-granted",
            "remove-granted",
            "create-granted",
            "times-of-open",
            "size-of-open",
            "thread",
            "memory",
            "unnamed-granted",
        ],
        DID_IT,
    );
}

const FILES: &[&str] = &[
    "passwd",
    "outside",
    "dots",
    "proc-environ",
    "inherited",
    "write-read",
    "empty-read",
    "remove-read",
    "make-read",
    "read-create",
    "remove-create",
    "list-create",
    "move-out",
    "link-out",
    "symlink",
    "fifo",
];
const METADATA: &[&str] = &["chmod", "chmod-open", "chown", "times", "attribute", "truncate"];

#[test]
fn a_worker_reaches_no_other_file_and_changes_nothing_beyond_the_mode() {
    each(FILES, REFUSED);
}

#[test]
fn a_worker_changes_no_owner_permission_attribute_time_or_size_by_a_path() {
    each(METADATA, REFUSED);
}

/// The two tests above could not fail otherwise: it is the walls that refuse.
#[test]
fn without_the_walls_each_of_these_attempts_succeeds() {
    for attempt in FILES.iter().chain(METADATA).filter(|attempt| **attempt != "attribute") {
        assert_eq!(tried_by(CHILD, &format!("bare-{attempt}")).code(), Some(DID_IT), "{attempt}");
    }
}

#[test]
fn a_worker_makes_no_process_no_signal_and_no_memory_that_runs() {
    each(&["fork", "kill", "run-memory", "run-mapped", "descriptor-out", "renice", "chdir"], REFUSED);
}

#[test]
fn a_worker_ends_at_what_no_guest_asks_for() {
    if kernel_has_all() {
        for attempt in [
            "execve",
            "socket",
            "unix-socket",
            "socketpair",
            "connect",
            "bind",
            "listen",
            "ptrace",
            "process-vm",
            "bpf",
            "io-uring",
            "unshare",
            "mount",
            "handle",
            "pidfd",
        ] {
            assert_eq!(tried_by(CHILD, attempt).signal(), Some(SIGSYS), "{attempt}");
        }
    }
}

#[test]
#[ignore = "started by the tests above, in a process of its own"]
fn the_confined_child_that_tries_one_thing() {
    let Ok(attempt) = std::env::var(ATTEMPT) else { return };
    let did = try_it(&attempt);
    std::process::exit(if did { DID_IT } else { REFUSED });
}

/// Three directories with a file and a directory each, and one that nobody was handed.
struct Place {
    root: PathBuf,
    read: OwnedFd,
    write: OwnedFd,
    create: OwnedFd,
}

impl Place {
    fn make() -> Self {
        let root = tempfile::tempdir().unwrap().keep();
        for name in ["read", "write", "create", "outside"] {
            fs::create_dir_all(root.join(name).join("below")).unwrap();
            fs::write(root.join(name).join("file"), "text").unwrap();
        }
        let open = |name: &str| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, root.join(name), flags, Mode::empty()).unwrap()
        };
        Self { read: open("read"), write: open("write"), create: open("create"), root: root.clone() }
    }
}

fn opened(dir: &OwnedFd, path: impl rustix::path::Arg, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(dir, path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o644))
}

const NEW: OFlags = OFlags::CREATE.union(OFlags::EXCL).union(OFlags::WRONLY);

fn try_it(attempt: &str) -> bool {
    let place = Place::make();
    let Place { root, read, write, create } = &place;
    let before = opened(write, "file", OFlags::RDWR).unwrap();
    let inherited = opened(read, "../outside/file", OFlags::RDWR).unwrap();
    let outside = opened(read, "../outside", OFlags::PATH | OFlags::DIRECTORY).unwrap();
    let parent = i64::from(std::os::unix::process::parent_id());
    let now = Timestamps {
        last_access: Timespec { tv_sec: 1, tv_nsec: 0 },
        last_modification: Timespec { tv_sec: 1, tv_nsec: 0 },
    };
    let handles =
        [(read, DirectoryMode::Read), (write, DirectoryMode::Write), (create, DirectoryMode::Create)];
    let attempt = match attempt.strip_prefix("bare-") {
        Some(attempt) => attempt,
        None => {
            to_directories(handles, &[u32::try_from(inherited.as_raw_fd()).unwrap()]).unwrap();
            attempt
        }
    };
    let call = passed;
    match attempt {
        "read-granted" => opened(read, "file", OFlags::RDONLY).is_ok(),
        "list-granted" => {
            let listed = opened(read, ".", OFlags::RDONLY | OFlags::DIRECTORY);
            listed.is_ok_and(|listed| rustix::fs::Dir::read_from(listed).unwrap().count() == 4)
        }
        "write-granted" => {
            let file = opened(write, "file", OFlags::WRONLY | OFlags::TRUNC);
            file.is_ok_and(|file| rustix::io::write(&file, b"new").is_ok())
        }
        "make-granted" => rustix::fs::mkdirat(write, "new", Mode::from_raw_mode(0o755)).is_ok(),
        "rename-granted" => rustix::fs::renameat(write, "file", write, "below/moved").is_ok(),
        "remove-granted" => rustix::fs::unlinkat(write, "file", AtFlags::empty()).is_ok(),
        "create-granted" => opened(create, "new", NEW).is_ok(),
        "times-of-open" => rustix::fs::futimens(&before, &now).is_ok(),
        "size-of-open" => rustix::fs::ftruncate(&before, 1).is_ok(),
        "unnamed-granted" => opened(write, ".", OFlags::TMPFILE | OFlags::RDWR).is_ok(),
        "thread" => std::thread::spawn(|| 42).join().is_ok_and(|answer| answer == 42),
        "memory" => vec![1_u8; 64 << 20].iter().all(|byte| *byte == 1),

        "passwd" => fs::read("/etc/passwd").is_ok(),
        "outside" => {
            fs::read(root.join("outside/file")).is_ok() || opened(&outside, "file", OFlags::RDONLY).is_ok()
        }
        "dots" => opened(read, "../outside/file", OFlags::RDONLY).is_ok(),
        "inherited" => {
            let again = rustix::io::fcntl_dupfd_cloexec(&inherited, 0);
            again.is_ok() || rustix::io::pread(&inherited, &mut [0; 4], 0).is_ok()
        }
        "proc-environ" => fs::read("/proc/self/environ").is_ok(),
        "write-read" => opened(read, "file", OFlags::WRONLY).is_ok() || opened(read, "new", NEW).is_ok(),
        "empty-read" => {
            let _ = opened(read, "file", OFlags::RDONLY | OFlags::TRUNC);
            let file = opened(read, "file", OFlags::RDONLY).unwrap();
            rustix::fs::fstat(&file).unwrap().st_size == 0
        }
        "remove-read" => rustix::fs::unlinkat(read, "file", AtFlags::empty()).is_ok(),
        "make-read" => rustix::fs::mkdirat(read, "new", Mode::from_raw_mode(0o755)).is_ok(),
        "read-create" => opened(create, "file", OFlags::RDONLY).is_ok(),
        "remove-create" => {
            rustix::fs::unlinkat(create, "file", AtFlags::empty()).is_ok()
                || rustix::fs::renameat(create, "file", create, "other").is_ok()
        }
        "list-create" => opened(create, ".", OFlags::RDONLY | OFlags::DIRECTORY).is_ok(),
        "move-out" => rustix::fs::renameat(write, "file", &outside, "moved").is_ok(),
        "link-out" => rustix::fs::linkat(&outside, "file", write, "linked", AtFlags::empty()).is_ok(),
        "symlink" => rustix::fs::symlinkat("/etc", write, "link").is_ok(),
        "fifo" => rustix::fs::mkfifoat(write, "fifo", Mode::from_raw_mode(0o644)).is_ok(),

        "chmod" => rustix::fs::chmodat(write, "file", Mode::from_raw_mode(0o777), AtFlags::empty()).is_ok(),
        "chmod-open" => rustix::fs::fchmod(&before, Mode::from_raw_mode(0o777)).is_ok(),
        "chown" => call(libc::SYS_fchownat, [0; 4]),
        "times" => rustix::fs::utimensat(write, "file", &now, AtFlags::empty()).is_ok(),
        "attribute" => {
            rustix::fs::fsetxattr(&before, "user.a", b"b", rustix::fs::XattrFlags::empty()).is_ok()
        }
        "truncate" => call(libc::SYS_truncate, [0; 4]),

        "fork" => call(libc::SYS_clone, [i64::from(libc::SIGCHLD), 0, 0, 0]),
        "kill" => call(libc::SYS_kill, [parent, 0, 0, 0]) || call(libc::SYS_tgkill, [parent, parent, 0, 0]),
        "run-memory" => {
            call(libc::SYS_mmap, [0, 4096, 5, i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)])
        }
        "run-mapped" => call(libc::SYS_mprotect, [0, 0, i64::from(libc::PROT_READ | libc::PROT_EXEC), 0]),
        "descriptor-out" => call(libc::SYS_sendmsg, [1, 0, 0, 0]),
        "renice" => call(libc::SYS_setpriority, [0, parent, 19, 0]),
        "chdir" => std::env::set_current_dir("/").is_ok(),

        "execve" => call(libc::SYS_execve, [0; 4]),
        "socket" => call(libc::SYS_socket, [2, 1, 0, 0]),
        "unix-socket" => call(libc::SYS_socket, [1, 1, 0, 0]),
        "socketpair" => call(libc::SYS_socketpair, [1, 1, 0, 0]),
        "connect" => call(libc::SYS_connect, [0, 0, 0, 0]),
        "bind" => call(libc::SYS_bind, [0, 0, 0, 0]),
        "listen" => call(libc::SYS_listen, [0, 1, 0, 0]),
        "ptrace" => call(libc::SYS_ptrace, [16, parent, 0, 0]),
        "process-vm" => call(libc::SYS_process_vm_readv, [parent, 0, 0, 0]),
        "bpf" => call(libc::SYS_bpf, [0, 0, 0, 0]),
        "io-uring" => call(libc::SYS_io_uring_setup, [1, 0, 0, 0]),
        "unshare" => call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0]),
        "mount" => call(libc::SYS_mount, [0, 0, 0, 0]),
        "handle" => call(libc::SYS_open_by_handle_at, [0, 0, 0, 0]),
        "pidfd" => call(libc::SYS_pidfd_open, [parent, 0, 0, 0]),
        other => panic!("no attempt is called {other}"),
    }
}
