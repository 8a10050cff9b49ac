//! `soulbound gateway run|start|stop|restart|status|config|token`: the service itself.

mod log;
pub(crate) mod status;
mod stop;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::exit::Exit;
use crate::gateway::start::{self, Running};
use crate::gateway::{daemon, port};
use crate::operator;
use crate::operator::Request;
use crate::operator::Who;
use crate::operator::client::Client;
use crate::settings::Settings;
use crate::state::StateFolder;

/// Run, start, stop and look at the gateway
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound gateway start\n  soulbound gateway status\n  soulbound gateway stop"
)]
pub(super) struct Gateway {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run in the foreground, with the log on standard error
    #[command(after_help = "Example:\n  soulbound gateway run --log json 2>> gateway.log")]
    Run {
        /// How the log is written
        #[arg(long, value_enum, default_value = "pretty")]
        log: log::Form,
        /// Leave the terminal's session (what `gateway start` does)
        #[arg(long, hide = true)]
        background: bool,
    },
    /// Start in the background and wait until it takes calls; after a stop, let things run again
    #[command(after_help = "Example:\n  soulbound gateway start")]
    Start {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Stop everything: calls in flight end now, and nothing starts again until `gateway start`
    #[command(
        after_help = "Example:\n  soulbound gateway stop\n\nAsks nothing and needs no running gateway."
    )]
    Stop(stop::Stop),
    /// Leave in order and start again, with the settings read anew
    #[command(after_help = "Example:\n  soulbound gateway restart")]
    Restart {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// How the gateway stands (also: a bare `soulbound gateway`)
    #[command(after_help = "Example:\n  soulbound gateway status --json")]
    Status {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Every key of gateway.toml, what it means, and its default
    #[command(after_help = "Example:\n  soulbound gateway config > ~/.soulbound/gateway.toml")]
    Config,
    /// Make the operator's token for HTTP and show it once; the one before is worth nothing then
    #[command(
        after_help = "Example:\n  soulbound gateway token --token-file operator.token\n  curl -X POST -H \"Authorization: Bearer $(cat operator.token)\" http://127.0.0.1:7685/stop"
    )]
    Token {
        /// Write it into this file (0600) instead of showing it
        #[arg(long, value_name = "FILE")]
        token_file: Option<std::path::PathBuf>,
    },
}

impl Gateway {
    pub(super) fn run(self) -> Result<Exit> {
        let verb = self.verb.unwrap_or(Verb::Status { json: false });
        let stops = matches!(verb, Verb::Stop(_));
        let state = if stops { StateFolder::find_to_stop() } else { StateFolder::find() }?;
        match verb {
            Verb::Run { log, background } => {
                log::start(log)?;
                if background {
                    // A session of its own: closing the terminal that started it does not end it.
                    let _ = rustix::process::setsid();
                }
                daemon::run(&state)?;
                Ok(Exit::Done)
            }
            Verb::Start { json } => {
                // With settings that cannot be used none would start, and a stop stays in force.
                Settings::read(&state)?;
                let rearmed = operator::arm::arm(&state, &Who::this_process())?;
                let running = start::ensure_running(&state).inspect_err(|_| {
                    // What was stopped stays so: the next client's `mcp serve` would start one, and nobody would be watching.
                    if rearmed {
                        super::note(&match stop::recorded(&state) {
                            Ok(_) => format!("`{}` is stopped as before", state.path().display()),
                            Err(_) => format!(
                                "`{}` is no longer stopped, though no gateway started\n  hint: `soulbound gateway stop` stops it again",
                                state.path().display()
                            ),
                        });
                    }
                })?;
                said(&state, &running, rearmed, json)
            }
            Verb::Stop(stop) => stop.run(&state),
            Verb::Restart { json } => {
                // With settings that cannot be used the one that runs goes on.
                let settings = Settings::read(&state)?;
                if let Some(client) = Client::connect(&state)? {
                    if let Some(taken) = port::taken(&state, &settings) {
                        bail!(
                            "{}; the one that runs goes on as before\n  hint: free the port, or set another with `[gateway] listen` in gateway.toml",
                            taken.why
                        );
                    }
                    client
                        .ask(&Request::Quit { who: Who::this_process() }, Some(stop::LEAVES_WITHIN))?
                        .into_result()?;
                    drop(crate::state::lock::StateLock::wait(&state, crate::state::lock::Purpose::Command)?);
                }
                let running = start::ensure_running(&state)?;
                said(&state, &running, false, json)
            }
            Verb::Status { json } => status::show(&state, json),
            Verb::Config => {
                super::print(crate::settings::every_key::TEXT.trim_end());
                Ok(Exit::Done)
            }
            Verb::Token { token_file } => {
                let made = operator::tokens::make(&state, None, &Who::this_process())?;
                super::show_token(&made, token_file.as_deref())
            }
        }
    }
}

fn said(state: &StateFolder, running: &Running, rearmed: bool, json: bool) -> Result<Exit> {
    if json {
        super::print_json(&json!({
            "ok": true, "pid": running.pid, "listen": running.listen, "already": running.already, "rearmed": rearmed,
            "state": state.path().display().to_string(),
        }))?;
        return Ok(Exit::Done);
    }
    if rearmed {
        super::print(&format!("armed again: `{}` was stopped", state.path().display()));
    }
    let how = if running.already { "gateway already running" } else { "gateway started" };
    super::print(&format!("{how} (pid {}), listening on http://{}", running.pid, running.listen));
    Ok(Exit::Done)
}
