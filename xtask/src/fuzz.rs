//! `cargo xtask fuzz [TARGET] [--seconds N]`: builds the fuzz targets with libFuzzer's coverage, on the stable compiler, and
//! runs them from their seeds. docs/fuzzing.md says what each asserts.
//!
//! Only this workspace's own crates are instrumented (`fuzz/instrument`), so that the engine and the rest come from the
//! builds that are there already.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::setup::{self, cargo, root, say};

/// Seconds for each target, if the command line does not say.
const SHORT: u32 = 60;
/// Lines of a target's talk that are shown when it found something.
const SHOWN: usize = 40;

/// As the command line asks.
pub(crate) fn run() -> Result<()> {
    let (mut only, mut seconds) = (None, SHORT);
    let mut arguments = std::env::args().skip(2);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = arguments.next().context("`--seconds` needs a number")?;
                seconds = number.parse().with_context(|| format!("`{number}` is no number of seconds"))?;
            }
            _ => only = Some(argument),
        }
    }
    fuzz(only.as_deref(), seconds)
}

fn fuzz(only: Option<&str>, seconds: u32) -> Result<()> {
    let mut names: Vec<String> = fs::read_dir(root().join("fuzz/fuzz_targets"))?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    if let Some(only) = only {
        if !names.iter().any(|name| name == only) {
            bail!("no fuzz target `{only}`; there are {}", names.join(", "));
        }
        names.retain(|name| name == only);
    }
    say("building the fuzz targets");
    let mut build = cargo();
    build.args(["build", "--locked", "--package", "soulbound-fuzz"]);
    for name in &names {
        build.args(["--bin", name]);
    }
    build.env("RUSTC_WORKSPACE_WRAPPER", root().join("fuzz/instrument"));
    // Several times the runs in the same time; assertions and overflow checks stay.
    setup::run(build.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1"))?;
    // What one of them finds keeps none of the others from looking.
    let found: Vec<String> =
        names.iter().filter_map(|name| one(name, seconds).err()).map(|error| format!("{error:#}")).collect();
    if found.is_empty() { Ok(()) } else { bail!("{}", found.join("\n")) }
}

fn one(name: &str, seconds: u32) -> Result<()> {
    let place = root().join("target/fuzz").join(name);
    let corpus = place.join("corpus");
    fs::create_dir_all(&corpus)?;
    let log = place.join("log");
    let program = root().join("target/debug").join(name);
    say(&format!("fuzzing {name} for {seconds} s"));
    let status = Command::new(&program)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", place.display()))
        .args(["-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .args([&corpus, &root().join("fuzz/seeds").join(name)])
        .current_dir(root())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .status()
        .with_context(|| format!("{} does not start", program.display()))?;
    let text = fs::read(&log)?;
    let text = String::from_utf8_lossy(&text);
    if status.success() {
        let figure = |name: &str| text.lines().rev().find_map(|line| line.strip_prefix(name)).unwrap_or("?");
        say(&format!("{name}: {} runs, nothing found", figure("stat::number_of_executed_units:").trim()));
        return Ok(());
    }
    let lines: Vec<&str> = text.lines().collect();
    eprintln!("{}", lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n"));
    bail!("fuzz target `{name}` found something: {}\n  hint: {}", shown(&log), again(name))
}

fn shown(log: &Path) -> String {
    log.strip_prefix(root()).unwrap_or(log).display().to_string()
}

fn again(name: &str) -> String {
    format!("`cargo run -p soulbound-fuzz --bin {name} -- FILE` runs the input beside that log alone")
}
