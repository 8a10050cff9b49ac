//! The few system calls of a process that reads a pipe, computes on several threads, and writes a pipe.
//!
//! Three filters, of whose answers the kernel takes the strictest. What no such process asks for by accident ends it
//! ([`FATAL`]): an attacker has one try, and it shows. What is not listed fails with `EPERM`, so that a library that
//! probes for a feature goes on without it. `clone3` is "not implemented": its flags lie in memory, where no filter
//! sees them, and the C library then uses `clone`, whose flags can be judged.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allowed whatever the arguments are: memory, threads that wait and end, clocks, signals of one's own. `clone3` stands here
/// so that its own filter's answer is the strictest: of two equally strict ones the kernel takes the last one's number.
const ALLOWED: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

/// End the process. No part of a compiler leads here.
const FATAL: &[c_long] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_add_key,
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_connect,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_listen,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Puts the filters up. `false` where the kernel has no seccomp.
pub(super) fn few() -> Result<bool, Error> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let plain = |calls: &[c_long]| -> Rules { calls.iter().map(|call| (*call, Vec::new())).collect() };
    let filters = [
        filter(plain(&[libc::SYS_clone3]), SeccompAction::Allow, errno(libc::ENOSYS), arch)?,
        filter(plain(FATAL), SeccompAction::Allow, SeccompAction::KillProcess, arch)?,
        // Last: from here on no filter can be added.
        filter(allowed()?, errno(libc::EPERM), SeccompAction::Allow, arch)?,
    ];
    for filter in &filters {
        match apply_filter(filter) {
            Err(Error::Prctl(error) | Error::Seccomp(error)) if is_missing(&error) => return Ok(false),
            other => other?,
        }
    }
    Ok(true)
}

/// What seccomp(2) says of a kernel that was built without filters.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}

fn filter(
    rules: Rules,
    otherwise: SeccompAction,
    action: SeccompAction,
    arch: TargetArch,
) -> Result<BpfProgram, Error> {
    Ok(SeccompFilter::new(rules, otherwise, action, arch)?.try_into()?)
}

/// What is allowed, the conditional ones too.
fn allowed() -> Result<Rules, Error> {
    use SeccompCmpArgLen::{Dword, Qword};
    use SeccompCmpOp::{Eq, Le, MaskedEq};
    let mut rules: Rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let mut only = |call: c_long, conditions: &[(u8, SeccompCmpArgLen, SeccompCmpOp, u64)]| {
        let conditions = conditions
            .iter()
            .map(|(argument, length, operator, value)| {
                SeccompCondition::new(*argument, length.clone(), operator.clone(), *value)
            })
            .collect::<Result<Vec<_>, _>>()?;
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok::<(), Error>(())
    };
    // The pipes; a descriptor that was inherited by mistake stays out of reach.
    for call in [libc::SYS_read, libc::SYS_readv, libc::SYS_write, libc::SYS_writev] {
        only(call, &[(0, Dword, Le, 2)])?;
    }
    // Memory of its own and no memory that can be run: what it compiles is run elsewhere.
    let runnable = flag(libc::PROT_EXEC);
    let anonymous = flag(libc::MAP_ANONYMOUS);
    only(libc::SYS_mmap, &[(2, Qword, MaskedEq(runnable), 0), (3, Qword, MaskedEq(anonymous), anonymous)])?;
    only(libc::SYS_mprotect, &[(2, Qword, MaskedEq(runnable), 0)])?;
    // A thread, and never a process.
    let thread = flag(libc::CLONE_THREAD);
    only(libc::SYS_clone, &[(0, Qword, MaskedEq(thread), thread)])?;
    // A signal to itself: how the C library aborts.
    only(libc::SYS_tgkill, &[(0, Dword, Eq, u64::from(std::process::id()))])?;
    // Names of threads and of memory.
    only(libc::SYS_prctl, &[(0, Dword, Eq, flag(libc::PR_SET_NAME))])?;
    only(libc::SYS_prctl, &[(0, Dword, Eq, flag(libc::PR_SET_VMA))])?;
    Ok(rules)
}

/// One of the C library's flags, none of which is negative.
fn flag(value: i32) -> u64 {
    u64::from(value.unsigned_abs())
}
