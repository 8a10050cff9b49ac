//! A trail's files for reading, oldest first, while the gateway may be writing and rotating them.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::AuditError;
use super::folder::{self, Access};
use super::line::LONGEST;
use super::log;
use super::rotation::{self, Segment};
use super::scan::{is_too_long, read_line};

/// One file, not read yet.
pub(super) struct TrailFile {
    /// Its name in the folder.
    pub(super) name: String,
    /// The number in its name; none for the file that is written.
    pub(super) first: Option<u64>,
    source: Source,
}

enum Source {
    Open(File),
    Path(PathBuf),
}

/// All files of a folder. The one that is written comes last.
pub(super) fn list(folder: &Path) -> Result<Vec<TrailFile>, AuditError> {
    // Opened before the others are listed: a rotation in between shows it twice, never not at all.
    let path = folder.join(log::NAME);
    let current = folder::open(&path, Access::Read)?;
    let number = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let current_number = current.as_ref().and_then(number);
    let segments = rotation::segments(folder).map_err(AuditError::file("listed", folder))?;
    let mut files = Vec::with_capacity(segments.len() + 1);
    for Segment { first, path } in segments {
        let here = std::fs::symlink_metadata(&path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
        if here.is_some() && here == current_number {
            break;
        }
        files.push(TrailFile {
            name: rotation::segment_name(first),
            first: Some(first),
            source: Source::Path(path),
        });
    }
    if let Some(file) = current {
        files.push(TrailFile { name: log::NAME.to_owned(), first: None, source: Source::Open(file) });
    }
    Ok(files)
}

/// The lines of one file.
pub(super) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    line: Vec<u8>,
    /// The number of the line that was read last, from 1.
    pub(super) number: u64,
}

impl TrailFile {
    /// How long it is.
    pub(super) fn bytes(&self, folder: &Path) -> Result<u64, AuditError> {
        let metadata = match &self.source {
            Source::Open(file) => file.metadata(),
            Source::Path(path) => std::fs::symlink_metadata(path),
        };
        Ok(metadata.map_err(AuditError::file("looked at", &folder.join(&self.name)))?.len())
    }

    /// Opens it at the first whole line of its last bytes; of more of them, where no line begins there. `None` when none
    /// begins in as many as a record can have: the last line is longer than that.
    pub(super) fn last_lines(self, folder: &Path, bytes: u64) -> Result<Option<Lines>, AuditError> {
        let length = self.bytes(folder)?;
        let mut lines = self.lines(folder)?;
        let mut bytes = bytes.max(1);
        while bytes < length {
            let skipped = length - bytes;
            // From the byte before, so that a line which begins just there is not passed over.
            let sought = lines.reader.seek(std::io::SeekFrom::Start(skipped - 1));
            sought.map_err(AuditError::file("read", &lines.path))?;
            let passed = lines.reader.skip_until(b'\n').map_err(AuditError::file("read", &lines.path))?;
            if (passed as u64) < bytes {
                return Ok(Some(lines));
            }
            if bytes > LONGEST {
                return Ok(None);
            }
            // Its newline is one more.
            bytes = bytes.saturating_mul(4).min(LONGEST + 1).max(bytes + 1);
        }
        lines.reader.rewind().map_err(AuditError::file("read", &lines.path))?;
        Ok(Some(lines))
    }

    /// Opens it.
    pub(super) fn lines(self, folder: &Path) -> Result<Lines, AuditError> {
        let path = folder.join(&self.name);
        let file = match self.source {
            Source::Open(file) => file,
            Source::Path(path) => folder::open(&path, Access::Read)?
                .ok_or_else(|| AuditError::file("opened", &path)(std::io::ErrorKind::NotFound.into()))?,
        };
        Ok(Lines { reader: BufReader::with_capacity(256 << 10, file), path, line: Vec::new(), number: 0 })
    }
}

impl Lines {
    /// The next whole line, without its newline. `None` at the end for now: a line that is being written is read on when
    /// it is asked for again. One that is too long to be a record is passed over.
    pub(super) fn next_whole(&mut self) -> Result<Option<&[u8]>, AuditError> {
        if self.line.ends_with(b"\n") {
            self.line.clear();
        }
        loop {
            read_line(&mut self.reader, &mut self.line).map_err(AuditError::file("read", &self.path))?;
            if !is_too_long(&self.line) {
                return Ok(self.line.strip_suffix(b"\n"));
            }
            self.line.clear();
        }
    }

    /// Whether this is the file of that name now.
    pub(super) fn is_current(&self) -> bool {
        let number = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let named = std::fs::symlink_metadata(&self.path).map(number);
        let ours = self.reader.get_ref().metadata().map(number);
        matches!((named, ours), (Ok(named), Ok(ours)) if named == ours)
    }

    /// The next line, with its newline if it has one. `None` at the end, and behind half a line: its other half, written
    /// since, is no line of its own.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, AuditError> {
        if self.number > 0 && !self.line.ends_with(b"\n") && !is_too_long(&self.line) {
            return Ok(None);
        }
        self.line.clear();
        let read =
            read_line(&mut self.reader, &mut self.line).map_err(AuditError::file("read", &self.path))?;
        self.number += 1;
        Ok((read > 0).then_some(&self.line))
    }
}
