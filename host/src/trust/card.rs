//! The grant card: what an operator is shown before being asked to trust, as text and for programs; and changes likewise.

use anyhow::Result;
use serde_json::{Value, json};

use super::candidate::Candidate;
use super::change::{Amounts, Change};
use crate::review::{Form, page};
use crate::style::Style;

/// The card as a person reads it.
pub(crate) fn text(candidate: &Candidate, style: Style) -> String {
    let digest = candidate.manifest().map(|(_, digest)| digest.to_string());
    page(
        &candidate.review,
        &candidate.folder.display().to_string(),
        Form::Card { digest: digest.as_deref() },
        style,
    )
}

/// The card for programs: what `check --json` has, and what would be trusted.
pub(crate) fn document(candidate: &Candidate) -> Result<Value> {
    let mut document = candidate.review.document()?;
    if let Some(fields) = document.as_object_mut() {
        let (manifest, digest) = candidate.manifest().unzip();
        fields.insert("folder".into(), json!(candidate.folder));
        fields.insert("digest".into(), json!(digest));
        fields.insert("manifest".into(), json!(manifest));
    }
    Ok(document)
}

/// Changes as a person reads them, a line or two each.
pub(crate) fn changes(changes: &[Change], style: Style) -> String {
    let mut lines = Vec::new();
    for change in changes {
        let word = format!("{:8}", change.effect.word());
        let painted = match change.effect {
            Amounts::Widening => style.red(&word),
            Amounts::Narrowing => style.green(&word),
            Amounts::Words => style.dim(&word),
            Amounts::Bytes => style.yellow(&word),
        };
        let skill = change.skill.as_ref().map(|skill| format!("{skill}: ")).unwrap_or_default();
        let line = change.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        lines.push(format!("  {painted} {skill}{}{line}", change.text));
        if let Some(file) = &change.file {
            let digest = |digest: Option<_>| match digest {
                Some(digest) => format!("sha256 {digest}"),
                None => "none".to_owned(),
            };
            lines.push(style.dim(&format!("           trusted {}", digest(file.trusted))));
            lines.push(style.dim(&format!("           found   {}", digest(file.found))));
        }
    }
    lines.join("\n")
}
