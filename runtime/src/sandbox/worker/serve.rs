//! The worker process's own side: handles and code first, then the walls, then calls.
//!
//! The rule: nothing that a guest or a caller chose is read before every wall stands.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_task::Task;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::{Map, Value};

use crate::compile;
use crate::confine::{self, Walls};
use crate::grant::DirectoryMode;
use crate::sandbox::bound::entries;
use crate::sandbox::channels::CallChannels;
use crate::sandbox::clock::CallClock;
use crate::sandbox::engine;
use crate::sandbox::files::{BoundFiles, HandedLoss};
use crate::sandbox::guest::{self, Outside, Pace, Program, Reports};
use crate::sandbox::limiter::MemoryGauge;
use crate::sandbox::linker::Linkers;
use crate::sandbox::log::CallLog;
use crate::sandbox::outcome::{CallError, Ending, ErrorKind};
use crate::sandbox::overseer::Overseer;
use crate::sandbox::threads::{GuestThreads, TaskInfo};
use crate::sandbox::ticker::Ticker;
use crate::sandbox::value;
use crate::sandbox::witness::Witness;
use crate::sandbox::worker::far::{Far, FarChannels, Outward};
use crate::sandbox::worker::far_network::FarNetwork;
use crate::sandbox::worker::frame;
use crate::sandbox::worker::message::{End, Setup, Start, ToWorker, What};

/// The argument that makes a program a worker. No command has this form.
pub(crate) const WORKER_ARGUMENT: &str = "--soulbound-call-worker";
/// Behind it: confine yourself, and say which walls stand.
pub(crate) const WALLS: &str = "walls";
/// Handles in one message, by unix(7) (`SCM_MAX_FD`).
pub(super) const MOST_HANDLES: usize = 253;
/// Milliseconds of computing that are told at once.
const TOLD_TOGETHER: u64 = 20;

/// One worker, confined.
struct Worker {
    program: Arc<Program>,
    named: Arc<str>,
    channels: Vec<(String, bool)>,
    outward: Arc<Outward>,
    threads: GuestThreads,
    ticker: Ticker,
    calls: Mutex<HashMap<u64, Task<(), TaskInfo>>>,
}

/// Serves until nobody asks any more. Whether it began at all.
pub(crate) fn serve(argument: Option<&str>) -> bool {
    if limit_self().is_err() {
        return false;
    }
    if argument == Some(WALLS) {
        return show_walls();
    }
    // Before anything is opened here.
    let Ok(inherited) = inherited() else { return false };
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return false };
    let handles = match receive_handles(&socket) {
        Ok(handles) => handles,
        Err(_) => return false,
    };
    let mut socket = File::from(socket);
    let Ok(reading) = socket.try_clone() else { return false };
    let mut reading = BufReader::new(reading);
    let prepared = frame::read::<Setup>(&mut reading)
        .map_err(|error| error.to_string())
        .and_then(|(setup, code)| prepare(setup, handles, &code));
    let start = |start: &Start, socket: &mut File| {
        frame::frame(start, &[]).and_then(|frame| socket.write_all(&frame)).is_ok()
    };
    let (worker, walls, _io) = match prepared {
        Ok(prepared) => {
            let Ok(outward) = socket.try_clone() else { return false };
            match prepared.confined(Outward::new(outward), &inherited) {
                Ok(confined) => confined,
                Err(error) => return start(&Start::Failed(error), &mut socket),
            }
        }
        Err(error) => return start(&Start::Failed(error), &mut socket),
    };
    start(&Start::Ready(walls), &mut socket) && worker.listen(&mut reading)
}

/// Neither a core dump nor life without the process that asked.
fn limit_self() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
}

/// Puts up the walls around nothing, and tells of them: known by trying.
fn show_walls() -> bool {
    let walls = confine::to_directories(std::iter::empty::<(OwnedFd, DirectoryMode)>(), &[]);
    let told = serde_json::to_vec(&walls.map_err(|error| error.to_string()));
    told.is_ok_and(|told| io::stdout().write_all(&told).is_ok())
}

