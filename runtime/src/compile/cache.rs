//! Compiled components on disk, so that a skill is compiled once.
//!
//! Compiled code is machine code: whoever can write it into the cache runs as us. So the folder is ours alone (0700),
//! every entry carries a keyed digest (HMAC-SHA-256) over its name and its bytes, and one that does not match is as if
//! it were not there. The name says which component, which `wit/` and which engine settings it belongs to. Entries are
//! written beside and renamed, so that a reader never meets half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::compile::{Compiled, load};
use crate::skill::files::read_file;
use crate::skill::{Digest, Inspection, SkillFolder};

/// One block of the hash, so that the key is used as it is.
const KEY_BYTES: usize = 64;
const MAC_BYTES: usize = 32;
/// The layout of an entry and of its name: another number is another name.
const FORMAT: &[u8] = b"soulbound compiled component 2";

/// A folder of compiled components and the key that authenticates them.
#[derive(Clone)]
pub struct Cache {
    folder: PathBuf,
    key: Arc<[u8; KEY_BYTES]>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key.
        formatter.debug_struct("Cache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens the cache in `folder`, making the folder (0700) and its key (0600) when they are not there.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read, belongs to somebody else, or others may write to it.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let metadata = fs::symlink_metadata(&folder)?;
        if !metadata.is_dir()
            || metadata.uid() != rustix::process::geteuid().as_raw()
            || metadata.mode() & 0o077 != 0
        {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("`{}` must be a folder of this user alone (mode 0700)", folder.display()),
            ));
        }
        let key = Arc::new(read_or_make_key(&folder.join("key"))?);
        Ok(Self { folder, key })
    }

    /// The compiled form of a skill's component, if it is there and ours.
    pub(crate) fn load(&self, engine: &Engine, skill: &SkillFolder) -> Option<Compiled> {
        let name = name(engine, skill);
        let entry = read_file(&self.folder.join(&name), crate::compile::protocol::CODE_BYTES).ok()?;
        let (mac, body) = entry.split_at_checked(MAC_BYTES)?;
        self.mac(&name, body).verify_slice(mac).ok()?;
        let (length, rest) = body.split_at_checked(8)?;
        let length = usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?;
        let (inspection, code) = rest.split_at_checked(length)?;
        let inspection: Inspection = serde_json::from_slice(inspection).ok()?;
        let component = load(engine, code).ok()?;
        Some(Compiled { component, inspection })
    }

    /// Keeps a compiled form. A cache that cannot be written costs time and nothing else, so failures are only traced.
    pub(crate) fn store(&self, engine: &Engine, skill: &SkillFolder, inspection: &Inspection, code: &[u8]) {
        let name = name(engine, skill);
        let stored = serde_json::to_vec(inspection).map_err(io::Error::from).and_then(|inspection| {
            let mut body = (inspection.len() as u64).to_le_bytes().to_vec();
            body.extend_from_slice(&inspection);
            body.extend_from_slice(code);
            let mac = self.mac(&name, &body).finalize().into_bytes();
            write_whole(&self.folder, &name, &[&mac, &body])
        });
        if let Err(error) = stored {
            tracing::warn!(folder = %self.folder.display(), %error, "the compiled component is not kept");
        }
    }

    fn mac(&self, name: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(self.key.as_ref().into());
        // The name has a fixed length, so the two parts cannot be shifted against each other.
        mac.update(name.as_bytes());
        mac.update(body);
        mac
    }
}

/// Component, `wit/` and engine settings as one file name of 64 digits.
fn name(engine: &Engine, skill: &SkillFolder) -> String {
    use std::hash::{Hash, Hasher};
    let mut hasher = Collect(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let settings = hasher.0.finalize();
    let mut digest = Sha256::new();
    for part in [FORMAT, env!("CARGO_PKG_VERSION").as_bytes(), &settings, &skill.digest.0] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    for (path, text) in &skill.wit {
        for part in [path, text] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    return Digest(digest.finalize().into()).to_string();

    /// A hasher that keeps everything: wasmtime gives its settings only through `Hash`.
    struct Collect(Sha256);
    impl Hasher for Collect {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    if let Some(key) = read_key(path)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    // Two processes may do this at once: the first link wins, and both read what stands there.
    let temporary = folder.join(format!(".key-{}", std::process::id()));
    let mut file = private().open(&temporary)?;
    file.write_all(&key)?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    read_key(path)?.ok_or_else(|| io::Error::other(format!("`{}` vanished", path.display())))
}

fn read_key(path: &Path) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let bad = |what: &str| {
        io::Error::new(io::ErrorKind::PermissionDenied, format!("`{}` {what}; remove it", path.display()))
    };
    if !metadata.is_file()
        || metadata.uid() != rustix::process::geteuid().as_raw()
        || metadata.mode() & 0o077 != 0
    {
        return Err(bad("must be a file of this user alone (mode 0600)"));
    }
    let key = fs::read(path)?.try_into().map_err(|_| bad("is not a key of 64 bytes"))?;
    Ok(Some(key))
}

/// Written beside and renamed: a reader sees nothing or all of it.
fn write_whole(folder: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}-{}-{:?}", std::process::id(), std::thread::current().id()));
    let written = private().open(&temporary).and_then(|mut file: File| {
        parts.iter().try_for_each(|part| file.write_all(part))?;
        fs::rename(&temporary, folder.join(name))
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}
