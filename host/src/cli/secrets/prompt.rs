//! A line typed at a terminal that does not show it.
//!
//! The terminal is asked to pass every key on unseen, signals too: an interrupt that ended the program here would leave the
//! shell behind it without an echo. The rule: its settings are put back however this ends.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use soulbound_runtime::sandbox::secret::LONGEST;
use zeroize::Zeroizing;

/// Ctrl-C, Ctrl-D, Ctrl-U, and the two that keyboards send for backspace.
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const ALL: u8 = 0x15;
const BACK: [u8; 2] = [0x08, 0x7f];

/// Puts the terminal's settings back.
struct Restore(Termios);

impl Drop for Restore {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
        let _ = writeln!(std::io::stderr());
    }
}

/// Asks for a line on standard error and reads it unseen from the terminal on standard input.
pub(super) fn unseen(question: &str) -> Result<Zeroizing<String>> {
    let before = tcgetattr(std::io::stdin()).context("the terminal cannot be asked")?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
    let _restore = Restore(before);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &unseen)
        .context("the terminal cannot be kept from showing it")?;
    let _ = write!(std::io::stderr(), "{question}");
    let mut typed = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    for byte in std::io::stdin().lock().bytes() {
        match byte.context("the terminal cannot be read")? {
            INTERRUPT => bail!("nothing was changed"),
            b'\n' | b'\r' | END => break,
            ALL => typed.clear(),
            back if BACK.contains(&back) => drop(typed.pop()),
            byte if typed.len() <= LONGEST => typed.push(byte),
            _ => {}
        }
    }
    match std::str::from_utf8(&typed) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => bail!("the value is not UTF-8; a header carries visible ASCII"),
    }
}
