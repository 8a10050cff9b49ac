//! Trusted bytes by their digest: `store/sha256/HEX`. What an operator saw is what runs, whatever happens to the folder.
//!
//! The rule: bytes that do not have the digest they are asked for by are never given out.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use soulbound_runtime::skill::{Digest, bytes::COMPONENT_BYTES, files};

use crate::durable;
use crate::state::StateFolder;

/// The store of a state folder.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

/// Why bytes cannot be had from the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Never put there, or deleted by somebody.
    #[error("the store has no bytes of sha256 {0}")]
    Missing(Digest),
    /// Altered on disk.
    #[error(
        "the store's bytes of sha256 {0} were altered: they have another digest; nothing of them is used"
    )]
    Altered(Digest),
    /// Not readable.
    #[error("the store's bytes of sha256 {0} cannot be read: {1}")]
    Unreadable(Digest, String),
}

impl Store {
    /// The store of this state folder; made when something is put there.
    pub(crate) fn of(state: &StateFolder) -> Self {
        Self { folder: state.path().join("store").join("sha256") }
    }

    /// Keeps these bytes, whole and on disk, before it returns. Bytes that are there already are checked, and replaced if
    /// they were altered.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if self.get(digest).is_ok() {
            return Ok(digest);
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .with_context(|| format!("`{}` cannot be made", self.folder.display()))?;
        durable::replace(&self.path(digest), bytes)?;
        Ok(digest)
    }

    /// The bytes of this digest.
    pub(crate) fn get(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        // Nothing that is put here is larger than the largest component.
        let bytes = match files::read_file(&self.path(digest), COMPONENT_BYTES) {
            Ok(bytes) => bytes,
            Err(soulbound_runtime::skill::FolderError::Io { error, .. })
                if error.kind() == io::ErrorKind::NotFound =>
            {
                return Err(StoreError::Missing(digest));
            }
            Err(error) => return Err(StoreError::Unreadable(digest, error.to_string())),
        };
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(StoreError::Altered(digest)) }
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let place = tempfile::tempdir().unwrap();
        let store = Store { folder: place.path().join("store/sha256") };
        (place, store)
    }

    #[test]
    fn what_was_put_is_given_out_by_its_digest_and_is_for_this_user_alone() {
        let (_place, store) = store();
        let digest = store.put(b"bytes").unwrap();
        assert_eq!(store.put(b"bytes").unwrap(), digest);
        assert_eq!(store.get(digest).unwrap(), b"bytes");
        assert_eq!(fs::metadata(store.path(digest)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(store.get(Digest::of(b"others")), Err(StoreError::Missing(_))));
    }

    #[test]
    fn altered_bytes_are_refused_by_name_and_mended_by_putting_them_again() {
        let (_place, store) = store();
        let digest = store.put(b"bytes").unwrap();
        fs::write(store.path(digest), b"evil!").unwrap();
        let error = store.get(digest).unwrap_err();
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
        store.put(b"bytes").unwrap();
        assert_eq!(store.get(digest).unwrap(), b"bytes");
        fs::remove_file(store.path(digest)).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", store.path(digest)).unwrap();
        assert!(matches!(store.get(digest), Err(StoreError::Unreadable(..))), "a link is not followed");
    }
}
