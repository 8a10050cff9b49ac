//! One run of the real program, and what came of it.
//!
//! It runs with an environment of its own: no variable of the test's reaches it unless the test says so.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

use crate::root;

/// A run that takes longer is a hang, and the test fails. `redteam` takes a quarter of a minute on a machine of its own; where eight
/// others computed beside it was measured at three and a half.
const LONGEST: Duration = Duration::from_secs(600);

/// `target/debug/soulbound`, about to run.
#[derive(Debug)]
pub struct Program {
    command: Command,
    input: Vec<u8>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
    /// How long it and the processes that it waited for computed: says the same on a machine that others use too.
    pub computed: Duration,
    /// The most memory that was resident at once, in bytes, as the kernel counted it.
    pub peak: u64,
}

/// Where the program is, built; `SOULBOUND_TESTED` names another, such as an optimised one for figures.
#[must_use]
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os("SOULBOUND_TESTED") {
        return PathBuf::from(path);
    }
    let path = root().join("target/debug/soulbound");
    assert!(path.is_file(), "{} is not built; `cargo xtask test` builds it", path.display());
    path
}

impl Program {
    /// The program with this home and state folder.
    #[must_use]
    pub fn new(home: &Path, state: &Path) -> Self {
        let mut command = Command::new(path());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).env("SOULBOUND_HOME", state);
        Self { command, input: Vec::new() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn words(mut self, words: &[impl AsRef<OsStr>]) -> Self {
        self.command.args(words);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// The folder that it runs in.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What it reads on standard input.
    #[must_use]
    pub fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = text.into();
        self
    }

    /// Starts it, for tests that meddle while it runs.
    #[must_use]
    pub fn start(mut self) -> Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().unwrap()
    }

    /// Starts it with its input left open, for tests that talk with it.
    #[must_use]
    pub fn talk(mut self) -> Child {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        self.command.spawn().unwrap()
    }

    /// Runs it with both streams on a terminal, and with its input typed there if it has any: the exit code, and what the
    /// terminal was sent.
    #[must_use]
    pub fn on_terminal(mut self) -> (Option<i32>, String) {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = PathBuf::from(OsStr::from_bytes(ptsname(&ours, Vec::new()).unwrap().as_bytes()));
        let theirs = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let stdin = if self.input.is_empty() { Stdio::null() } else { theirs() };
        let mut child = self.command.stdin(stdin).stdout(theirs()).stderr(theirs()).spawn().unwrap();
        // The terminal keeps it until it is read.
        rustix::io::write(&ours, &self.input).unwrap();
        // The command holds the terminal's other end too; without it our end is told when the program is gone.
        drop(self.command);
        let mut shown = Vec::new();
        // Linux reports the hang-up as an error after the last byte.
        let _ = File::from(ours).read_to_end(&mut shown);
        (child.wait().unwrap().code(), String::from_utf8_lossy(&shown).into_owned())
    }

    /// Runs it on a terminal, where `answer` is typed once the program has asked `question`: the exit code, and what the
    /// terminal was sent.
    #[must_use]
    pub fn asked_on_terminal(mut self, question: &str, answer: &str) -> (Option<i32>, String) {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = PathBuf::from(OsStr::from_bytes(ptsname(&ours, Vec::new()).unwrap().as_bytes()));
        let theirs = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let mut child = self.command.stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
        drop(self.command);
        let (mut shown, mut part) = (Vec::new(), [0_u8; 4_096]);
        let mut terminal = File::from(ours);
        let mut typed = false;
        // Linux reports the hang-up as an error after the last byte.
        while let Ok(read) = terminal.read(&mut part) {
            shown.extend_from_slice(&part[..read]);
            if !typed && String::from_utf8_lossy(&shown).contains(question) {
                terminal.write_all(answer.as_bytes()).unwrap();
                typed = true;
            }
        }
        (child.wait().unwrap().code(), String::from_utf8_lossy(&shown).into_owned())
    }

    /// Starts it with all three streams here, such as a terminal's end.
    pub(crate) fn start_on(mut self, stream: impl Fn() -> Stdio) -> Child {
        self.command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap()
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(mut self) -> Ended {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.input;
        // A program that does not read its input is no failure of the test.
        let writing = thread::spawn(move || drop(stdin.write_all(&input)));
        let stdout = reading(child.stdout.take().unwrap());
        let stderr = reading(child.stderr.take().unwrap());
        let (code, peak, computed) = wait(&mut child, started);
        let took = started.elapsed();
        writing.join().unwrap();
        Ended { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), took, computed, peak }
    }
}

fn reading(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("the program writes UTF-8")
    })
}

/// Waits, and looks at the kernel's own high-water mark meanwhile: it only rises, so the last look is close.
fn wait(child: &mut Child, started: Instant) -> (Option<i32>, u64, Duration) {
    let pid = Pid::from_child(child);
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status) {
            peak = peak.max(kibibytes(&text, "VmHWM:") * 1024);
        }
        // Without taking its number away: what it computed is asked of what is left of it.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(pid), ended).unwrap().is_some() {
            let computed = computed(pid.as_raw_pid());
            return (child.wait().unwrap().code(), peak, computed);
        }
        if started.elapsed() > LONGEST {
            child.kill().unwrap();
            panic!("the program did not end within {LONGEST:?}");
        }
        thread::sleep(Duration::from_millis(3));
    }
}

/// The processor time of a process and of those that it waited for, from the fields 14 to 17 of `/proc/PID/stat`
/// (proc_pid_stat(5)), which count in hundredths of a second.
#[must_use]
pub fn computed(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let ticks = rest.split_whitespace().skip(11).take(4).map(|ticks| ticks.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// A figure of `/proc/PID/status`, in KiB; 0 where it does not stand.
#[must_use]
pub fn kibibytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

impl Ended {
    /// Standard output as the one JSON document that it must be.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{self:?}"))
    }

    /// The result of a call that succeeded.
    #[must_use]
    pub fn result(&self) -> Value {
        let document = self.json();
        assert_eq!(document["ok"], true, "{self:#?}");
        assert_eq!(self.code, Some(0), "{self:#?}");
        document["result"].clone()
    }

    /// The id of the denial with which a call failed.
    #[must_use]
    pub fn denial(&self) -> String {
        let document = self.json();
        assert_eq!(document["ok"], false, "{self:#?}");
        assert_eq!(self.code, Some(1), "{self:#?}");
        let id = document["denial"]["id"].as_str();
        id.unwrap_or_else(|| panic!("it failed without a denial: {self:#?}")).to_owned()
    }

    /// The ids of all denials of a call, in order.
    #[must_use]
    pub fn denials(&self) -> Vec<String> {
        let document = self.json();
        let denials = document["denials"].as_array().unwrap_or_else(|| panic!("no denials: {self:#?}"));
        denials.iter().map(|denial| denial["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Both streams, for tests of what must stand in neither.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails the test unless it ended with this code.
    pub fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Fails the test unless standard error holds this.
    pub fn complains(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "no `{text}` in:\n{}", self.stderr);
        self
    }
}
