//! Budgets over time that outlive one `soulbound call`: how full each skill's were is kept in the state folder.
//!
//! Without this a `rate 2/minute` would be parsed, and ten calls from a shell would all run.

use std::fs::{DirBuilder, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::{Admitted, BoundSkill, BudgetState};
use soulbound_runtime::skill::Digest;

use crate::state::StateFolder;

/// The kept budgets of one skill under one SOUL.md.
pub(crate) struct KeptBudgets {
    path: PathBuf,
    /// Held through the call when it may spend more than the call itself: bytes sent. Without, two calls at once could
    /// each send all of it.
    held: Option<File>,
}

impl KeptBudgets {
    /// Fills the skill's budgets as they were left, takes one call from them, and writes down what remains.
    pub(crate) fn admit(
        state: &StateFolder,
        soul: &Path,
        skill: &str,
        bound: &BoundSkill,
    ) -> Result<(Self, std::result::Result<Admitted, Denial>)> {
        state.make()?;
        let folder = state.path().join("budgets");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let soul = std::fs::canonicalize(soul).unwrap_or_else(|_| soul.to_owned());
        let name = Digest::of(format!("{}\0{skill}", soul.display()).as_bytes());
        let path = folder.join(name.to_string());
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("`{}` cannot be opened", path.display()))?;
        file.lock().with_context(|| format!("`{}` cannot be locked", path.display()))?;
        let mut text = String::new();
        // A file that cannot be understood counts as full budgets: it was made by us, and only we can write it.
        if file.read_to_string(&mut text).is_ok()
            && let Ok(states) = serde_json::from_str::<Vec<BudgetState>>(&text)
        {
            bound.resume_budgets(&states);
        }
        let admitted = bound.admit();
        write(&mut file, bound).with_context(|| format!("`{}` cannot be written", path.display()))?;
        let held = (!bound.limits().egress.is_empty()).then_some(file);
        Ok((Self { path, held }, admitted))
    }

    /// Writes down what the call left, if it could spend anything.
    pub(crate) fn keep(self, bound: &BoundSkill) -> Result<()> {
        match self.held {
            Some(mut file) => write(&mut file, bound)
                .with_context(|| format!("`{}` cannot be written", self.path.display())),
            None => Ok(()),
        }
    }
}

fn write(file: &mut File, bound: &BoundSkill) -> Result<()> {
    let text = serde_json::to_vec(&bound.budget_states())?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&text)?;
    Ok(())
}
