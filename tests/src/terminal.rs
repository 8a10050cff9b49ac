//! A run of the program that somebody sits before: keys are typed while it shows things.
//!
//! What it showed is kept whole, as the terminal was sent it. The rule: a test waits for something to be shown, never for time
//! to pass.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::Program;
use crate::gateway::until;

/// The terminal, and the program on it.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The program's own end, so that its settings can be asked for when the program is gone.
    end: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts the program on a terminal of its own.
    #[must_use]
    pub fn of(program: Program) -> Self {
        let ours: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = PathBuf::from(OsStr::from_bytes(ptsname(&ours, Vec::new()).unwrap().as_bytes()));
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let end = open();
        let child = program.start_on(|| Stdio::from(open()));
        let (keyboard, shown) = (File::from(ours), Arc::<Mutex<Vec<u8>>>::default());
        let (mut screen, kept) = (keyboard.try_clone().unwrap(), Arc::clone(&shown));
        thread::spawn(move || {
            let mut part = [0_u8; 4_096];
            while let Ok(read @ 1..) = screen.read(&mut part) {
                kept.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Self { child, keyboard, end, shown }
    }

    /// Types keys.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// All that it showed until now.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// The picture that stands there: what was shown since the screen was last cleared, whole.
    #[must_use]
    pub fn picture(&self) -> String {
        self.shown().rsplit("\u{1b}[2J").nth(1).unwrap_or_default().to_owned()
    }

    /// Waits until the picture holds this.
    pub fn until_shows(&self, text: &str) {
        until(|| self.picture().contains(text), text);
    }

    /// Whether keys show as they are typed, as they do when a program has put the terminal back.
    #[must_use]
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.end).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Waits for its end: the exit code.
    pub fn ends(&mut self) -> Option<i32> {
        until(|| self.child.try_wait().unwrap().is_some(), "the program to end");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
