//! `soulbound alerts`: whom the operator told to tell, and whether that works. Needs no running gateway.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use soulbound_runtime::{spelling, visible};

use crate::exit::Exit;
use crate::oversight::alerts::{Message, Target, send};
use crate::oversight::delivery::Delivery;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;

/// Whom to tell of what: the `[[alerts]]` of gateway.toml
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound alerts\n  soulbound alerts test ops")]
pub(super) struct Alerts {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The targets, without their credentials (also: a bare `soulbound alerts`)
    #[command(after_help = "Example:\n  soulbound alerts list --json")]
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Send a test to each target, or to one; exit 1 if one does not arrive
    #[command(after_help = "Example:\n  soulbound alerts test\n  soulbound alerts test ops --json")]
    Test {
        /// The target's name
        name: Option<String>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

impl Alerts {
    pub(super) fn run(self) -> Result<Exit> {
        let settings = Settings::read(&StateFolder::find()?)?;
        match self.verb.unwrap_or(Verb::List { json: false }) {
            Verb::List { json } => list(&settings.alerts, json),
            Verb::Test { name, json } => test(&settings, name.as_deref(), json),
        }
    }
}

fn list(targets: &[Target], json: bool) -> Result<Exit> {
    if json {
        super::print_json(&json!({"alerts": targets.iter().map(view).collect::<Vec<_>>()}))?;
        return Ok(Exit::Done);
    }
    if targets.is_empty() {
        super::note(
            "nobody is told of anything: gateway.toml has no `[[alerts]]`\n  hint: soulbound gateway config",
        );
    }
    for target in targets {
        let on: Vec<&str> = target.on.iter().map(|about| about.name()).collect();
        let agents = match &target.agents {
            Some(agents) => format!(", agents {}", agents.join(", ")),
            None => String::new(),
        };
        let does = if target.disables { ", disables the agent" } else { "" };
        super::print(&format!(
            "{}  {} at {}\n  on {}{agents}, every {} s at most{does}",
            Style::stdout().bold(&target.name),
            target.way.kind(),
            visible::line(&target.way.place()),
            on.join(", "),
            target.cooldown.as_secs_f64(),
        ));
    }
    Ok(Exit::Done)
}

fn view(target: &Target) -> Value {
    json!({
        "name": target.name,
        "kind": target.way.kind(),
        "to": target.way.place(),
        "on": target.on.iter().map(|about| about.name()).collect::<Vec<_>>(),
        "agents": target.agents,
        "cooldown_seconds": target.cooldown.as_secs_f64(),
        "action": target.disables.then_some("disable"),
    })
}

fn test(settings: &Settings, name: Option<&str>, json: bool) -> Result<Exit> {
    let targets = chosen(&settings.alerts, name)?;
    let delivery = Delivery::start(&settings.network)?;
    let mut failed = false;
    let mut results = Vec::new();
    for target in targets {
        let message = Message::test(&target.name);
        // One attempt: whoever tries wants to know now.
        let sent = delivery.handle().block_on(send(&delivery, &target.way, &message));
        let why = sent.err().map(|failed| failed.why);
        failed |= why.is_some();
        if !json {
            let (style, to) = (Style::stdout(), visible::line(&target.way.place()));
            match &why {
                None => super::print(&format!("{} {} at {to}", style.green("sent  "), target.name)),
                Some(why) => {
                    super::print(&format!(
                        "{} {} at {to}: {}",
                        style.red("failed"),
                        target.name,
                        visible::line(why)
                    ));
                }
            }
        }
        let mut result = view(target);
        if let Some(members) = result.as_object_mut() {
            members.insert("ok".to_owned(), json!(why.is_none()));
            members.insert("error".to_owned(), json!(why));
        }
        results.push(result);
    }
    if json {
        super::print_json(&json!({"ok": !failed, "alerts": results}))?;
    }
    Ok(if failed { Exit::Refused } else { Exit::Done })
}

fn chosen<'a>(targets: &'a [Target], name: Option<&str>) -> Result<Vec<&'a Target>> {
    let Some(name) = name else {
        if targets.is_empty() {
            bail!(
                "gateway.toml has no `[[alerts]]`, so there is nothing to test\n  hint: soulbound gateway config"
            );
        }
        return Ok(targets.iter().collect());
    };
    match targets.iter().find(|target| target.name == name) {
        Some(target) => Ok(vec![target]),
        None => {
            let near = spelling::nearest(name, targets.iter().map(|target| target.name.as_str()));
            let hint =
                near.map_or("soulbound alerts list".to_owned(), |near| format!("did you mean `{near}`?"));
            bail!("no alert is called {}\n  hint: {hint}", visible::quoted_target(name))
        }
    }
}
