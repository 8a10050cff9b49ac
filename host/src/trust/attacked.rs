//! What `soulbound redteam` found of exactly these bytes: one file a manifest in `redteam/` of the state folder, and the
//! question whether it is enough where `[trust] require_redteam` asks for it.
//!
//! The rule: only a run of everything, of just this manifest, by this version of the program, that ended with nothing out and
//! nothing unseen, counts. The file carries a MAC of this state folder's key, so that one that was put there, edited or moved
//! from another manifest counts for nothing; and a later run in which something got out takes the earlier one's place.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use soulbound_runtime::skill::{Digest, files};
use soulbound_runtime::{Denial, DenialId};

use super::act::short;
use crate::audit::{Keys, make_folder};
use crate::clock::Moment;
use crate::durable;

/// The version of the format.
const VERSION: u32 = 1;
/// The folder in the state folder.
const FOLDER: &str = "redteam";
/// The largest file, in bytes: a whole one has a tenth of it.
const FILE_BYTES: u64 = 8 << 10;
/// Another version may have other walls.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What came of a run, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ran {
    /// What was attacked: a trust manifest.
    pub(crate) manifest: Digest,
    /// The agent whose it is.
    pub(crate) agent: String,
    /// Attacks, without controls.
    pub(crate) tried: u64,
    /// Those that got out.
    pub(crate) escaped: u64,
    /// Controls that failed: what was not seen.
    pub(crate) blind: u64,
    /// Whether every class was tried on every skill.
    pub(crate) whole: bool,
    /// What made the canaries.
    pub(crate) seed: u64,
}

impl Ran {
    /// Whether it shows that nothing gets out.
    pub(crate) fn is_clean(&self) -> bool {
        self.whole && self.tried > 0 && self.escaped == 0 && self.blind == 0
    }

    /// Whether it is worth writing down: a clean one, and any in which something got out.
    pub(crate) fn says_something(&self) -> bool {
        self.is_clean() || self.escaped > 0
    }
}

/// A run, written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    v: u32,
    ran: Ran,
    program: String,
    when: String,
}

/// A run, and this state folder's word for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    kept: Kept,
    mac: String,
}

/// Why what is written down, if anything is, is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// Nothing is written down of this manifest.
    Never,
    /// It is, by a program of another version.
    OtherVersion(String),
    /// Something got out, so many attacks.
    Escaped(u64),
    /// What stands there was not written by this gateway, or is not understood.
    NotOurs,
}

impl fmt::Display for Lacks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => formatter.write_str("redteam never ran on exactly these bytes"),
            Self::OtherVersion(version) => {
                write!(formatter, "redteam ran on these bytes with version {version}, and this is {PROGRAM}")
            }
            Self::Escaped(count) => {
                let attacks = if *count == 1 { "attack" } else { "attacks" };
                write!(formatter, "redteam ran on these bytes, and {count} {attacks} got out")
            }
            Self::NotOurs => {
                formatter.write_str("what is written down of redteam's run was not written by this gateway")
            }
        }
    }
}

/// Writes a run down. Only for the holder of the state folder's lock.
///
/// # Errors
///
/// The state folder cannot be written, or its keys are gone.
pub(crate) fn keep(state: &Path, ran: Ran) -> Result<()> {
    let keys = Keys::open(state)?;
    let path = path(state, ran.manifest);
    make_folder(&state.join(FOLDER))?;
    let kept = Kept { v: VERSION, ran, program: PROGRAM.to_owned(), when: Moment::now().to_string() };
    let mac = keys.redteam(&serde_json_canonicalizer::to_vec(&kept)?).as_str().to_owned();
    durable::replace(&path, &serde_json::to_vec_pretty(&Sealed { kept, mac })?)
}

/// Whether what is written down of a manifest is a clean run, and when it was. Reads one file and the keys.
pub(crate) fn clean_run(state: &Path, manifest: Digest) -> Result<String, Lacks> {
    let path = path(state, manifest);
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Lacks::Never),
        _ => {}
    }
    let read = || -> Result<Kept> {
        let sealed: Sealed = serde_json::from_slice(&files::read_file(&path, FILE_BYTES)?)?;
        let keys = Keys::read(state)?.context("no keys")?;
        let expected = keys.redteam(&serde_json_canonicalizer::to_vec(&sealed.kept)?);
        if *expected.as_str() != *sealed.mac
            || sealed.kept.v != VERSION
            || sealed.kept.ran.manifest != manifest
        {
            bail!("not ours");
        }
        Ok(sealed.kept)
    };
    let kept = read().map_err(|_| Lacks::NotOurs)?;
    match kept {
        Kept { ran, .. } if ran.escaped > 0 => Err(Lacks::Escaped(ran.escaped)),
        Kept { program, .. } if program != PROGRAM => Err(Lacks::OtherVersion(program)),
        Kept { ran, when, .. } if ran.is_clean() => Ok(when),
        _ => Err(Lacks::NotOurs),
    }
}

