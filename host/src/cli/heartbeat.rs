//! `soulbound heartbeat AGENT`: its HEARTBEAT.md, once or as it changes.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

use crate::audit::{Watch, heartbeat};
use crate::exit::Exit;
use crate::state::StateFolder;

/// Bytes of the page. Ours has 64 KiB at most.
const PAGE: u64 = 256 << 10;

/// Print an agent's HEARTBEAT.md
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound heartbeat echo --follow")]
pub(super) struct Heartbeat {
    /// The agent's id
    agent: String,
    /// Print it again whenever it changes
    #[arg(long, short)]
    follow: bool,
}

impl Heartbeat {
    pub(super) fn run(self) -> Result<Exit> {
        let (folder, _) = super::audit::trail_of(&StateFolder::find()?, Some(&self.agent))?;
        let page = folder.join(heartbeat::NAME);
        if !self.follow {
            super::print(super::escaped(&read(&page)?).trim_end());
            return Ok(Exit::Done);
        }
        let watch = Watch::on(&folder)?;
        let mut shown = String::new();
        loop {
            let now = read(&page)?;
            if now != shown {
                // A reader that went away ends the following.
                if !super::put(&format!("{}\n", super::escaped(&now).trim_end())) {
                    return Ok(Exit::Done);
                }
                shown = now;
            }
            watch.wait()?;
        }
    }
}

fn read(page: &Path) -> Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(page).with_context(|| format!("`{}` cannot be read", page.display()))?;
    file.take(PAGE).read_to_string(&mut text)?;
    Ok(text)
}
