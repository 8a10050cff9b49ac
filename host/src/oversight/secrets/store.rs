//! The agents' secrets: read when somebody asks, opened once, and opened again when the file is another one.
//!
//! The file is looked at before each use, as everything is that an operator can change: what was set or removed is so for
//! the next request, whoever wrote the file. The rule: what cannot be read is an error, and not an agent without secrets.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use soulbound_runtime::grant::host::Target;
use soulbound_runtime::sandbox::{Secret, SecretRefusal, SecretSource};

use super::key::SealingKey;
use super::keyring::{self, Keyring};
use super::place::{Destination, KeySettings, Keys, Place};
use super::sealed::{self, Stored};
use crate::audit::folder::{self, Access};
use crate::clock::Moment;
use crate::durable;
use crate::operator::Who;
use crate::state::StateFolder;
use crate::trust::Fingerprint;
use crate::trust::fingerprint::Look;

/// The sealed file of an agent, in its folder.
const FILE: &str = "secrets.json";
/// When each was last used.
const USED: &str = "secrets.used.json";
/// The largest file, in bytes: the most secrets, each of the longest.
const FILE_BYTES: u64 = 4 << 20;
/// For so long a value that was changed or removed is still masked: a call that carried it may go on.
const LINGER: Duration = Duration::from_secs(600);
/// That a secret was used is written down at most so often.
const USED_EVERY: Duration = Duration::from_secs(60);

/// The secrets of a state folder's agents.
pub(crate) struct SecretStore {
    state: StateFolder,
    keys: Keys,
    agents: Mutex<HashMap<String, Agent>>,
    /// One act at a time.
    acting: Mutex<()>,
}

/// What is known of one agent.
struct Agent {
    /// The file when it was read.
    looked: Option<Fingerprint>,
    opened: Result<Arc<Vec<Stored>>, String>,
    /// Values that it does not have any more, and until when they are masked.
    former: Vec<(Instant, Arc<Secret>)>,
    /// When it was last written down that a secret was used.
    noted: HashMap<String, Instant>,
}

impl SecretStore {
    /// Of this state folder, under these settings.
    pub(crate) fn open(state: &StateFolder, settings: KeySettings) -> Arc<Self> {
        Self::with(state, settings, keyring::system())
    }

    /// The same, with this keyring.
    pub(super) fn with(state: &StateFolder, settings: KeySettings, keyring: Arc<dyn Keyring>) -> Arc<Self> {
        Arc::new(Self {
            keys: Keys::of(state.path(), settings, keyring),
            state: state.clone(),
            agents: Mutex::default(),
            acting: Mutex::default(),
        })
    }

    /// The operator's settings may name another key now.
    pub(crate) fn use_key(&self, settings: KeySettings) {
        if self.keys.follow(settings) {
            lock(&self.agents).values_mut().for_each(|agent| agent.looked = None);
        }
    }

    /// Whether the operator's own key, where the settings name one, can be read.
    pub(crate) fn try_key_file(&self) -> Result<()> {
        self.keys.try_operators()
    }

    /// Where the key is; `None` where none was made yet.
    pub(crate) fn key_place(&self) -> Result<Option<Place>> {
        self.keys.place()
    }

    /// Moves the key; the caller holds the state folder's lock. What is left to be said, if anything.
    pub(crate) fn move_key(&self, destination: Destination) -> Result<Option<String>> {
        let _one = lock(&self.acting);
        self.keys.move_to(destination)
    }

    /// An agent's secrets as they are now.
    pub(super) fn stored(&self, agent: &str) -> Result<Arc<Vec<Stored>>> {
        let opened = self.look(agent, |agent| agent.opened.clone());
        opened.map_err(|why| anyhow::anyhow!(why))
    }

    /// What is masked for an agent: its secrets, and those that it had a moment ago; and whether these are all.
    pub(super) fn masked(&self, agent: &str) -> (Vec<Arc<Secret>>, bool) {
        self.look(agent, |agent| {
            let now = Instant::now();
            agent.former.retain(|(until, _)| *until > now);
            let former = agent.former.iter().map(|(_, secret)| secret);
            let stored = agent.opened.iter().flat_map(|stored| stored.iter()).map(|one| &one.secret);
            (stored.chain(former).cloned().collect(), agent.opened.is_ok())
        })
    }

    /// Sets a secret; one of this name before is replaced. The caller holds the state folder's lock, and has checked name
    /// and host.
    pub(super) fn set(
        &self,
        agent: &str,
        name: &str,
        host: &str,
        secret: Arc<Secret>,
        who: &Who,
    ) -> Result<()> {
        let _one = lock(&self.acting);
        let mut stored = self.read(agent)?.unwrap_or_default();
        stored.retain(|one| one.name != name);
        let (set, by) = (Moment::now().to_string(), who.to_string());
        stored.push(Stored { name: name.to_owned(), host: host.to_owned(), set, by, secret });
        stored.sort_by(|one, other| one.name.cmp(&other.name));
        self.write(agent, &stored)
    }

    /// Removes a secret.
    pub(super) fn remove(&self, agent: &str, name: &str) -> Result<()> {
        let _one = lock(&self.acting);
        let mut stored = self.read(agent)?.unwrap_or_default();
        stored.retain(|one| one.name != name);
        self.write(agent, &stored)
    }

