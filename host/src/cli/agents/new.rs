//! `soulbound agents new NAME`: a folder to begin with, which `check` accepts as it is.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use soulbound_runtime::soul::agent_id;
use soulbound_runtime::visible;

use crate::exit::Exit;

/// Make an agent's folder to begin with
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound agents new Ada --template scribe\n  soulbound agents add ./ada"
)]
pub(super) struct New {
    /// The agent's name; its folder gets the id made of it
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is to do
    #[arg(long, value_enum, default_value = "scribe")]
    template: Template,
    /// The agent's folder itself, which must not be there yet: SOUL.md goes right into it [default: ./ID]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The agents to begin with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Template {
    /// Reads one site and keeps notes
    Researcher,
    /// Reads documents and writes drafts; no network
    Scribe,
}

impl Template {
    /// Its SOUL.md, with `{name}` where the name goes.
    fn soul(self) -> &'static str {
        match self {
            Self::Researcher => include_str!("templates/researcher.md"),
            Self::Scribe => include_str!("templates/scribe.md"),
        }
    }

    /// The directories that it grants.
    fn directories(self) -> &'static [&'static str] {
        match self {
            Self::Researcher => &["notes"],
            Self::Scribe => &["documents", "drafts"],
        }
    }
}

impl New {
    pub(super) fn run(self) -> Result<Exit> {
        let id = agent_id(&self.name).map_err(|reason| {
            let shown = visible::quoted_target(&self.name);
            anyhow::anyhow!("{shown} can name no agent: {reason}\n  hint: letters, digits, spaces and single hyphens: `soulbound agents new \"Blog Writer\"`")
        })?;
        let folder = self.folder.unwrap_or_else(|| PathBuf::from(".").join(&id));
        let shown = folder.display();
        if folder.symlink_metadata().is_ok() {
            bail!("`{shown}` is there already\n  hint: choose another with `--folder`");
        }
        for directory in self.template.directories() {
            let path = folder.join(directory);
            fs::create_dir_all(&path).with_context(|| format!("`{}` cannot be made", path.display()))?;
        }
        let soul = folder.join("SOUL.md");
        fs::write(&soul, self.template.soul().replace("{name}", &self.name))
            .with_context(|| format!("`{}` cannot be written", soul.display()))?;
        crate::cli::print(&format!("made {}", soul.display()));
        crate::cli::note(&format!(
            "  next: read and change it, `soulbound check {shown}/SOUL.md`, then `soulbound agents add {shown}`"
        ));
        Ok(Exit::Done)
    }
}
