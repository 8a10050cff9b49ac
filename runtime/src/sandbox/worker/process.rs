//! The worker of one bound skill: started by the first call, kept for the next, ended when it is idle or the skill is bound no more.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::Mutex;
use wasmtime::component::Component;

use crate::grant::DirectoryMode;
use crate::sandbox::files::BoundFiles;
use crate::sandbox::worker::WorkerError;
use crate::sandbox::worker::broker::Broker;
use crate::sandbox::worker::connection::{Connection, Patience, Words};
use crate::sandbox::worker::frame;
use crate::sandbox::worker::message::{Setup, Start};
use crate::sandbox::worker::serve::MOST_HANDLES;

/// How long a worker may take until it is ready: to load what was compiled, on a machine that does much else.
const READY: Duration = Duration::from_secs(30);
/// The longest thing that a worker says before it is ready, in bytes.
const START_BYTES: u64 = 64 << 10;

/// The worker of one bound skill, if there is one at the moment.
pub(crate) struct SkillProcess {
    broker: Arc<Broker>,
    setup: Setup,
    component: Component,
    files: Arc<BoundFiles>,
    current: Mutex<Option<Arc<Connection>>>,
}

impl SkillProcess {
    /// None yet, and what one would be made of.
    pub(crate) fn new(
        broker: Arc<Broker>,
        setup: Setup,
        component: Component,
        files: Arc<BoundFiles>,
    ) -> Self {
        let setup = Setup { slots: broker.slots, ..setup };
        Self { broker, setup, component, files, current: Mutex::new(None) }
    }

    /// Whether there is a directory in which a guest could change something.
    pub(super) fn may_change(&self) -> bool {
        self.setup.directories.iter().any(|grant| grant.mode != DirectoryMode::Read)
    }

    /// A place in the worker, which is started if there is none. `content` is the most of a file that it may have to show.
    pub(super) async fn enter(&self, content: u64) -> Result<(Arc<Connection>, u64, Words), WorkerError> {
        // What is counted of a result is less than its JSON: a number can be longer, a quote is two bytes.
        let largest = content.max(self.setup.output.saturating_mul(6));
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref()
            && let Some((call, words)) = connection.register(largest)
        {
            return Ok((Arc::clone(connection), call, words));
        }
        let connection = self.start().await?;
        let (call, words) = connection
            .register(largest)
            .ok_or_else(|| WorkerError::Start("it ended as soon as it was ready".to_owned()))?;
        *current = Some(Arc::clone(&connection));
        Ok((connection, call, words))
    }

    /// Ends the worker that there is, now or with the last of its calls. Another is started by the next call.
    pub(crate) fn retire(&self) {
        // While a call enters it is that call's, which ends it when it is dropped, or an idle minute does.
        if let Ok(mut current) = self.current.try_lock()
            && let Some(connection) = current.take()
        {
            connection.retire();
        }
    }

    async fn start(&self) -> Result<Arc<Connection>, WorkerError> {
        let wrong = |error: &dyn std::fmt::Display| WorkerError::Start(error.to_string());
        let code = self.component.serialize().map_err(|error| wrong(&error))?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| wrong(&error))?;
        let process = self.broker.spawn(theirs.into()).await?;
        hand_over(&ours, &self.files.handles()).map_err(|error| wrong(&error))?;
        ours.set_nonblocking(true).map_err(|error| wrong(&error))?;
        let socket = tokio::net::UnixStream::from_std(ours).map_err(|error| wrong(&error))?;
        let (reading, mut writing) = socket.into_split();
        let mut reading = BufReader::new(reading);
        let started = async {
            writing.write_all(&frame::frame(&self.setup, &code)?).await?;
            frame::read_bounded::<Start>(&mut reading, START_BYTES, || 0).await
        };
        match tokio::time::timeout(READY, started).await {
            Ok(Ok((Start::Ready(_), _))) => {
                Ok(Connection::open(process, reading, writing, &self.broker.io, Patience::USUAL))
            }
            Ok(Ok((Start::Failed(why), _))) => Err(WorkerError::Start(crate::visible::line(&why))),
            Ok(Err(_)) => {
                // It may have said nonsense and live.
                process.kill();
                let status = process.ended().await;
                Err(WorkerError::Start(status.map_or_else(String::new, |status| status.to_string())))
            }
            Err(_) => Err(WorkerError::Start(format!("it was not ready within {} s", READY.as_secs()))),
        }
    }
}

impl Drop for SkillProcess {
    fn drop(&mut self) {
        if let Some(connection) = self.current.get_mut().take() {
            connection.end();
        }
    }
}

/// The directories' handles, with one byte to carry them.
fn hand_over(socket: &UnixStream, handles: &[BorrowedFd<'_>]) -> std::io::Result<()> {
    if handles.len() > MOST_HANDLES {
        return Err(std::io::Error::other(format!("more than {MOST_HANDLES} directories")));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_HANDLES))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !handles.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(handles)) {
        return Err(std::io::Error::other("the handles do not fit"));
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::empty())?;
    Ok(())
}