    /// When each of an agent's secrets was last used, to the minute.
    pub(super) fn used_when(&self, agent: &str) -> BTreeMap<String, String> {
        let text = fs::read(self.used_file(agent)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Looks whether the file is the one that was read, reads it if not, and asks.
    fn look<T>(&self, id: &str, ask: impl FnOnce(&mut Agent) -> T) -> T {
        let mut agents = lock(&self.agents);
        let agent = agents.entry(id.to_owned()).or_default();
        if !agent.looked.as_ref().is_some_and(Fingerprint::is_current) {
            // Before it is read: a change in the middle is seen the next time.
            let looked = Fingerprint::take(vec![(self.file(id), Look::Content)]);
            let opened = self.read(id).map(|stored| Arc::new(stored.unwrap_or_default()));
            // What could not be read is tried again: it may have been the key, which is another file.
            agent.looked = opened.is_ok().then_some(looked);
            agent.now(opened.map_err(|error| format!("{error:#}")));
        }
        ask(agent)
    }

    fn read(&self, agent: &str) -> Result<Option<Vec<Stored>>> {
        use std::io::Read;
        let path = self.file(agent);
        let Some(file) = folder::open(&path, Access::Read)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("`{}` cannot be read", path.display()))?;
        match self.keys.read()? {
            Some(key) => sealed::open(&bytes, &path, agent, &key).map(Some),
            None => bail!(
                "the key that sealed `{}` is gone\n  hint: put the folder `keys` back from a backup, or correct `[secrets] \
                 key_file`; without that key remove the file and set the agent's secrets again",
                path.display()
            ),
        }
    }

    fn write(&self, agent: &str, stored: &[Stored]) -> Result<()> {
        let path = self.file(agent);
        if stored.is_empty() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("`{}` cannot be removed", path.display()))
                }
                _ => Ok(()),
            };
        }
        let key = match self.keys.read()? {
            Some(key) => self.only(key)?,
            None if self.is_anything_sealed() => bail!(
                "the key that sealed secrets here is gone\n  hint: put the folder `keys` back from a backup; without it remove \
                 each agent's `secrets.json` and set the secrets again"
            ),
            None => self.keys.make()?,
        };
        durable::replace(&path, &sealed::seal(stored, agent, &key)?)
    }

    /// The key, if it is the one that seals whatever is sealed here: one that somebody put in the other's place seals nothing.
    fn only(&self, key: SealingKey) -> Result<SealingKey> {
        for path in self.files() {
            let bytes = fs::read(&path).unwrap_or_default();
            if let Some(other) = sealed::key_of(&bytes).filter(|id| *id != key.id) {
                return Err(sealed::another_key(&path, &other, &key));
            }
        }
        Ok(key)
    }

    /// Whether any agent has secrets: a new key would open none of them.
    fn is_anything_sealed(&self) -> bool {
        self.files().next().is_some()
    }

    /// The sealed file of each agent that has one.
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let agents = fs::read_dir(self.state.path().join("agents")).into_iter().flatten();
        let files = agents.filter_map(Result::ok).map(|agent| agent.path().join(FILE));
        files.filter(|file| fs::symlink_metadata(file).is_ok())
    }

    fn file(&self, agent: &str) -> PathBuf {
        self.state.agent(agent).join(FILE)
    }

    fn used_file(&self, agent: &str) -> PathBuf {
        self.state.agent(agent).join(USED)
    }

    /// Writes down that it was used just now. What cannot be written is no reason to hold up a request.
    fn note_use(&self, id: &str, name: &str) -> Result<()> {
        let now = Instant::now();
        let is_recent = self.look(id, |agent| {
            let before = agent.noted.insert(name.to_owned(), now);
            let recent = before.filter(|at| now.duration_since(*at) < USED_EVERY);
            recent.map(|at| agent.noted.insert(name.to_owned(), at)).is_some()
        });
        if is_recent {
            return Ok(());
        }
        let mut used = self.used_when(id);
        used.insert(name.to_owned(), Moment::now().to_string());
        durable::replace_lightly(&self.used_file(id), &serde_json::to_vec(&used)?)
    }
}

/// Takes an agent's secrets out of its state folder: it was removed, and one that is added again under its id is another.
pub(crate) fn forget(folder: &Path) -> Result<()> {
    for name in [FILE, USED] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).context("the agent's secrets cannot be taken away");
            }
            _ => {}
        }
    }
    Ok(())
}

impl Default for Agent {
    fn default() -> Self {
        Self { looked: None, opened: Ok(Arc::default()), former: Vec::new(), noted: HashMap::new() }
    }
}

impl Agent {
    /// What was read. Values that are gone by it linger for masking.
    fn now(&mut self, opened: Result<Arc<Vec<Stored>>, String>) {
        if let Ok(before) = &self.opened {
            let is_there = |secret: &Arc<Secret>| {
                opened.as_ref().is_ok_and(|now| now.iter().any(|one| one.secret.reveal() == secret.reveal()))
            };
            let until = Instant::now() + LINGER;
            let gone = before.iter().filter(|one| !is_there(&one.secret));
            self.former.extend(gone.map(|one| (until, Arc::clone(&one.secret))));
        }
        self.opened = opened;
    }
}

impl SecretSource for SecretStore {
    fn find(&self, agent: &str, name: &str, origin: &Target) -> Result<Arc<Secret>, SecretRefusal> {
        let stored = self
            .stored(agent)
            .map_err(|error| SecretRefusal::Unreadable(error.to_string().replace("\n  hint: ", "; ")))?;
        let one = stored.iter().find(|one| one.name == name).ok_or(SecretRefusal::NotSet)?;
        if one.host != origin.origin() {
            return Err(SecretRefusal::OtherOrigin(one.host.clone()));
        }
        Ok(Arc::clone(&one.secret))
    }

    fn used(&self, agent: &str, name: &str) {
        if let Err(error) = self.note_use(agent, name) {
            tracing::debug!(agent, error = format!("{error:#}"), "the use of a secret could not be noted");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