/// What an operator is told whose act needs a clean run and has none. `remedy` is the command that makes one.
///
/// # Errors
///
/// There is none.
pub(crate) fn require(state: &Path, manifest: Digest, remedy: &str) -> Result<()> {
    clean_run(state, manifest).map(drop).map_err(|lacks| {
        anyhow::anyhow!(
            "{} is not trusted: {lacks}, and `[trust] require_redteam` of gateway.toml asks for a run with nothing out\n  hint: \
             {remedy}",
            short(manifest)
        )
    })
}

/// What every call is answered where a trusted agent has no clean run.
pub(crate) fn refusal(state: &Path, agent: &str, manifest: Digest) -> Option<Denial> {
    clean_run(state, manifest).err().map(|lacks| required(agent, &lacks))
}

/// The same, by what is known to lack.
pub(crate) fn required(agent: &str, lacks: &Lacks) -> Denial {
    let message = format!("agent `{agent}` may not run: {lacks}");
    Denial::new(DenialId::RedteamRequired, message).hint(format!("soulbound redteam {agent}"))
}

fn path(state: &Path, manifest: Digest) -> PathBuf {
    state.join(FOLDER).join(format!("{manifest}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(byte: u8) -> Ran {
        let manifest = Digest([byte; 32]);
        Ran { manifest, agent: "echo".into(), tried: 300, escaped: 0, blind: 0, whole: true, seed: 7 }
    }

    #[test]
    fn only_a_whole_clean_run_of_just_this_manifest_counts() {
        let state = tempfile::tempdir().unwrap();
        let of = |byte| clean_run(state.path(), Digest([byte; 32]));
        assert_eq!(of(1), Err(Lacks::Never));
        keep(state.path(), ran(1)).unwrap();
        assert!(of(1).is_ok());
        assert_eq!(of(2), Err(Lacks::Never));
        for worse in [Ran { whole: false, ..ran(1) }, Ran { blind: 1, ..ran(1) }, Ran { tried: 0, ..ran(1) }]
        {
            assert!(!worse.is_clean() && !worse.says_something());
            keep(state.path(), worse).unwrap();
            assert_eq!(of(1), Err(Lacks::NotOurs));
        }
        // A part of the attacks is enough to show that something gets out.
        let out = Ran { escaped: 1, whole: false, ..ran(1) };
        assert!(out.says_something());
        keep(state.path(), out).unwrap();
        assert_eq!(of(1), Err(Lacks::Escaped(1)));
    }

    #[test]
    fn what_was_edited_or_moved_or_made_without_the_key_counts_for_nothing() {
        let state = tempfile::tempdir().unwrap();
        keep(state.path(), Ran { escaped: 2, ..ran(1) }).unwrap();
        let file = path(state.path(), Digest([1; 32]));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("\"escaped\": 2", "\"escaped\": 0")).unwrap();
        assert_eq!(clean_run(state.path(), Digest([1; 32])), Err(Lacks::NotOurs));
        keep(state.path(), ran(1)).unwrap();
        std::fs::copy(&file, path(state.path(), Digest([2; 32]))).unwrap();
        assert_eq!(clean_run(state.path(), Digest([2; 32])), Err(Lacks::NotOurs));
        let other = tempfile::tempdir().unwrap();
        keep(other.path(), ran(3)).unwrap();
        std::fs::copy(path(other.path(), Digest([3; 32])), path(state.path(), Digest([3; 32]))).unwrap();
        assert_eq!(clean_run(state.path(), Digest([3; 32])), Err(Lacks::NotOurs));
        // Whoever edits the version has to have the key as well.
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace(PROGRAM, "9.9.9")).unwrap();
        assert_eq!(clean_run(state.path(), Digest([1; 32])), Err(Lacks::NotOurs));
    }

    #[test]
    fn a_run_of_another_version_is_said_to_be_one() {
        let state = tempfile::tempdir().unwrap();
        let keys = Keys::open(state.path()).unwrap();
        make_folder(&state.path().join(FOLDER)).unwrap();
        let kept = Kept { v: VERSION, ran: ran(1), program: "0.0.1".into(), when: Moment::now().to_string() };
        let mac = keys.redteam(&serde_json_canonicalizer::to_vec(&kept).unwrap()).as_str().to_owned();
        let file = path(state.path(), Digest([1; 32]));
        std::fs::write(file, serde_json::to_vec(&Sealed { kept, mac }).unwrap()).unwrap();
        assert_eq!(clean_run(state.path(), Digest([1; 32])), Err(Lacks::OtherVersion("0.0.1".into())));
    }
}
