//! A component's imports held against its grant: which carry authority, and whether it was given.
//!
//! The one judge of imports: binding, `inspect` and `why --import` ask it.

use serde::Serialize;

use crate::denial::{Denial, DenialId};
use crate::grant::capability::{Capability, IMPORTS};
use crate::grant::{DirectoryMode, Grant};
use crate::skill::inspection::Import;
use crate::visible;

/// What an import amounts to under a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It carries no authority.
    Inert,
    /// It carries authority, and the grant gives some of that kind.
    Granted,
    /// The grant names its capability under `refuse`: it links, and every call is refused.
    Refused,
    /// It carries authority that the grant does not give: the skill does not load.
    Missing,
    /// No capability covers it: the skill does not load under any grant.
    Unknown,
}

/// One import and its standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedImport {
    /// The exact name.
    pub interface: String,
    /// The capability that it belongs to, if it carries authority.
    #[serde(serialize_with = "capability_name")]
    pub capability: Option<Capability>,
    /// Whether it may be used.
    pub standing: Standing,
    /// The functions of it that the component declares.
    pub functions: Vec<String>,
}

/// Judges one import. Without a grant every capability counts as missing.
#[must_use]
pub fn judge(import: &Import, grant: Option<&Grant>) -> JudgedImport {
    let (capability, standing) = match row(import) {
        None => (None, Standing::Unknown),
        Some(None) => (None, Standing::Inert),
        Some(Some(capability)) => (Some(capability), standing(capability, grant)),
    };
    JudgedImport {
        interface: import.interface.clone(),
        capability,
        standing,
        functions: import.functions.clone(),
    }
}

/// The row of the table that knows this import: its capability, or `Some(None)` for one without authority.
fn row(import: &Import) -> Option<Option<Capability>> {
    match import.kind.as_str() {
        "instance" => {}
        // A bare name for a known type carries nothing: toolchains import one for each record of a world.
        "type" => return Some(None),
        _ => return None,
    }
    let (path, version) = import.interface.split_once('@')?;
    let (package, interface) = path.split_once('/')?;
    IMPORTS
        .iter()
        .find(|row| {
            row.package == package
                && (row.interfaces.is_empty() || row.interfaces.contains(&interface))
                && speaks(row.version, version)
        })
        .map(|row| row.capability)
}

