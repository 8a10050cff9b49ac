//! Copying a granted directory: small files as they are, of big ones the name and a placeholder, nothing that is no file.

use std::fs;
use std::io;
use std::path::Path;

/// A larger file becomes a placeholder, in bytes.
const FILE_BYTES: u64 = 64 << 10;

/// How much may still be copied, of all directories together.
pub(super) struct Budget {
    bytes: u64,
    entries: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: 4 << 20, entries: 2_000 }
    }
}

/// Copies a directory. One that is missing becomes an empty one.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    budget: &mut Budget,
    left_out: &mut Vec<String>,
) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            left_out.push(format!("`{}` is missing; an empty directory stands for it", from.display()));
            return Ok(());
        }
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if budget.entries == 0 {
            left_out.push(format!("`{}` has more entries than are copied", from.display()));
            return Ok(());
        }
        budget.entries -= 1;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            copy(&path, &target, budget, left_out)?;
        } else if metadata.is_file() && !target.exists() {
            if metadata.len() <= FILE_BYTES.min(budget.bytes) {
                budget.bytes -= metadata.len();
                // One that this user may not read is none that a skill could.
                if fs::copy(&path, &target).is_ok() {
                    continue;
                }
            }
            fs::write(&target, "a placeholder of `soulbound redteam`\n")?;
        }
    }
    Ok(())
}
