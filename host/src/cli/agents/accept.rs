//! Asking an operator to accept exactly what was displayed: by its digest, or at a terminal.
//!
//! The rule: no answer is no. A script says yes by naming the digest that it read before; it cannot say yes to whatever is
//! there.

use anyhow::Result;
use clap::Args;
use soulbound_runtime::skill::Digest;

use crate::cli::question::{self, Heard};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::{Candidate, Registry, Trusted, attacked, card};

/// How the answer is given.
#[derive(Debug, Args)]
pub(super) struct Answer {
    /// Do not ask: trust what has this digest
    #[arg(long, requires = "digest")]
    yes: bool,
    /// Attack it first with `soulbound redteam`, and do not ask if anything gets out
    #[arg(long)]
    redteam: bool,
    /// The digest that the card showed; anything else is refused
    #[arg(long, value_name = "SHA256", value_parser = digest)]
    digest: Option<Digest>,
}

fn digest(text: &str) -> Result<Digest, String> {
    Digest::parse(text).ok_or_else(|| "expected the 64 hexadecimal digits that the card shows".to_owned())
}

/// What the operator said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Yes, to this digest.
    Yes,
    /// Something else was found than this digest names.
    Other(Digest),
    /// No, or nobody was there to ask.
    No(Exit),
}

impl Answer {
    /// Attacks what would be trusted if that was asked for; says how to, if not. Whether the question may come.
    pub(super) fn attacked(&self, named: &str, candidate: &Candidate, state: &StateFolder) -> Result<bool> {
        let Some((_, digest)) = candidate.manifest() else { return Ok(false) };
        if self.redteam {
            return crate::cli::redteam::before_the_question(named, candidate, state);
        }
        match attacked::clean_run(state.path(), digest) {
            Ok(when) => crate::cli::note(&format!(
                "redteam ran on exactly these bytes at {when}, and nothing got out"
            )),
            Err(lacks) if Settings::read(state)?.require_redteam => {
                crate::cli::complain(&format!(
                    "{lacks}, and `[trust] require_redteam` of gateway.toml asks for a run with nothing out\n  hint: the same command with \
                     `--redteam`, or soulbound redteam {named}"
                ));
                return Ok(false);
            }
            Err(lacks) => crate::cli::note(&format!(
                "{lacks}\n  hint: `--redteam` attacks these grants before it asks, in under a minute"
            )),
        }
        Ok(true)
    }

    /// Whether the operator accepts what has this digest. `command` is what a script would run to say yes.
    pub(super) fn to(&self, found: Digest, command: &str) -> Result<Said> {
        if let Some(expected) = self.digest
            && expected != found
        {
            crate::cli::complain(&format!(
                "the folder is not what `--digest` names: it has {found}\n  hint: read the card above; it was changed since, or \
                 the digest is another agent's"
            ));
            return Ok(Said::Other(expected));
        }
        if self.yes {
            return Ok(Said::Yes);
        }
        Ok(match question::ask("Trust these bytes?")? {
            Heard::Yes => Said::Yes,
            Heard::No => {
                crate::cli::note("nothing was trusted");
                Said::No(Exit::Refused)
            }
            Heard::Nobody => {
                crate::cli::complain(&format!(
                    "there is no terminal to ask at, so nothing was trusted\n  hint: {command} --yes --digest {found}"
                ));
                Said::No(Exit::CouldNotRun)
            }
        })
    }
}

/// Says what differs from the manifest that a digest names, where the store has it: it was shown or trusted before.
pub(super) fn say_difference(registry: &Registry, candidate: &Candidate, expected: Digest) {
    let Some((manifest, _)) = candidate.manifest() else { return };
    let Ok(named) = Trusted::load(registry.store(), &manifest.id, &candidate.folder, expected) else {
        return;
    };
    let changes = card::changes(&candidate.changes(&named), Style::stderr());
    crate::cli::note(&format!("changed since that digest was shown:\n{changes}"));
}
