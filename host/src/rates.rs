//! Budgets over time that outlive one `soulbound call`: how full each skill's were is kept in the state folder.
//!
//! Without this a `rate 2/minute` would be parsed, and ten calls from a shell would all run.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use soulbound_runtime::sandbox::{BoundSkill, BudgetState};
use soulbound_runtime::skill::Digest;

use crate::state::StateFolder;

/// The budgets of one skill under one SOUL.md, locked while the call runs, so that two calls at once share them.
pub(crate) struct KeptBudgets {
    file: File,
}

impl KeptBudgets {
    /// Takes the lock and fills the skill's budgets as they were left.
    pub(crate) fn resume(state: &StateFolder, soul_path: &std::path::Path, skill: &str, bound: &BoundSkill) -> Result<Self> {
        state.make()?;
        let folder = state.path().join("budgets");
        std::fs::create_dir_all(&folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let soul = std::fs::canonicalize(soul_path).unwrap_or_else(|_| soul_path.to_owned());
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
        Ok(Self { file })
    }

    /// Writes down what is left. The lock is released when this is dropped.
    pub(crate) fn keep(mut self, bound: &BoundSkill) -> Result<()> {
        let text = serde_json::to_vec(&bound.budget_states())?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        Ok(())
    }
}