/// Whether `version` is a release of the line `minor`, such as `0.2.6` of `0.2`. Pre-releases are none.
fn speaks(minor: &str, version: &str) -> bool {
    version.strip_prefix(minor).and_then(|rest| rest.strip_prefix('.')).is_some_and(|patch| {
        !patch.is_empty() && patch.len() <= 4 && patch.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn standing(capability: Capability, grant: Option<&Grant>) -> Standing {
    let Some(grant) = grant else {
        return match capability {
            // Language runtimes import these always; without a grant they are there and empty.
            Capability::Files | Capability::Environment => Standing::Inert,
            _ => Standing::Missing,
        };
    };
    if grant.refuse.iter().any(|(refused, _)| *refused == capability) {
        return Standing::Refused;
    }
    let (given, empty_without) = match capability {
        Capability::Files => (!grant.directories.is_empty(), true),
        Capability::Environment => (!grant.environment.is_empty(), true),
        Capability::Http => (!grant.hosts.is_empty(), false),
        Capability::Sockets => (false, false),
        Capability::Channels => (!grant.channels.is_empty(), false),
    };
    match (given, empty_without) {
        (true, _) => Standing::Granted,
        (false, true) => Standing::Inert,
        (false, false) => Standing::Missing,
    }
}

/// The denial with which a skill is refused for this import, if it is.
#[must_use]
pub fn refusal(skill: &str, judged: &JudgedImport, grant: &Grant) -> Option<Denial> {
    let denial = match judged.standing {
        Standing::Inert | Standing::Granted | Standing::Refused => return None,
        Standing::Unknown => Denial::new(
            DenialId::ImportUnknown,
            format!(
                "skill `{skill}` imports {}, which no capability of this program covers",
                visible::quoted_target(&judged.interface)
            ),
        )
        .hint("build the skill against WASI 0.2 and `soulbound:skill`; `soulbound explain capabilities` lists what may be imported"),
        // SOUL.md has the line that would be missed.
        Standing::Missing
            if judged.capability == Some(Capability::Files)
                && let Some(lost) = grant.lost.first() =>
        {
            let message = format!("skill `{skill}` has no directory left: {}", lost.message);
            let denial = Denial::new(DenialId::PathMoved, message).rule(lost.rule.clone());
            return Some(denial.imported(judged.interface.clone()).hint(lost.hint.clone()));
        }
        Standing::Missing => {
            let capability = judged.capability.unwrap_or(Capability::Sockets);
            Denial::new(
                DenialId::ImportNotGranted,
                format!(
                    "skill `{skill}` imports {} and SOUL.md grants it no `{capability}`",
                    visible::quoted_target(&judged.interface)
                ),
            )
            .hint(line_to_add(skill, capability))
        }
    };
    let denial = denial.imported(judged.interface.clone());
    Some(match &grant.line {
        Some(line) => denial.rule(line.clone()),
        None => denial,
    })
}

/// The line that would grant a capability: its form, never a target.
fn line_to_add(skill: &str, capability: Capability) -> String {
    match capability {
        Capability::Files => {
            let keys =
                [DirectoryMode::Read, DirectoryMode::Write, DirectoryMode::Create].map(DirectoryMode::key);
            format!(
                "add `  - {}: ./DIRECTORY` (or `{}`, `{}`) under `- {skill}:` in SOUL.md",
                keys[0], keys[1], keys[2]
            )
        }
        Capability::Environment => format!("add `  - env: NAME=value` under `- {skill}:` in SOUL.md"),
        Capability::Http => format!(
            "add `  - hosts: https://HOST` under `- {skill}:` in SOUL.md, or `  - refuse: http` to run it without"
        ),
        Capability::Channels => format!(
            "list a channel in the agent's SOUL.md, `## Channels` and below it `- slack: CHANNEL`, or add `  - refuse: channels` under `- {skill}:` to run it without"
        ),
        Capability::Sockets => {
            format!(
                "this build grants no sockets; add `  - refuse: sockets` under `- {skill}:` in SOUL.md to run it without"
            )
        }
    }
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn capability_name<S: serde::Serializer>(
    capability: &Option<Capability>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Serialize::serialize(&capability.map(Capability::name), serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(interface: &str, kind: &str) -> Import {
        Import { interface: interface.to_owned(), kind: kind.to_owned(), functions: Vec::new() }
    }

    #[test]
    fn what_no_row_knows_is_unknown() {
        let cases = [
            ("wasi:io/streams@0.2.6", "instance", Standing::Inert),
            ("wasi:io/streams@0.2.0", "instance", Standing::Inert),
            ("wasi:io/streams@0.2", "instance", Standing::Unknown),
            ("wasi:io/streams@0.2.0-draft", "instance", Standing::Unknown),
            ("wasi:io/streams@0.20.0", "instance", Standing::Unknown),
            ("wasi:filesystem/types@9.9.9", "instance", Standing::Unknown),
            ("wasi:filesystem/types@0.2.3", "instance", Standing::Inert),
            ("wasi:http/outgoing-handler@0.2.0", "instance", Standing::Missing),
            ("wasi:http/incoming-handler@0.2.0", "instance", Standing::Unknown),
            ("wasi:sockets/tcp@0.2.0", "instance", Standing::Missing),
            ("wasi:sockets/anything@0.2.0", "instance", Standing::Missing),
            ("WASI:sockets/tcp@0.2.0", "instance", Standing::Unknown),
            ("wasi:keyvalue/store@0.2.0-draft", "instance", Standing::Unknown),
            ("wasi:io/streams@0.2.6", "func", Standing::Unknown),
            ("soulbound:skill/log@0.1.0", "instance", Standing::Inert),
            ("soulbound:skill/content@0.1.0", "instance", Standing::Inert),
            ("soulbound:skill/channels@0.1.0", "instance", Standing::Missing),
            ("soulbound:skill/channels@0.2.0", "instance", Standing::Unknown),
            ("soulbound:skill/admin@0.1.0", "instance", Standing::Unknown),
            ("entry", "type", Standing::Inert),
            ("entry", "resource", Standing::Unknown),
            ("f", "func", Standing::Unknown),
            ("m", "module", Standing::Unknown),
        ];
        for (name, kind, expected) in cases {
            assert_eq!(judge(&import(name, kind), Some(&Grant::default())).standing, expected, "{name}");
        }
    }
}
