//! The runtime that a program holds: one engine, the guests' threads, and the operator's settings.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::Engine;

use crate::compile::{CompileError, Compiler};
use crate::grant::{ApprovalGrant, Limits};
use crate::sandbox::admission::Admission;
pub use crate::sandbox::admission::Load;
use crate::sandbox::engine;
use crate::sandbox::files::OpenRules;
use crate::sandbox::limits::default_limits;
use crate::sandbox::linker::Linkers;
use crate::sandbox::network::{Network, NetworkConfig};
use crate::sandbox::secret::SecretSource;
use crate::sandbox::threads::GuestThreads;
use crate::sandbox::ticker::Ticker;
use crate::sandbox::worker::{Broker, Isolation, Standing, WorkerError};
use crate::skill::{Inspection, SkillFolder};

/// What the operator decides for every skill of every agent.
#[non_exhaustive]
pub struct RuntimeConfig {
    /// How components are compiled.
    pub compiler: Compiler,
    /// Where calls run.
    pub isolation: Isolation,
    /// Calls at once, in all. One agent has at most half of them.
    pub slots: u32,
    /// Calls that may wait for somebody's decision at once, beside those that run; one agent has at most half of them, and
    /// what is beyond is refused (`approval.too-many`). Each keeps its instance, so up to its `memory`.
    pub held: u32,
    /// Limits of a skill whose SOUL.md sets none. SOUL.md only tightens them.
    pub limits: Limits,
    /// Which directories may be granted at all, and how files are treated.
    pub files: OpenRules,
    /// The network: ceiling, resolver, certificates, proxy, limits.
    pub network: NetworkConfig,
    /// Where secrets come from. Without it every request that would carry one is refused.
    pub secrets: Option<Arc<dyn SecretSource>>,
    /// What waits for a person whatever SOUL.md says. An entry that names a tool concerns every skill that has one of that
    /// name.
    pub require_approval: Vec<ApprovalGrant>,
}

impl RuntimeConfig {
    /// The defaults of the design, with this way to compile: 30 s, 256 MiB, 1 MiB of output, 256 MiB written a call,
    /// 120 calls a minute, 64 slots and 32 held calls beside them.
    #[must_use]
    pub fn new(compiler: Compiler) -> Self {
        Self {
            compiler,
            isolation: Isolation::Thread,
            slots: 64,
            held: 32,
            limits: default_limits(),
            files: OpenRules::default(),
            network: NetworkConfig::default(),
            secrets: None,
            require_approval: Vec::new(),
        }
    }
}

/// Runs skills. Clones share one engine.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Inner>);

/// The operator's settings over one machinery.
pub(crate) struct Inner {
    pub(crate) limits: Limits,
    pub(crate) files: OpenRules,
    pub(crate) network: Arc<Network>,
    pub(crate) require_approval: Vec<ApprovalGrant>,
    pub(crate) machinery: Arc<Machinery>,
}

/// What does not depend on the operator's settings: one of each in a process.
pub(crate) struct Machinery {
    pub(crate) engine: Engine,
    pub(crate) compiler: Compiler,
    pub(crate) secrets: Option<Arc<dyn SecretSource>>,
    pub(crate) linkers: Linkers,
    /// Starts the workers, where calls run in processes of their own.
    pub(crate) broker: Option<Arc<Broker>>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) threads: GuestThreads,
    pub(crate) ticker: Ticker,
    pub(crate) io: IoRuntime,
}

/// Timers, sockets and name lookups of all guests. Shut down without waiting, so that a runtime can be dropped
/// anywhere.
pub(crate) struct IoRuntime(Option<tokio::runtime::Runtime>);

impl IoRuntime {
    pub(crate) fn handle(&self) -> Option<&tokio::runtime::Handle> {
        self.0.as_ref().map(tokio::runtime::Runtime::handle)
    }
}

impl Drop for IoRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Why a runtime cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The engine's settings do not fit this machine.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    /// The system refuses threads or event queues.
    #[error("the guests' threads do not start: {0}")]
    Threads(#[from] std::io::Error),
    /// Calls cannot run in processes of their own on this machine.
    #[error(transparent)]
    Isolation(#[from] WorkerError),
    /// The operator's certificates or proxy cannot be used.
    #[error("the network settings cannot be used: {0}")]
    Network(String),
}

impl Runtime {
    /// Starts the engine and its threads.
    ///
    /// # Errors
    ///
    /// The machine refuses, or the operator's network settings cannot be used.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let engine_error = |error: wasmtime::Error| RuntimeError::Engine(format!("{error:#}"));
        let engine = engine::running(config.slots, config.held).map_err(engine_error)?;
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            // More than lookups may be under way (`network::resolve`): a slow name server must not take the last.
            .max_blocking_threads(80)
            .thread_name("soulbound-io")
            .enable_all()
            .build()?;
        let threads = GuestThreads::start(io.handle())?;
        let ticker = Ticker::start(&engine)?;
        let linkers = Linkers::new(&engine).map_err(engine_error)?;
        let broker = match config.isolation {
            Isolation::Thread => None,
            Isolation::Process => Some(Broker::start(io.handle().clone(), config.slots, config.held)?),
        };
        let network = network(config.network)?;
        let machinery = Machinery {
            engine,
            compiler: config.compiler,
            secrets: config.secrets,
            linkers,
            broker,
            admission: Admission::new(config.slots as usize, config.held as usize),
            threads,
            ticker,
            io: IoRuntime(Some(io)),
        };
        Ok(Self(Arc::new(Inner {
            limits: config.limits,
            files: config.files,
            network,
            require_approval: config.require_approval,
            machinery: Arc::new(machinery),
        })))
    }

    /// The same engine, threads and slots under other settings of the operator's. Skills that were bound before keep
    /// the old ones: bind them anew.
    ///
    /// # Errors
    ///
    /// The network settings cannot be used.
    pub fn with_settings(
        &self,
        limits: Limits,
        files: OpenRules,
        network_config: NetworkConfig,
        require_approval: Vec<ApprovalGrant>,
    ) -> Result<Self, RuntimeError> {
        let network = network(network_config)?;
        let machinery = Arc::clone(&self.0.machinery);
        Ok(Self(Arc::new(Inner { limits, files, network, require_approval, machinery })))
    }

    /// How busy the guests' side is at this moment.
    #[must_use]
    pub fn load(&self) -> Load {
        self.0.machinery.admission.load()
    }

    /// Where calls run, and what stands around them there.
    #[must_use]
    pub fn isolation(&self) -> Standing {
        self.0.machinery.broker.as_ref().map_or(Standing::Thread, |broker| broker.standing())
    }

    /// What a component imports and exports, read in the compiling child process.
    ///
    /// # Errors
    ///
    /// It is invalid or too costly.
    pub fn inspect(&self, skill: &SkillFolder) -> Result<Inspection, CompileError> {
        self.0.machinery.compiler.inspect(skill)
    }
}

fn network(config: NetworkConfig) -> Result<Arc<Network>, RuntimeError> {
    Network::new(config).map_err(|error| RuntimeError::Network(error.to_string()))
}

/// The agent on whose behalf a skill is bound.
#[derive(Debug, Clone)]
pub struct AgentIdentity {
    /// Its id: whose turn its calls take.
    pub id: String,
    /// How the operator names it on the command line, for hints: `examples/guardian/SOUL.md`, or the id.
    pub named: String,
    /// The folder of its SOUL.md, to which granted directories are relative.
    pub folder: PathBuf,
}
