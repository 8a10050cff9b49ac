//! The rules of `deny.toml`, as far as they can be judged without any tool: licences, sources, and the engine's line.
//!
//! The list of licences stands once, in `deny.toml`, and is read from there.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use super::lock::Lock;
use super::packages::Packages;

/// The one place that code comes from, as cargo writes it.
pub(crate) const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The engine's long-term line. What SECURITY.md says of wasmtime was read and tried for this one.
const ENGINE: (&str, &str) = ("wasmtime", "48.");

/// What may be built in.
#[derive(Debug)]
pub(crate) struct Rules {
    allowed: Vec<Licensee>,
}

#[derive(Deserialize)]
struct Page {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

impl Rules {
    /// Reads the text of `deny.toml`.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let page: Page = toml::from_str(text).context("deny.toml cannot be read")?;
        let names = page.licenses.allow;
        if names.is_empty() {
            bail!("deny.toml allows no licence");
        }
        let read = |name: &String| {
            Licensee::parse(name).map_err(|error| anyhow::anyhow!("deny.toml: `{name}`: {error}"))
        };
        Ok(Self { allowed: names.iter().map(read).collect::<Result<_>>()? })
    }

    /// Packages whose licence asks for one that is not allowed, or that say none.
    pub(crate) fn licences(&self, packages: &Packages) -> Vec<String> {
        let judge = |name: &str, version: &str, licence: Option<&str>| {
            let Some(licence) = licence else { return Some(format!("{name} {version} names no licence")) };
            match Expression::parse_mode(licence, ParseMode::LAX) {
                Err(_) => Some(format!("{name} {version}: `{licence}` is no SPDX expression")),
                Ok(expression) if self.permits(&expression) => None,
                Ok(_) => Some(format!("{name} {version}: `{licence}` is not allowed by deny.toml")),
            }
        };
        let packages = packages.packages.iter();
        packages.filter_map(|one| judge(&one.name, &one.version, one.license.as_deref())).collect()
    }

    fn permits(&self, expression: &Expression) -> bool {
        expression.evaluate(|asked| self.allowed.iter().any(|allowed| allowed.satisfies(asked)))
    }

    /// Packages from anywhere but crates.io or this disk, or without the hash that holds cargo to their bytes.
    pub(crate) fn sources(&self, lock: &Lock) -> Vec<String> {
        let mut faults = Vec::new();
        for one in &lock.packages {
            let (name, version) = (&one.name, &one.version);
            match one.source.as_deref() {
                None => {}
                Some(REGISTRY) if one.checksum.is_some() => {}
                Some(REGISTRY) => faults.push(format!("{name} {version} has no checksum in Cargo.lock")),
                Some(other) => faults.push(format!("{name} {version} comes from {other}")),
            }
        }
        faults
    }

    /// Crates of the engine that are not of its long-term line.
    pub(crate) fn engine(&self, lock: &Lock) -> Vec<String> {
        let (name, line) = ENGINE;
        let own = |other: &str| other == name || other.starts_with(&format!("{name}-"));
        let others = lock.packages.iter().filter(|one| own(&one.name) && !one.version.starts_with(line));
        others.map(|one| format!("{} {} is not of the line {line}x", one.name, one.version)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::read("[licenses]\nallow = ['MIT', 'Apache-2.0', 'Apache-2.0 WITH LLVM-exception', 'ISC']\n")
            .unwrap()
    }

    fn licence(text: serde_json::Value) -> Vec<String> {
        let package = serde_json::json!({"id": "x", "name": "x", "version": "1.0.0", "source": null, "license": text,
            "targets": []});
        let packages = serde_json::json!({"packages": [package], "resolve": {"nodes": []}});
        rules().licences(&serde_json::from_value(packages).unwrap())
    }

    #[test]
    fn a_licence_is_allowed_by_all_that_it_asks_for() {
        for allowed in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "MIT/Apache-2.0",
            "Apache-2.0 AND ISC",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(licence(allowed.into()), Vec::<String>::new(), "{allowed}");
        }
        for refused in
            ["GPL-3.0-only", "MIT AND GPL-3.0-only", "ISC WITH LLVM-exception", "LicenseRef-mine", "MITT", ""]
        {
            assert_eq!(licence(refused.into()).len(), 1, "{refused}");
        }
        assert_eq!(licence(serde_json::Value::Null), ["x 1.0.0 names no licence"]);
    }

    #[test]
    fn code_comes_from_crates_io_with_a_checksum_or_from_this_disk() {
        let lock = |source: &str| {
            Lock::read(&format!("[[package]]\nname = 'x'\nversion = '1.0.0'\n{source}\n")).unwrap()
        };
        let found = |source: &str| rules().sources(&lock(source)).len();
        assert_eq!(found(""), 0);
        assert_eq!(found(&format!("source = '{REGISTRY}'\nchecksum = 'ab'")), 0);
        assert_eq!(found(&format!("source = '{REGISTRY}'")), 1);
        assert_eq!(found("source = 'git+https://github.com/a/b#c'"), 1);
        assert_eq!(found("source = 'registry+https://crates.example/index'\nchecksum = 'ab'"), 1);
        assert_eq!(found(&format!("source = '{REGISTRY}.evil.test'\nchecksum = 'ab'")), 1);
    }

    #[test]
    fn an_engine_of_another_line_is_found() {
        let lock = |name: &str, version: &str| {
            Lock::read(&format!("[[package]]\nname = '{name}'\nversion = '{version}'\n")).unwrap()
        };
        let found = |name: &str, version: &str| rules().engine(&lock(name, version)).len();
        assert_eq!(found("wasmtime", "48.0.8"), 0);
        assert_eq!(found("wasmtime", "49.0.0"), 1);
        assert_eq!(found("wasmtime-wasi-http", "4.48.0"), 1);
        assert_eq!(found("wasmtimer", "0.4.0"), 0);
    }
}
