//! SOUL.md → grants → one sandboxed call of a WebAssembly component.
//!
//! This library is the heart of Soulbound and knows nothing of gateways, protocols or terminals: any program can embed
//! it. One way in, one way out:
//!
//! ```text
//! SOUL.md ──parse──▶ Soul ──┐
//!                           ├─bind─▶ BoundSkill ──call(tool, json)──▶ Outcome
//! skill.wasm ──read──▶ SkillFolder ┘
//! ```
//!
//! # The words, in the order in which you meet them
//!
//! **Soul** ([`soul`]). An agent's `SOUL.md`, read from Markdown into values: who the agent is, its rules and what stands
//! behind each of them, its skills and what each is granted. Nothing of a file with an error is used, and every error
//! names its line.
//!
//! **Grant** ([`grant`]). What one agent lets one skill reach: directories, network hosts, variables, limits. A grant
//! is a value; it is parsed once and passed around whole. There is one matcher for hosts ([`grant::host`]) and one for
//! paths ([`sandbox::files`]).
//!
//! **Skill** ([`skill`]). A folder with a `SKILL.md` and one component. The component's imports are its request for
//! authority ([`skill::imports`] holds them against a grant, by the table in [`grant::capability`]); its exported
//! functions are its tools, with JSON Schemas made from their WIT types.
//!
//! **Compile** ([`compile`]). Components are hostile until proven otherwise, and compiling can cost any amount of memory
//! and time. So a child process with limits reads and compiles them, and an authenticated cache keeps the result.
//!
//! **Sandbox** ([`sandbox`]). One call: a fresh instance with exactly the granted directories and hosts behind its
//! imports, under limits of time, memory, output and handles, on threads apart from yours. Your [`sandbox::Overseer`]
//! hears of every access and may hold or refuse every effect. Dropping the call's future ends the guest.
//!
//! **Denial** ([`denial`]). A refused access, as a value: a stable id, the rule that decided, what to do. A denial
//! inside a call reaches the guest as its interface's own error; the [`sandbox::Outcome`] lists them all.
//!
//! # Embedding it
//!
//! ```
//! use std::sync::Arc;
//! use soulbound_runtime::compile::Compiler;
//! use soulbound_runtime::sandbox::{AgentIdentity, Ending, Runtime, RuntimeConfig, Unattended};
//! use soulbound_runtime::skill::SkillFolder;
//! use soulbound_runtime::Soul;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let component = folder.path().join("answer.wasm");
//! # std::fs::write(&component, wat::parse_str(r#"(component
//! #     (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
//! #     (core instance $i (instantiate $m))
//! #     (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#)?)?;
//! // A real program compiles in a child process: `compile::run_if_worker()` first thing in `main`, and
//! // `Compiler::of_this_program()` here. This way is for components that you built yourself.
//! let compiler = Compiler::in_process_for_trusted_components();
//! let runtime = Runtime::new(RuntimeConfig::new(compiler))?;
//!
//! let text = [
//!     "# Clerk",
//!     "## Identity",
//!     "- Name: Ada",
//!     "## Skills",
//!     "- answer: Add two numbers",
//!     "  - limit: time 1s",
//! ];
//! let soul = Soul::parse("SOUL.md", text.join("\n").as_bytes())?;
//! let entry = soul.skill("answer").ok_or("not listed")?;
//!
//! let agent = AgentIdentity {
//!     id: soul.id().to_owned(),
//!     named: "SOUL.md".to_owned(),
//!     folder: folder.path().to_owned(), // granted directories are relative to it
//! };
//! let skill = SkillFolder::read_bare(&component)?; // or `SkillFolder::read` for a whole skill
//! let bound = runtime.bind(&agent, entry, &skill)?;
//!
//! let arguments = soulbound_runtime::sandbox::value::parse_arguments(r#"{"a": 40, "b": 2}"#)?;
//! let call = bound.call("add", arguments, Arc::new(Unattended)); // any executor can await it
//! # let outcome = tokio::runtime::Builder::new_current_thread().build()?.block_on(call);
//! assert_eq!(outcome.ending, Ending::Returned(42.into()));
//! assert!(outcome.denials.is_empty());
//! # Ok(()) }
//! ```
//!
//! # What it needs
//!
//! Linux 5.6 or newer (`openat2`), with `/proc` mounted; without either, directories do not bind and the error says so.

pub mod compile;
pub mod confine;
pub mod denial;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod grant;
#[cfg(test)]
#[path = "../../tests/corpora/ledger.rs"]
mod ledger;
pub mod sandbox;
pub mod skill;
pub mod soul;
pub mod spelling;
pub mod visible;

pub use denial::{Denial, DenialId, RuleRef};
pub use soul::Soul;
