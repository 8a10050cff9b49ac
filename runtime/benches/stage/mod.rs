//! What every figure is measured on: a runtime as the program makes one, agents, skills bound to their grants.
//!
//! The rule: nothing is switched off for the measurement. Only the budget of calls a minute is raised, since a bench
//! makes more of them than any agent.

// Each bench is a crate of its own and uses a part of this.
#![expect(dead_code, reason = "see above")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use soulbound_runtime::Soul;
use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::{AgentIdentity, BoundSkill, Ending, Runtime, RuntimeConfig, Unattended};
use soulbound_runtime::skill::SkillFolder;

/// A text of 44 bytes, as the measurements in the notes took it.
pub(crate) const TEXT: &str = "the quick brown fox jumps over the lazy dogs";

/// A folder that ends with the bench: compiled code, souls, documents.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    /// A runtime with the defaults of the program, and a compile cache.
    pub(crate) fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let compiler = Compiler::of_this_program();
        let cache = Cache::open(folder.path().join("cache")).unwrap();
        let mut config = RuntimeConfig::new(compiler.with_cache(cache));
        config.limits.rate = vec![Rate { amount: 1_000_000_000, per: Duration::from_secs(1) }];
        Self { runtime: Runtime::new(config).unwrap(), folder }
    }

    /// Binds a skill for an agent, with these lines below its entry in the agent's SOUL.md.
    pub(crate) fn bind(&self, agent: &str, skill: &SkillFolder, grants: &[&str]) -> BoundSkill {
        let (identity, soul) = self.soul(agent, skill, grants);
        self.runtime.bind(&identity, &soul.skills()[0], skill).unwrap()
    }

    /// The agent and its SOUL.md, for binding.
    pub(crate) fn soul(&self, agent: &str, skill: &SkillFolder, grants: &[&str]) -> (AgentIdentity, Soul) {
        let name = skill.component_path.file_stem().unwrap().to_str().unwrap();
        let mut text = format!(
            "# Bench\n\n## Identity\n- Name: {agent}\n- Role: Bench\n\n## Skills\n- {name}: Measured\n"
        );
        for grant in grants {
            text.push_str(&format!("  - {grant}\n"));
        }
        let soul = Soul::parse("SOUL.md", text.as_bytes()).unwrap();
        let folder = self.folder.path().to_owned();
        (AgentIdentity { id: agent.to_owned(), named: agent.to_owned(), folder }, soul)
    }

    /// The tiny component as a skill of its own.
    pub(crate) fn tiny(&self) -> SkillFolder {
        let path = self.folder.path().join("tiny.wasm");
        std::fs::write(&path, wat::parse_str(include_str!("tiny.wat")).unwrap()).unwrap();
        SkillFolder::read_bare(&path).unwrap()
    }
}

/// A component that `cargo xtask skills` or `guests` built; `None`, and a line that says so, when it is not there.
pub(crate) fn built(kind: &str, name: &str) -> Option<SkillFolder> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(kind).join(name);
    match SkillFolder::read(&folder) {
        Ok(skill) => Some(skill),
        Err(error) => {
            println!("not measured: {error} (`cargo xtask bench` builds what the benches need)");
            None
        }
    }
}

/// Calls a tool once and takes its result apart; anything but a result ends the bench.
pub(crate) async fn call(skill: &BoundSkill, tool: &str, arguments: Map<String, Value>) -> Value {
    match skill.call(tool, arguments, Arc::new(Unattended)).await.ending {
        Ending::Returned(value) => value,
        other => unreachable!("the call failed: {other:?}"),
    }
}

/// One argument as JSON.
pub(crate) fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The executor that calls are awaited on: as a gateway's, several threads.
pub(crate) fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Times taken one by one.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Measures one future.
    pub(crate) async fn take<T>(&mut self, future: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let value = future.await;
        self.0.push(started.elapsed());
        value
    }

    /// Measures one piece of work; what it makes is dropped outside the measurement.
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) {
        let started = Instant::now();
        let value = work();
        self.0.push(started.elapsed());
        drop(value);
    }

    /// The time that this share of the measurements stays below, in microseconds.
    pub(crate) fn quantile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        self.0[((last as f64) * share) as usize].as_secs_f64() * 1e6
    }

    /// Minimum, median, 99th percentile.
    pub(crate) fn shown(&mut self) -> String {
        let [least, median, most] = [0.0, 0.5, 0.99].map(|share| self.quantile(share));
        format!("min {least:6.1}  p50 {median:6.1}  p99 {most:7.1} µs")
    }
}
