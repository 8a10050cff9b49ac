//! `soulbound approvals`: what waits for a person, and their decisions. One file a verb.
//!
//! The rule: all of it goes over the gateway's own socket, where the kernel says who decides. What is printed was made
//! readable by the gateway.

mod decide;
mod list;
mod revoke;
mod screen;
mod show;
mod watch;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::exit::Exit;
use crate::operator::Reply;

/// List what waits for your approval, look at it, approve or deny it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound approvals\n  soulbound approvals show echo-37\n  soulbound approvals approve echo-37\n  soulbound approvals deny echo-37 --reason \"not to this list\"\n  soulbound approvals watch"
)]
pub(super) struct Approvals {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Show(show::Show),
    Approve(decide::Approve),
    Deny(decide::Deny),
    Watch(watch::Watch),
    Revoke(revoke::Revoke),
}

impl Approvals {
    pub(super) fn run(self) -> Result<Exit> {
        match self.verb {
            None => list::List { json: self.json }.run(),
            Some(Verb::List(list)) => list.run(),
            Some(Verb::Show(show)) => show.run(),
            Some(Verb::Approve(approve)) => approve.run(),
            Some(Verb::Deny(deny)) => deny.run(),
            Some(Verb::Watch(watch)) => watch.run(),
            Some(Verb::Revoke(revoke)) => revoke.run(),
        }
    }
}

/// What the gateway says, or its refusal: that is no failure of the program.
fn told(reply: Reply, tell: impl FnOnce(Value) -> Result<()>) -> Result<Exit> {
    match reply.into_result() {
        Ok(value) => tell(value).map(|()| Exit::Done),
        Err(error) => {
            super::complain(&format!("{error:#}"));
            Ok(Exit::Refused)
        }
    }
}
