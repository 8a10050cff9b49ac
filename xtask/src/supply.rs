//! What the program is built from: judged by the rules of `deny.toml`, and written down as a bill of materials.
//!
//! The rule: what decides needs nothing but cargo and the lock file, so it always runs. Tools that know more (advisories)
//! run where they are installed, and where they are not, that is said.

mod lock;
mod packages;
mod rules;
mod sbom;
mod tools;

use anyhow::{Result, bail};

use crate::setup::{root, say};

pub(crate) use sbom::print as sbom;

use lock::Lock;
use packages::Packages;
use rules::Rules;

/// The workspaces whose parts are shipped or run here, and what each builds for (`None`: this machine).
const WORKSPACES: [(&str, Option<&str>); 4] = [
    (".", None),
    ("skills", Some(crate::setup::TARGET)),
    ("tests/guests", Some(crate::setup::TARGET)),
    ("examples/skills/word-count", Some(crate::setup::TARGET)),
];

/// Licences, sources and the engine's line, by the rules of `deny.toml`; then `cargo deny` and `cargo audit`, if they are there.
pub(crate) fn check() -> Result<()> {
    say("what it is built from: licences, sources, the engine's line");
    let faults = faults()?;
    if !faults.is_empty() {
        bail!(
            "what it is built from breaks `deny.toml`:\n  {}\n  hint: `cargo tree --invert CRATE` says who brought it",
            faults.join("\n  ")
        );
    }
    tools::deny()?;
    tools::audit()
}

fn faults() -> Result<Vec<String>> {
    let rules = Rules::read(&std::fs::read_to_string(root().join("deny.toml"))?)?;
    let mut faults = Vec::new();
    for (workspace, target) in WORKSPACES {
        let folder = root().join(workspace);
        let target = match target {
            Some(target) => target.to_owned(),
            None => packages::this_machine()?,
        };
        let locked = Lock::read(&std::fs::read_to_string(folder.join("Cargo.lock"))?)?;
        faults.extend(rules.sources(&locked));
        faults.extend(rules.engine(&locked));
        faults.extend(rules.licences(&Packages::of(&folder, &target)?));
    }
    faults.sort();
    faults.dedup();
    Ok(faults)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_this_repository_is_built_from_keeps_the_rules() {
        assert_eq!(super::faults().unwrap(), Vec::<String>::new());
    }
}
