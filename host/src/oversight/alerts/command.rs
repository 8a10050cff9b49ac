//! A program that is run with the alert on its standard input.
//!
//! No shell, no search for it, no environment of the gateway's, nothing of the alert among its arguments: what a skill
//! chose is data. It runs as the gateway's own user, in a process group of its own, and is killed with all of it when
//! its time is up.

use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// What a program finds on its path; beside it its environment has `LANG` and nothing else.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A program, its arguments, and how long it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The program's path and its arguments.
    pub(crate) argv: Vec<String>,
    /// How long it may run.
    pub(crate) time: Duration,
}

impl Command {
    /// The program.
    pub(crate) fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// Runs it with this on its standard input, and waits for it. Blocks.
    ///
    /// # Errors
    ///
    /// It does not start, fails, or takes too long.
    pub(super) fn run(&self, input: &[u8]) -> Result<(), String> {
        let deadline = Instant::now() + self.time;
        let mut child = std::process::Command::new(self.program())
            .args(self.argv.iter().skip(1))
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("the program does not start: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // Smaller than a pipe, so this waits for nobody; a program that does not read it is no failure.
            let _ = stdin.write_all(input);
        }
        let ended = wait(&child, deadline);
        // Before it is reaped: until then its number is its group's and nobody else's.
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = child.wait().map_err(|error| format!("its end cannot be learnt: {error}"))?;
        match (ended?, status.code(), status.signal()) {
            (false, _, _) => Err(format!("it ran longer than {} ms and was killed", self.time.as_millis())),
            (true, Some(0), _) => Ok(()),
            (true, Some(code), _) => Err(format!("it ended with exit code {code}")),
            (true, None, signal) => Err(format!("a signal ended it ({})", signal.unwrap_or_default())),
        }
    }
}

/// Whether it ended by itself before the deadline.
fn wait(child: &Child, deadline: Instant) -> Result<bool, String> {
    let failed = |error: rustix::io::Errno| format!("it cannot be watched: {error}");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("it has no number")?;
    let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| "its time is too long")?;
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, time: u64) -> Command {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Command { argv, time: Duration::from_millis(time) }
    }

    #[test]
    fn it_gets_the_document_and_nothing_of_our_environment() {
        let folder = tempfile::tempdir().unwrap();
        let (input, environment) = (folder.path().join("input"), folder.path().join("environment"));
        let script = format!("cat > {}; /usr/bin/env > {}", input.display(), environment.display());
        shell(&script, 10_000).run(b"{\"kind\":\"anomaly\"}").unwrap();
        assert_eq!(std::fs::read(input).unwrap(), b"{\"kind\":\"anomaly\"}");
        let environment = std::fs::read_to_string(environment).unwrap();
        assert!(!environment.contains("HOME=") && !environment.contains("CARGO"), "{environment}");
    }

    #[test]
    fn how_it_ended_is_said() {
        assert!(shell("exit 3", 10_000).run(b"").unwrap_err().contains("exit code 3"));
        assert!(shell("kill -9 $$", 10_000).run(b"").unwrap_err().contains("signal"));
        let missing = Command { argv: vec!["/does/not/exist".to_owned()], time: Duration::from_secs(1) };
        assert!(missing.run(b"").unwrap_err().contains("does not start"));
        // One that does not read is no failure.
        shell("exit 0", 10_000).run(&[b'x'; 8_000]).unwrap();
    }

    #[test]
    fn it_is_killed_with_its_children_when_its_time_is_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child");
        let script = format!("sleep 300 & echo $! > {}; wait", file.display());
        let started = Instant::now();
        let error = shell(&script, 500).run(b"").unwrap_err();
        assert!(error.contains("killed") && started.elapsed() < Duration::from_secs(20), "{error}");
        let pid: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_gone =
            || stat().rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']));
        while !is_gone() {
            assert!(started.elapsed() < Duration::from_secs(20), "the child lives on");
            std::thread::yield_now();
        }
    }
}
