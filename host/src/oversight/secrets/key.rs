//! The key that seals secrets at rest: a file of its own, or one that the operator provides.
//!
//! Not the system's keyring: a gateway that a service manager starts has no session of a desktop, so neither a Secret
//! Service nor the login's keyring answers it. A file under `/run/credentials` or on a mounted keyring does, and
//! `[secrets] key_file` names it. The rule: a key that is gone is never replaced while something is sealed with it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use crate::audit::folder::{self, Access};
use crate::durable;

/// Bytes of a key that this program makes; the least that one of the operator's has.
const BYTES: usize = 32;
/// The most that one of the operator's has.
const MOST: usize = 4_096;

/// The key, read.
pub(super) struct SealingKey {
    /// Seals entries.
    pub(super) sealing: LessSafeKey,
    /// Tells keys apart, and nothing of them.
    pub(super) id: String,
}

/// Where the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// In the state folder, made when it is first needed.
    Own(PathBuf),
    /// Where the operator says; never made.
    Operators(PathBuf),
}

impl KeyPlace {
    /// By the operator's settings.
    pub(crate) fn of(state: &Path, key_file: Option<&Path>) -> Self {
        match key_file {
            Some(path) => Self::Operators(path.to_owned()),
            None => Self::Own(state.join("keys").join("secrets.key")),
        }
    }

    /// Reads the key; `None` where it is to be made first.
    pub(super) fn read(&self) -> Result<Option<SealingKey>> {
        let bytes = match self {
            Self::Own(path) => folder::open(path, Access::Read)?.map(|file| bytes(file, path)).transpose()?,
            Self::Operators(path) => Some(bytes(open(path)?, path)?),
        };
        bytes.map(|bytes| SealingKey::of(&bytes)).transpose()
    }

    /// Makes it. Only where nothing is sealed with one that is gone.
    pub(super) fn make(&self) -> Result<SealingKey> {
        let Self::Own(path) = self else { bail!("the operator's key is theirs to make") };
        crate::audit::make_folder(path.parent().context("a key lies in a folder")?)?;
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        getrandom::fill(bytes.as_mut_slice()).context("the system gives no random numbers")?;
        durable::replace(path, bytes.as_slice())?;
        SealingKey::of(bytes.as_slice())
    }
}

impl SealingKey {
    fn of(bytes: &[u8]) -> Result<Self> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"soulbound secrets, version 1").extract(bytes);
        let derive = |label: &[u8]| -> Result<UnboundKey, ring::error::Unspecified> {
            Ok(UnboundKey::from(extracted.expand(&[label], &CHACHA20_POLY1305)?))
        };
        let unusable = |_| anyhow::anyhow!("the key that seals secrets cannot be used");
        let mut id = [0_u8; 8];
        let expanded = extracted.expand(&[b"id"], Short).map_err(unusable)?;
        expanded.fill(&mut id).map_err(unusable)?;
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { sealing: LessSafeKey::new(derive(b"seal").map_err(unusable)?), id })
    }
}

/// The length of a key's id.
struct Short;

impl hkdf::KeyType for Short {
    fn len(&self) -> usize {
        8
    }
}

/// The operator's file may be a link and another user's, as a service manager makes them. Nobody else may read it.
fn open(path: &Path) -> Result<File> {
    let shown = path.display();
    let file = File::options()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .with_context(|| format!("`[secrets] key_file` `{shown}` cannot be opened"))?;
    let metadata = file.metadata().with_context(|| format!("`{shown}` cannot be read"))?;
    if !metadata.is_file() {
        bail!("`[secrets] key_file` `{shown}` is no regular file");
    }
    // The group's read bit is where access lists show through: systemd's credentials have it.
    if metadata.mode() & 0o027 != 0 {
        bail!(
            "`[secrets] key_file` `{shown}` is open to others (mode {:04o})\n  hint: chmod 400 {shown}",
            metadata.mode() & 0o7777
        );
    }
    Ok(file)
}

fn bytes(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 1));
    let shown = path.display();
    file.take(MOST as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("`{shown}` cannot be read"))?;
    if !(BYTES..=MOST).contains(&bytes.len()) {
        bail!(
            "`{shown}` holds no key: {BYTES} to {MOST} random bytes, and it has {}\n  hint: put it back from a backup",
            bytes.len()
        );
    }
    Ok(bytes)
}
