//! Skills over MCP (SEP-2640): the texts of the agent's skills, so that a client's model can read how to use their tools.
//!
//! Everything comes from the bytes that the operator trusted, by their digests; what lies in the folder now is not looked
//! at. The component is not among them: it is what the gateway runs under the grant, and a client that ran it
//! elsewhere would run it without one. Nothing in a front matter grants anything, `allowed-tools` neither.

use std::sync::Arc;

use base64::Engine as _;
use rmcp::model::{
    DIRECTORY_MIME_TYPE, Resource, ResourceContents, SKILL_MD, Skill, SkillFrontmatter, SkillResource,
    SkillResources,
};
use soulbound_runtime::skill::Manifest;

use crate::gateway::offer::{Offer, OfferedSkill, SkillFile};
use crate::mcp::served::Served;

/// Files of one skill: the limit of the SEP.
const FILES: usize = 512;
/// Bytes of one skill's files, together: the limit of the SEP.
const BYTES: u64 = 16 << 20;

/// The skills that can be read.
pub(crate) struct Catalog {
    /// In the order of SOUL.md.
    pub(crate) skills: Vec<Skill>,
    /// Every file of theirs.
    files: Vec<CatalogFile>,
}

struct CatalogFile {
    resource: Resource,
    file: SkillFile,
}

impl Catalog {
    /// Of an offer. Reads each skill's `SKILL.md` from the store.
    pub(crate) fn of<S: Served>(agent: &S, offer: &Offer) -> Self {
        let mut catalog = Self { skills: Vec::new(), files: Vec::new() };
        for skill in &offer.skills {
            match catalog.add(agent, skill) {
                Ok(()) => {}
                Err(error) => tracing::warn!(skill = skill.name, %error, "the skill's texts are not served"),
            }
        }
        catalog
    }

    fn add<S: Served>(&mut self, agent: &S, skill: &Arc<OfferedSkill>) -> anyhow::Result<()> {
        let files: Vec<&SkillFile> = skill.files.iter().filter(|file| !is_component(file)).collect();
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        anyhow::ensure!(
            files.len() <= FILES && bytes <= BYTES,
            "{} files of {bytes} bytes are too many",
            files.len()
        );
        let manifest = files.iter().find(|file| file.path == SKILL_MD);
        let manifest = manifest.ok_or_else(|| anyhow::anyhow!("it has no {SKILL_MD}"))?;
        let fields = Manifest::fields(&String::from_utf8(agent.file(&manifest.digest)?)?)?;
        let matter: SkillFrontmatter = serde_json::from_value(fields.into())?;
        let manifest_of = |file: &&SkillFile| {
            SkillResource::new(uri(&skill.name, &file.path), format!("sha256:{}", file.digest), file.bytes)
        };
        let resources = SkillResources::Files(files.iter().map(manifest_of).collect());
        let listed = Skill::new(uri(&skill.name, SKILL_MD), matter.clone(), resources);
        listed.validate()?;
        self.files.extend(
            files.into_iter().map(|file| CatalogFile {
                resource: resource(&skill.name, file, &matter),
                file: file.clone(),
            }),
        );
        self.skills.push(listed);
        Ok(())
    }

    /// The skill whose `SKILL.md` this is.
    pub(crate) fn skill(&self, uri: &str) -> Option<&Skill> {
        self.skills.iter().find(|skill| skill.uri == uri)
    }

    /// Every file.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.files.iter().map(|file| file.resource.clone()).collect()
    }

    /// What is directly in a directory; none when there is no such directory.
    pub(crate) fn directory(&self, uri: &str) -> Option<Vec<Resource>> {
        let root = format!("{}/", uri.strip_suffix('/').unwrap_or(uri));
        let mut children: Vec<Resource> = Vec::new();
        for file in &self.files {
            let Some(below) = file.resource.uri.strip_prefix(&root) else { continue };
            match below.split_once('/') {
                None => children.push(file.resource.clone()),
                Some((folder, _)) => {
                    let uri = format!("{root}{folder}");
                    if !children.iter().any(|child| child.uri == uri) {
                        children.push(Resource::new(uri, folder).with_mime_type(DIRECTORY_MIME_TYPE));
                    }
                }
            }
        }
        // `skill:` and `skill://` are the beginning of every URI and no directories.
        (!children.is_empty() && root.len() > "skill:///".len()).then_some(children)
    }

    /// A file's content, from the store; none when there is no such file.
    pub(crate) fn read<S: Served>(&self, agent: &S, uri: &str) -> Option<anyhow::Result<ResourceContents>> {
        let found = self.files.iter().find(|file| file.resource.uri == uri)?;
        Some(agent.file(&found.file.digest).map(|bytes| {
            let contents = match String::from_utf8(bytes) {
                Ok(text) => ResourceContents::text(text, uri),
                Err(other) => ResourceContents::blob(
                    base64::engine::general_purpose::STANDARD.encode(other.as_bytes()),
                    uri,
                ),
            };
            contents.with_mime_type(mime_type(&found.file.path))
        }))
    }
}

/// The component at the folder's top.
fn is_component(file: &SkillFile) -> bool {
    !file.path.contains('/') && file.path.ends_with(".wasm")
}

fn resource(skill: &str, file: &SkillFile, matter: &SkillFrontmatter) -> Resource {
    let uri = uri(skill, &file.path);
    let resource = if file.path == SKILL_MD {
        Resource::new(uri, matter.name.clone()).with_description(matter.description.clone())
    } else {
        Resource::new(uri, file.path.clone())
    };
    resource.with_mime_type(mime_type(&file.path)).with_size(file.bytes)
}

/// `skill://NAME/PATH`, with everything but RFC 3986's unreserved characters and `/` as `%XX`.
fn uri(skill: &str, path: &str) -> String {
    let mut uri = format!("skill://{skill}/");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// By the name's ending: a client shows it, nothing decides by it.
fn mime_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("md") => "text/markdown",
        Some("txt" | "wit") => "text/plain",
        Some("json") => "application/json",
        Some("yaml" | "yml") => "application/yaml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
