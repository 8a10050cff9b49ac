//! What the rules find and what they leave alone, as tables; what they see through, as properties; what a judgement comes to.

mod figures;
mod samples;
mod seen;
mod tables;
mod verdicts;

use soulbound_runtime::Soul;

use super::Outputs;
use super::settings::OutputSettings;

/// The rules of a SOUL.md with these lines below `## Rules`, and of a gateway.toml with this `[outputs]`.
fn outputs(rules: &str, toml: &str) -> Outputs {
    let text = format!("## Identity\n- Name: Echo\n## Rules\n{rules}\n");
    let soul = Soul::parse("SOUL.md", text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    Outputs::new(&soul, &settings(toml).unwrap_or_else(|error| panic!("{error:#}")))
}

fn settings(toml: &str) -> anyhow::Result<OutputSettings> {
    OutputSettings::read(toml::from_str(toml)?)
}

/// The operator's detectors turned off.
const NONE: &str = "detectors = []";
