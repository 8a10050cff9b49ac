//! `soulbound audit export`: records for other programs, streamed.

use std::io::{BufWriter, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};
use soulbound_runtime::visible;

use super::{Which, csv};
use crate::audit::read;
use crate::exit::Exit;

/// Write records out for other programs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound audit export echo --since 2026-11-01 > echo.jsonl")]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One record a line, as they were hashed (invisible characters as \u escapes)
    Jsonl,
    /// One array
    Json,
    /// A table with the plain fields
    Csv,
}

impl Export {
    pub(super) fn run(self) -> Result<Exit> {
        let format = self.format;
        let (folder, _, filter) = self.which.find()?;
        let mut out = BufWriter::new(std::io::stdout().lock());
        let mut first = true;
        let mut gone = match format {
            Format::Jsonl => Ok(()),
            Format::Json => write!(out, "["),
            Format::Csv => writeln!(out, "{}", csv::header()),
        };
        let read = read::all(&folder, &filter, &mut |record| {
            let comma = if std::mem::take(&mut first) { "\n" } else { ",\n" };
            gone = match format {
                Format::Jsonl => writeln!(out, "{}", visible::json(record.as_str())),
                Format::Json => write!(out, "{comma}{}", visible::json(record.as_str())),
                Format::Csv => writeln!(out, "{}", csv::line(record)),
            };
            gone.is_ok()
        });
        if format == Format::Json && gone.is_ok() {
            gone = writeln!(out, "\n]");
        }
        super::super::wrote(gone.and_then(|()| out.flush()));
        read?;
        Ok(Exit::Done)
    }
}
