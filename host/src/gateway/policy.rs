//! The operator's settings in force: read from `gateway.toml`, read again when it changes. A file that cannot be read any
//! more keeps the last good one, and status says so in red; a key that changes with a restart only keeps itself.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Result;
use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::confine::Walls;
use soulbound_runtime::sandbox::{Runtime, RuntimeConfig};
use soulbound_runtime::skill::Digest;

use crate::oversight::secrets::SecretStore;
use crate::settings::Settings;
use crate::state::StateFolder;

/// Calls that may be held in the middle at once, of all agents. What waits before it runs holds nothing and is not counted.
const HELD: u32 = 128;

/// Settings, and the runtime that enforces them.
pub(crate) struct Policy {
    /// The file's digest, for the records.
    pub(crate) digest: Digest,
    /// The settings: the file's, but for the keys that wait for a restart.
    pub(crate) settings: Settings,
    /// Those keys.
    pub(crate) waits: Vec<&'static str>,
    /// The runtime under them.
    pub(crate) runtime: Runtime,
}

/// The policy in force, and what is wrong with a newer file.
pub(crate) struct Policies {
    secrets: Arc<SecretStore>,
    walls: Option<Walls>,
    address: SocketAddr,
    current: RwLock<Arc<Policy>>,
    unreadable: RwLock<Option<String>>,
}

/// What reading the file again showed.
pub(crate) enum Reread {
    /// The same bytes as before.
    Same,
    /// Another policy is in force.
    Changed(Arc<Policy>),
    /// The file cannot be used; the last good one stays.
    Kept(String),
}

impl Policies {
    /// Starts the engine under these settings, for a gateway that listens here.
    pub(crate) fn start(state: &StateFolder, mut settings: Settings, address: SocketAddr) -> Result<Self> {
        // The real port, where `listen` left it to the system.
        settings.network.own_listeners = vec![address];
        let compiler = Compiler::of_this_program().with_cache(Cache::open(state.path().join("cache"))?);
        let walls = walls(&compiler);
        let mut config = RuntimeConfig::new(compiler);
        config.isolation = settings.isolation;
        config.limits = settings.limits.clone();
        config.files = settings.files.clone();
        config.network = settings.network.clone();
        let secrets = SecretStore::open(state, settings.secrets.clone());
        // Each keeps its instance while a person thinks.
        config.held = HELD;
        config.secrets = Some(Arc::clone(&secrets) as _);
        config.require_approval = settings.require_approval.clone();
        let runtime = Runtime::new(config)?;
        let policy = Policy { digest: settings.digest, settings, waits: Vec::new(), runtime };
        Ok(Self {
            secrets,
            walls,
            address,
            current: RwLock::new(Arc::new(policy)),
            unreadable: RwLock::default(),
        })
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The agents' secrets, under what is in force.
    pub(crate) fn secrets(&self) -> &Arc<SecretStore> {
        &self.secrets
    }

    /// The kernel's walls around the process that compiles, as they were found at the start; `None` when it cannot be
    /// confined, and so compiles nothing.
    pub(crate) fn walls(&self) -> Option<Walls> {
        self.walls
    }

    /// Why a newer file is not in force.
    pub(crate) fn unreadable(&self) -> Option<String> {
        self.unreadable.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again.
    pub(crate) fn reread(&self, state: &StateFolder) -> Reread {
        let current = self.current();
        let read = Settings::read(state).and_then(|mut settings| {
            if settings.digest == current.digest {
                return Ok(None);
            }
            let waits = settings.keep_until_restart(&current.settings);
            settings.network.own_listeners = vec![self.address];
            let (limits, files, network) =
                (settings.limits.clone(), settings.files.clone(), settings.network.clone());
            let runtime =
                current.runtime.with_settings(limits, files, network, settings.require_approval.clone())?;
            Ok(Some(Arc::new(Policy { digest: settings.digest, settings, waits, runtime })))
        });
        let (reread, unreadable) = match read {
            Ok(None) => (Reread::Same, None),
            Ok(Some(policy)) => {
                self.secrets.use_key(policy.settings.secrets.clone());
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&policy);
                (Reread::Changed(policy), None)
            }
            Err(error) => {
                let why = format!("{error:#}");
                // Asked again and again while nobody mends it: said once.
                let known = self.unreadable().as_ref() == Some(&why);
                (if known { Reread::Same } else { Reread::Kept(why.clone()) }, Some(why))
            }
        };
        *self.unreadable.write().unwrap_or_else(PoisonError::into_inner) = unreadable;
        reread
    }
}

/// Which walls a compiling child finds around itself. What is missing is said aloud; what is compiled already runs anyway.
fn walls(compiler: &Compiler) -> Option<Walls> {
    match compiler.walls() {
        Ok(walls) => {
            let missing = walls.missing();
            if !missing.is_empty() {
                tracing::warn!(
                    missing = missing.join(", "),
                    "components are compiled without a wall that this kernel lacks"
                );
            }
            Some(walls)
        }
        Err(error) => {
            tracing::error!(%error, "components cannot be compiled");
            None
        }
    }
}
