//! The probes, bound under a skill's own grant. What differs from the skill is written here, in one place, and said in the
//! report: nothing else may.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use soulbound_runtime::RuleRef;
use soulbound_runtime::sandbox::{AgentIdentity, BindError, BoundSkill, Runtime};
use soulbound_runtime::skill::SkillFolder;
use soulbound_runtime::soul::SkillEntry;

use super::attack::ProbeKind;
use super::canary::Search;
use super::live::sight::Sight;
use super::scratch::Given;
use super::stub::Stub;
use crate::standard;

/// The longest that a call may take under attack: a limit of half a minute is attacked as one of two seconds.
pub(crate) const TIME: Duration = Duration::from_secs(2);
/// The most memory under attack, in bytes: what a busy machine still gives a call within its time.
pub(crate) const MEMORY: u64 = 64 << 20;
/// The most that a call may write under attack, in bytes.
pub(crate) const DISK: u64 = 1 << 20;

/// The probes' components.
pub(crate) struct Probes {
    files: SkillFolder,
    http: SkillFolder,
    sockets: SkillFolder,
}

impl Probes {
    /// Reads them from where the program came with them.
    pub(crate) fn find() -> Result<Self> {
        let place = standard::probes().context(
            "the probes are not beside this program\n  hint: `cargo xtask skills` builds them into `target/redteam`; an installed \
             program has them in `share/soulbound/redteam`",
        )?;
        let read = |name: &str| {
            let folder = place.join(name);
            SkillFolder::read(&folder)
                .with_context(|| format!("the probe `{}` cannot be read", folder.display()))
        };
        Ok(Self { files: read("probe-files")?, http: read("probe-http")?, sockets: read("probe-sockets")? })
    }

    /// A probe's folder.
    pub(crate) fn folder(&self, kind: ProbeKind) -> &SkillFolder {
        match kind {
            ProbeKind::Files => &self.files,
            ProbeKind::Http => &self.http,
        }
    }

    /// The probe that imports sockets.
    pub(crate) fn sockets(&self) -> &SkillFolder {
        &self.sockets
    }
}

/// A skill's entry as a probe is bound under it. The component is another, so what names the skill's own (`sha256`, tools
/// that wait for approval) is left out; approvals count as given, since the sandbox must hold without them; budgets over
/// time are lifted, or every later attack would be refused by the first ones.
pub(crate) fn under_attack(entry: &SkillEntry) -> SkillEntry {
    let mut entry = entry.clone();
    let grant = &mut entry.grant;
    grant.sha256.clear();
    grant.approve.clear();
    grant.secrets.clear();
    // Of calls: far more than there are attacks. Of egress: none, unless the attack is about it.
    grant.limits.rate.clear();
    grant.limits.egress.clear();
    grant.limits.time = Some(grant.limits.time.map_or(TIME, |own| own.min(TIME)));
    grant.limits.memory = Some(grant.limits.memory.map_or(MEMORY, |own| own.min(MEMORY)));
    grant.limits.disk = Some(grant.limits.disk.map_or(DISK, |own| own.min(DISK)));
    entry
}

/// The line that stands for what a run adds to an entry: the skill's own.
pub(crate) fn rule(entry: &SkillEntry) -> RuleRef {
    entry.grant.line.clone().unwrap_or_else(|| RuleRef {
        file: "SOUL.md".to_owned(),
        line: entry.line,
        column: 1,
        text: format!("{}:", entry.name),
    })
}

/// One skill's grant with the probes under it.
pub(crate) struct Target {
    /// The skill.
    pub(crate) name: String,
    /// Its line in SOUL.md.
    pub(crate) line: u32,
    /// Its entry over the scratch copy, otherwise as in SOUL.md.
    pub(crate) entry: SkillEntry,
    /// Its directories in the scratch copy.
    pub(crate) given: Vec<Given>,
    /// What may be seen of this very machine, where the directories are no copies.
    pub(crate) sight: Option<Sight>,
    /// Its network.
    pub(crate) stub: Arc<Stub>,
    /// What must not come back.
    pub(crate) forbidden: Search,
    /// The runtime over its network.
    pub(crate) runtime: Runtime,
    files: BoundSkill,
    http: Option<BoundSkill>,
}

impl Target {
    /// Binds the probes under an entry.
    ///
    /// # Errors
    ///
    /// The grant cannot be bound, so the skill could not run either.
    pub(crate) fn bind(
        probes: &Probes,
        runtime: Runtime,
        identity: &AgentIdentity,
        entry: SkillEntry,
        given: Vec<Given>,
        stub: Arc<Stub>,
        forbidden: Search,
    ) -> Result<Self, BindError> {
        let attacked = under_attack(&entry);
        let files = runtime.bind(identity, &attacked, probes.folder(ProbeKind::Files))?;
        let http = match entry.grant.hosts.is_empty() {
            true => None,
            false => Some(runtime.bind(identity, &attacked, probes.folder(ProbeKind::Http))?),
        };
        Ok(Self {
            name: entry.name.clone(),
            line: entry.line,
            entry,
            given,
            sight: None,
            stub,
            forbidden,
            runtime,
            files,
            http,
        })
    }

    /// The probe of a kind; none without a grant for it.
    pub(crate) fn probe(&self, kind: ProbeKind) -> Option<&BoundSkill> {
        match kind {
            ProbeKind::Files => Some(&self.files),
            ProbeKind::Http => self.http.as_ref(),
        }
    }
}
