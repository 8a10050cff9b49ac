//! Compiling, where a component can do no harm: in a child process with limits, behind an authenticated cache.
//!
//! Compiling hostile WebAssembly can cost anything: 240 kB of nested components take 55 s and 7.6 GiB. wasmtime does not
//! call that a vulnerability, so it is ours to contain. The program executes itself again ([`worker`]); the child
//! limits its own memory and time and gives up files, network and all but a few system calls ([`crate::confine`]) before it
//! reads a byte; then it decodes, compiles, answers and ends ([`child`]). What it made
//! is kept by digest and engine settings in a folder of ours, under a key of ours ([`cache`]).

pub mod cache;
pub(crate) mod child;
mod protocol;
pub mod worker;

use std::collections::HashMap;
use std::path::PathBuf;

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::confine::Walls;
use crate::skill::schema_file::{self, EnforcedSchema, SchemaError};
use crate::skill::{Inspection, SkillFolder};

pub use cache::Cache;
pub use worker::run_if_worker;

/// A component, compiled, with what was read from it.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) inspection: Inspection,
}

/// Why a component cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// It is no valid component, or `wit/` does not fit it. The text is escaped.
    #[error("the component cannot be used: {0}")]
    Invalid(String),
    /// Reading or compiling it took more than it may.
    #[error("the component cannot be used: {what} took more than {limit}")]
    TooCostly {
        /// What: `compiling it`.
        what: &'static str,
        /// Which limit.
        limit: String,
    },
    /// A file in `schemas/` does not fit its tools.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The child process did not work.
    #[error("the compiling process failed: {0}")]
    Process(String),
    /// What the child made does not load here.
    #[error("the compiled component does not load: {0}")]
    Load(String),
}

/// Compiles components, each once.
#[derive(Debug, Clone)]
pub struct Compiler {
    way: Way,
    cache: Option<Cache>,
}

#[derive(Debug, Clone)]
enum Way {
    Child(PathBuf),
    Here,
}

impl Compiler {
    /// Compiles in a child process: this very program, which must call [`run_if_worker`] first thing in `main`.
    #[must_use]
    pub fn of_this_program() -> Self {
        // The kernel's own link to the running program: it holds even when the file was replaced.
        Self { way: Way::Child(PathBuf::from("/proc/self/exe")), cache: None }
    }

    /// Compiles in this process, without any limit on time and memory. For components that you built yourself, in
    /// tests: a hostile one can take all memory there is.
    #[must_use]
    pub fn in_process_for_trusted_components() -> Self {
        Self { way: Way::Here, cache: None }
    }

    /// With a cache, which saves the compiling of what was compiled before.
    #[must_use]
    pub fn with_cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The inspection alone, from a child process, with what the skill's `schemas/` say of its tools.
    ///
    /// # Errors
    ///
    /// The component is invalid or too costly, or a file in `schemas/` does not fit it.
    pub fn inspect(&self, skill: &SkillFolder) -> Result<Inspection, CompileError> {
        let answer = match &self.way {
            Way::Child(program) => child::run(program, skill, false)?,
            Way::Here => worker::answer(&skill.component, &skill.wit, false)?,
        };
        let mut inspection = answer.inspection;
        schema_file::apply(skill, &mut inspection)?;
        Ok(inspection)
    }

    /// Which of the kernel's walls stand around the child process, found by starting one; none of them where there is no child.
    ///
    /// # Errors
    ///
    /// A child cannot be started, or a wall that the kernel has cannot be put up: then nothing compiles.
    pub fn walls(&self) -> Result<Walls, CompileError> {
        match &self.way {
            Way::Child(program) => child::walls(program),
            Way::Here => Ok(Walls::default()),
        }
    }

    /// The component, ready to run on `engine`, and the schemas that its tools' arguments are held against.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        skill: &SkillFolder,
    ) -> Result<(Compiled, HashMap<String, EnforcedSchema>), CompileError> {
        let mut compiled = self.component(engine, skill)?;
        // After the cache, which knows nothing of them.
        let schemas = schema_file::apply(skill, &mut compiled.inspection)?;
        Ok((compiled, schemas))
    }

    fn component(&self, engine: &Engine, skill: &SkillFolder) -> Result<Compiled, CompileError> {
        if let Some(cache) = &self.cache
            && let Some(hit) = cache.load(engine, skill)
        {
            return Ok(hit);
        }
        let answer = match &self.way {
            Way::Child(program) => child::run(program, skill, true)?,
            Way::Here => worker::answer(&skill.component, &skill.wit, true)?,
        };
        let compiled = Compiled { component: load(engine, &answer.code)?, inspection: answer.inspection };
        if let Some(cache) = &self.cache {
            cache.store(engine, skill, &compiled.inspection, &answer.code);
        }
        Ok(compiled)
    }
}

/// Machine code into a component: the one place where bytes become code.
#[expect(unsafe_code, reason = "the one way to load compiled code; see SAFETY")]
fn load(engine: &Engine, code: &[u8]) -> Result<Component, CompileError> {
    // SAFETY: `deserialize` runs whatever machine code it is given, so the bytes must come from wasmtime's own compiler.
    // They do: the two callers pass what our child process (this same program, over a pipe that nobody else holds) has
    // just compiled, and what `Cache::load` has authenticated with a key that only this user can read. No path leads
    // here from a skill's folder. The engine's compatibility hash is checked by wasmtime itself.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(|error| CompileError::Load(error.to_string()))
}
