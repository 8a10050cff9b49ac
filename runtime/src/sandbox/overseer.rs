//! What the caller of a skill hears and may refuse: the one way by which oversight reaches into a running call.
//!
//! The runtime knows nothing of approvals, breakers or audit trails. It asks before every effect, it waits for the
//! answer with the call's clock stopped, and it tells of every access, allowed or not.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::denial::Denial;
use crate::sandbox::interfaces::Progress;
use crate::skill::Digest;

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
        /// The guest's own headers, in order; values that are not UTF-8 are shown lossily. Behind them those that the host will
        /// add, with `[secret NAME]` where the value goes: no guest can set such a header for that host itself.
        headers: Vec<(String, String)>,
        /// The complete body, if the overseer [inspects](Overseer::inspects) such requests.
        body: Option<Content>,
    },
    /// A change to the file system below a `write` or `create` grant.
    Change {
        /// What kind of change.
        change: FileChange,
        /// The path as the skill sees it.
        path: String,
        /// For a rename, where to.
        to: Option<String>,
        /// What the file will hold when this is done, if the overseer [inspects](Overseer::inspects) such changes and it is
        /// one of a file's content.
        content: Option<Content>,
    },
    /// A message to one of the agent's channels.
    Message {
        /// The channel as SOUL.md lists it: `slack: content-team`.
        channel: String,
        /// The text.
        text: Content,
    },
}

impl Effect {
    /// What it carries, if it carries any and the overseer inspects it.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Request { body, .. } => body.as_ref(),
            Self::Change { content, .. } => content.as_ref(),
            Self::Message { text, .. } => Some(text),
        }
    }

    /// The same, to be replaced by what was masked.
    #[must_use]
    pub fn content_mut(&mut self) -> Option<&mut Content> {
        match self {
            Self::Request { body, .. } => body.as_mut(),
            Self::Change { content, .. } => content.as_mut(),
            Self::Message { text, .. } => Some(text),
        }
    }
}

/// Everything that an effect carries out of the sandbox, complete. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(pub Bytes);

impl Content {
    /// SHA-256 of the bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

/// What an overseer may ask to see complete before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier<'a> {
    /// The body of a request with this method.
    Request {
        /// Upper case for the standard ones.
        method: &'a str,
    },
    /// What is written to a file.
    File,
}

/// Which way bytes leave a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outflow {
    /// Over the network: heads and bodies of requests.
    Sent,
    /// Into files, as `limit: disk` counts them.
    Written,
}

/// How an effect may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permit {
    /// As the guest wanted it.
    Unchanged,
    /// With other content than the guest's, of the same length: something in it was masked.
    Masked(Content),
}

/// The kinds of change to a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FileChange {
    /// A new file.
    Create,
    /// An existing file opened for writing, truncated or resized.
    Write,
    /// The times of a file or a directory set.
    SetTimes,
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
    /// `file`, `host` or `channel`.
    pub kind: AccessKind,
    /// The path as the skill spelled it, or the origin (`https://example.com:443`). Chosen by the guest: escape it
    /// before showing it.
    pub target: String,
    /// What was tried: `read`, `write`, `create`, `list`, `stat`, `delete`, `rename`, … or the HTTP method. `open-new` is a
    /// new file whose content is held back: `create` follows when it is put in place.
    pub access: String,
    /// Whether it was allowed.
    pub decision: Decision,
    /// Why not.
    #[serde(serialize_with = "denial_id")]
    pub denial: Option<Denial>,
    /// Of a file: how it failed though nothing refused it, as WASI calls it: `no-entry`, `exist`, … Nothing was changed by
    /// it, but for a write that a full disk cut short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What kind of thing was reached for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessKind {
    /// A path in the virtual root.
    File,
    /// A network host.
    Host,
    /// One of the agent's channels.
    Channel,
}

/// Allowed or denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Nothing refused it: the grant covers it, and the overseer let it go on; or it failed before it came to that.
    Allowed,
    /// Refused, for the reason in the access's denial.
    Denied,
}

/// Watches one call. Both methods are called from the guests' threads and must not block them.
pub trait Overseer: Send + Sync + 'static {
    /// May hold or refuse an effect that the grant permits, for minutes if it has to. Until it answers the call's clock
    /// stands still for waiting, and its slot is another call's; what a guest computes meanwhile, beside a request that is
    /// held, is charged to it. The future is dropped when the call ends before.
    ///
    /// # Errors
    ///
    /// The denial with which the effect is refused.
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>>;

    /// Whether it looks after approvals: it asks a person before whatever SOUL.md's `approve` names. An overseer that does
    /// not say so is not asked about such calls and effects; the runtime refuses them.
    fn approves(&self) -> bool {
        false
    }

    /// Whether it has to see such content complete before it answers. The content is then held back on the host's side, up
    /// to this many bytes; more is a denial (`effect.too-large`). `None`: it goes out as the guest produces it.
    ///
    /// Asked for each request, and of files once a call: the bytes are then those of all files of the call that are
    /// held back at one moment, with what was in them before.
    fn inspects(&self, _carrier: Carrier<'_>) -> Option<u64> {
        None
    }

    /// Sends a message that [`Overseer::before_effect`] let go on. The answer is what the guest is told: where it went.
    ///
    /// # Errors
    ///
    /// Why it did not arrive, in one line.
    fn deliver<'a>(&'a self, _channel: &'a str, _text: &'a Content) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(std::future::ready(Err("nobody delivers messages here".to_owned())))
    }

    /// Hears of an access, after the decision and before the guest learns of it.
    fn record(&self, access: &Access);

    /// Hears of bytes on their way out, when they are charged: before they leave.
    fn moved(&self, _out: Outflow, _bytes: u64) {}

    /// Hears that the call has been waiting in line for a slot for a moment that a person would notice, and goes on waiting.
    fn waits_in_line(&self) {}

    /// Hears how far the guest says it has come. Text in it is the guest's.
    fn progress(&self, _progress: &Progress) {}
}

/// The overseer of a program that needs none: every permitted effect goes on, and accesses stand in the outcome only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unattended;

impl Overseer for Unattended {
    fn before_effect<'a>(&'a self, _: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        Box::pin(std::future::ready(Ok(Permit::Unchanged)))
    }

    fn record(&self, _: &Access) {}
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn denial_id<S: serde::Serializer>(denial: &Option<Denial>, serializer: S) -> Result<S::Ok, S::Error> {
    Serialize::serialize(&denial.as_ref().map(|denial| denial.id), serializer)
}
