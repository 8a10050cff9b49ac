//! The checks, one function each. None changes anything, and none needs a running gateway.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use soulbound_runtime::compile::Compiler;
use soulbound_runtime::sandbox::worker::{self, Isolation};

use super::{Finding, Severity, files, names, port, standing, trails};
use crate::cli::gateway::status::waiting_settings;
use crate::clock::Moment;
use crate::gateway::status::separation;
use crate::operator::Request;
use crate::operator::client::Client;
use crate::oversight::breakers::open;
use crate::oversight::secrets::place::Place;
use crate::oversight::secrets::survey::survey;
use crate::settings::Settings;
use crate::standard;
use crate::state::StateFolder;
use crate::state::lock::{Held, Purpose};
use crate::trust::Registry;

type Check = fn(Option<&StateFolder>) -> Option<Finding>;

const CHECKS: [Check; 20] = [
    writable,
    format,
    settings,
    names::finding,
    stopped,
    gateway,
    port::finding,
    breakers,
    socket,
    disk,
    open_files,
    memory_maps,
    clock,
    openat2,
    calls_process,
    compiling_process,
    skills,
    secrets,
    secrets_key,
    own_user,
];

/// How many checks there are, those of the state folder itself, of the trails, of agents' files and of what of them
/// runs among them.
pub(super) const COUNT: usize = CHECKS.len() + 4;

/// Open files of a process that a gateway at its bounds needs: 512 connections, 64 calls of 256 handles at worst half
/// used, two files a loaded agent.
const OPEN_FILES: u64 = 4_096;
/// Memory maps of a process: the pooled instances and their guard pages, and threads.
const MEMORY_MAPS: u64 = 65_530;
/// Bytes free below which a trail soon takes no records.
const FREE: u64 = 256 << 20;
/// No clock of a machine that runs this build is before 2026.
const BUILT_AFTER: &str = "2026-01-01";

/// Runs all checks.
pub(super) fn all() -> Vec<Finding> {
    let state = StateFolder::find();
    let mut findings = Vec::new();
    if let Err(error) = &state {
        let text = format!("{error:#}");
        let (message, fix) =
            text.split_once("\n  hint: ").unwrap_or((&text, "set SOULBOUND_HOME to a folder of your own"));
        findings.push(Finding::new("state.folder", Severity::Error, message, fix));
    }
    findings.extend(CHECKS.iter().filter_map(|check| check(state.as_ref().ok())));
    if let Ok(state) = &state {
        findings.extend(trails::findings(state));
        findings.extend(files::findings(state));
        findings.extend(standing::findings(state));
    }
    findings
}

/// A file system becomes read-only when its disk fails, too.
fn writable(state: Option<&StateFolder>) -> Option<Finding> {
    let path = state?.path();
    let error = rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).err()?;
    // One that is not there is made by whoever needs it first.
    (error != rustix::io::Errno::NOENT).then(|| {
        Finding::new(
            "state.writable",
            Severity::Error,
            format!("the state folder `{}` cannot be written: {error}", path.display()),
            "mount it for writing, or mend its owner and mode (0700): until then no gateway starts, and a stop does not last",
        )
    })
}

fn format(state: Option<&StateFolder>) -> Option<Finding> {
    let error = state?.known_format().err()?;
    let text = format!("{error:#}");
    let (message, fix) =
        text.split_once("\n  hint: ").unwrap_or((&text, "put the file `format` back from a backup"));
    Some(Finding::new("state.format", Severity::Error, message, fix))
}

fn settings(state: Option<&StateFolder>) -> Option<Finding> {
    let error = Settings::read(state?).err()?;
    let text = format!("{error:#}");
    let (message, fix) = text
        .split_once("\n  hint: ")
        .unwrap_or((&text, "mend the line; `soulbound gateway config` shows every key"));
    Some(Finding::new("settings.readable", Severity::Error, message, fix))
}

fn stopped(state: Option<&StateFolder>) -> Option<Finding> {
    state?.is_stopped().then(|| {
        Finding::new(
            "gateway.stopped",
            Severity::Warning,
            "everything was stopped by an operator",
            "when the reason is gone: soulbound gateway start",
        )
    })
}

