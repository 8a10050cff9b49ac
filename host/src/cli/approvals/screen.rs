//! A terminal for a moment: single keys without echo, a picture that is drawn anew. As it was when it is dropped.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
};

/// Columns and rows where the terminal does not say.
const SIZE: (usize, usize) = (80, 24);

/// The terminal that this process has.
pub(super) struct Screen {
    before: Termios,
}

impl Screen {
    /// Takes the terminal; `None` when input or output is none.
    pub(super) fn open() -> Result<Option<Self>> {
        let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
        if !stdin.is_terminal() || !stdout.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin).context("the terminal does not say how it is set")?;
        let mut raw = before.clone();
        // Signals too: Ctrl-C is a key here, so that the terminal is put back.
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(&stdin, OptionalActions::Now, &raw).context("the terminal cannot be set")?;
        Ok(Some(Self { before }))
    }

    /// Draws the lines, wrapped as the terminal does. What does not fit is said, never scrolled away unseen.
    pub(super) fn draw(&mut self, lines: &[String]) -> Result<()> {
        let size = tcgetwinsize(std::io::stdout()).map(|size| (size.ws_col as usize, size.ws_row as usize));
        let (columns, rows) = size.ok().filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or(SIZE);
        let height = |line: &String| line.chars().count().max(1).div_ceil(columns);
        let all: usize = lines.iter().map(height).sum();
        let mut picture = String::from("\u{1b}[2J\u{1b}[H");
        if all < rows {
            lines.iter().for_each(|line| push(&mut picture, line));
        } else {
            // The last three say what can be done; what is cut is between them and the beginning.
            let (body, foot) = lines.split_at(lines.len().saturating_sub(3));
            let mut room = rows.saturating_sub(foot.iter().map(height).sum::<usize>() + 2);
            let mut shown = 0;
            for line in body {
                let needed = height(line);
                if needed > room {
                    break;
                }
                room -= needed;
                shown += 1;
                push(&mut picture, line);
            }
            let left = body.len() - shown;
            push(
                &mut picture,
                &format!("… {left} more lines than the terminal has: see `soulbound approvals show`"),
            );
            foot.iter().for_each(|line| push(&mut picture, line));
        }
        let mut out = std::io::stdout().lock();
        out.write_all(picture.as_bytes()).and_then(|()| out.flush()).context("the terminal is gone")
    }

    /// A key, if one is pressed within this time.
    pub(super) fn key(&mut self, within: Duration) -> Result<Option<u8>> {
        let stdin = std::io::stdin();
        let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
        let within = Timespec::try_from(within).context("no such time")?;
        match poll(&mut polled, Some(&within)) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(error).context("the terminal is gone"),
        }
        let mut byte = [0_u8; 1];
        // Past the standard library's buffer: what it had read ahead could not be forgotten.
        let read = rustix::io::read(stdin.as_fd(), &mut byte).context("the terminal is gone")?;
        anyhow::ensure!(read == 1, "the terminal is gone");
        Ok(byte.first().copied())
    }

    /// Forgets what was typed and not read.
    pub(super) fn forget_typed(&mut self) -> Result<()> {
        tcflush(std::io::stdin(), QueueSelector::IFlush).context("the terminal is gone")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn push(picture: &mut String, line: &str) {
    picture.push_str(line);
    picture.push_str("\r\n");
}
