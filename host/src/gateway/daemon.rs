//! The life of a gateway process: take the state folder, open the trail, bind the doors, say that it is ready, serve, leave.
//!
//! One process a state folder: the lock tells. Signals are heard on a thread of the runtime that no guest and no disk can
//! hold up.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::audit::{Audit, Event};
use crate::gateway::doors::{DoorHandles, Doors};
use crate::gateway::http::{listener, routes};
use crate::gateway::policy::Policies;
use crate::gateway::{Gateway, socket, watch};
use crate::operator::Who;
use crate::oversight::alerts::About;
use crate::oversight::approvals::post::Outside;
use crate::oversight::delivery::Delivery;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::state::lock::{Purpose, StateLock, Waited};

/// What `gateway run` says on standard output once it takes calls. `gateway start` waits for it.
pub(crate) const READY: &str = "ready ";

/// Takes the state folder and runs until it is told to leave.
pub(crate) fn run(state: &StateFolder) -> Result<()> {
    refuse_if_stopped(state)?;
    keep_out_of_core_files();
    let lock = take(state)?;
    // Again, now that nobody else works on the folder: a stop may have come while this waited.
    refuse_if_stopped(state)?;
    // The operator's settings first: a gateway with settings that it cannot enforce does not start.
    let settings = Settings::read(state)?;
    let doors = Doors::start()?;
    // Signals, the operator's commands and notices of changed files, on a thread that writes no trail: a disk that holds
    // up every door must not keep a stop from being heard.
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the gateway's own thread does not start")?;
    let ended = control.block_on(serve(state.clone(), settings, lock, doors.handles()));
    // Nothing of value is left: what a guest or a disk still holds is ended with the process.
    doors.leave();
    control.shutdown_background();
    ended
}

/// A core file would hold the agents' secrets in the clear.
fn keep_out_of_core_files() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core files cannot be turned off");
    }
}

fn refuse_if_stopped(state: &StateFolder) -> Result<()> {
    if state.is_stopped() {
        bail!(
            "everything under `{}` was stopped by an operator\n  hint: when the reason is gone: soulbound gateway start",
            state.path().display()
        );
    }
    Ok(())
}

/// Takes the state folder from a command that has it for a moment, and from no gateway.
fn take(state: &StateFolder) -> Result<StateLock> {
    let waited = StateLock::wait_unless(state, Purpose::Gateway, |holder| {
        Ok(holder.filter(|holder| holder.purpose == Purpose::Gateway).map(|holder| holder.pid))
    });
    match waited? {
        Waited::Ours(lock) => Ok(lock),
        Waited::Otherwise(pid) => bail!(
            "gateway already running (pid {pid})\n  hint: soulbound gateway status; one state folder has one gateway, SOULBOUND_HOME names another"
        ),
    }
}

async fn serve(
    state: StateFolder,
    settings: Settings,
    mut lock: StateLock,
    doors: DoorHandles,
) -> Result<()> {
    let mut signals = Signals::listen()?;
    let listener = doors.quick.spawn(listener::bind(settings.listen)).await??;
    let gateway = prepare(&state, settings, &listener, doors.clone()).await?;
    let commands = socket::bind(&state)?;
    let address = listener.local_addr().context("the listener has no address")?;
    lock.say(Purpose::Gateway, Some(address.to_string()))?;
    let watching = watch::start(&gateway)?;
    let leaving = gateway.leaving.clone();
    let router = routes::router(Arc::clone(&gateway), address);
    let serving =
        listener::serve(listener, router, leaving.clone(), gateway.answers().clone(), doors.clone());
    let door = doors.quick.spawn(serving);
    // What comes after this the notices of the folder tell.
    if refuse_if_stopped(&state).is_err() {
        gateway.quit(&Who::this_process()).await;
    }
    refuse_if_stopped(&state)?;
    say_ready(&address.to_string());
    tracing::info!(%address, state = %state.path().display(), "the gateway takes calls");
    tokio::select! {
        () = socket::serve(commands, Arc::clone(&gateway), leaving) => {}
        signal = signals.next() => {
            tracing::info!(signal, "leaving");
            gateway.quit(&Who::this_process()).await;
            gateway.leave();
        }
    }
    let _ = door.await;
    let ended = tokio::time::Instant::now();
    gateway.answered().await;
    gateway.last_word(ended).await;
    drop(watching);
    let _ = std::fs::remove_file(state.socket());
    drop(lock);
    Ok(())
}

/// Opens the trail, writes down the start, and starts the engine.
async fn prepare(
    state: &StateFolder,
    settings: Settings,
    listener: &TcpListener,
    doors: DoorHandles,
) -> Result<Arc<Gateway>> {
    let address = listener.local_addr().context("the listener has no address")?;
    state.prepare_to_stop()?;
    let audit = Audit::open(state.path(), settings.audit)?;
    let (trail, opening) = audit.gateway()?;
    for said in opening.warnings("the gateway's own trail") {
        tracing::warn!("{said}");
    }
    let policy = settings.digest;
    let delivery = Delivery::start(&settings.network)?;
    let policies = Policies::start(state, settings, address)?;
    let note = json!({
        "listen": address.to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "policy": policy,
    });
    let seq = trail.note(Event::GatewayStarted, &Who::this_process().to_string(), &note);
    let recorded = async { trail.settled(seq?).await };
    recorded.await.context("the start cannot be recorded, so nothing starts")?;
    let post = Outside { delivery: Arc::clone(&delivery) };
    let gateway = Gateway::new(state.clone(), address, policies, audit, trail, doors, delivery);
    gateway.approvals().tells(&address.to_string(), Arc::new(post));
    gateway.tell_of_anomalies();
    gateway.alert_of_opening("the gateway's own trail", &opening);
    // One that leaves takes its socket away. What `kill -9` ended had no time to tell anybody.
    if std::fs::symlink_metadata(state.socket()).is_ok() {
        let detail = "it was killed, or the machine went down: what waited for a person is refused, and calls that ran \
                      are `interrupted` in the trail";
        gateway.alert(About::Stop, "the last gateway did not leave by itself", detail);
    }
    Ok(gateway)
}

/// The line that whoever started it in the background waits for. A closed standard output is nobody waiting.
fn say_ready(address: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{READY}{address}").and_then(|()| out.flush());
}

/// The signals that ask to leave.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
