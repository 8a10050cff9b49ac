//! Cargo.lock: every package that could be built in, where it comes from, and the hash that cargo holds it to.

use anyhow::{Context, Result};
use serde::Deserialize;

/// A lock file.
#[derive(Debug, Deserialize)]
pub(crate) struct Lock {
    #[serde(rename = "package", default)]
    pub(crate) packages: Vec<Locked>,
}

/// One package of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Nothing: a path on this disk.
    pub(crate) source: Option<String>,
    /// SHA-256 of the archive, in hexadecimal digits.
    pub(crate) checksum: Option<String>,
}

impl Lock {
    /// Reads the text of a lock file.
    pub(crate) fn read(text: &str) -> Result<Self> {
        toml::from_str(text).context("Cargo.lock cannot be read")
    }

    /// The hash of what came from `source`.
    pub(crate) fn checksum(&self, name: &str, version: &str, source: &str) -> Option<&str> {
        let is_it = |one: &&Locked| {
            one.name == name && one.version == version && one.source.as_deref() == Some(source)
        };
        self.packages.iter().find(is_it)?.checksum.as_deref()
    }
}