/// A gateway that holds the folder has to answer.
fn gateway(state: Option<&StateFolder>) -> Option<Finding> {
    let state = state?;
    let Held(holder) = state.holder().ok()??;
    let pid = holder.as_ref().map_or_else(|| "unknown".to_owned(), |holder| holder.pid.to_string());
    let Some(client) = Client::connect(state).ok().flatten() else {
        // A command of a moment has none, nor has a gateway that was stopped and leaves.
        let listens =
            holder.is_some_and(|holder| holder.purpose == Purpose::Gateway && holder.listen.is_some());
        return (listens && !state.is_stopped()).then(|| {
            Finding::new(
                "gateway.answers",
                Severity::Error,
                format!(
                    "the gateway (pid {pid}) cannot be asked: its socket `{}` is gone",
                    state.socket().display()
                ),
                "soulbound gateway stop ends it whatever it does; then soulbound gateway start",
            )
        });
    };
    match client.ask(&Request::Status {}, Some(Duration::from_secs(3))) {
        Err(_) => Some(Finding::new(
            "gateway.answers",
            Severity::Error,
            format!("the gateway (pid {pid}) does not answer"),
            "soulbound gateway stop ends it whatever it does",
        )),
        Ok(reply) => {
            let status = reply.value;
            if status.pointer("/audit/writable") == Some(&serde_json::Value::Bool(false)) {
                return Some(Finding::new(
                    "audit.writable",
                    Severity::Error,
                    "the audit trail cannot be written, so calls are refused",
                    "free space on the disk of the state folder, or mend its permissions",
                ));
            }
            let in_force = |message, fix| Finding::new("settings.in-force", Severity::Warning, message, fix);
            if let Some(error) = status.get("settings_error").and_then(serde_json::Value::as_str) {
                let message = format!("the gateway keeps its last good settings: {error}");
                return Some(in_force(message, "mend gateway.toml; it is read again at once"));
            }
            waiting_settings(&status).map(|waits| in_force(waits, "soulbound gateway restart"))
        }
    }
}

/// What tripped stays so until somebody looks.
fn breakers(state: Option<&StateFolder>) -> Option<Finding> {
    let open = open::all(&Registry::open(state?));
    let lines: Vec<String> =
        open.iter().map(|(agent, open)| format!("{agent}: {}", open.lines().join(", "))).collect();
    let (first, _) = open.first()?;
    Some(Finding::new(
        "breakers.closed",
        Severity::Warning,
        format!("breakers are open: {}", lines.join("; ")),
        format!(
            "look at the trail (soulbound audit show {first} --event anomaly), then soulbound agents reset {first}"
        ),
    ))
}

/// `sun_path` of unix(7) has 108 bytes, the last one a zero.
fn socket(state: Option<&StateFolder>) -> Option<Finding> {
    let path = state?.socket();
    (path.as_os_str().len() > 107).then(|| {
        Finding::new(
            "state.socket-path",
            Severity::Error,
            format!("`{}` is too long for a socket", path.display()),
            "set SOULBOUND_HOME to a path of at most 94 bytes",
        )
    })
}

fn disk(state: Option<&StateFolder>) -> Option<Finding> {
    let there = state?.path().ancestors().find(|path| path.is_dir())?;
    let system = rustix::fs::statvfs(there).ok()?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    (free < FREE).then(|| {
        Finding::new(
            "state.disk",
            Severity::Warning,
            format!("{} MiB are free where the trails are written", free >> 20),
            "free some space: a trail that cannot be written refuses calls",
        )
    })
}

fn open_files(_: Option<&StateFolder>) -> Option<Finding> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    (limit < OPEN_FILES).then(|| {
        Finding::new(
            "limits.open-files",
            Severity::Warning,
            format!("a process may have {limit} open files, and a busy gateway has up to {OPEN_FILES}"),
            format!("ulimit -n {OPEN_FILES}, or LimitNOFILE={OPEN_FILES} in the unit"),
        )
    })
}

fn memory_maps(_: Option<&StateFolder>) -> Option<Finding> {
    let limit: u64 = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()?;
    (limit < MEMORY_MAPS).then(|| {
        Finding::new(
            "limits.memory-maps",
            Severity::Warning,
            format!("vm.max_map_count is {limit}, and many instances need {MEMORY_MAPS}"),
            format!("sysctl -w vm.max_map_count={MEMORY_MAPS}"),
        )
    })
}

fn clock(_: Option<&StateFolder>) -> Option<Finding> {
    let built_after = Moment::parse(BUILT_AFTER)?;
    (Moment::now() < built_after).then(|| {
        Finding::new(
            "clock",
            Severity::Error,
            format!("the clock says {}", Moment::now()),
            "set the clock: certificates and the trail's times depend on it",
        )
    })
}

/// Granted directories are opened by `openat2`, which Linux has since 5.6, and looked up in `/proc`.
fn openat2(_: Option<&StateFolder>) -> Option<Finding> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
    let opened = rustix::fs::openat2(CWD, ".", OFlags::PATH, Mode::empty(), ResolveFlags::NO_MAGICLINKS);
    let missing = match opened {
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => "the kernel has no openat2",
        _ if !Path::new("/proc/self/fd").is_dir() => "/proc is not mounted",
        _ => return None,
    };
    Some(Finding::new(
        "layer.directories",
        Severity::Error,
        format!("{missing}, so no directory can be granted"),
        "run on Linux 5.6 or newer, with /proc, under a container profile that allows openat2",
    ))
}

