//! Which format the state folder has. A newer one is refused rather than misread.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, bail};

use crate::durable;
use crate::state::StateFolder;

/// The format that this build reads and writes.
const FORMAT: u32 = 1;

impl StateFolder {
    /// Writes the format into a new state folder; refuses one that this build does not know.
    pub(crate) fn claim_format(&self) -> Result<()> {
        match self.known_format()? {
            Some(_) => Ok(()),
            None => durable::replace(&self.path().join("format"), format!("{FORMAT}\n").as_bytes()),
        }
    }

    /// The format, if it is one that this build knows; none of a new folder.
    pub(crate) fn known_format(&self) -> Result<Option<u32>> {
        match self.format()? {
            Some(other) if other != FORMAT => bail!(
                "the state folder `{}` has format {other}, and this build knows {FORMAT}\n  hint: use the build that made it, or set SOULBOUND_HOME to another folder",
                self.path().display()
            ),
            format => Ok(format),
        }
    }

    fn format(&self) -> Result<Option<u32>> {
        let path = self.path().join("format");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let number = text.trim().parse().ok();
                Ok(Some(number.with_context(|| {
                    format!("`{}` holds no number; it was made by another program, or torn\n  hint: this build writes `{FORMAT}`; look what else was changed, or set SOULBOUND_HOME to another folder", path.display())
                })?))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("`{}` cannot be read", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_and_a_new_folder_gets_ours() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().to_owned());
        state.claim_format().unwrap();
        state.claim_format().unwrap();
        fs::write(place.path().join("format"), "2\n").unwrap();
        assert!(state.claim_format().unwrap_err().to_string().contains("has format 2"));
    }
}
