//! Starting workers: on one thread, which lives as long as this program does.
//!
//! A worker asks the kernel to be killed with its parent, and to the kernel that is the *thread* that started it. Started from a
//! guest's or a server's thread it would end with that.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::{oneshot, watch};

use crate::confine::Walls;
use crate::sandbox::worker::serve::{WALLS, WORKER_ARGUMENT};
use crate::sandbox::worker::{Standing, WorkerError};

/// The kernel's own link to the running program: it holds even when the file was replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// Starts workers, and counts them.
pub(crate) struct Broker {
    orders: mpsc::Sender<Order>,
    /// Of the process that asks: where its side of the sockets is served.
    pub(super) io: tokio::runtime::Handle,
    pub(super) slots: (u32, u32),
    walls: Walls,
    workers: Arc<AtomicUsize>,
}

struct Order {
    socket: OwnedFd,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// A worker's process. Dropped, it is killed.
pub(super) struct Process {
    handle: OwnedFd,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Broker {
    /// Sees which walls a worker has on this machine, and starts the thread. `slots` and `held` are those of the whole program.
    ///
    /// # Errors
    ///
    /// A worker does not start, or the kernel has not the walls that it needs.
    pub(crate) fn start(io: tokio::runtime::Handle, slots: u32, held: u32) -> Result<Arc<Self>, WorkerError> {
        let walls = walls()?;
        let (orders, ordered) = mpsc::channel::<Order>();
        std::thread::Builder::new()
            .name("soulbound-broker".into())
            .spawn(move || {
                for Order { socket, answer } in ordered {
                    let spawned = command()
                        .stdin(Stdio::from(socket))
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .spawn();
                    // Whoever stopped waiting has closed the other end, and the worker ends.
                    let _ = answer.send(spawned);
                }
            })
            .map_err(|error| start(&error))?;
        // No agent ever has more than half of the slots, and of the places of those that are held.
        let slots = ((slots / 2).max(1), (held / 2).max(1));
        Ok(Arc::new(Self { orders, io, slots, walls, workers: Arc::default() }))
    }

    /// Where calls run, and how many processes there are for them.
    pub(crate) fn standing(&self) -> Standing {
        Standing::Process { walls: self.walls, workers: self.workers.load(Ordering::Relaxed) }
    }

    /// A worker with this end of a socket as its standard input.
    pub(super) async fn spawn(&self, socket: OwnedFd) -> Result<Process, WorkerError> {
        let (answer, spawned) = oneshot::channel();
        let gone = || WorkerError::Start("the thread that starts it is gone".to_owned());
        self.orders.send(Order { socket, answer }).map_err(|_| gone())?;
        let mut child = spawned.await.map_err(|_| gone())?.map_err(|error| start(&error))?;
        let pid = rustix::process::Pid::from_child(&child);
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(error) => {
                let _ = child.kill();
                return Err(start(&error));
            }
        };
        self.workers.fetch_add(1, Ordering::Relaxed);
        let workers = Arc::clone(&self.workers);
        let (tell, ended) = watch::channel(None);
        let process = Process { handle, ended };
        // A thread of its own: a process that hangs in a file system is gone only when that lets go of it.
        std::thread::Builder::new()
            .name("soulbound-reaper".into())
            .spawn(move || {
                let status = child.wait();
                workers.fetch_sub(1, Ordering::Relaxed);
                let _ = tell.send(status.ok());
            })
            .map_err(|error| start(&error))?;
        Ok(process)
    }
}

impl Process {
    /// Any process, in place of a worker.
    #[cfg(test)]
    pub(super) fn of(mut child: Child) -> io::Result<Self> {
        let handle = pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty())?;
        let (tell, ended) = watch::channel(None);
        std::thread::spawn(move || tell.send(child.wait().ok()));
        Ok(Self { handle, ended })
    }

    /// Ends it, whatever it does.
    pub(super) fn kill(&self) {
        // It may be gone already.
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Waits until it has ended, and says how.
    pub(super) async fn ended(&self) -> Option<ExitStatus> {
        let mut ended = self.ended.clone();
        ended.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(error: &dyn std::fmt::Display) -> WorkerError {
    WorkerError::Start(error.to_string())
}

fn command() -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command.arg(WORKER_ARGUMENT).env_clear().current_dir("/");
    command
}

/// Which walls stand around a worker on this machine, found by starting one.
///
/// # Errors
///
/// It cannot be started, or the kernel lacks a wall that it needs.
pub fn walls() -> Result<Walls, WorkerError> {
    let output = command()
        .arg(WALLS)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|error| start(&error))?;
    match serde_json::from_slice::<Result<Walls, String>>(&output.stdout) {
        Ok(Ok(walls)) if output.status.success() => Ok(walls),
        Ok(Err(why)) => Err(WorkerError::Start(why)),
        _ => Err(WorkerError::Start(format!("it could not be confined ({})", output.status))),
    }
}
