//! Where the key that seals secrets is: a file that the operator names, the system's keyring, or a file of its own.
//!
//! It is decided once, when the key is made, and is on record from then on (`keys/secrets.keyring.json` says "in the
//! keyring, under this name, with this id"). What happens to the keyring later decides nothing: one that has gone away, is
//! locked, or holds another key is an error. The rule: a key is never made, and none that lies about is taken, in the
//! place of one that cannot be had just now.

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use soulbound_runtime::visible;
use zeroize::Zeroizing;

use super::key::{self, SealingKey};
use super::keyring::{Keyring, Trouble};
use crate::audit::folder::{self, Access};
use crate::durable;

/// The version of the record's form.
const VERSION: u32 = 1;
/// The largest record, in bytes.
const RECORD_BYTES: u64 = 4_096;
/// A keyring that did not answer is asked again after this long, and not for each request: asking may take seconds.
const ASKS_AGAIN: Duration = Duration::from_secs(10);

/// What `[secrets]` of `gateway.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeySettings {
    /// The operator's own key; nothing else is looked at then.
    pub(crate) key_file: Option<PathBuf>,
    /// Whether a key is kept in the system's keyring.
    pub(crate) keyring: KeyringUse,
}

/// `[secrets] keyring`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum KeyringUse {
    /// A new key goes there where there is one, else into a file.
    #[default]
    Auto,
    /// No key is put there or used from there.
    Off,
    /// No key anywhere else is made or used.
    Required,
}

impl KeySettings {
    /// As the file has them.
    pub(crate) fn read(key_file: Option<PathBuf>, keyring: Option<&str>) -> Result<Self> {
        let keyring = match keyring {
            None | Some("auto") => KeyringUse::Auto,
            Some("off") => KeyringUse::Off,
            Some("required") => KeyringUse::Required,
            Some(other) => {
                bail!("`[secrets] keyring` is `{other}`; expected `auto`, `off` or `required`")
            }
        };
        if keyring == KeyringUse::Required && key_file.is_some() {
            bail!("`[secrets]` has `keyring = \"required\"` and a `key_file`\n  hint: remove one of the two");
        }
        Ok(Self { key_file, keyring })
    }
}

/// Where the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file that the operator names.
    Operators(PathBuf),
    /// In the system's keyring; and whether a file that is not used lies where the key would.
    Keyring {
        /// That file is there.
        leftover: bool,
    },
    /// In the state folder.
    Own(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| visible::line(&path.display().to_string());
        match self {
            Self::Operators(path) => {
                write!(formatter, "the key that seals them is your own, `{}`", shown(path))
            }
            Self::Keyring { leftover } => {
                let but =
                    if *leftover { ", and a file `keys/secrets.key` lies here that is not used" } else { "" };
                write!(formatter, "the key that seals them is in the system's keyring{but}")
            }
            Self::Own(path) => write!(
                formatter,
                "the key that seals them is `{}`: whoever reads the state folder has them",
                shown(path)
            ),
        }
    }
}

impl Place {
    /// One word, for machines.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Operators(_) => "key-file",
            Self::Keyring { .. } => "keyring",
            Self::Own(_) => "file",
        }
    }
}

/// Where an operator moves the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Destination {
    /// The system's keyring
    Keyring,
    /// `keys/secrets.key` in the state folder
    File,
}

/// `keys/secrets.keyring.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    v: u32,
    /// The item's name, of which two state folders have two.
    item: String,
    /// The key's id.
    key: String,
}

/// When the keyring was asked, about which key, and what came of it.
type Heard = (Instant, Record, Result<SealingKey, String>);

/// The key of a state folder, wherever it is.
pub(super) struct Keys {
    own: PathBuf,
    record: PathBuf,
    settings: Mutex<KeySettings>,
    keyring: Arc<dyn Keyring>,
    /// What the keyring last said, and when.
    heard: Mutex<Option<Heard>>,
}

impl Keys {
    /// Of a state folder, under these settings.
    pub(super) fn of(state: &Path, settings: KeySettings, keyring: Arc<dyn Keyring>) -> Self {
        let folder = state.join("keys");
        Self {
            own: folder.join("secrets.key"),
            record: folder.join("secrets.keyring.json"),
            settings: Mutex::new(settings),
            keyring,
            heard: Mutex::default(),
        }
    }