/// The descriptors beyond the three that every program has: left open by mistake by whoever started this one, or by whoever
/// started that.
fn inherited() -> io::Result<Vec<u32>> {
    const OWN: &str = "/proc/self/fd";
    let mut open = Vec::new();
    for entry in std::fs::read_dir(OWN)? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    // The directory's own is closed by now.
    open.retain(|number| *number > 2 && std::fs::symlink_metadata(format!("{OWN}/{number}")).is_ok());
    Ok(open)
}

fn receive_handles(socket: &OwnedFd) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_HANDLES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if got.bytes != 1 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut handles = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            handles.extend(received);
        }
    }
    Ok(handles)
}

/// What was made while the process could still open what it needs for that: nothing of it has run.
struct Prepared {
    program: Program,
    directories: Vec<(OwnedFd, DirectoryMode)>,
    named: Arc<str>,
    channels: Vec<(String, bool)>,
}

fn prepare(setup: Setup, handles: Vec<OwnedFd>, code: &[u8]) -> Result<Prepared, String> {
    if handles.len() != setup.directories.len() {
        return Err("a directory's handle is missing".to_owned());
    }
    let wrong = |error: &dyn std::fmt::Display| format!("{error:#}");
    let modes = setup.directories.iter().map(|grant| grant.mode);
    let again = |handle: &OwnedFd| handle.try_clone().map_err(|error| wrong(&error));
    let again = handles.iter().map(again).collect::<Result<Vec<_>, _>>()?;
    let directories = again.into_iter().zip(modes).collect();
    let rule = setup.skill_line.map(super::Line::into_rule);
    let files = BoundFiles::from_handles(setup.directories, handles, rule).map_err(|error| error.message)?;
    let files = files.lost(setup.lost.into_iter().map(HandedLoss::into_lost).collect());
    let (running, held) = setup.slots;
    let engine = engine::running(running, held).map_err(|error| wrong(&error))?;
    let component = compile::load(&engine, code).map_err(|error| wrong(&error))?;
    let linkers = Linkers::new(&engine).map_err(|error| wrong(&error))?;
    let program = Program {
        pre: setup.linking.link(&linkers, &engine, &component).map_err(|error| wrong(&error))?,
        entries: entries(&component, &setup.tools).map_err(|error| wrong(&error))?,
        engine,
        skill: setup.skill.into(),
        environment: setup.environment,
        files: Arc::new(files),
        knowledge: Arc::new(setup.knowledge),
        memory: setup.memory,
        output: setup.output,
        disk: setup.disk,
    };
    Ok(Prepared { program, directories, named: setup.named.into(), channels: setup.channels })
}

impl Prepared {
    /// Puts the walls up, and only then starts the threads, which have them too.
    fn confined(
        self,
        outward: Arc<Outward>,
        inherited: &[u32],
    ) -> Result<(Arc<Worker>, Walls, tokio::runtime::Runtime), String> {
        let walls =
            confine::to_directories(self.directories, inherited).map_err(|error| error.to_string())?;
        // Timers and no sockets: the thread that would watch those is not needed.
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let io = io.map_err(|error| error.to_string())?;
        let threads = GuestThreads::start(io.handle()).map_err(|error| error.to_string())?;
        let ticker = Ticker::start(&self.program.engine).map_err(|error| error.to_string())?;
        let worker = Worker {
            program: Arc::new(self.program),
            named: self.named,
            channels: self.channels,
            outward,
            threads,
            ticker,
            calls: Mutex::default(),
        };
        Ok((Arc::new(worker), walls, io))
    }
}

impl Worker {
    /// Does what it is told until the other side closes the socket.
    fn listen(self: &Arc<Self>, socket: &mut BufReader<File>) -> bool {
        loop {
            let Ok((told, body)) = frame::read::<ToWorker>(socket) else { return true };
            match told {
                ToWorker::Call { call, tool, inspects } => {
                    let Ok(arguments) = serde_json::from_slice(&body) else { return false };
                    self.begin(call, tool, arguments, inspects);
                }
                // The task says itself that it is over.
                ToWorker::Cancel { call } => drop(self.calls().remove(&call)),
                ToWorker::Answer { ask, answer } => self.outward.answered(ask, answer, body),
                ToWorker::Next { ask } => self.outward.wanted(ask),
                ToWorker::Piece { ask, piece } => self.outward.piece(ask, piece, body),
            }
        }
    }

