//! `SKILL.md`: the front matter that names and describes a skill, in the ecosystem's own form.
//!
//! Nothing in it grants anything. `requires`, `allowed-tools` and whatever else others put there is not read.

use serde::Deserialize;

use crate::visible;

/// The largest SKILL.md that is read, in bytes.
pub const MANIFEST_BYTES: u64 = 256 << 10;

/// The front matter of a `SKILL.md`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The skill's name: its folder's, and the slug under which SOUL.md lists it.
    pub name: String,
    /// What it does, for people and models; at most 1,024 characters.
    pub description: String,
    /// Its version, if it says.
    #[serde(default)]
    pub version: Option<String>,
}

/// Why a `SKILL.md` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file does not start with `---`.
    #[error("`SKILL.md` does not start with front matter; the first line must be `---`")]
    NoFrontMatter,
    /// The second `---` is missing.
    #[error("the front matter of `SKILL.md` is never closed; end it with a line `---`")]
    Unclosed,
    /// The YAML does not parse, or `name` or `description` is missing.
    #[error("the front matter of `SKILL.md` does not parse: {0}")]
    Yaml(String),
    /// The description is longer than the ecosystem allows.
    #[error("the description in `SKILL.md` has {0} characters, 1,024 are allowed")]
    LongDescription(usize),
    /// A model would read what a reviewer cannot see.
    #[error("`SKILL.md` holds an invisible character, {0}")]
    Invisible(String),
}

impl Manifest {
    /// Reads the front matter of a `SKILL.md`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let yaml = front_matter(text)?;
        let manifest: Self = serde_saphyr::from_str(&yaml).map_err(|error| yaml_error(&error))?;
        let characters = manifest.description.chars().count();
        if characters > 1_024 {
            return Err(ManifestError::LongDescription(characters));
        }
        Ok(manifest)
    }

    /// The whole front matter of a `SKILL.md`, every key that its author wrote.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn fields(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, ManifestError> {
        let manifest = Self::parse(text)?;
        // As YAML 1.2 has it: `y` and `on` are words.
        let options = serde_saphyr::options! { strict_booleans: true };
        let mut fields: serde_json::Map<_, _> =
            serde_saphyr::from_str_with_options(&front_matter(text)?, options)
                .map_err(|error| yaml_error(&error))?;
        // These two are text, whatever they look like.
        fields.insert("name".to_owned(), manifest.name.into());
        fields.insert("description".to_owned(), manifest.description.into());
        Ok(fields)
    }
}

fn yaml_error(error: &serde_saphyr::Error) -> ManifestError {
    ManifestError::Yaml(visible::line(error.to_string().lines().next().unwrap_or_default()))
}

/// The lines between the first two `---`.
fn front_matter(text: &str) -> Result<String, ManifestError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(found) = text.chars().find(|character| {
        visible::is_invisible(*character) && !matches!(character, '\n' | '\r' | '\t' | '\u{fe0f}')
    }) {
        return Err(ManifestError::Invisible(visible::quoted(&found.to_string(), 1)));
    }
    let mut lines = text.split_inclusive('\n');
    if lines.next().map(str::trim_end) != Some("---") {
        return Err(ManifestError::NoFrontMatter);
    }
    let mut yaml = String::new();
    for line in lines {
        if line.trim_end() == "---" {
            return Ok(yaml);
        }
        yaml.push_str(line);
    }
    Err(ManifestError::Unclosed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ecosystem_s_front_matter_is_read() {
        let manifest = Manifest::parse(
            "---\nname: image-lab\ndescription: \"Edits: images\"\nversion: 1.0.0\nmetadata:\n  openclaw: { requires: { bins: [uv] } }\n---\n# Image lab\n",
        )
        .unwrap();
        assert_eq!(manifest.name, "image-lab");
        assert_eq!(manifest.description, "Edits: images");
        assert_eq!(manifest.version.as_deref(), Some("1.0.0"));
    }

    #[test]
    fn every_field_is_kept_as_json() {
        let fields = Manifest::fields(
            "---\nname: x\ndescription: 7\nallowed-tools: [Bash]\nmetadata: { a: 1, b: 2026-01-02, c: y }\n---\n",
        );
        let expected = serde_json::json!({"name": "x", "description": "7", "allowed-tools": ["Bash"], "metadata": {"a": 1, "b": "2026-01-02", "c": "y"}});
        assert_eq!(fields.map(serde_json::Value::Object), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(Manifest::parse("# x\n"), Err(ManifestError::NoFrontMatter));
        assert_eq!(Manifest::parse("---\nname: x\n"), Err(ManifestError::Unclosed));
        assert!(matches!(Manifest::parse("---\nname: x\n---\n"), Err(ManifestError::Yaml(_))));
        assert!(matches!(
            Manifest::parse("---\nname: x\ndescription: a\u{200b}b\n---\n"),
            Err(ManifestError::Invisible(_))
        ));
        let bomb = format!("---\nname: x\ndescription: y\na: &a [{}]\n---\n", "*a,".repeat(10));
        let _ = Manifest::parse(&bomb);
    }
}
