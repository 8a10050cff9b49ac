//! Scripts of a misbehaving model: sequences of tool calls and what must become of each. `docs/redteam.md` is the format's
//! documentation; what comes with the program is read by the same reader as what an operator adds.

pub(crate) mod play;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The scripts that come with the program, after public cases of attacks on agents.
const BUILT_IN: &str = include_str!("script/built-in.toml");
/// The largest file of scripts, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// A file of scripts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    script: Vec<Script>,
}

/// One sequence of calls.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// A name of its own: lower case, digits and `-`.
    pub(crate) name: String,
    /// What it does, in one line.
    #[serde(default)]
    pub(crate) about: String,
    /// The calls.
    pub(crate) step: Vec<Step>,
    /// Whether it comes with the program: then it is about skills that the agent does not list.
    #[serde(skip)]
    built_in: bool,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// The skill.
    pub(crate) skill: String,
    /// Its tool.
    #[serde(default = "any_tool")]
    pub(crate) tool: String,
    /// The arguments.
    #[serde(default)]
    pub(crate) arguments: Map<String, Value>,
    /// What must become of it.
    pub(crate) expect: Expect,
}

/// What must become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expect {
    /// It is refused, or fails.
    Denied,
    /// It waits for a person, and nothing is done meanwhile.
    Waits,
    /// Either of the two.
    DeniedOrWaits,
    /// It is done; if not, the script proves nothing.
    Allowed,
    /// It may end as it will, as long as nothing gets out.
    Anything,
}

fn any_tool() -> String {
    "run".to_owned()
}

/// The scripts that come with the program, and those of these files and folders.
///
/// # Errors
///
/// A file that cannot be read, or is no file of scripts.
pub(crate) fn read(paths: &[std::path::PathBuf]) -> Result<Vec<Script>> {
    let mut scripts = parse(BUILT_IN).context("the scripts of this program")?;
    scripts.iter_mut().for_each(|script| script.built_in = true);
    for path in paths {
        let files = if path.is_dir() { in_folder(path)? } else { vec![path.clone()] };
        for file in files {
            let shown = || format!("`{}`", file.display());
            let length = fs::metadata(&file).with_context(shown)?.len();
            if length > FILE_BYTES {
                anyhow::bail!("{} has more than {FILE_BYTES} bytes", shown());
            }
            scripts.extend(parse(&fs::read_to_string(&file).with_context(shown)?).with_context(shown)?);
        }
    }
    Ok(scripts)
}

fn in_folder(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("`{}`", folder.display()))?;
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    Ok(files)
}

fn parse(text: &str) -> Result<Vec<Script>> {
    let file: File = toml::from_str(text)?;
    for script in &file.script {
        let is_plain = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
        if script.name.is_empty() || !script.name.chars().all(is_plain) {
            anyhow::bail!("a script's name is lower case letters, digits and `-`, not `{}`", script.name);
        }
    }
    Ok(file.script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_of_the_program_are_read_and_named_once() {
        let scripts = read(&[]).unwrap();
        assert!(scripts.len() > 40, "{}", scripts.len());
        let mut names: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), scripts.len());
    }

    #[test]
    fn a_key_that_means_nothing_is_an_error() {
        for text in [
            "[[script]]\nname = \"a\"\nstep = [{ skill = \"b\", expect = \"denied\", timeout = 3 }]",
            "[[script]]\nname = \"a\"\nstep = [{ skill = \"b\", expect = \"maybe\" }]",
            "[[script]]\nname = \"A b\"\nstep = []",
            "[[scripts]]\nname = \"a\"\nstep = []",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("[[script]]\nname = \"a\"\nstep = [{ skill = \"b\", tool = \"c\", arguments = { d = [1] }, expect = \"denied-or-waits\" }]").is_ok());
    }
}
