//! `soulbound explain ID`: a denial or a table, in a page.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use soulbound_runtime::grant::address::metadata;
use soulbound_runtime::grant::capability::{Capability, IMPORTS};
use soulbound_runtime::{DenialId, visible};

use crate::cli::doctor::words::{self, WORDS, Word};
use crate::exit::Exit;
use crate::oversight::breakers::Kind;

/// The tables, by name.
const TABLES: [&str; 2] = ["metadata", "capabilities"];

/// Explain a denial's id, or print a table: `metadata`, `capabilities`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound explain path.outside\n  soulbound explain metadata")]
pub(super) struct Explain {
    /// A denial's id such as `path.outside`, an anomaly's such as `scope-violation`, a word of doctor's or the status's such as `separation`, or `metadata`, or `capabilities`; nothing lists them all
    id: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn run(self) -> Result<Exit> {
        let (text, value) = match self.id.as_deref() {
            None => list(),
            Some("metadata") => metadata_table(),
            Some("capabilities") => capabilities(),
            Some(id) => match (DenialId::parse(id), Kind::parse(id)) {
                (Some(id), _) => page(id),
                (None, Some(kind)) => anomaly(kind),
                (None, None) => match words::of(id) {
                    Some(word) => finding(word),
                    None => bail!(
                        "nothing is called `{}`{}\n  hint: `soulbound explain` lists every id",
                        visible::line(id),
                        near(id)
                    ),
                },
            },
        };
        if self.json {
            super::print_json(&value)?
        } else {
            super::print(&text)
        }
        Ok(Exit::Done)
    }
}

fn near(id: &str) -> String {
    let score = |known: &&str| strsim::jaro_winkler(known, id);
    let known = DenialId::ALL.iter().map(|id| id.as_str()).chain(Kind::ALL.iter().map(|kind| kind.name()));
    let all = known.chain(WORDS.iter().map(|word| word.id)).chain(TABLES);
    let best = all.max_by(|one, other| score(one).total_cmp(&score(other)));
    best.filter(|best| score(best) > 0.8).map(|best| format!("; did you mean `{best}`?")).unwrap_or_default()
}

fn page(id: DenialId) -> (String, Value) {
    let text = format!("{id}\n\n{}\n\nWhat to do: {}", id.meaning(), id.remedy());
    (text, json!({"id": id, "meaning": id.meaning(), "remedy": id.remedy()}))
}

fn anomaly(kind: Kind) -> (String, Value) {
    let trips = kind.default_trip().name();
    let text = format!(
        "{} (an anomaly; trips `{trips}` unless gateway.toml says otherwise)\n\n{}\n\nWhat to do: {}",
        kind.name(),
        kind.meaning(),
        kind.remedy()
    );
    (text, json!({"anomaly": kind, "trips": trips, "meaning": kind.meaning(), "remedy": kind.remedy()}))
}

fn finding(word: &Word) -> (String, Value) {
    let text =
        format!("{} (of `soulbound doctor` and `soulbound gateway status`)\n\n{}", word.id, word.meaning);
    (text, json!({"check": word.id, "meaning": word.meaning}))
}

fn list() -> (String, Value) {
    let width = DenialId::ALL.iter().map(|id| id.as_str().len()).max().unwrap_or_default();
    let lines: Vec<String> =
        DenialId::ALL.iter().map(|id| format!("{:width$}  {}", id.as_str(), id.meaning())).collect();
    let anomalies: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let checks: Vec<&str> = WORDS.iter().map(|word| word.id).collect();
    let text = format!(
        "{}\n\nanomalies: {}\ntables: {}\ndoctor and status: {}",
        lines.join("\n"),
        anomalies.join(", "),
        TABLES.join(", "),
        checks.join(", ")
    );
    (text, json!({"denials": DenialId::ALL, "anomalies": anomalies, "tables": TABLES, "checks": checks}))
}

fn capabilities() -> (String, Value) {
    let mut lines = vec!["What a component may import, and what each import needs:".to_owned()];
    let mut rows = Vec::new();
    for row in IMPORTS {
        let interfaces = if row.interfaces.is_empty() { "*".to_owned() } else { row.interfaces.join(", ") };
        let needs = needs(row.capability);
        let name = row.capability.map_or("(inert)", Capability::name);
        lines
            .push(format!("  {name:8} {}/{{{interfaces}}}@{}\n           {needs}", row.package, row.version));
        rows.push(json!({"capability": row.capability.map(Capability::name), "package": row.package,
            "interfaces": row.interfaces, "version": row.version, "needs": needs}));
    }
    lines.push("Anything else refuses the skill when it is bound (import.unknown).".to_owned());
    (lines.join("\n"), json!({"imports": rows}))
}

fn needs(capability: Option<Capability>) -> &'static str {
    match capability {
        None => "needs nothing: it carries no authority",
        Some(Capability::Files) => {
            "needs `read`, `write` or `create`; without one it links with no directory at all"
        }
        Some(Capability::Environment) => "needs `env`; without it empty",
        Some(Capability::Http) => "needs `hosts`",
        Some(Capability::Channels) => "needs a channel under `## Channels` of the agent's SOUL.md",
        Some(Capability::Sockets) => "not granted by this build; `refuse: sockets` runs a skill without",
        Some(_) => "see SOUL.md",
    }
}

fn metadata_table() -> (String, Value) {
    let mut lines =
        vec!["Cloud metadata services: never reachable, whatever is granted.".to_owned(), String::new()];
    let mut rows = Vec::new();
    for row in metadata::ADDRESSES {
        lines.push(format!("  {:28} {}", row.address, row.owner));
        rows.push(json!({"address": row.address.to_string(), "owner": row.owner}));
    }
    for row in metadata::NAMES {
        lines.push(format!("  {:28} {}", row.name, row.owner));
        rows.push(json!({"name": row.name, "owner": row.owner}));
    }
    (lines.join("\n"), json!({"metadata": rows}))
}
