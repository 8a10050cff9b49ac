//! Files of a trail's folder, opened so that nobody can have put something else there.
//!
//! The trail is written by name, and the folder could have been prepared: a link would make us append to somebody's
//! file, a FIFO would hold us for ever, a file of another user would stay writable for them.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::error::AuditError;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read only; it has to be there.
    Read,
    /// Appending, and made if it is not there.
    Append,
    /// Reading and writing in place, and made if it is not there.
    InPlace,
}

/// Opens a regular file of this user, never through a link. `None` when it is not there and is not to be made.
pub(crate) fn open(path: &Path, access: Access) -> Result<Option<File>, AuditError> {
    let flags = match access {
        Access::Read => OFlags::RDONLY,
        Access::Append => OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE,
        Access::InPlace => OFlags::RDWR | OFlags::CREATE,
    };
    // NONBLOCK: opening a FIFO must not wait for its other end. It means nothing to a regular file.
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) if access == Access::Read => return Ok(None),
        Err(rustix::io::Errno::LOOP) => return Err(foreign(path, "a symbolic link")),
        Err(rustix::io::Errno::NXIO) => return Err(foreign(path, "a FIFO")),
        Err(error) => return Err(AuditError::file("opened", path)(error.into())),
    };
    let metadata = file.metadata().map_err(AuditError::file("opened", path))?;
    if !metadata.is_file() {
        return Err(foreign(path, "no regular file"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(foreign(path, "a file of another user"));
    }
    if metadata.nlink() != 1 {
        return Err(foreign(path, "a file with a second name"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(foreign(path, &format!("open to others (mode {:04o})", metadata.mode() & 0o7777)));
    }
    Ok(Some(file))
}

/// The same, for a file that is made when it is not there.
pub(super) fn open_or_make(path: &Path, access: Access) -> Result<File, AuditError> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    open(path, access)?.ok_or_else(|| AuditError::file("opened", path)(missing()))
}

fn foreign(path: &Path, what: &str) -> AuditError {
    AuditError::Foreign { path: path.to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_a_fifo_a_folder_and_an_open_file_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::write(&target, "x").unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
        // Nothing else speaks against what the link leads to.
        std::fs::write(at("ours"), "x").unwrap();
        std::fs::set_permissions(at("ours"), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(open(&at("ours"), Access::Append).unwrap().is_some());
        symlink(at("ours"), at("link")).unwrap();
        std::fs::hard_link(&target, at("hard")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        std::fs::write(at("open"), "x").unwrap();
        std::fs::set_permissions(at("open"), std::fs::Permissions::from_mode(0o644)).unwrap();
        for name in ["link", "hard", "fifo", "folder", "open"] {
            for access in [Access::Read, Access::Append, Access::InPlace] {
                assert!(open(&at(name), access).is_err(), "{name} {access:?}");
            }
        }
        assert!(open(&at("nothing"), Access::Read).unwrap().is_none());
        assert!(open(&at("nothing"), Access::Append).unwrap().is_some());
    }
}
