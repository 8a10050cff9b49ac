//! An agent's folder, made for one test and gone after it.
//!
//! Beside it lies a state folder (0700) and an empty home, so that nothing of the machine's own settings is met.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::guest;
use crate::program::{Ended, Program};

/// An agent that a test made.
#[derive(Debug)]
pub struct Agent {
    place: TempDir,
}

impl Agent {
    /// An agent whose `SOUL.md` lists these skills: the lines below `## Skills`, indentation trimmed to where the
    /// first line begins.
    #[must_use]
    pub fn new(skills: &str) -> Self {
        Self::with_soul(&format!("# Agent\n## Identity\n- Name: Echo\n## Skills\n{}\n", dedented(skills)))
    }

    /// An agent with this whole `SOUL.md`.
    #[must_use]
    pub fn with_soul(soul: &str) -> Self {
        let place = tempfile::Builder::new().prefix("soulbound-test-").tempdir().unwrap();
        let agent = Self { place };
        fs::create_dir(agent.folder()).unwrap();
        fs::create_dir(agent.home()).unwrap();
        fs::create_dir(agent.state()).unwrap();
        fs::set_permissions(agent.state(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(agent.soul(), soul).unwrap();
        agent
    }

    /// The agent's folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.place.path().join("agent")
    }

    /// Its `SOUL.md`.
    #[must_use]
    pub fn soul(&self) -> PathBuf {
        self.folder().join("SOUL.md")
    }

    /// The state folder: `SOULBOUND_HOME`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// The user's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    /// A path beside the agent's folder, outside of every grant.
    #[must_use]
    pub fn outside(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The path of something in the agent's folder.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    /// Makes a directory in the agent's folder.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    /// Writes a file in the agent's folder, and the directories above it.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// The same, later.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Puts a built guest beside the agent, as `skills/NAME/`.
    #[must_use]
    pub fn guest(self, name: &str) -> Self {
        guest::copy(&guest::built(name), &self.skill(name));
        self
    }

    /// Puts a component beside the agent, as `skills/NAME/`.
    #[must_use]
    pub fn component(self, name: &str, component: &[u8]) -> Self {
        guest::write(&self.skill(name), name, component);
        self
    }

    /// Where a skill lies beside the agent.
    #[must_use]
    pub fn skill(&self, name: &str) -> PathBuf {
        self.path("skills").join(name)
    }

    /// Writes the operator's `gateway.toml`.
    #[must_use]
    pub fn gateway(self, toml: &str) -> Self {
        fs::write(self.state().join("gateway.toml"), toml).unwrap();
        self
    }

    /// The program, about to run with this agent's state folder and home.
    #[must_use]
    pub fn program(&self) -> Program {
        self.isolate();
        Program::new(&self.home(), &self.state()).in_folder(&self.folder())
    }

    /// Runs it with these words; `SOUL.md` among them is the agent's own.
    #[must_use]
    pub fn run(&self, words: &[&str]) -> Ended {
        self.program().words(words).run()
    }

    /// `soulbound call ./SOUL.md SKILL TOOL … --json`.
    #[must_use]
    pub fn call(&self, skill: &str, tool: &str, arguments: &[&str]) -> Ended {
        self.program().words(&["call", "--json", "./SOUL.md", skill, tool]).words(arguments).run()
    }

    /// The same with one JSON object, on standard input: it may be larger than an argument can be.
    #[must_use]
    pub fn call_json(&self, skill: &str, tool: &str, arguments: &serde_json::Value) -> Ended {
        let program = self.program().words(&["call", "--json", "./SOUL.md", skill, tool, "-"]);
        program.input(arguments.to_string()).run()
    }
}

/// Set to `process`, every test's calls run in worker processes, unless its `gateway.toml` says where: the same
/// promises are then tried behind the other wall (`cargo xtask test`).
const ISOLATION: &str = "SOULBOUND_TESTS_ISOLATION";

impl Agent {
    fn isolate(&self) {
        let Ok(isolation) = std::env::var(ISOLATION) else { return };
        let path = self.state().join("gateway.toml");
        let text = fs::read_to_string(&path).unwrap_or_default();
        if self.state().is_dir() && !path.is_dir() && !text.contains("[sandbox]") {
            fs::write(path, format!("{text}\n[sandbox]\nisolation = \"{isolation}\"\n")).unwrap();
        }
    }
}

/// Everything below a path, for comparing before and after: paths, kinds and contents.
#[must_use]
pub fn tree(path: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap();
        if kind.is_dir() {
            found.push((path.clone(), "directory".to_owned()));
            found.extend(tree(&path));
        } else if kind.is_file() {
            found.push((path.clone(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
        } else {
            found.push((path.clone(), format!("{:?}", fs::read_link(&path).ok())));
        }
    }
    found.sort();
    found
}

fn dedented(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let margin = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    lines.iter().map(|line| line.get(margin..).unwrap_or(line.trim_start())).collect::<Vec<_>>().join("\n")
}
