//! The log of a running gateway: spans and events on standard error, for people or as JSON lines.
//!
//! Text of a model's or a guest's gets into no message; names that it chose are fields, which both forms escape.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// Lines for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Libraries whose finer words quote whole messages: arguments, results, paths, with whatever a model put there. Our own
/// words are masked; theirs are left out, whatever is asked for. What rmcp tells is three lines for each request over HTTP.
const TALKATIVE: [(&str, &str); 4] = [
    ("rmcp", "warn"),
    ("wasmtime_wasi", "info"),
    ("wasmtime_wasi_http", "info"),
    ("wasmtime_wasi_io", "info"),
];

/// Begins to log. `SOULBOUND_LOG` chooses what, as `tracing` spells it: `info` unless it says otherwise.
pub(super) fn start(form: Form) -> Result<()> {
    let mut filter = EnvFilter::builder()
        .with_env_var("SOULBOUND_LOG")
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .from_env()
        .context("SOULBOUND_LOG is no filter\n  hint: such as `info` or `soulbound=debug`")?;
    for (library, level) in TALKATIVE {
        filter = filter.add_directive(format!("{library}={level}").parse()?);
    }
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match form {
        Form::Pretty => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Form::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log does not start: {error}"))
}
