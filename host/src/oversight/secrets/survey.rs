//! What there is of an agent's secrets, and what SOUL.md asks for: for `secrets list`, `agents show` and `doctor`. Never a
//! value.

use anyhow::Result;
use serde::Serialize;
use soulbound_runtime::Soul;
use soulbound_runtime::grant::SecretGrant;

use super::SecretStore;

/// A secret that is set, or that SOUL.md names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    /// The agent.
    pub(crate) agent: String,
    /// The name.
    pub(crate) name: String,
    /// The origin: the operator's if it is set, else SOUL.md's.
    pub(crate) host: String,
    /// When it was set; none if it is not.
    pub(crate) set: Option<String>,
    /// By whom.
    pub(crate) by: Option<String>,
    /// When a request last carried it, to the minute.
    pub(crate) used: Option<String>,
    /// How it stands to SOUL.md.
    pub(crate) soul: Standing,
}

/// How a secret stands to the trusted SOUL.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    /// Both name the same host: requests carry it.
    Named,
    /// SOUL.md does not name it.
    NotNamed,
    /// SOUL.md names other hosts for it: such requests are refused.
    OtherHost(Vec<String>),
    /// SOUL.md names it and it is not set: such requests are refused.
    NotSet,
    /// The SOUL.md cannot be read.
    Unknown,
}

/// The rows of one agent, by name.
pub(crate) fn survey(store: &SecretStore, agent: &str, soul: Option<&Soul>) -> Result<Vec<Row>> {
    let stored = store.stored(agent)?;
    let used = store.used_when(agent);
    let named: Vec<&SecretGrant> =
        soul.iter().flat_map(|soul| soul.skills()).flat_map(|skill| &skill.grant.secrets).collect();
    let mut rows: Vec<Row> = stored
        .iter()
        .map(|one| Row {
            agent: agent.to_owned(),
            name: one.name.clone(),
            host: one.host.clone(),
            set: Some(one.set.clone()),
            by: Some(one.by.clone()),
            used: used.get(&one.name).cloned(),
            soul: match soul {
                None => Standing::Unknown,
                Some(_) => standing(&named, &one.name, &one.host),
            },
        })
        .collect();
    for grant in named {
        if !rows.iter().any(|row| row.name == grant.name && (row.set.is_some() || row.host == grant.origin()))
        {
            rows.push(Row {
                agent: agent.to_owned(),
                name: grant.name.clone(),
                host: grant.origin(),
                set: None,
                by: None,
                used: None,
                soul: Standing::NotSet,
            });
        }
    }
    rows.sort_by(|one, other| (&one.name, &one.host).cmp(&(&other.name, &other.host)));
    Ok(rows)
}

fn standing(named: &[&SecretGrant], name: &str, host: &str) -> Standing {
    let mut others: Vec<String> =
        named.iter().filter(|grant| grant.name == name).map(|grant| grant.origin()).collect();
    if others.is_empty() {
        return Standing::NotNamed;
    }
    others.retain(|origin| origin != host);
    others.dedup();
    if others.is_empty() { Standing::Named } else { Standing::OtherHost(others) }
}

impl Row {
    /// What is wrong with it, and the command that mends it.
    pub(crate) fn problem(&self) -> Option<(String, String)> {
        let Self { agent, name, host, .. } = self;
        match &self.soul {
            Standing::NotSet => Some((
                format!("SOUL.md of `{agent}` names the secret `{name}` for {host}, and it is not set"),
                format!("soulbound secrets set {name} --agent {agent} --for {host}"),
            )),
            Standing::OtherHost(others) => Some((
                format!(
                    "the secret `{name}` of `{agent}` is set for {host}, and SOUL.md names {} for it",
                    others.join(", ")
                ),
                format!("correct SOUL.md, or set `{name}` again for the host that it is meant for"),
            )),
            Standing::Named | Standing::NotNamed | Standing::Unknown => None,
        }
    }
}
