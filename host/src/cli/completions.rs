//! `soulbound completions SHELL`.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::exit::Exit;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound completions bash > ~/.local/share/bash-completion/completions/soulbound"
)]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Arguments::command(), "soulbound", &mut script);
        super::print(String::from_utf8_lossy(&script).trim_end());
        Ok(Exit::Done)
    }
}
