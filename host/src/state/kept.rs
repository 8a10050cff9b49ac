//! What is kept over restarts and could be learned anew: baselines, and what is left of budgets.
//!
//! The rule: a file that is not understood is never taken for an empty one in silence. It is set aside beside where it was, the
//! log has a word of it, and `soulbound doctor` shows it until somebody took it away.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Reads such a file; with none, and with one that is not understood, there is nothing.
///
/// # Errors
///
/// It is there and cannot be read now, for want of descriptors, say. That tells nothing of what it holds, so it stays.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path) -> io::Result<T> {
    let error = match look(path)? {
        Ok(read) => return Ok(read),
        Err(error) => error.to_string(),
    };
    let aside = aside(path);
    match fs::rename(path, &aside) {
        Ok(()) => tracing::warn!(
            file = %path.display(), aside = %aside.display(), error,
            "a file of the state folder is not understood: set aside, and what it kept begins anew"
        ),
        Err(refused) => tracing::warn!(
            file = %path.display(), error, %refused,
            "a file of the state folder is not understood, and what it kept begins anew"
        ),
    }
    Ok(T::default())
}

/// Looks at such a file and leaves it as it is. Inside is what is not understood.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn look<T: DeserializeOwned + Default>(path: &Path) -> io::Result<serde_json::Result<T>> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Ok(T::default())),
        read => Ok(serde_json::from_slice(&read?)),
    }
}

/// Under which name one is set aside; a later one takes its place.
pub(crate) fn aside(path: &Path) -> PathBuf {
    path.with_extension("json.unreadable")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_not_understood_is_set_aside_and_begins_anew() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("budgets.json");
        let read = || read::<BTreeMap<String, u64>>(&path).unwrap();
        assert!(read().is_empty() && !aside(&path).exists());
        fs::write(&path, "{\"a\": 3}").unwrap();
        assert_eq!(read().len(), 1);
        for broken in ["", "\0\0\0\0", "{\"a\":", "[]"] {
            fs::write(&path, broken).unwrap();
            assert!(read().is_empty(), "{broken:?}");
            assert_eq!(fs::read_to_string(aside(&path)).unwrap(), broken);
            assert!(!path.exists(), "{broken:?}");
        }
        // What cannot be read now may be whole.
        fs::create_dir(&path).unwrap();
        assert!(super::read::<BTreeMap<String, u64>>(&path).is_err());
        assert!(path.is_dir());
    }
}
