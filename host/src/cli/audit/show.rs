//! `soulbound audit show`: a trail's records, the newest last.

use std::collections::VecDeque;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use soulbound_runtime::visible;

use super::Which;
use super::row::row;
use crate::audit::read::{self, Following, Line};
use crate::exit::Exit;
use crate::style::Style;

/// Show records, the newest last
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound audit show echo --decision denied --follow")]
pub(super) struct Show {
    #[command(flatten)]
    which: Which,
    /// At most so many, the newest
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Go on as records are written
    #[arg(long, short)]
    follow: bool,
    /// One JSON document; with `--follow` one a line
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> Result<Exit> {
        let (folder, owner, filter) = self.which.find()?;
        let (json, limit, style) = (self.json, self.limit, Style::stdout());
        let shown = |record: &Line<'_>| match json {
            true => visible::json(record.as_str()),
            false => row(record, style),
        };
        let mut newest = VecDeque::new();
        let mut keep = |record: &Line<'_>| {
            newest.push_back(shown(record));
            if newest.len() > limit {
                newest.pop_front();
            }
            true
        };
        if !self.follow {
            read::all(&folder, &filter, &mut keep)?;
            if json {
                let records: Vec<Value> = newest.iter().filter_map(|line| line.parse().ok()).collect();
                super::super::print_json(&json!({"agent": owner, "records": records}))?;
            } else if newest.is_empty() {
                super::super::note("no records");
            } else {
                newest.iter().for_each(|line| super::super::print(line));
            }
            return Ok(Exit::Done);
        }
        let following = Following::begin(&folder, filter, &mut keep)?;
        // A reader that went away ends the following.
        if newest.iter().all(|line| super::super::put(line)) {
            following.go_on(&mut |record| super::super::put(&shown(record)))?;
        }
        Ok(Exit::Done)
    }
}
