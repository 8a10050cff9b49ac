//! The virtual root: a small read-only tree whose leaves are the granted directories.
//!
//! One root for everything is what makes an attempt at `/etc/passwd` arrive here at all: with one preopen a
//! directory, a guest's libc answers it by itself and nobody hears of it.
//!
//! The rule: a path is walked through it component by component, and whatever no grant holds is outside.

use std::sync::Arc;

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::fault::{Fault, Refusal};
use super::resolve::BoundGrant;

/// The root's own index.
pub(super) const ROOT: usize = 0;

/// The virtual directories; the first is the root.
#[derive(Debug)]
pub(super) struct Tree(Vec<VirtualDirectory>);

/// One virtual directory.
#[derive(Debug)]
struct VirtualDirectory {
    path: String,
    parent: Option<usize>,
    children: Vec<(String, Child)>,
}

/// What a name in a virtual directory is.
#[derive(Debug, Clone)]
pub(super) enum Child {
    /// Another virtual directory.
    Virtual(usize),
    /// A granted directory.
    Grant(Arc<BoundGrant>),
}

/// Where a path leads.
#[derive(Debug)]
pub(super) enum Routed<'a> {
    /// To a virtual directory.
    Virtual(usize),
    /// Into a grant, with what is left for the kernel to walk; empty for the granted directory itself.
    Below(&'a Arc<BoundGrant>, &'a str),
}

impl Tree {
    /// A tree that holds each grant at its guest path.
    ///
    /// # Errors
    ///
    /// The index of a grant whose guest path is no absolute path below `/`, or equals, holds or lies in an earlier one.
    pub(super) fn new(grants: &[Arc<BoundGrant>]) -> Result<Self, usize> {
        let mut tree = Self(vec![VirtualDirectory { path: "/".into(), parent: None, children: Vec::new() }]);
        for (index, grant) in grants.iter().enumerate() {
            tree.insert(grant).ok_or(index)?;
        }
        Ok(tree)
    }

    fn insert(&mut self, grant: &Arc<BoundGrant>) -> Option<()> {
        let mut names = grant.grant.guest.strip_prefix('/')?.split('/').peekable();
        let mut at = ROOT;
        while let Some(name) = names.next() {
            if matches!(name, "" | "." | "..") {
                return None;
            }
            let last = names.peek().is_none();
            let new = self.0.len();
            let directory = self.0.get_mut(at)?;
            match (directory.children.iter().find(|(known, _)| known == name), last) {
                (Some((_, Child::Virtual(next))), false) => at = *next,
                (Some(_), _) => return None,
                (None, true) => directory.children.push((name.into(), Child::Grant(Arc::clone(grant)))),
                (None, false) => {
                    directory.children.push((name.into(), Child::Virtual(new)));
                    let path = format!("{}/{name}", directory.path.trim_end_matches('/'));
                    self.0.push(VirtualDirectory { path, parent: Some(at), children: Vec::new() });
                    at = new;
                }
            }
        }
        Some(())
    }

    /// The path of a virtual directory as the guest sees it.
    pub(super) fn path(&self, index: usize) -> &str {
        self.0.get(index).map_or("/", |directory| &directory.path)
    }

    /// What a virtual directory holds.
    pub(super) fn children(&self, index: usize) -> &[(String, Child)] {
        self.0.get(index).map_or(&[], |directory| &directory.children)
    }

    /// Walks `path` from a virtual directory.
    ///
    /// # Errors
    ///
    /// `path.outside` where no grant holds the next name, or `..` would leave the root; `no-entry` for the empty path.
    pub(super) fn route<'a>(&'a self, from: usize, path: &'a str) -> Result<Routed<'a>, Fault> {
        if path.is_empty() {
            return Err(ErrorCode::NoEntry.into());
        }
        let mut at = from;
        let mut rest = path;
        while !rest.is_empty() {
            let (name, after) = rest.split_once('/').unwrap_or((rest, ""));
            rest = after;
            match name {
                "" | "." => continue,
                ".." => {
                    let parent = self.0.get(at).and_then(|directory| directory.parent);
                    at = parent.ok_or_else(Refusal::outside)?;
                    continue;
                }
                _ => {}
            }
            let child = self.children(at).iter().find(|(known, _)| known == name);
            match child.map(|(_, child)| child) {
                Some(Child::Virtual(next)) => at = *next,
                Some(Child::Grant(grant)) => return Ok(Routed::Below(grant, rest.trim_start_matches('/'))),
                None => return Err(Refusal::outside().into()),
            }
        }
        Ok(Routed::Virtual(at))
    }
}
