//! What cargo says of the packages of a workspace: licences, sources, who needs whom, and which are built into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::setup::cargo;

/// The answer of `cargo metadata`, as far as we read it.
#[derive(Debug, Deserialize)]
pub(crate) struct Packages {
    pub(crate) packages: Vec<Package>,
    resolve: Resolve,
}

/// One package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Nothing: a path on this disk.
    pub(crate) source: Option<String>,
    pub(crate) license: Option<String>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// Nothing: a normal one. Else `build` or `dev`.
    kind: Option<String>,
}

/// What a package is for in the program that is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// It ran while the program was built: a build script's, or a macro's.
    Builds,
    /// It is in the program.
    Linked,
}

/// A package that the program is built from or with: what it is for, and the ids of what it needs.
pub(crate) type Parts<'a> = BTreeMap<&'a str, (&'a Package, Part, BTreeSet<&'a str>)>;

/// The triple of this machine.
pub(crate) fn this_machine() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = output(Command::new(rustc).arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

impl Packages {
    /// Everything that a workspace resolves to for a target, tests' packages as well.
    pub(crate) fn of(workspace: &Path, target: &str) -> Result<Self> {
        let mut ask = cargo();
        ask.current_dir(workspace);
        ask.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target]);
        serde_json::from_str(&output(&mut ask)?).context("`cargo metadata` cannot be read")
    }

    /// What `root` is built from and with, without what only tests need.
    ///
    /// `cargo metadata` unites the features of a workspace and lists optional packages that nobody switched on (measured: 20
    /// of 316), so it gives the graph, and `built`, which [`built()`] asks for, says what of it is there.
    pub(crate) fn parts_of(&self, root: &str, built: &BTreeSet<String>) -> Result<Parts<'_>> {
        let packages: BTreeMap<&str, &Package> =
            self.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let start = self.packages.iter().find(|package| package.name == root && package.source.is_none());
        let start = start.with_context(|| format!("there is no package `{root}` here"))?;
        let mut parts = Parts::new();
        let mut open = vec![(start.id.as_str(), Part::Linked)];
        while let Some((id, part)) = open.pop() {
            let (package, node) = (packages.get(id), nodes.get(id));
            let (Some(package), Some(node)) = (package, node) else {
                bail!("cargo does not describe `{id}`")
            };
            if !built.contains(&format!("{} v{}", package.name, package.version)) {
                continue;
            }
            // What a macro needs is needed while building, however it is listed there.
            let part = if package.is_macro() { Part::Builds } else { part };
            if parts.get(id).is_some_and(|(_, known, _)| *known >= part) {
                continue;
            }
            let mut needs = BTreeSet::new();
            for dependency in &node.deps {
                let kinds = || dependency.dep_kinds.iter().map(|kind| kind.kind.as_deref());
                let below = if kinds().any(|kind| kind.is_none()) {
                    part
                } else if kinds().any(|kind| kind == Some("build")) {
                    Part::Builds
                } else {
                    continue;
                };
                needs.insert(dependency.pkg.as_str());
                open.push((&dependency.pkg, below));
            }
            parts.insert(id, (*package, part, needs));
        }
        let there: BTreeSet<&str> = parts.keys().copied().collect();
        for (_, _, needs) in parts.values_mut() {
            needs.retain(|id| there.contains(id));
        }
        Ok(parts)
    }
}

impl Package {
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

/// What cargo builds for a package and a target with exactly its own features, as `name vVERSION`.
pub(crate) fn built(workspace: &Path, package: &str, target: &str) -> Result<BTreeSet<String>> {
    let mut ask = cargo();
    ask.current_dir(workspace);
    ask.args(["tree", "--locked", "--package", package, "--edges", "normal,build", "--target", target]);
    ask.args(["--prefix", "none", "--format", "{p}"]);
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(output(&mut ask)?.lines().filter(|line| !line.is_empty()).map(name).collect())
}

fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("{shown} does not start"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} does not write UTF-8"))
}