    /// Other settings are in force now; whether they are others.
    pub(super) fn follow(&self, settings: KeySettings) -> bool {
        let before = std::mem::replace(&mut *lock(&self.settings), settings.clone());
        before != settings
    }

    /// Where it is; `None` where none was made yet.
    pub(super) fn place(&self) -> Result<Option<Place>> {
        if let Some(path) = lock(&self.settings).key_file.clone() {
            return Ok(Some(Place::Operators(path)));
        }
        let is_there = fs::symlink_metadata(&self.own).is_ok();
        Ok(match self.recorded()? {
            // Whatever else lies there.
            Some(_) => Some(Place::Keyring { leftover: is_there }),
            None => is_there.then(|| Place::Own(self.own.clone())),
        })
    }

    /// Whether the key that the operator named can be had: it is never made here, so nothing is sealed or opened without it.
    pub(super) fn try_operators(&self) -> Result<()> {
        let named = lock(&self.settings).key_file.is_some();
        if named { self.read().map(drop) } else { Ok(()) }
    }

    /// Reads the key; `None` where it is to be made first.
    pub(super) fn read(&self) -> Result<Option<SealingKey>> {
        let KeySettings { key_file, keyring } = lock(&self.settings).clone();
        if let Some(path) = key_file {
            return SealingKey::of(&key::operators(&path)?).map(Some);
        }
        match (self.recorded()?, keyring) {
            (Some(_), KeyringUse::Off) => bail!(
                "the key that seals secrets is in the system's keyring, and `[secrets] keyring` is `off`\n  hint: soulbound \
                 secrets move-key --to file"
            ),
            (Some(record), _) => self.heard(&record).map(Some),
            (None, KeyringUse::Required) if fs::symlink_metadata(&self.own).is_ok() => bail!(
                "the key that seals secrets is in `{}`, and `[secrets] keyring` is `required`\n  hint: soulbound secrets \
                 move-key --to keyring",
                self.own.display()
            ),
            (None, _) => key::own(&self.own)?.map(|bytes| SealingKey::of(&bytes)).transpose(),
        }
    }

    /// Makes it. Only where nothing is sealed with one that is gone.
    pub(super) fn make(&self) -> Result<SealingKey> {
        let KeySettings { key_file, keyring } = lock(&self.settings).clone();
        if key_file.is_some() {
            bail!("the operator's key is theirs to make");
        }
        let bytes = key::random()?;
        let made = SealingKey::of(&bytes)?;
        if keyring == KeyringUse::Off {
            self.keep_in_file(&bytes)?;
            return Ok(made);
        }
        match self.keep_in_keyring(&bytes, &made.id)? {
            Ok(()) => Ok(made),
            Err(Trouble::Absent(_)) if keyring == KeyringUse::Auto => {
                self.keep_in_file(&bytes)?;
                Ok(made)
            }
            Err(trouble) => bail!(
                "the system's keyring does not take the key that seals secrets: {trouble}\n  hint: unlock it and try again in the \
                 session that it belongs to; `[secrets] keyring = \"off\"` in gateway.toml has the key in a file"
            ),
        }
    }

    /// Moves the key, which stays the same one: what it sealed is not touched. What was said about it at the end, if anything.
    pub(super) fn move_to(&self, destination: Destination) -> Result<Option<String>> {
        let KeySettings { key_file, keyring } = lock(&self.settings).clone();
        if let Some(path) = key_file {
            bail!(
                "the key is your own, `{}`\n  hint: `[secrets] key_file` in gateway.toml says where it is",
                path.display()
            );
        }
        match (destination, self.recorded()?, keyring) {
            (Destination::Keyring, _, KeyringUse::Off) | (Destination::File, _, KeyringUse::Required) => {
                bail!("`[secrets] keyring` in gateway.toml forbids it\n  hint: change that line first")
            }
            (Destination::Keyring, Some(record), _) => {
                // Nothing is removed before the keyring has shown the key.
                self.fetch(&record)?;
                remove(&self.own)?;
                Ok(None)
            }
            (Destination::Keyring, None, _) => {
                let bytes = key::own(&self.own)?.context(NONE_YET)?;
                let id = SealingKey::of(&bytes)?.id;
                if let Err(trouble) = self.keep_in_keyring(&bytes, &id)? {
                    bail!(
                        "the system's keyring does not take the key: {trouble}\n  hint: the key stays where it is"
                    );
                }
                remove(&self.own)?;
                Ok(None)
            }
            (Destination::File, Some(record), _) => {
                self.keep_in_file(&self.fetch(&record)?)?;
                remove(&self.record)?;
                let left = self.keyring.remove(&record.item).err();
                Ok(left.map(|why| format!("the keyring still has its copy: {why}")))
            }
            (Destination::File, None, _) => key::own(&self.own)?.context(NONE_YET).map(|_| None),
        }
    }

