//! The keys of a state folder's trails: one that signs tips, one from which the others are derived.
//!
//! Whoever reads these files can write a new past. That is said in SECURITY.md; against it only an anchor outside helps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use ring::{hkdf, hmac};

use super::error::AuditError;
use super::folder::{self, Access};
use super::hex::Hex;
use crate::durable;

/// Bytes of each secret.
const SECRET: usize = 32;

/// The keys, read.
pub(crate) struct Keys {
    signing: Ed25519KeyPair,
    records: hmac::Key,
    contents: hmac::Key,
    slots: hmac::Key,
    redteam: hmac::Key,
}

impl Keys {
    /// Reads the keys of a state folder and makes them where there has been no trail yet. Only for the holder of the
    /// lock.
    pub(crate) fn open(state: &Path) -> Result<Arc<Self>, AuditError> {
        if let Some(keys) = Self::read(state)? {
            return Ok(keys);
        }
        let folder = state.join("keys");
        // New keys would make every old record look forged.
        if std::fs::symlink_metadata(state.join("audit.jsonl")).is_ok() {
            return Err(AuditError::KeysGone { path: folder });
        }
        make_folder(&folder)?;
        for name in [SIGNING, MASTER] {
            let path = folder.join(name);
            if std::fs::symlink_metadata(&path).is_ok() {
                continue;
            }
            let mut secret = [0; SECRET];
            let unavailable =
                |_| AuditError::Unavailable { reason: "the system has no random numbers".to_owned() };
            getrandom::fill(&mut secret).map_err(unavailable)?;
            durable::replace(&path, &secret).map_err(|error| {
                AuditError::file("written", &path)(std::io::Error::other(format!("{error:#}")))
            })?;
        }
        Self::read(state)?.ok_or(AuditError::KeysGone { path: folder })
    }

    /// Reads the keys of a state folder, if it has any. Changes nothing.
    pub(crate) fn read(state: &Path) -> Result<Option<Arc<Self>>, AuditError> {
        let folder = state.join("keys");
        let (Some(seed), Some(master)) = (secret(&folder.join(SIGNING))?, secret(&folder.join(MASTER))?)
        else {
            return Ok(None);
        };
        let no_key = || AuditError::NoKey { path: folder.clone() };
        let signing = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| no_key())?;
        let extracted =
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"soulbound audit trail, version 1").extract(&master);
        let derive = |label: &'static [u8]| {
            extracted.expand(&[label], hmac::HMAC_SHA256).map(hmac::Key::from).map_err(|_| no_key())
        };
        Ok(Some(Arc::new(Self {
            signing,
            records: derive(b"record")?,
            contents: derive(b"content")?,
            slots: derive(b"slot")?,
            redteam: derive(b"redteam")?,
        })))
    }

    /// The key with which anybody can check a signed tip, in hexadecimal digits.
    pub(crate) fn public(&self) -> Hex {
        let mut bytes = [0; 32];
        for (byte, from) in bytes.iter_mut().zip(self.signing.public_key().as_ref()) {
            *byte = *from;
        }
        Hex::of(&bytes)
    }

    /// Says that this gateway wrote the record with this hash: what is appended without the key is found.
    pub(super) fn record(&self, hash: &Hex) -> Hex {
        digits(&hmac::sign(&self.records, hash.as_str().as_bytes()))
    }

    /// Stands for arguments or a result: equal contents can be proven equal, and are not kept.
    pub(super) fn content(&self, canonical: &[u8]) -> Hex {
        digits(&hmac::sign(&self.contents, canonical))
    }

    /// Closes a tip's slot, so that a torn one is recognised.
    pub(super) fn slot(&self, bytes: &[u8]) -> Hex {
        digits(&hmac::sign(&self.slots, bytes))
    }

    /// Says that this gateway wrote down what came of a redteam run.
    pub(crate) fn redteam(&self, canonical: &[u8]) -> Hex {
        digits(&hmac::sign(&self.redteam, canonical))
    }

    /// Signs a tip.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.signing.sign(message).as_ref().to_vec()
    }

    /// Whether this key signed it.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.signing.public_key().as_ref())
            .verify(message, signature)
            .is_ok()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Keys(public {})", self.public())
    }
}

const SIGNING: &str = "audit.ed25519";
const MASTER: &str = "audit.master";

/// Makes a folder for this user alone.
pub(crate) fn make_folder(path: &Path) -> Result<(), AuditError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(AuditError::file("made", path))
}

fn secret(path: &Path) -> Result<Option<[u8; SECRET]>, AuditError> {
    use std::io::Read;
    let Some(file) = folder::open(path, Access::Read)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(SECRET as u64 + 1).read_to_end(&mut bytes).map_err(AuditError::file("read", path))?;
    let no_key = |_| AuditError::NoKey { path: PathBuf::from(path) };
    bytes.try_into().map(Some).map_err(no_key)
}

fn digits(tag: &hmac::Tag) -> Hex {
    let mut bytes = [0; 32];
    for (byte, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *byte = *from;
    }
    Hex::of(&bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_read_ever_after() {
        let state = tempfile::tempdir().unwrap();
        assert!(Keys::read(state.path()).unwrap().is_none());
        let made = Keys::open(state.path()).unwrap();
        let read = Keys::read(state.path()).unwrap().unwrap();
        assert_eq!((made.public(), made.content(b"x")), (read.public(), read.content(b"x")));
        assert_ne!(made.content(b"x"), made.slot(b"x"));
        assert!(read.signed(b"tip", &made.sign(b"tip")));
        assert!(!read.signed(b"pit", &made.sign(b"tip")));
        for name in [SIGNING, MASTER] {
            let mode = std::fs::metadata(state.path().join("keys").join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_trail_without_its_keys_is_said_and_no_new_ones_are_made() {
        let state = tempfile::tempdir().unwrap();
        Keys::open(state.path()).unwrap();
        std::fs::write(state.path().join("audit.jsonl"), "{}\n").unwrap();
        std::fs::remove_file(state.path().join("keys").join(MASTER)).unwrap();
        assert!(matches!(Keys::open(state.path()), Err(AuditError::KeysGone { .. })));
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let state = tempfile::tempdir().unwrap();
        Keys::open(state.path()).unwrap();
        let path = state.path().join("keys").join(MASTER);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keys::open(state.path()), Err(AuditError::Foreign { .. })));
    }
}
