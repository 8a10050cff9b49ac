//! What a process that runs guests asks the kernel for besides: files below the handles that it was handed.
//!
//! Landlock decides where a file may be opened and changed, and knows nothing of owners, permissions, attributes and times:
//! so no system call that sets one by a path is here, and none that sends or receives a descriptor. What was compiled was
//! made runnable before: no memory becomes so any more.

use libc::c_long;
use seccompiler::{Error, SeccompCmpArgLen, SeccompCmpOp};

use super::{Rules, computing, flag, only};

/// Allowed whatever the arguments are. Paths in them are under Landlock.
const FILES: &[c_long] = &[
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getdents64,
    libc::SYS_linkat,
    libc::SYS_lseek,
    libc::SYS_memfd_create,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pread64,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statx,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
];

/// `PAGEMAP_SCAN` of `linux/fs.h`, by which the engine finds what of an instance's memory has to be cleared:
/// `_IOWR('f', 16, struct pm_scan_arg)` with twelve words of eight bytes.
const PAGEMAP_SCAN: u64 = 0xc060_6610;

/// What is allowed, the conditional ones too.
pub(super) fn allowed() -> Result<Rules, Error> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, MaskedEq};
    let mut rules = computing()?;
    rules.extend(FILES.iter().map(|call| (*call, Vec::new())));
    // Also of files: the images of instances' memory are such.
    only(&mut rules, libc::SYS_mmap, &[(2, Qword, MaskedEq(flag(libc::PROT_EXEC)), 0)])?;
    // The times of what is open, never of what a path leads to.
    only(&mut rules, libc::SYS_utimensat, &[(1, Qword, Eq, 0)])?;
    only(&mut rules, libc::SYS_ioctl, &[(1, Dword, Eq, PAGEMAP_SCAN)])?;
    for command in [libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_GETFL, libc::F_ADD_SEALS] {
        only(&mut rules, libc::SYS_fcntl, &[(1, Dword, Eq, flag(command))])?;
    }
    // A thread's own priority, and no other process's.
    only(
        &mut rules,
        libc::SYS_setpriority,
        &[(0, Dword, Eq, u64::from(libc::PRIO_PROCESS)), (1, Dword, Eq, 0)],
    )?;
    Ok(rules)
}

/// Every use of these descriptors in what is allowed: no such call takes one elsewhere than in its first argument, but those
/// that map one or have a second directory.
pub(super) fn of(descriptors: &[u32]) -> Result<Rules, Error> {
    let mut rules = Rules::new();
    let first = FILES.iter().chain(&[libc::SYS_ioctl, libc::SYS_fcntl, libc::SYS_utimensat]);
    let second = [libc::SYS_linkat, libc::SYS_renameat, libc::SYS_renameat2].map(|call| (call, 2));
    let uses = first.map(|call| (*call, 0)).chain(second).chain([(libc::SYS_mmap, 4)]);
    for (call, argument) in uses.filter(|(call, _)| *call != libc::SYS_memfd_create) {
        for descriptor in descriptors {
            let is_it = (argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(*descriptor));
            only(&mut rules, call, &[is_it])?;
        }
    }
    Ok(rules)
}
