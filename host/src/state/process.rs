//! Other processes of this machine, as `/proc` shows them: whether a number still means the process that it meant, and
//! which gateways this user runs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// When a process began, in the kernel's ticks since boot; `None` when there is none of that number.
pub(crate) fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything; the rest follows its last one.
    // `started` is field 22 of proc_pid_stat(5), so the twentieth after the name.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// A gateway of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunningGateway {
    /// Its process.
    pub(crate) pid: i32,
    /// Its state folder, from its environment.
    pub(crate) state: PathBuf,
}

/// Every process of this user that is `soulbound gateway run`, this one excepted.
pub(crate) fn gateways() -> Vec<RunningGateway> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = rustix::process::geteuid().as_raw();
    let us = std::process::id().cast_signed();
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != us && uid(*pid) == Some(own)).filter_map(gateway).collect()
}

fn uid(pid: i32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|metadata| metadata.uid())
}

fn gateway(pid: i32) -> Option<RunningGateway> {
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = command.split(|byte| *byte == 0);
    let program = words.next()?;
    let named = program.ends_with(b"/soulbound") || program == b"soulbound";
    if !named || words.next()? != b"gateway" || words.next()? != b"run" {
        return None;
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variable = |name: &str| {
        let value = environment.split(|byte| *byte == 0).find_map(|one| one.strip_prefix(name.as_bytes()))?;
        let value = std::str::from_utf8(value).ok()?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    };
    let state = variable("SOULBOUND_HOME=").or_else(|| Some(variable("HOME=")?.join(".soulbound")))?;
    Some(RunningGateway { pid, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_beginning_and_one_that_is_not_there_has_none() {
        let us = std::process::id().cast_signed();
        assert!(started(us).is_some_and(|ticks| ticks > 0));
        assert_eq!(started(us), started(us));
        assert_eq!(started(i32::MAX), None);
    }
}
