//! The conformance suite: what 2026-07-28 requires, what 2025-11-25 requires, and the scenarios of SEP-2640.

use anyhow::Result;

use super::{node, place};
use crate::setup::{self, root, say};

/// The scenarios of the skills extension, which no required set holds.
const SKILLS: &[&str] =
    &["sep-2640-skills-enumeration", "sep-2640-skills-manifest", "sep-2640-skills-directory"];

/// Runs all of it against the server at this address.
pub(super) fn run(url: &str) -> Result<()> {
    let baseline = root().join("tests/conformance-baseline.yml");
    for revision in ["2026-07-28", "2025-11-25"] {
        say(&format!("the conformance suite, {revision}"));
        let mut suite = node::program("conformance");
        suite
            .args(["server", "--url", url, "--requirements", revision, "--expected-failures"])
            .arg(&baseline);
        setup::run(suite.arg("--output-dir").arg(place().join("results").join(revision)))?;
    }
    for scenario in SKILLS {
        say(&format!("the conformance suite, {scenario}"));
        let mut suite = node::program("conformance");
        suite.args([
            "server",
            "--url",
            url,
            "--scenario",
            scenario,
            "--spec-version",
            "2026-07-28",
            "--force",
        ]);
        setup::run(suite.arg("--output-dir").arg(place().join("results/skills")))?;
    }
    Ok(())
}
