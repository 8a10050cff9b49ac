//! SKILL.md: both readers of the front matter say the same, and what a model will read can be seen.

use soulbound_runtime::skill::Manifest;
use soulbound_runtime::visible;

/// Reads the bytes as a SKILL.md.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let fields = Manifest::fields(text);
    match Manifest::parse(text) {
        Err(error) => {
            assert!(fields.is_err(), "every field is read and the two that count are not");
            let shown = error.to_string();
            assert!(!shown.chars().any(visible::is_invisible), "{shown:?}");
        }
        Ok(manifest) => {
            assert!(manifest.description.chars().count() <= 1_024);
            if let Ok(fields) = fields {
                assert_eq!(fields["name"], *manifest.name);
                assert_eq!(fields["description"], *manifest.description);
            }
        }
    }
}
