//! A skill on disk: a folder with a `SKILL.md` and one WebAssembly component.
//!
//! | module | answers |
//! |---|---|
//! | [`bytes`] | is this a component at all, and which bytes is it (its [`Digest`])? |
//! | [`files`] | which bytes are in a skill's folder, read once, so that what is checked is what runs |
//! | [`folder`] | do these files make a skill? |
//! | [`sources`] | where is the skill that SOUL.md names? |
//! | [`schema_file`] | what does its author say of the arguments, beyond what WIT can? |
//! | [`inspection`] | what does the component import, and which tools does it export? |
//! | [`imports`] | which of its imports are granted, inert, refused, missing, unknown? |
//!
//! Reading a component's inside ([`decode`]) is work on hostile input and happens in the compiling child process
//! ([`crate::compile`]).

pub mod annotations;
pub mod bytes;
pub(crate) mod content;
pub(crate) mod decode;
pub mod files;
pub mod folder;
pub mod imports;
pub mod inspection;
pub mod manifest;
pub(crate) mod schema;
pub mod schema_file;
pub mod sources;

pub use annotations::Annotations;
pub use bytes::{Digest, NotAComponent};
pub use files::FolderFile;
pub use folder::{FolderError, SkillFolder};
pub use imports::{JudgedImport, Standing};
pub use inspection::{Import, Inspection, Tool};
pub use manifest::Manifest;
pub use schema_file::{SchemaError, asks_for_headers};
pub use sources::{Found, Origin, SkillSources, SourceError};
