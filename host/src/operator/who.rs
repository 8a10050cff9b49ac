//! Who acted: what the kernel says of a process, for the trail. It proves a user id and nothing more.

use serde::{Deserialize, Serialize};

/// The person or program behind an operator's act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    /// The user id.
    pub(crate) uid: u32,
    /// The user's name, as the environment says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The process.
    pub(crate) pid: u32,
    /// The terminal, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tty: Option<String>,
    /// Through which door: `cli`, `http`, `signal`, `file`.
    pub(crate) door: String,
}

impl Who {
    /// This process, as the command line.
    pub(crate) fn this_process() -> Self {
        let tty = rustix::termios::ttyname(std::io::stdin(), Vec::new()).ok();
        Self {
            uid: rustix::process::getuid().as_raw(),
            user: std::env::var("USER").ok().filter(|user| !user.is_empty()),
            pid: std::process::id(),
            tty: tty.map(|name| name.to_string_lossy().into_owned()),
            door: "cli".to_owned(),
        }
    }

    /// The gateway itself, moved by something else than a command.
    pub(crate) fn itself(door: &str) -> Self {
        Self { user: None, tty: None, door: door.to_owned(), ..Self::this_process() }
    }
}
