//! The command line: nouns and verbs, one file each. Data goes to standard output, talk to standard error.

mod agents;
mod alerts;
mod approvals;
mod audit;
mod call;
mod check;
mod completions;
mod doctor;
mod explain;
mod gateway;
mod heartbeat;
mod inspect;
mod mcp;
mod redteam;
mod secrets;
mod why;

use std::io::Write;
use std::path::Path;

use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::gateway::token::{self, Token};
use crate::style::Style;

/// Skills of AI agents, sandboxed: each reaches exactly what its agent's SOUL.md grants.
#[derive(Debug, Parser)]
#[command(name = "soulbound", version, max_term_width = 110, arg_required_else_help = true)]
#[command(
    after_help = "Example:\n  soulbound check examples/guardian/SOUL.md\n  soulbound call examples/guardian/SOUL.md file-reader read path=/documents/policy.md"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Call(call::Call),
    Inspect(inspect::Inspect),
    Why(why::Why),
    Explain(explain::Explain),
    Gateway(gateway::Gateway),
    Agents(agents::Agents),
    Alerts(alerts::Alerts),
    Approvals(approvals::Approvals),
    Audit(audit::Audit),
    Heartbeat(heartbeat::Heartbeat),
    Secrets(secrets::Secrets),
    Mcp(mcp::Mcp),
    Redteam(redteam::Redteam),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
}

/// Reads the arguments and does what they say.
pub(crate) fn run() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Done;
            }
            // Its text quotes the arguments, which a model may have chosen: no colour is worth showing them raw.
            note(&escaped(error.render().to_string().trim_end()));
            return Exit::CouldNotRun;
        }
    };
    let done = match arguments.command {
        Command::Check(check) => check.run(),
        Command::Agents(agents) => agents.run(),
        Command::Alerts(alerts) => alerts.run(),
        Command::Approvals(approvals) => approvals.run(),
        Command::Call(call) => call.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Why(why) => why.run(),
        Command::Secrets(secrets) => secrets.run(),
        Command::Mcp(mcp) => mcp.run(|state| crate::gateway::start::ensure_running(state).map(drop)),
        Command::Explain(explain) => explain.run(),
        Command::Gateway(gateway) => gateway.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Audit(audit) => audit.run(),
        Command::Heartbeat(heartbeat) => heartbeat.run(),
        Command::Redteam(redteam) => redteam.run(),
        Command::Completions(completions) => completions.run(),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        Exit::CouldNotRun
    })
}

/// What could not be done, on standard error. The last wall for names in it that somebody else chose.
fn complain(text: &str) {
    let style = Style::stderr();
    note(&format!("{} {}", style.red("error:"), escaped(text)));
}

/// Lines stay lines; nothing in them acts on a terminal.
fn escaped(text: &str) -> String {
    text.split('\n').map(soulbound_runtime::visible::line).collect::<Vec<_>>().join("\n")
}

/// One line, or several, on standard error. A closed standard error is no reason to stop.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Data on standard output. A reader that went away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// One JSON document on standard output, with nothing in it that a terminal would act on.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&soulbound_runtime::visible::json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Shows a token, once, or puts it into a file.
fn show_token(made: &Token, file: Option<&Path>) -> anyhow::Result<Exit> {
    match file {
        Some(file) => {
            token::write_to(made, file)?;
            note(&format!("the token is in `{}`, which only you can read", file.display()));
        }
        None => {
            print(made.reveal());
            note("this token is shown once; at rest there is only its hash");
        }
    }
    Ok(Exit::Done)
}
