//! `soulbound check [SOUL.md]`: read it; print every grant, the reach, every rule's standing, every warning.
//!
//! Without `--syntax` each skill is bound as for a call, so that what passes here runs.

use anyhow::Result;
use clap::Args;
use soulbound_runtime::Soul;
use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::sandbox::{Runtime, RuntimeConfig};
use soulbound_runtime::soul::ReadError;

use crate::agent::soul_file;
use crate::exit::Exit;
use crate::review::{Form, Review, page};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;

/// Read a SOUL.md and print what it grants, what that reaches, and what is wrong with it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound check examples/guardian/SOUL.md\n  soulbound check --syntax draft/SOUL.md"
)]
pub(super) struct Check {
    /// The file, its folder, or an agent's id for the file in its folder
    #[arg(value_name = "SOUL.md|AGENT", default_value = "./SOUL.md")]
    soul: String,
    /// Read the file alone: directories and components need not be there
    #[arg(long)]
    syntax: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<Exit> {
        let file = soul_file(&self.soul)?;
        let mut review = match Soul::read(&file.path) {
            Ok(soul) => Review::of_file(Ok(soul)),
            Err(ReadError::Content(errors)) => Review::of_file(Err(errors)),
            Err(error) => return Err(error.into()),
        };
        if !self.syntax && review.soul.is_some() {
            let state = StateFolder::find()?;
            let settings = Settings::read(&state)?;
            review.bind_all(&file, &state, settings, |settings| runtime(&state, settings))?;
        }
        if self.json {
            super::print_json(&review.document()?)?;
        } else {
            super::print(&page(&review, &file.named, Form::Check, Style::stdout()));
        }
        Ok(if review.is_clean() { Exit::Done } else { Exit::Refused })
    }
}

/// A runtime with the operator's settings, and the compile cache of the state folder where one can be had.
pub(super) fn runtime(state: &StateFolder, settings: Settings) -> Result<Runtime> {
    let mut compiler = Compiler::of_this_program();
    match state.make().and_then(|()| Ok(Cache::open(state.path().join("cache"))?)) {
        Ok(cache) => compiler = compiler.with_cache(cache),
        Err(error) => super::note(&format!("note: components are compiled anew each time: {error:#}")),
    }
    let mut config = RuntimeConfig::new(compiler);
    config.isolation = settings.isolation;
    config.limits = settings.limits;
    config.files = settings.files;
    config.network = settings.network;
    config.require_approval = settings.require_approval;
    Ok(Runtime::new(config)?)
}
