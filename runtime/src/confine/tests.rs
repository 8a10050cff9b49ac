//! Each attempt in a process of its own: this test program again, asked for the one ignored test below.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

/// What the child is to try.
const ATTEMPT: &str = "SOULBOUND_CONFINE_ATTEMPT";
/// What the child's exit code says.
const DID_IT: i32 = 10;
const REFUSED: i32 = 11;
/// The kernel's signal for a forbidden system call.
const SIGSYS: i32 = 31;

fn tried(attempt: &str) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "confine::tests::the_child_that_tries_one_thing", "--ignored", "--nocapture"];
    let output = Command::new(program).args(arguments).env(ATTEMPT, attempt).output().unwrap();
    output.status
}

/// Walls that this kernel lacks prove nothing; said aloud, so that nobody takes that for a pass. Asked of the kernel, and not
/// of what is tested here.
fn kernel_has_all() -> bool {
    const VERSION: i64 = 1;
    let landlock = raw(libc::SYS_landlock_create_ruleset, [0, 0, VERSION, 0]).is_ok();
    let has = landlock && std::path::Path::new("/proc/sys/kernel/seccomp").is_dir();
    if !has {
        println!("NOT RUN: this kernel has no Landlock or no seccomp");
    }
    has
}

#[test]
fn a_confined_process_can_still_read_and_write_its_pipes_and_start_threads() {
    for attempt in ["pipe", "thread", "memory", "random"] {
        assert_eq!(tried(attempt).code(), Some(DID_IT), "{attempt}");
    }
}

#[test]
fn a_confined_process_is_refused_files_processes_other_descriptors_and_memory_to_run() {
    if !kernel_has_all() {
        return;
    }
    for attempt in
        ["open", "create", "stat", "chdir", "unlink", "fork", "clone3", "inherited", "run-memory", "kill"]
    {
        assert_eq!(tried(attempt).code(), Some(REFUSED), "{attempt}");
    }
}

#[test]
fn a_confined_process_ends_at_what_no_compiler_asks_for() {
    if !kernel_has_all() {
        return;
    }
    for attempt in [
        "execve",
        "socket",
        "socketpair",
        "connect",
        "ptrace",
        "process-vm",
        "bpf",
        "keyctl",
        "io-uring",
        "userfaultfd",
        "unshare",
        "mount",
    ] {
        assert_eq!(tried(attempt).signal(), Some(SIGSYS), "{attempt}");
    }
}

#[test]
fn a_wall_that_the_kernel_has_stands_and_is_named() {
    if kernel_has_all() {
        assert_eq!(tried("walls").code(), Some(DID_IT));
    }
}

#[test]
fn landlock_alone_keeps_it_from_every_file() {
    if !kernel_has_all() {
        return;
    }
    assert_eq!(tried("landlock-open").code(), Some(REFUSED));
    assert_eq!(tried("landlock-create").code(), Some(REFUSED));
}

#[test]
#[ignore = "started by the tests above, in a process of its own"]
fn the_child_that_tries_one_thing() {
    let Ok(attempt) = std::env::var(ATTEMPT) else { return };
    let did = try_it(&attempt);
    std::process::exit(if did { DID_IT } else { REFUSED });
}

/// Makes a system call as no library of ours does, and tells the kernel's error.
#[expect(unsafe_code, reason = "system calls that no library of ours makes, with arguments that do no harm")]
fn raw(number: libc::c_long, arguments: [i64; 4]) -> Result<(), i32> {
    let [first, second, third, fourth] = arguments;
    // SAFETY: no argument is a pointer that the kernel writes to, and no memory in use is mapped anew.
    let answer = unsafe { libc::syscall(number, first, second, third, fourth, -1_i64, 0_i64) };
    if answer >= 0 { Ok(()) } else { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
}

/// Whether a call got further than the filter. The C library's own fallback hangs on `clone3` being "not implemented".
fn passed(number: libc::c_long, arguments: [i64; 4]) -> bool {
    let refusal = if number == libc::SYS_clone3 { libc::ENOSYS } else { libc::EPERM };
    raw(number, arguments) != Err(refusal)
}

fn try_it(attempt: &str) -> bool {
    let folder = tempfile::tempdir().unwrap().keep();
    let file = folder.join("file");
    std::fs::write(&file, "text").unwrap();
    let inherited = std::fs::File::options().append(true).open(&file).unwrap();
    let parent = i64::from(std::os::unix::process::parent_id());
    if let Some(attempt) = attempt.strip_prefix("landlock-") {
        super::files::none().unwrap();
        return match attempt {
            "open" => std::fs::read(&file).is_ok(),
            _ => std::fs::write(folder.join("new"), "text").is_ok(),
        };
    }
    let walls = super::to_pipes().unwrap();
    match attempt {
        "walls" => walls.missing().is_empty(),
        "pipe" => std::io::stdout().write_all(b"said\n").is_ok(),
        "thread" => std::thread::spawn(|| 42).join().is_ok_and(|answer| answer == 42),
        "memory" => vec![1_u8; 64 << 20].iter().all(|byte| *byte == 1),
        "random" => getrandom::fill(&mut [0; 16]).is_ok(),
        "open" => std::fs::File::open(&file).is_ok(),
        "create" => std::fs::File::create(folder.join("new")).is_ok(),
        "stat" => std::fs::metadata(&file).is_ok(),
        "chdir" => std::env::set_current_dir("/").is_ok(),
        "unlink" => std::fs::remove_file(&file).is_ok(),
        "fork" => passed(libc::SYS_clone, [i64::from(libc::SIGCHLD), 0, 0, 0]),
        "clone3" => passed(libc::SYS_clone3, [0; 4]),
        "inherited" => rustix::io::write(&inherited, b"more").is_ok(),
        "run-memory" => {
            let (access, flags) =
                (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            passed(libc::SYS_mmap, [0, 4_096, i64::from(access), i64::from(flags)])
                || passed(libc::SYS_mprotect, [0, 0, i64::from(libc::PROT_EXEC), 0])
        }
        "kill" => {
            passed(libc::SYS_kill, [parent, 0, 0, 0]) || passed(libc::SYS_tgkill, [parent, parent, 0, 0])
        }
        "filter" => passed(libc::SYS_seccomp, [0; 4]) || passed(libc::SYS_prctl, [22, 0, 0, 0]),
        "execve" => passed(libc::SYS_execve, [0; 4]),
        "socket" => passed(libc::SYS_socket, [i64::from(libc::AF_INET), i64::from(libc::SOCK_STREAM), 0, 0]),
        "socketpair" => std::os::unix::net::UnixStream::pair().is_ok(),
        "connect" => passed(libc::SYS_connect, [0; 4]),
        "ptrace" => passed(libc::SYS_ptrace, [0; 4]),
        "process-vm" => passed(libc::SYS_process_vm_readv, [parent, 0, 0, 0]),
        "bpf" => passed(libc::SYS_bpf, [0; 4]),
        "keyctl" => passed(libc::SYS_keyctl, [0; 4]),
        "io-uring" => passed(libc::SYS_io_uring_setup, [1, 0, 0, 0]),
        "userfaultfd" => passed(libc::SYS_userfaultfd, [0; 4]),
        "unshare" => passed(libc::SYS_unshare, [i64::from(libc::CLONE_NEWUSER), 0, 0, 0]),
        "mount" => passed(libc::SYS_mount, [0; 4]),
        other => panic!("no such attempt: {other}"),
    }
}
