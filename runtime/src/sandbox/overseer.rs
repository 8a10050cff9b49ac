//! What the caller of a skill hears and may refuse: the one way by which oversight reaches into a running call.
//!
//! The runtime knows nothing of approvals, breakers or audit trails. It asks before every effect, it waits for the
//! answer with the call's clock stopped, and it tells of every access, allowed or not.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;

use crate::denial::Denial;
use crate::sandbox::interfaces::Progress;

/// A boxed future, so that an [`Overseer`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that a skill is about to do to the world outside its sandbox, already permitted by its grant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// An HTTP request, before its name is resolved and before a byte leaves.
    Request {
        /// The method, upper case for the standard ones.
        method: String,
        /// The absolute URL, as it will be requested.
        url: String,
        /// The guest's own headers, in order. Values that are not UTF-8 are shown lossily.
        headers: Vec<(String, String)>,
    },
    /// A change to the file system below a `write` or `create` grant.
    Change {
        /// What kind of change.
        change: FileChange,
        /// The path as the skill sees it.
        path: String,
        /// For a rename, where to.
        to: Option<String>,
    },
}

/// The kinds of change to a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileChange {
    /// A new file.
    Create,
    /// An existing file opened for writing, truncated, resized, or with its times set.
    Write,
    /// A new directory.
    MakeDirectory,
    /// A file or an empty directory removed.
    Delete,
    /// A file or a directory renamed within one grant.
    Rename,
}

/// What was tried and what came of it: one line of the outcome's accesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// `file` or `host`.
    pub kind: AccessKind,
    /// The path as the skill spelled it, or the origin (`https://example.com:443`). Chosen by the guest: escape it
    /// before showing it.
    pub target: String,
    /// What was tried: `read`, `write`, `create`, `list`, `stat`, `delete`, `rename`, … or the HTTP method.
    pub access: String,
    /// Whether it was allowed.
    pub decision: Decision,
    /// Why not.
    #[serde(serialize_with = "denial_id")]
    pub denial: Option<Denial>,
}

/// What kind of thing was reached for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessKind {
    /// A path in the virtual root.
    File,
    /// A network host.
    Host,
}

/// Allowed or denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The grant covers it, and the overseer let it go on.
    Allowed,
    /// Refused, for the reason in the access's denial.
    Denied,
}

/// Watches one call. Both methods are called from the guests' threads and must not block them.
pub trait Overseer: Send + Sync + 'static {
    /// May hold or refuse an effect that the grant permits. The call's clock stands still until it answers.
    ///
    /// # Errors
    ///
    /// The denial with which the effect is refused.
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<(), Denial>>;

    /// Hears of an access, after the decision and before the guest learns of it.
    fn record(&self, access: &Access);

    /// Hears how far the guest says it has come. Text in it is the guest's.
    fn progress(&self, _progress: &Progress) {}
}

/// The overseer of a program that needs none: every permitted effect goes on, and accesses stand in the outcome only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattended;

impl Overseer for Unattended {
    fn before_effect<'a>(&'a self, _: &'a Effect) -> BoxFuture<'a, Result<(), Denial>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn record(&self, _: &Access) {}
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn denial_id<S: serde::Serializer>(denial: &Option<Denial>, serializer: S) -> Result<S::Ok, S::Error> {
    Serialize::serialize(&denial.as_ref().map(|denial| denial.id), serializer)
}
