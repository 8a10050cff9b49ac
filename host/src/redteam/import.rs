//! Attacks before any call: components that ask for more than their skill was granted, or that are not the one that was
//! pinned. The escape is that one is bound, or that nobody but the linker was in its way.

use soulbound_runtime::compile::CompileError;
use soulbound_runtime::grant::Capability;
use soulbound_runtime::sandbox::{AgentIdentity, BindError, Runtime};
use soulbound_runtime::skill::SkillFolder;
use soulbound_runtime::soul::SkillEntry;

use super::Order;
use super::attack::{Attack, Class, ProbeKind};
use super::oracle::Verdict;
use super::probe::{self, Probes};
use super::report::Finding;

/// Every attack on binding under one entry.
pub(super) fn attacks(
    order: &Order,
    probes: &Probes,
    runtime: &Runtime,
    identity: &AgentIdentity,
    entry: &SkillEntry,
) -> Vec<Finding> {
    let attacked = probe::under_attack(entry);
    let mut tried: Vec<(Attack, SkillEntry, &SkillFolder)> = Vec::new();
    let attack = |class, id: &str, what: &str| Attack::new(class, id, what, "bind", serde_json::Value::Null);
    let refuses = |capability| entry.grant.refuse.iter().any(|(refused, _)| *refused == capability);
    if !refuses(Capability::Sockets) {
        let what = "a component imports sockets";
        tried.push((attack(Class::Network, "sockets", what), attacked.clone(), probes.sockets()));
    }
    if entry.grant.hosts.is_empty() && !refuses(Capability::Http) {
        let what = "a component imports requests, and no host is granted";
        tried.push((
            attack(Class::Network, "import-http", what),
            attacked.clone(),
            probes.folder(ProbeKind::Http),
        ));
    }
    let mut pinned = attacked;
    pinned.grant.sha256.clone_from(&entry.grant.sha256);
    if pinned.grant.sha256.is_empty() {
        // Nobody has a component of this digest.
        pinned.grant.sha256.push(([0; 32], probe::rule(entry)));
    }
    let what = "another component than the pinned one";
    tried.push((attack(Class::Authority, "pinned", what), pinned, probes.folder(ProbeKind::Files)));
    let bind = |(attack, entry, folder): (Attack, SkillEntry, &SkillFolder)| {
        let verdict = match runtime.bind(identity, &entry, folder) {
            Ok(_) => Verdict::Escaped("the component was bound".to_owned()),
            Err(BindError::Denied(denial)) => Verdict::Refused(vec![denial.id.as_str()]),
            // It cannot be called, and yet the wall that is meant did not stand: the judgement of its imports let it through.
            Err(BindError::Component(CompileError::Load(_))) => Verdict::Escaped(
                "its imports were let through: it stopped only where nothing of their name is linked"
                    .to_owned(),
            ),
            Err(error) => Verdict::Blind(error.to_string()),
        };
        Finding::new(&attack, &entry.name, entry.line, verdict)
    };
    tried.into_iter().filter(|(attack, ..)| order.takes(attack)).map(bind).collect()
}
