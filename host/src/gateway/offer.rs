//! What an agent offers its model right now: the tools that can be called, and its skills' texts.

use std::sync::Arc;

use soulbound_runtime::sandbox::BoundSkill;
use soulbound_runtime::skill::Tool;

pub(crate) use crate::trust::SkillFile;

/// Everything that one agent offers. A new value whenever anything of it changes.
#[derive(Default)]
pub(crate) struct Offer {
    /// The tools, in the order of SOUL.md and then of the component's exports.
    pub(crate) tools: Vec<OfferedTool>,
    /// The skills that can be called.
    pub(crate) skills: Vec<Arc<OfferedSkill>>,
    /// Skills that SOUL.md lists and that cannot be called now, with the first line of the reason.
    pub(crate) refused: Vec<(String, String)>,
}

/// One tool under the name by which MCP clients call it.
pub(crate) struct OfferedTool {
    /// `skill__function`, with `_` for `.`.
    pub(crate) name: String,
    /// Which of [`Offer::skills`] has it.
    pub(crate) skill: Arc<OfferedSkill>,
    /// Its schema, annotations and description.
    pub(crate) tool: Tool,
}

/// A skill that can be called.
pub(crate) struct OfferedSkill {
    /// The slug.
    pub(crate) name: String,
    /// What SOUL.md says that it is for.
    pub(crate) purpose: String,
    /// The trusted files of its folder (SKILL.md, the component, all others), sorted by path.
    pub(crate) files: Vec<SkillFile>,
    /// Whether its grant has a host.
    pub(crate) reaches_hosts: bool,
    /// The component under its grant.
    pub(crate) bound: BoundSkill,
}
