//! SOUL.md for programs: the fields of `soulbound check --json`. Fields may be added here, never renamed.

use serde::Serialize;

use super::{Diagnostic, Reach, Soul, SoulErrors, Standing};
use crate::grant::{DirectoryGrant, DirectoryMode, Grant};

/// What was read, or why nothing was.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct SoulView {
    /// Who the agent is; nothing if the file has errors.
    pub agent: Option<AgentView>,
    /// Every rule with its standing.
    pub rules: Vec<RuleView>,
    /// Every skill with its grants.
    pub skills: Vec<SkillView>,
    /// What the agent can reach.
    pub reach: Reach,
    /// Where its words go.
    pub channels: Vec<ChannelView>,
    /// What a person should know.
    pub warnings: Vec<Diagnostic>,
    /// Why nothing of the file is used; others may add what they find later.
    pub errors: Vec<Diagnostic>,
}

/// Who an agent is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each field is the line of `## Identity` that it is named for")]
pub struct AgentView {
    pub id: String,
    pub name: String,
    pub role: Option<String>,
    pub model: Option<String>,
}

/// A rule and what stands behind it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "see `Rule` and `RuleStanding`")]
pub struct RuleView {
    pub text: String,
    pub line: u32,
    pub standing: Standing,
    pub by: String,
}

/// A granted directory and where the skill sees it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DirectoryView {
    /// As written.
    pub dir: String,
    /// The guest's path.
    #[serde(rename = "as")]
    pub guest: String,
    /// Whether names that start with a dot are there.
    pub hidden: bool,
}

/// A skill and its grants, entries as text in the spelling of SOUL.md.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each field is the key of SOUL.md that it is named for")]
pub struct SkillView {
    pub name: String,
    pub purpose: String,
    pub line: u32,
    pub read: Vec<DirectoryView>,
    pub write: Vec<DirectoryView>,
    pub create: Vec<DirectoryView>,
    pub hosts: Vec<String>,
    pub env: Vec<String>,
    pub secrets: Vec<String>,
    pub approve: Vec<String>,
    pub limits: Vec<String>,
    pub refuse: Vec<String>,
    pub sha256: Option<String>,
}

/// A channel.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "see `Channel`")]
pub struct ChannelView {
    pub kind: String,
    pub target: String,
    pub line: u32,
    pub approve: Vec<String>,
}

impl From<&Soul> for SoulView {
    fn from(soul: &Soul) -> Self {
        Self {
            agent: Some(AgentView {
                id: soul.id.clone(),
                name: soul.name.clone(),
                role: soul.role.clone(),
                model: soul.model.clone(),
            }),
            rules: soul
                .rules
                .iter()
                .map(|rule| {
                    let standing = soul.standing(rule);
                    RuleView {
                        text: rule.text.clone(),
                        line: rule.line,
                        standing: standing.standing,
                        by: standing.by,
                    }
                })
                .collect(),
            skills: soul
                .skills
                .iter()
                .map(|skill| SkillView::of(&skill.name, &skill.purpose, skill.line, &skill.grant))
                .collect(),
            reach: soul.reach(),
            channels: soul
                .channels
                .iter()
                .map(|channel| ChannelView {
                    kind: channel.kind.clone(),
                    target: channel.target.clone(),
                    line: channel.line,
                    approve: texts(&channel.approve),
                })
                .collect(),
            warnings: soul.warnings.clone(),
            errors: Vec::new(),
        }
    }
}

impl From<&SoulErrors> for SoulView {
    fn from(errors: &SoulErrors) -> Self {
        Self { warnings: errors.warnings.clone(), errors: errors.errors.clone(), ..Self::default() }
    }
}

impl SkillView {
    fn of(name: &str, purpose: &str, line: u32, grant: &Grant) -> Self {
        let directories = |mode: DirectoryMode| {
            let of_mode = grant.directories.iter().filter(|directory| directory.mode == mode);
            of_mode.map(DirectoryView::of).collect()
        };
        Self {
            name: name.to_owned(),
            purpose: purpose.to_owned(),
            line,
            read: directories(DirectoryMode::Read),
            write: directories(DirectoryMode::Write),
            create: directories(DirectoryMode::Create),
            hosts: texts(&grant.hosts),
            env: texts(&grant.environment),
            secrets: texts(&grant.secrets),
            approve: texts(&grant.approve),
            limits: grant.limits.entries(),
            refuse: grant.refuse.iter().map(|(capability, _)| capability.to_string()).collect(),
            sha256: (!grant.sha256.is_empty())
                .then(|| grant.sha256.iter().map(|(digest, _)| hex(digest)).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl DirectoryView {
    fn of(directory: &DirectoryGrant) -> Self {
        Self { dir: directory.path.clone(), guest: directory.guest.clone(), hidden: directory.hidden }
    }
}

fn texts<T: ToString>(entries: &[T]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
