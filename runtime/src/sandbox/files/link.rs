//! Links: read where they stay inside, never made.
//!
//! A link that a skill makes is a trap for every other program: it can't be followed out by a skill, but by a backup
//! or an editor it is. So there are none, symbolic or hard (`path.link`).
//!
//! The rule: a link's text is shown only if following it stays inside.

use rustix::fs::FileType;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::bind::BoundFiles;
use super::fault::{Fault, Refusal};
use super::node::{Node, Spot};
use super::resolve::Last;
use crate::denial::DenialId;

/// The text of a link.
pub(super) fn read_link(bound: &BoundFiles, node: &Node, path: &str) -> Result<String, Fault> {
    let (grant, dir, rest) = match node.locate(bound, path)? {
        Spot::Virtual(_) => return Err(ErrorCode::Invalid.into()),
        Spot::Below { grant, dir, rest } => (grant, dir, rest),
    };
    let link = grant.blind(grant.find(dir, rest, Last::Keep))?;
    if link.kind() != FileType::Symlink {
        return Err(ErrorCode::Invalid.into());
    }
    grant.find(dir, rest, Last::Follow)?;
    let text = rustix::fs::readlinkat(&link.handle, "", Vec::new())?;
    Ok(text.into_string().map_err(|_| ErrorCode::IllegalByteSequence)?)
}

/// Refuses to make a link, with one answer for every path.
pub(super) fn make_link(bound: &BoundFiles, node: &Node, path: &str) -> Fault {
    let rule = match node.locate(bound, path) {
        Ok(Spot::Below { grant, .. }) => Some(grant.grant.rule.clone()),
        _ => None,
    };
    Refusal::new(DenialId::PathLink, rule).into()
}