/// The process that a call runs in has the engine's walls only; the one that compiles has the kernel's too.
/// Where calls run, by the settings; whether they can there is tried, not guessed.
fn calls_process(state: Option<&StateFolder>) -> Option<Finding> {
    let isolation = Settings::read(state?).ok()?.isolation;
    let (severity, message, fix) = match isolation {
        Isolation::Thread => (
            Severity::Info,
            "calls run inside the gateway's process: Landlock and seccomp do not confine them".to_owned(),
            "`[sandbox] isolation = \"process\"` in gateway.toml puts both around each skill's calls; docs/figures.md says what that costs",
        ),
        Isolation::Process => match worker::walls() {
            Ok(walls) => (
                Severity::Info,
                format!(
                    "each skill's calls run in a process of their own, behind Landlock {} and seccomp",
                    walls.landlock.unwrap_or_default()
                ),
                "nothing to do",
            ),
            Err(error) => (
                Severity::Error,
                format!("no call runs: {error}"),
                "use Linux 6.2 or newer with Landlock and seccomp, or set `[sandbox] isolation = \"thread\"`",
            ),
        },
    };
    Some(Finding::new("layer.process", severity, message, fix))
}

/// A component is decoded and compiled behind walls of the kernel's: whether it has them is tried, not guessed.
fn compiling_process(_: Option<&StateFolder>) -> Option<Finding> {
    let missing = match Compiler::of_this_program().walls() {
        Err(error) => {
            return Some(Finding::new(
                "layer.compiling",
                Severity::Error,
                format!("nothing new compiles: {error}"),
                "let the program start itself again, and set up Landlock and seccomp; see SECURITY.md",
            ));
        }
        Ok(walls) => walls.missing(),
    };
    (!missing.is_empty()).then(|| {
        Finding::new(
            "layer.compiling",
            Severity::Warning,
            format!("components are compiled without a wall that this kernel lacks: {}", missing.join(", ")),
            "run a kernel that has it, and a container profile that lets a program use it",
        )
    })
}

fn skills(_: Option<&StateFolder>) -> Option<Finding> {
    standard::skills().is_none().then(|| {
        Finding::new(
            "skills.standard",
            Severity::Warning,
            "the standard skills are not beside the program",
            "cargo xtask skills builds them; an installed program has them in ../share/soulbound/skills",
        )
    })
}

/// Secrets that SOUL.md names and that no request can carry.
fn secrets(state: Option<&StateFolder>) -> Option<Finding> {
    let state = state?;
    let unreadable = |error: anyhow::Error| {
        let text = format!("{error:#}");
        let (message, fix) = text.split_once("\n  hint: ").unwrap_or((&text, "see docs/oversight.md"));
        Some(Finding::new("secrets.readable", Severity::Error, message, fix))
    };
    // Settings that cannot be read are a finding of their own.
    let store = crate::cli::secrets::store(state).ok()?;
    if let Err(error) = store.try_key_file() {
        return unreadable(error);
    }
    let mut problems = Vec::new();
    for agent in Registry::open(state).ids().ok()? {
        match crate::cli::secrets::rows(state, &agent) {
            Ok(rows) => problems.extend(rows.iter().filter_map(|row| row.problem())),
            Err(error) => return unreadable(error),
        }
    }
    let (message, fix) = problems.first()?;
    let more = match problems.len() {
        1 => String::new(),
        count => format!(", and {} more like it (soulbound secrets list)", count - 1),
    };
    Some(Finding::new("secrets.set", Severity::Warning, format!("{message}{more}"), fix.clone()))
}

/// Where the key is that seals them: what is truly apart from the state folder, and what is not.
fn secrets_key(state: Option<&StateFolder>) -> Option<Finding> {
    let state = state?;
    let store = crate::cli::secrets::store(state).ok()?;
    let place = store.key_place().ok()??;
    // The key stays when the last secret goes. Of what cannot be opened it is not said that it is empty.
    let has_one = |agent: &String| survey(&store, agent, None).map_or(true, |rows| !rows.is_empty());
    let has = if Registry::open(state).ids().ok()?.iter().any(has_one) {
        "agents have secrets"
    } else {
        "no agent has a secret now"
    };
    let (severity, fix) = match &place {
        Place::Keyring { leftover: true } => (
            Severity::Warning,
            "look where that file comes from; soulbound secrets move-key --to keyring removes it",
        ),
        Place::Keyring { leftover: false } => {
            (Severity::Info, "nothing; soulbound secrets move-key --to file takes it out again")
        }
        Place::Own(_) => (
            Severity::Info,
            "soulbound secrets move-key --to keyring, or `[secrets] key_file`: docs/oversight.md#secrets",
        ),
        Place::Operators(_) => return None,
    };
    Some(Finding::new("secrets.key", severity, format!("{has}; {place}"), fix))
}

fn own_user(_: Option<&StateFolder>) -> Option<Finding> {
    (separation() == "same-user").then(|| {
        Finding::new("separation", Severity::Info, "the gateway runs as a user who logs in: whoever has that user's shell, an agent's own shell too, is the operator", "run the gateway as a user of its own and let agents come in over HTTP with their tokens")
    })
}
