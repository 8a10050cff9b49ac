//! Who did something at this machine, as far as the kernel knows: for the record, not for a decision.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A process and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Who {
    /// The user's number.
    pub(crate) uid: u32,
    /// The user's name in `/etc/passwd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The process.
    pub(crate) pid: u32,
    /// The terminal that it was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tty: Option<String>,
}

impl Who {
    /// What the kernel says of the process stands; the terminal is the process's own word.
    pub(crate) fn known(&mut self, uid: u32, pid: Option<u32>) {
        self.uid = uid;
        self.user = user(uid);
        self.pid = pid.unwrap_or(self.pid);
        if self
            .tty
            .as_ref()
            .is_some_and(|tty| tty.len() > 32 || !tty.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            self.tty = None;
        }
    }

    /// The operator's own alert of this name, which was told to act.
    pub(crate) fn alert(name: &str) -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self { uid, user: Some(format!("alert {name}")), pid: std::process::id(), tty: None }
    }

    /// This process. Its environment is not asked: anybody can set `USER`.
    pub(crate) fn this_process() -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self { uid, user: user(uid), pid: std::process::id(), tty: tty() }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(formatter, "{user}")?,
            None => write!(formatter, "uid {}", self.uid)?,
        }
        match &self.tty {
            Some(tty) => write!(formatter, " on {tty}"),
            None => Ok(()),
        }
    }
}

/// The user's name, from the file that every system has; none where users come from elsewhere.
fn user(uid: u32) -> Option<String> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let of = |line: &str| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    };
    passwd.lines().find_map(of)
}

fn tty() -> Option<String> {
    let path = std::fs::read_link("/proc/self/fd/0").ok()?;
    let is_terminal = path.starts_with("/dev/pts") || path.to_str()?.starts_with("/dev/tty");
    is_terminal.then(|| path.strip_prefix(Path::new("/dev")).ok()?.to_str().map(str::to_owned)).flatten()
}
