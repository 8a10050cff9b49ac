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
mod question;
mod redteam;
mod secrets;
mod why;

use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

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
                wrote(error.print());
                return unless_lost(Exit::Done);
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
    unless_lost(done.unwrap_or_else(|error| {
        complain(&told(&error));
        Exit::CouldNotRun
    }))
}

/// Why standard output did not take all that it was given, where it did not.
static LOST: OnceLock<std::io::Error> = OnceLock::new();

/// How the program ends: a document of which a part was lost (a full disk) is not done, whatever it would have said.
fn unless_lost(exit: Exit) -> Exit {
    let Some(error) = LOST.get() else { return exit };
    complain(&format!("standard output could not be written, so what it got is not whole: {error}"));
    Exit::CouldNotRun
}

/// Whether there is somebody to go on writing for. A reader that went away (`| head`) is no error; anything else ends the
/// program with one.
fn wrote(written: std::io::Result<()>) -> bool {
    match written {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                LOST.get_or_init(|| error);
            }
            false
        }
    }
}

/// An error and its causes, each once, and what to do about it last.
fn told(error: &anyhow::Error) -> String {
    let (mut what, mut hints) = (String::new(), String::new());
    for cause in error.chain().map(ToString::to_string) {
        let (cause, hint) = cause.split_at(cause.find(HINT).unwrap_or(cause.len()));
        // Some errors already say the one below them.
        if !what.contains(cause) {
            let between = if what.is_empty() { "" } else { ": " };
            what = format!("{what}{between}{cause}");
        }
        if !hints.contains(hint) {
            hints.push_str(hint);
        }
    }
    what + &hints
}

/// What stands before the advice in an error's text.
const HINT: &str = "\n  hint: ";

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

/// Data on standard output.
fn print(text: &str) {
    put(text);
}

/// Data on standard output. Whether there is somebody to go on for.
fn put(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    wrote(writeln!(out, "{text}").and_then(|()| out.flush()))
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
            if put(made.reveal()) {
                note("this token is shown once; at rest there is only its hash");
            } else {
                note(
                    "this token was not shown, and there is only its hash: run the command again for another",
                );
            }
        }
    }
    Ok(Exit::Done)
}
