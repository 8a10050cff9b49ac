//! The command line's side of `gateway.sock`: one line there, one line back, never waiting for ever.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::operator::waiting::{Told, Waits};
use crate::operator::{Reply, Request};
use crate::state::StateFolder;
use crate::state::lock::{Purpose, StateLock, Waited};

/// The longest reply, in bytes: a call's whole outcome.
const REPLY_BYTES: u64 = 64 << 20;

/// A connection to a running gateway.
#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
}

impl Client {
    /// Connects; `None` when no gateway listens there.
    pub(crate) fn connect(state: &StateFolder) -> Result<Option<Self>> {
        let path = state.socket();
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Some(Self { stream })),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("`{}` cannot be reached", path.display())),
        }
    }

    /// Asks, and waits for the reply at most this long (`None`: as long as it takes).
    pub(crate) fn ask(self, request: &Request, within: Option<Duration>) -> Result<Reply> {
        self.ask_hearing(request, within, |_| {})
    }

    /// The same, and hears what is waited for meanwhile, if the request asks for that.
    pub(crate) fn ask_hearing(
        mut self,
        request: &Request,
        within: Option<Duration>,
        hear: impl Fn(&Waits),
    ) -> Result<Reply> {
        self.stream.set_read_timeout(within).context("the socket takes no deadline")?;
        self.stream.set_write_timeout(within).context("the socket takes no deadline")?;
        // It may hold a secret.
        let mut line = zeroize::Zeroizing::new(serde_json::to_vec(request)?);
        line.push(b'\n');
        self.stream.write_all(&line).context("the gateway does not listen")?;
        let mut text = Vec::new();
        let mut reader = BufReader::new(std::io::Read::take(self.stream, REPLY_BYTES));
        loop {
            text.clear();
            reader.read_until(b'\n', &mut text).context("the gateway does not answer")?;
            if text.last() != Some(&b'\n') {
                bail!("the gateway closed the connection without an answer");
            }
            match serde_json::from_slice::<Told>(&text) {
                Ok(told) => hear(&told.waits),
                Err(_) => break,
            }
        }
        serde_json::from_slice(&text)
            .context("the gateway's answer is not understood: is it of another version?")
    }
}

/// The gateway that runs, once it listens; or the lock, where none does.
pub(crate) fn or_lock(state: &StateFolder) -> Result<Waited<Client>> {
    StateLock::wait_unless(state, Purpose::Command, |_| Client::connect(state))
}
