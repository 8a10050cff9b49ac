//! The key that seals secrets at rest, as bytes: read from a file, or made; and what is derived from it.
//!
//! Where it is kept is `place.rs`'s. The rule: nothing that is sealed tells anything of the key but its id.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use crate::audit::folder::{self, Access};

/// Bytes of a key that this program makes; the least that one of the operator's has.
const BYTES: usize = 32;
/// The most that one of the operator's has.
const MOST: usize = 4_096;

/// The key, read.
#[derive(Clone)]
pub(super) struct SealingKey {
    /// Seals entries.
    pub(super) sealing: LessSafeKey,
    /// Tells keys apart, and nothing of them.
    pub(super) id: String,
}

/// The key that this program keeps in a file of its own; `None` where there is none.
pub(super) fn own(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    folder::open(path, Access::Read)?.map(|file| bytes(file, path)).transpose()
}

/// The key that the operator keeps.
pub(super) fn operators(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    bytes(open(path)?, path)
}

/// A fresh one.
pub(super) fn random() -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0_u8; BYTES]);
    getrandom::fill(bytes.as_mut_slice()).context("the system gives no random numbers")?;
    Ok(bytes)
}

impl SealingKey {
    /// Of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
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