    fn begin(
        self: &Arc<Self>,
        call: u64,
        tool: String,
        arguments: Map<String, Value>,
        inspects: Option<u64>,
    ) {
        let info = TaskInfo { agent: Arc::from(""), heavy: Arc::new(AtomicBool::new(false)) };
        let far = Far { outward: Arc::clone(&self.outward), call, inspects };
        let over = Over { worker: Arc::clone(self), call, ended: false };
        let heavy = Arc::clone(&info.heavy);
        let guest = async move { over.run(far, &tool, &arguments, heavy).await };
        // Held while it starts, so that its end finds it in here.
        let mut calls = self.calls();
        calls.insert(call, self.threads.spawn(info, false, guest));
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<u64, Task<(), TaskInfo>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call, which says that it is over however it ends.
struct Over {
    worker: Arc<Worker>,
    call: u64,
    ended: bool,
}

impl Over {
    async fn run(mut self, far: Far, tool: &str, arguments: &Map<String, Value>, heavy: Arc<AtomicBool>) {
        let worker = Arc::clone(&self.worker);
        let _running = worker.ticker.running();
        let program = &worker.program;
        let witness = Witness::new(
            Arc::clone(&program.skill),
            Arc::clone(&worker.named),
            Arc::new(far.clone()) as Arc<dyn Overseer>,
            // The other side has the clock, and ends this.
            CallClock::start(Duration::MAX),
        );
        let reports = Reports {
            witness: Arc::new(witness),
            log: CallLog::default(),
            gauge: Arc::<MemoryGauge>::default(),
        };
        let values =
            program.entries.get(tool).map(|entry| value::arguments_to_values(arguments, entry.ty.params()));
        let ending = match values {
            Some(Ok(values)) => {
                let sender = FarChannels { far: far.clone(), witness: Arc::clone(&reports.witness) };
                let outside = Outside {
                    network: FarNetwork { far: far.clone(), witness: Arc::clone(&reports.witness) },
                    channels: CallChannels::elsewhere(worker.channels.clone(), Arc::new(sender)),
                };
                let pace = Pace { heavy, computed: telling(far) };
                guest::run(Arc::clone(program), tool, &values, outside, pace, &reports).await
            }
            // The other side has made values of the same before.
            _ => failed("its arguments did not arrive as they were"),
        };
        self.end(&ending, &reports);
    }

    fn end(&mut self, ending: &Ending, reports: &Reports) {
        self.ended = true;
        let (ending, value) = End::of(ending);
        let (lines, dropped) = reports.log.finish();
        let lines = lines.into_iter().map(|line| (line.source.to_owned(), line.text)).collect();
        let ended = What::Ended { ending, lines, dropped, peak: reports.gauge.peak() };
        self.worker.outward.tell(self.call, ended, &value);
        if let Some(task) = self.worker.calls().remove(&self.call) {
            task.detach();
        }
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        if !self.ended {
            let (ending, _) = End::of(&failed("it was ended"));
            let ended = What::Ended { ending, lines: Vec::new(), dropped: 0, peak: 0 };
            self.worker.outward.tell(self.call, ended, &[]);
        }
    }
}

fn failed(why: &str) -> Ending {
    Ending::Failed { denial: None, error: Some(CallError::new(ErrorKind::Component, why)) }
}

/// Tells of what is computed, not at each tick.
fn telling(far: Far) -> Box<dyn Fn(Duration) + Send + Sync> {
    let untold = AtomicU64::new(0);
    Box::new(move |time| {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if untold.fetch_add(time, Ordering::Relaxed).saturating_add(time) >= TOLD_TOGETHER {
            let milliseconds = untold.swap(0, Ordering::Relaxed);
            far.tell(What::Computed { milliseconds }, &[]);
        }
    })
}
