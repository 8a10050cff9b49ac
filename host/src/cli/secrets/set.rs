//! `soulbound secrets set NAME --agent A --for https://host`: the value comes from standard input.

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result, bail};
use clap::Args;
use soulbound_runtime::sandbox::secret::LONGEST;
use zeroize::Zeroizing;

use super::prompt;
use crate::exit::Exit;
use crate::oversight::secrets::act::{self, Plain, SecretAct};
use crate::oversight::secrets::survey::Standing;
use crate::state::StateFolder;
use crate::trust::{Registry, registry};

/// What a skill sends and gets back masked it has guessed, and it may try millions: shorter values are pointed out.
const GUESSED: usize = 16;

/// Set a secret of an agent for one host, or change it; the value is read from standard input
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound secrets set API_TOKEN --agent guardian --for https://api.example.com\n  pass show api | soulbound secrets set API_TOKEN --agent guardian --for https://api.example.com"
)]
pub(super) struct Set {
    /// Its name, as SOUL.md has it: letters, digits and `_`
    #[arg(value_name = "NAME")]
    name: String,
    /// The agent
    #[arg(long, value_name = "AGENT")]
    agent: String,
    /// The one host that gets it; SOUL.md has to name the same
    #[arg(long = "for", value_name = "https://HOST")]
    host: String,
}

impl Set {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let agent = registry::id(&self.agent)?;
        // Before anybody types it.
        Registry::open(&state).record(&agent)?;
        let value = self.value()?;
        let short = value.len() < GUESSED;
        let before = super::store(&state)?.key_place()?;
        let value = Plain::new(value);
        act::perform(
            &state,
            SecretAct::Set { agent: agent.clone(), name: self.name.clone(), host: self.host, value },
        )?;
        if short {
            crate::cli::note(&format!(
                "it has fewer than {GUESSED} characters: a skill that is shown masked answers could find it by trying"
            ));
        }
        // Made just now: where is decided once.
        if let (None, Some(place)) = (before, super::store(&state)?.key_place()?) {
            crate::cli::note(&place.to_string());
        }
        for row in super::rows(&state, &agent)?.iter().filter(|row| row.name == self.name) {
            crate::cli::note(&format!("secret `{}` of `{agent}` is set for {}", row.name, row.host));
            if row.soul == Standing::NotNamed {
                crate::cli::note(&format!(
                    "no request carries it yet: SOUL.md does not name it\n  hint: `- secrets: {} for {} as header Authorization: Bearer {{}}` below a skill, then soulbound agents trust {agent}",
                    row.name, row.host
                ));
            } else if let Some((message, fix)) = row.problem() {
                crate::cli::note(&format!("no request carries it: {message}\n  hint: {fix}"));
            }
        }
        Ok(Exit::Done)
    }

    /// From a terminal unseen, else all of standard input; one newline at the end is not part of it.
    fn value(&self) -> Result<Zeroizing<String>> {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return prompt::unseen(&format!(
                "value of `{}` (not shown): ",
                soulbound_runtime::visible::line(&self.name)
            ));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 4));
        stdin
            .lock()
            .take(LONGEST as u64 + 3)
            .read_to_end(&mut bytes)
            .context("standard input cannot be read")?;
        for end in [b'\n', b'\r'] {
            if bytes.last() == Some(&end) {
                bytes.pop();
            }
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => bail!("the value is not UTF-8; a header carries visible ASCII"),
        }
    }
}
