//! `soulbound mcp serve`: what a client starts as its stdio server. It copies lines between the client and the gateway's
//! socket, and holds nothing that matters: clients end idle servers and kill their processes, the gateway goes on.
//!
//! It must never leave a client waiting. So it knows which requests are under way, by their ids, and when the gateway is
//! stopped or goes away, each of them is answered at once; the next request looks for a gateway again. It must never write
//! anything to standard output but messages of the protocol. And what comes from the client is never more than a line to
//! be passed on: which agent speaks is said once, before the first of them, by the command line.
//!
//! Two threads and no runtime: a line is read by one system call, written by another, and handed to nobody between.

mod link;
pub(super) mod message;
mod pending;

use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use link::{Link, NoGateway};
use message::{Head, Refusal};
use pending::Pending;

/// The longest line that is read from the client at all, in bytes.
const LINE: u64 = 64 << 20;
/// The longest that the gateway takes.
const PASSED: usize = super::http::MESSAGE_BYTES;

/// Where answers go: a whole line at a time, from either thread.
pub(crate) type Output = Arc<Mutex<dyn Write + Send>>;

/// Serves an agent between a client's input and output, until the input ends.
///
/// `ensure` makes sure that a gateway runs; its error says why none does.
///
/// # Errors
///
/// The input cannot be read, or the output cannot be written: the client is gone.
pub(crate) fn serve(
    agent: &str,
    socket: &Path,
    ensure: impl Fn() -> Result<()>,
    mut input: impl BufRead,
    output: Output,
) -> Result<()> {
    let mut shim = Shim {
        agent,
        socket,
        ensure,
        pending: Arc::default(),
        output,
        link: None,
        opening: Opening::default(),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(LINE).read_until(b'\n', &mut line);
        if read.context("the client's messages cannot be read")? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LINE {
            skip_line(&mut input)?;
            write(&shim.output, &Refusal::too_long().line(None))?;
            continue;
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        if !line.trim_ascii().is_empty() {
            shim.pass(&line)?;
        }
    }
    // What is under way may still be answered: some clients ask, close, and read.
    if let Some(link) = shim.link.take() {
        link.finish();
    }
    Ok(())
}

/// The messages by which a client of the old era opened: said again to a new gateway.
#[derive(Default)]
struct Opening {
    initialize: Option<(String, Vec<u8>)>,
    initialized: Option<Vec<u8>>,
}

struct Shim<'a, Ensure> {
    agent: &'a str,
    socket: &'a Path,
    ensure: Ensure,
    pending: Arc<Pending>,
    output: Output,
    link: Option<Link>,
    opening: Opening,
}

impl<Ensure: Fn() -> Result<()>> Shim<'_, Ensure> {
    /// Passes one line on, or answers it.
    fn pass(&mut self, line: &[u8]) -> Result<()> {
        let Some(head) = Head::of(line) else {
            return write(&self.output, &Refusal::not_a_message().line(None));
        };
        let id = head.request_id();
        if line.len() > PASSED {
            return self.answer(id.as_deref(), &Refusal::too_long());
        }
        let is_opening = head.method.as_deref() == Some("initialize");
        if is_opening && let Some(id) = &id {
            // A client that opens anew has forgotten the session before.
            self.opening = Opening { initialize: Some((id.clone(), line.to_vec())), initialized: None };
        }
        // The opening itself is passed on below, on whatever connection there is.
        let said_again = if is_opening { None } else { Some(&self.opening) };
        let link = match Self::connected(&mut self.link, said_again, &self.pending, &self.output, || {
            (self.ensure)()?;
            link::connect(self.socket, self.agent)
        }) {
            Ok(link) => link,
            Err(NoGateway { refusal, hint }) => {
                if let Some(hint) = hint {
                    crate::cli::note(&hint);
                }
                return self.answer(id.as_deref(), &refusal);
            }
        };
        if head.method.as_deref() == Some("notifications/initialized") {
            self.opening.initialized = Some(line.to_vec());
        }
        if let Some(cancelled) = head.cancelled_id() {
            self.pending.answered(&cancelled);
        }
        if let Some(id) = &id
            && !self.pending.begin(id, link.number())
        {
            return self.answer(Some(id), &Refusal::gone());
        }
        if link.send(line).is_err() {
            link.hang_up();
            // Unless the other thread has answered it already.
            if let Some(id) = id
                && self.pending.answered(&id)
            {
                return self.answer(Some(&id), &Refusal::gone());
            }
        }
        Ok(())
    }

    /// The link, or a new one when there is none or it is dead.
    fn connected<'link>(
        link: &'link mut Option<Link>,
        opening: Option<&Opening>,
        pending: &Arc<Pending>,
        output: &Output,
        connect: impl FnOnce() -> Result<link::Connection>,
    ) -> Result<&'link mut Link, NoGateway> {
        if link.as_ref().is_some_and(|link| !pending.is_over(link.number())) {
            return link.as_mut().ok_or_else(NoGateway::gone);
        }
        let mut connection = connect().map_err(|error| NoGateway::because(&error))?;
        if let Some(Opening { initialize: Some((id, initialize)), initialized }) = opening {
            connection
                .open_again(id, initialize, initialized.as_deref())
                .map_err(|error| NoGateway::because(&error))?;
        }
        Ok(link.insert(connection.start(Arc::clone(pending), Arc::clone(output))))
    }

    /// Answers a request; what is no request has no answer.
    fn answer(&self, id: Option<&str>, refusal: &Refusal) -> Result<()> {
        match id {
            Some(id) => write(&self.output, &refusal.line(Some(id))),
            None => Ok(()),
        }
    }
}

/// One line to the client.
fn write(output: &Output, line: &[u8]) -> Result<()> {
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    output.write_all(line).and_then(|()| output.flush()).context("the client does not read any more")
}

fn skip_line(input: &mut impl BufRead) -> Result<()> {
    loop {
        let buffer = input.fill_buf().context("the client's messages cannot be read")?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (used, done) = (end.map_or(buffer.len(), |end| end + 1), end.is_some() || buffer.is_empty());
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}
