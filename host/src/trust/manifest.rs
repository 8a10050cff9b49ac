//! What an operator trusts of one agent, as one document: the bytes of SOUL.md, of every file of each skill, and which
//! directories its grants led to. Its own digest is the one that the card shows and `--digest` names.
//!
//! It is kept as canonical JSON (RFC 8785), so that equal content has one digest.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use soulbound_runtime::sandbox::files::{Born, OpenedDirectory, TrustedPlace};
use soulbound_runtime::skill::{Digest, Origin, SkillFolder};

use super::change::{Amounts, Change};
use super::store::Store;

/// The version of the format.
const VERSION: u32 = 1;

/// Everything that is trusted of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    v: u32,
    /// Whose it is: trust in one agent is none in another.
    pub(crate) id: String,
    /// SHA-256 of SOUL.md.
    pub(crate) soul: Digest,
    /// The skills, in the order of SOUL.md.
    pub(crate) skills: Vec<TrustedSkill>,
}

/// A skill as it is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustedSkill {
    /// The slug.
    pub(crate) name: String,
    /// Where it was found.
    pub(crate) origin: Origin,
    /// SHA-256 of the component.
    pub(crate) component: Digest,
    /// All files of its folder, the component among them, sorted by path.
    pub(crate) files: Vec<SkillFile>,
    /// Where its granted directories led.
    pub(crate) directories: Vec<TrustedDirectory>,
}

/// A trusted file of a skill's folder. Its bytes are in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkillFile {
    /// The path within the folder, with `/`.
    pub(crate) path: String,
    /// SHA-256 of the bytes.
    pub(crate) digest: Digest,
    /// How many there are.
    pub(crate) bytes: u64,
}

/// A granted directory as it was when it was trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustedDirectory {
    /// As SOUL.md writes it.
    pub(crate) path: String,
    /// Without any link.
    pub(crate) real: PathBuf,
    /// The number of its file system, as text: JSON's numbers end at 2^53.
    #[serde(with = "as_text")]
    pub(crate) device: u64,
    /// Its number there.
    #[serde(with = "as_text")]
    pub(crate) inode: u64,
    /// When it was made, in nanoseconds since 1970, where that is known: numbers are given again.
    #[serde(default, with = "born_as_text", skip_serializing_if = "Option::is_none")]
    pub(crate) born: Option<Born>,
}

impl TrustedDirectory {
    /// What it has to be again.
    pub(crate) fn place(&self) -> TrustedPlace<'_> {
        TrustedPlace { real: &self.real, device: self.device, inode: self.inode, born: self.born }
    }
}

impl Manifest {
    pub(crate) fn new(id: &str, soul: Digest, skills: Vec<TrustedSkill>) -> Self {
        Self { v: VERSION, id: id.to_owned(), soul, skills }
    }

    /// Its bytes, in the one way to write them.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        Ok(serde_json_canonicalizer::to_vec(self)?)
    }

    /// The digest by which it is known.
    pub(crate) fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(&self.bytes()?))
    }

    /// Reads the manifest of this digest from the store. Its files may be missing there.
    pub(crate) fn load(store: &Store, digest: Digest) -> Result<Self> {
        let manifest: Self = serde_json::from_slice(&store.get(digest)?)
            .with_context(|| format!("sha256 {digest} is no trust manifest"))?;
        if manifest.v != VERSION {
            bail!("the trust manifest {digest} is of version {}, this build knows {VERSION}", manifest.v);
        }
        Ok(manifest)
    }

    /// Checks that every byte that it names is in the store.
    pub(crate) fn verify(&self, store: &Store) -> Result<()> {
        store.get(self.soul).context("SOUL.md")?;
        for skill in &self.skills {
            for file in &skill.files {
                store
                    .get(file.digest)
                    .with_context(|| format!("`{}` of skill `{}`", file.path, skill.name))?;
            }
        }
        Ok(())
    }

    /// The skill of this name.
    pub(crate) fn skill(&self, name: &str) -> Option<&TrustedSkill> {
        self.skills.iter().find(|skill| skill.name == name)
    }
}

impl TrustedSkill {
    /// A skill as it was read.
    pub(crate) fn of(name: &str, origin: Origin, folder: &SkillFolder, opened: &[OpenedDirectory]) -> Self {
        let file = |(path, bytes): (&str, &[u8])| SkillFile {
            path: path.to_owned(),
            digest: Digest::of(bytes),
            bytes: bytes.len() as u64,
        };
        let directory = |opened: &OpenedDirectory| TrustedDirectory {
            path: opened.grant.path.clone(),
            real: opened.real.clone(),
            device: opened.device,
            inode: opened.inode,
            born: opened.born,
        };
        Self {
            name: name.to_owned(),
            origin,
            component: folder.digest,
            files: folder.files().into_iter().map(file).collect(),
            directories: opened.iter().map(directory).collect(),
        }
    }
}

impl TrustedSkill {
    /// The files, and the place, in which another state of this skill differs from it.
    pub(crate) fn file_changes(&self, now: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let name = Some(self.name.as_str());
        if now.origin != self.origin {
            let text = format!("is found elsewhere: {}, and was {}", now.origin, self.origin);
            changes.push(Change::new(Amounts::Bytes, name, &text));
        }
        for file in &self.files {
            let found = now.files.iter().find(|found| found.path == file.path).map(|found| found.digest);
            if found != Some(file.digest) {
                changes.push(Change::of_file(name, &file.path, Some(file.digest), found));
            }
        }
        let is_new = |path: &str| !self.files.iter().any(|file| file.path == path);
        for file in now.files.iter().filter(|file| is_new(&file.path)) {
            changes.push(Change::of_file(name, &file.path, None, Some(file.digest)));
        }
        changes
    }
}

/// A number as its decimal digits.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod born_as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Born;

    pub(super) fn serialize<S: Serializer>(born: &Option<Born>, serializer: S) -> Result<S::Ok, S::Error> {
        match born {
            Some(born) => serializer.collect_str(born),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Born>, D::Error> {
        String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_has_one_spelling() {
        let manifest = Manifest::new(
            "echo",
            Digest::of(b"soul"),
            vec![TrustedSkill {
                name: "probe".into(),
                origin: Origin::Agent,
                component: Digest::of(b"c"),
                files: vec![SkillFile { path: "probe.wasm".into(), digest: Digest::of(b"c"), bytes: 1 }],
                directories: vec![TrustedDirectory {
                    path: "./docs".into(),
                    real: "/agent/docs".into(),
                    device: u64::MAX,
                    inode: 7,
                    born: "1700000000123456789".parse().ok(),
                }],
            }],
        );
        let text = String::from_utf8(manifest.bytes().unwrap()).unwrap();
        insta::assert_snapshot!(text);
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    }
}
