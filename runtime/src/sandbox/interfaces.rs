//! The host's side of `soulbound:skill`: log, progress, and who the skill is. None of them carries authority.

use crate::sandbox::log::CallLog;
use crate::sandbox::overseer::Carrier;
use crate::sandbox::state::CallState;

mod bindings {
    wasmtime::component::bindgen!({ path: "../wit", world: "compute" });
}

use bindings::soulbound::skill::{log, progress, self_};

/// How far a call has come, as the guest reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all, where the guest knows.
    pub total: Option<u64>,
    /// A few words, chosen by the guest: escape before showing. At most 1 KiB.
    pub message: Option<String>,
}

/// What a skill may know of itself.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct SelfKnowledge {
    pub(crate) agent: String,
    pub(crate) skill: String,
    pub(crate) digest: String,
    pub(crate) directories: Vec<(String, crate::grant::DirectoryMode)>,
    pub(crate) hosts: Vec<String>,
}

/// Links the three interfaces.
pub(crate) fn link(linker: &mut wasmtime::component::Linker<CallState>) -> wasmtime::Result<()> {
    use wasmtime::component::HasSelf;
    log::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)?;
    progress::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)?;
    self_::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

impl log::Host for CallState {
    fn log(&mut self, level: log::Level, message: String) {
        let source = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        write_lines(&self.log, source, &message);
    }
}

/// One message may hold newlines; in the log each line stands alone, so that none can pass for another's.
fn write_lines(log: &CallLog, source: &'static str, message: &str) {
    for line in message.lines() {
        log.line(source, line);
    }
}

impl progress::Host for CallState {
    fn report(&mut self, done: u64, total: Option<u64>, message: Option<String>) {
        let message = message.map(|message| message.chars().take(1_024).collect());
        self.witness.progress(&Progress { done, total, message });
    }
}

impl self_::Host for CallState {
    fn who(&mut self) -> self_::Identity {
        self_::Identity {
            agent: self.knowledge.agent.clone(),
            skill: self.knowledge.skill.clone(),
            digest: self.knowledge.digest.clone(),
        }
    }

    fn granted(&mut self) -> self_::Grants {
        use crate::grant::DirectoryMode;
        self_::Grants {
            directories: self
                .knowledge
                .directories
                .iter()
                .map(|(path, mode)| self_::Directory {
                    path: path.clone(),
                    mode: match mode {
                        DirectoryMode::Read => self_::DirectoryMode::Read,
                        DirectoryMode::Write => self_::DirectoryMode::Write,
                        DirectoryMode::Create => self_::DirectoryMode::Create,
                    },
                })
                .collect(),
            hosts: self.knowledge.hosts.clone(),
        }
    }

    fn writes_are_held(&mut self) -> bool {
        self.witness.inspects(Carrier::File).is_some()
    }
}
