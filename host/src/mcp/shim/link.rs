//! One connection to the gateway's socket, as one agent, and the thread that carries its answers to the client.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use soulbound_runtime::visible;

use super::message::{Head, Refusal};
use super::pending::Pending;
use super::{Output, write};

/// How long the gateway may take to let an agent in, or to open a session again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// There is no gateway to ask: what the client is told, and what whoever runs it could do.
pub(super) struct NoGateway {
    pub(super) refusal: Refusal,
    pub(super) hint: Option<String>,
}

impl NoGateway {
    /// The first line is for the client; the lines below it are for the operator.
    pub(super) fn because(error: &anyhow::Error) -> Self {
        let text = format!("{error:#}");
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let first = visible::line(first);
        let hint = rest.lines().map(visible::line).collect::<Vec<_>>().join("\n");
        Self { refusal: Refusal::stopped(&first), hint: (!hint.is_empty()).then_some(hint) }
    }

    pub(super) fn gone() -> Self {
        Self { refusal: Refusal::gone(), hint: None }
    }
}

/// A connection that has been let in.
pub(super) struct Connection {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

/// What the gateway answers to the first line.
#[derive(Deserialize)]
struct Welcome {
    ok: bool,
    error: Option<Said>,
}

#[derive(Deserialize)]
struct Said {
    message: String,
    hint: Option<String>,
}

/// Connects and says which agent speaks.
pub(super) fn connect(socket: &Path, agent: &str) -> Result<Connection> {
    let writer = UnixStream::connect(socket).context("no gateway runs\n  hint: soulbound gateway start")?;
    let mut connection = Connection { reader: BufReader::new(writer.try_clone()?), writer };
    connection.writer.write_all(format!("{}\n", json!({"mcp": {"agent": agent}})).as_bytes())?;
    connection.writer.set_read_timeout(Some(ANSWERS_WITHIN))?;
    let line = connection.line().context("the gateway does not answer")?;
    let welcome: Welcome = serde_json::from_slice(&line).context("the gateway's answer is not understood")?;
    match welcome {
        Welcome { ok: true, .. } => {}
        Welcome { error: Some(Said { message, hint: Some(hint) }), .. } => bail!("{message}\n  hint: {hint}"),
        Welcome { error: Some(Said { message, hint: None }), .. } => bail!("{message}"),
        Welcome { .. } => bail!("the gateway refuses, and does not say why"),
    }
    connection.writer.set_read_timeout(None)?;
    Ok(connection)
}

impl Connection {
    fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            bail!("it hung up");
        }
        Ok(line)
    }

    /// Opens the session of the old era that the client believes it has. The answer is ours to swallow.
    pub(super) fn open_again(
        &mut self,
        id: &str,
        initialize: &[u8],
        initialized: Option<&[u8]>,
    ) -> Result<()> {
        self.writer.set_read_timeout(Some(ANSWERS_WITHIN))?;
        self.writer.write_all(initialize)?;
        loop {
            let line = self.line().context("the gateway does not open the session again")?;
            if Head::of(&line).and_then(|head| head.answered_id()).as_deref() == Some(id) {
                break;
            }
        }
        if let Some(initialized) = initialized {
            self.writer.write_all(initialized)?;
        }
        self.writer.set_read_timeout(None)?;
        Ok(())
    }

    /// Starts carrying answers.
    pub(super) fn start(self, pending: Arc<Pending>, output: Output) -> Link {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
        let Self { reader, writer } = self;
        let carrying = std::thread::spawn(move || carry(reader, number, &pending, &output));
        Link { number, writer, carrying }
    }
}

/// A connection whose answers are carried.
pub(super) struct Link {
    number: u64,
    writer: UnixStream,
    carrying: JoinHandle<()>,
}

impl Link {
    /// Connections are counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn send(&mut self, line: &[u8]) -> std::io::Result<()> {
        self.writer.write_all(line)
    }

    /// Ends both ways; the thread then ends what was under way.
    pub(super) fn hang_up(&self) {
        let _ = self.writer.shutdown(Shutdown::Both);
    }

    /// Says that no more comes, and waits for the last answers.
    pub(super) fn finish(self) {
        let _ = self.writer.shutdown(Shutdown::Write);
        let _ = self.carrying.join();
    }
}

/// Carries the gateway's messages to the client until it hangs up, and then answers what it left open.
fn carry(mut reader: BufReader<UnixStream>, number: u64, pending: &Pending, output: &Output) {
    let mut line = Vec::new();
    let mut client_reads = true;
    while client_reads {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(read) if read > 0 && line.last() == Some(&b'\n') => {}
            // Half a line is none.
            _ => break,
        }
        let Some(head) = Head::of(&line) else { continue };
        if let Some(id) = head.answered_id() {
            pending.answered(&id);
        }
        client_reads = write(output, &line).is_ok();
    }
    for id in pending.end(number) {
        let _ = write(output, &Refusal::gone().line(Some(&id)));
    }
}
