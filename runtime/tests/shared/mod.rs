//! What the in-process tests share: one runtime a test binary, a bind, and a call.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Map, Value};
use soulbound_runtime::Soul;
use soulbound_runtime::compile::Compiler;
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::{
    AgentIdentity, BindError, BoundSkill, Ending, Outcome, Overseer, Runtime, RuntimeConfig, Unattended,
};
use soulbound_runtime::skill::SkillFolder;
use tempfile::TempDir;

/// The runtime of this test binary. Its components are this repository's own, or known not to be bombs.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new(config()).unwrap());

/// As the program has it, with more calls a minute than a test makes.
pub(crate) fn config() -> RuntimeConfig {
    let mut config = RuntimeConfig::new(Compiler::in_process_for_trusted_components());
    config.limits.rate = vec![Rate { amount: 100_000_000, per: Duration::from_secs(60) }];
    config
}

/// An agent's folder.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("soulbound-test-").tempdir().unwrap()
}

/// A guest that `cargo xtask guests` built.
pub(crate) fn guest(name: &str) -> SkillFolder {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests").join(name);
    SkillFolder::read(&path).unwrap_or_else(|error| panic!("{error}; `cargo xtask test` builds it"))
}

/// Binds a skill for the agent `id` under these lines of grant.
pub(crate) fn bind_for(
    runtime: &Runtime,
    id: &str,
    folder: &Path,
    skill: &SkillFolder,
    lines: &[&str],
) -> Result<BoundSkill, BindError> {
    let name = skill.manifest.as_ref().map_or("skill", |manifest| manifest.name.as_str());
    let grants: String = lines.iter().map(|line| format!("\n  - {line}")).collect();
    let text = format!("# A\n## Identity\n- Name: {id}\n## Skills\n- {name}: Try{grants}\n");
    let soul = Soul::parse("SOUL.md", text.as_bytes()).unwrap();
    let agent = AgentIdentity { id: id.to_owned(), named: "./SOUL.md".to_owned(), folder: folder.to_owned() };
    runtime.bind(&agent, soul.skill(name).unwrap(), skill)
}

/// Binds for an agent of no name in particular, which has no directories.
pub(crate) fn bind(skill: &SkillFolder, lines: &[&str]) -> Result<BoundSkill, BindError> {
    bind_for(&RUNTIME, "echo", Path::new("/"), skill, lines)
}

/// Calls with these arguments (an object) and nobody watching.
pub(crate) async fn call(skill: &BoundSkill, tool: &str, arguments: Value) -> Outcome {
    call_watched(skill, tool, arguments, Arc::new(Unattended)).await
}

/// Calls with an overseer.
pub(crate) async fn call_watched(
    skill: &BoundSkill,
    tool: &str,
    arguments: Value,
    overseer: Arc<dyn Overseer>,
) -> Outcome {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    skill.call(tool, arguments, overseer).await
}

/// No arguments.
pub(crate) fn none() -> Value {
    Value::Object(Map::new())
}

/// What the tool returned.
pub(crate) fn returned(outcome: &Outcome) -> Value {
    match &outcome.ending {
        Ending::Returned(value) => value.clone(),
        Ending::Failed { .. } => panic!("{outcome:#?}"),
    }
}

/// The id of the denial that ended the call; empty when none did.
pub(crate) fn denied(outcome: &Outcome) -> &'static str {
    outcome.denial().map_or("", |denial| denial.id.as_str())
}
