//! `soulbound mcp config --client NAME --agent A`: exactly what to paste.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use soulbound_runtime::visible;

use crate::cli::mcp::clients::{Client, Way};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::state::lock::Held;
use crate::trust::Registry;

/// Print what to paste so that a client uses an agent's skills
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound mcp config                                     (the clients)\n  soulbound mcp config --client openclaw --agent guardian\n  soulbound mcp config --client cursor --agent guardian --http\n  soulbound mcp config --client claude-code --agent guardian --only"
)]
pub(super) struct Config {
    /// Which client; without it they are listed
    #[arg(long, value_name = "NAME", requires = "agent")]
    client: Option<Client>,
    /// The agent's id
    #[arg(long, value_name = "ID", requires = "client")]
    agent: Option<String>,
    /// Over HTTP with the agent's token, for a client that cannot start programs
    #[arg(long, requires = "client")]
    http: bool,
    /// Where the gateway listens; without it, where the one of this state folder does
    #[arg(long, value_name = "ADDRESS", requires = "http")]
    listen: Option<String>,
    /// How to take away the client's own shell, file and web tools
    #[arg(long, requires = "client", conflicts_with = "http")]
    only: bool,
    /// The server's name in the client; the agent's id without it
    #[arg(long, value_name = "NAME", requires = "client")]
    name: Option<String>,
}

impl Config {
    pub(super) fn run(self) -> Result<Exit> {
        let (Some(client), Some(agent)) = (self.client, &self.agent) else {
            for client in Client::value_variants().iter().filter_map(ValueEnum::to_possible_value) {
                let about = client.get_help().map(ToString::to_string).unwrap_or_default();
                crate::cli::print(&format!("{:15} {about}", client.get_name()));
            }
            crate::cli::note("hint: soulbound mcp config --client NAME --agent ID");
            return Ok(Exit::Done);
        };
        let state = StateFolder::find()?;
        // It may be added later; a typo is more likely.
        if let Err(error) = Registry::open(&state).record(agent) {
            crate::cli::note(&format!("note: {}", crate::cli::escaped(&format!("{error:#}"))));
        }
        // What is pasted into a shell or a file is nothing but an id.
        server_name(agent)?;
        let name = server_name(self.name.as_deref().unwrap_or(agent))?;
        if self.only {
            let only = client.only(&name);
            crate::cli::note(only.place);
            return Ok(match only.paste {
                Some(paste) => {
                    crate::cli::print(&paste);
                    Exit::Done
                }
                None => Exit::Refused,
            });
        }
        let way = if self.http { http(&self.listen(&state)?, agent) } else { command(agent)? };
        let Some(recipe) = client.recipe(&name, &way) else {
            bail!(
                "this client takes no local HTTP server\n  hint: leave out `--http`: it starts the server itself"
            );
        };
        crate::cli::note(recipe.place);
        crate::cli::print(&recipe.paste);
        if self.http {
            crate::cli::note(&format!(
                "put the agent's token in the place of TOKEN; `soulbound agents token {agent}` makes one"
            ));
        }
        Ok(Exit::Done)
    }
}

impl Config {
    fn listen(&self, state: &StateFolder) -> Result<String> {
        if let Some(listen) = &self.listen {
            return Ok(listen.clone());
        }
        let running = state.holder()?.and_then(|Held(holder)| holder?.listen);
        Ok(running.unwrap_or(Settings::read(state)?.listen.to_string()))
    }
}

/// A name that every client takes: letters, digits, `-` and `_`, a letter first.
fn server_name(name: &str) -> Result<String> {
    let fits =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !fits {
        bail!(
            "{} is no name for a server: letters, digits, `-` and `_`\n  hint: choose one with `--name`",
            visible::quoted_target(name)
        );
    }
    let letter_first = name.starts_with(|first: char| first.is_ascii_alphabetic());
    Ok(if letter_first { name.to_owned() } else { format!("agent-{name}") })
}

fn http(listen: &str, agent: &str) -> Way {
    Way::Http { url: format!("http://{listen}/agents/{agent}/mcp"), authorization: "Bearer TOKEN".to_owned() }
}

/// The shim, as the client will start it: with the state folder of now, since a client passes few variables on.
fn command(agent: &str) -> Result<Way> {
    let own = std::env::current_exe().context("this program's own file cannot be found")?;
    let program = if everywhere(&own) { "soulbound".to_owned() } else { own.display().to_string() };
    let serve = ["mcp", "serve", "--agent", agent].map(str::to_owned);
    Ok(match std::env::var_os("SOULBOUND_HOME").filter(|home| !home.is_empty()) {
        None => Way::Command { program, arguments: serve.to_vec() },
        Some(home) => {
            let home = std::path::absolute(PathBuf::from(home))?;
            let mut arguments = vec![format!("SOULBOUND_HOME={}", home.display()), program];
            arguments.extend(serve);
            Way::Command { program: "env".to_owned(), arguments }
        }
    })
}

/// Whether every program finds it as `soulbound`. A client that a desktop starts knows nothing of a terminal's `PATH`, so
/// only the system's own folders count.
fn everywhere(own: &Path) -> bool {
    ["/usr/bin", "/usr/local/bin"].iter().any(|folder| own.parent() == Some(Path::new(folder)))
}