    /// The key that is on record, asked for once: it does not change, and the values that it opens are in memory anyway.
    fn heard(&self, record: &Record) -> Result<SealingKey> {
        let mut heard = lock(&self.heard);
        if let Some((when, about, said)) = heard.as_ref()
            && about == record
            && (said.is_ok() || when.elapsed() < ASKS_AGAIN)
        {
            return said.clone().map_err(anyhow::Error::msg);
        }
        let said = self.fetch(record).and_then(|bytes| SealingKey::of(&bytes));
        let said = said.map_err(|error| format!("{error:#}"));
        *heard = Some((Instant::now(), record.clone(), said.clone()));
        said.map_err(anyhow::Error::msg)
    }

    fn fetch(&self, record: &Record) -> Result<Zeroizing<Vec<u8>>> {
        let gone = |why: String| {
            anyhow::anyhow!(
                "the key that seals secrets is in the system's keyring, and it is not to be had: {why}\n  hint: unlock the keyring, \
                 or run this in the session that it belongs to (`soulbound secrets move-key --to file` there takes the key \
                 out of it); if the key is lost, remove `{}` and each agent's `secrets.json` and set the secrets again",
                self.record.display()
            )
        };
        let bytes = self.keyring.read(&record.item).map_err(|trouble| gone(trouble.to_string()))?;
        let bytes = bytes.ok_or_else(|| gone("the keyring does not have it any more".to_owned()))?;
        let id = SealingKey::of(&bytes)?.id;
        if id != record.key {
            return Err(gone(format!("the keyring holds another key (its id is {id}, not {})", record.key)));
        }
        Ok(bytes)
    }

    /// First into the keyring, which has shown it again; then on record.
    fn keep_in_keyring(&self, bytes: &Zeroizing<Vec<u8>>, id: &str) -> Result<Result<(), Trouble>> {
        let mut name = [0_u8; 16];
        getrandom::fill(&mut name).context("the system gives no random numbers")?;
        let item = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let record = Record { v: VERSION, item, key: id.to_owned() };
        if let Err(trouble) = self.keyring.store(&record.item, bytes) {
            return Ok(Err(trouble));
        }
        self.make_folder()?;
        durable::replace(&self.record, &serde_json::to_vec(&record)?)?;
        Ok(Ok(()))
    }

    fn keep_in_file(&self, bytes: &[u8]) -> Result<()> {
        self.make_folder()?;
        durable::replace(&self.own, bytes)
    }

    fn make_folder(&self) -> Result<()> {
        Ok(crate::audit::make_folder(self.own.parent().context("a key lies in a folder")?)?)
    }

    fn recorded(&self) -> Result<Option<Record>> {
        let Some(file) = folder::open(&self.record, Access::Read)? else { return Ok(None) };
        let shown = self.record.display();
        let mut bytes = Vec::new();
        file.take(RECORD_BYTES)
            .read_to_end(&mut bytes)
            .with_context(|| format!("`{shown}` cannot be read"))?;
        match serde_json::from_slice::<Record>(&bytes) {
            Ok(record) if record.v == VERSION => Ok(Some(record)),
            _ => bail!(
                "`{shown}` does not say which key of the system's keyring seals secrets\n  hint: put it back from a backup"
            ),
        }
    }
}

/// What is said where there is nothing to move.
const NONE_YET: &str = "there is no key yet: the first `soulbound secrets set` makes it";

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("`{}` cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
