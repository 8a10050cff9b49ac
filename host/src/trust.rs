//! Agents and trust: which agents there are, what an operator accepted of each, and how their folders stand against it.
//!
//! | file | what it holds |
//! |---|---|
//! | [`store`], [`manifest`], [`record`] | trusted bytes by digest; what is trusted of one agent; where that is written down |
//! | [`candidate`], [`card`] | a folder read once, to be accepted or not, and how a person is shown it |
//! | [`trusted`], [`standing`], [`change`], [`fingerprint`] | what may run now, and what differs, cheaply asked again |
//! | [`runs`] | what comes of that, in the words of every command |
//! | [`attacked`] | what redteam found of a manifest, where that is asked for |
//! | [`registry`], [`rollback`], [`restore`], [`act`], [`event`] | every act that changes any of it, and what the trail is told |
//!
//! The rule: what is displayed, hashed, stored and run are the same bytes, read once. The agent's folder can only ever take
//! away.

pub(crate) mod act;
pub(crate) mod attacked;
pub(crate) mod candidate;
pub(crate) mod card;
pub(crate) mod change;
pub(crate) mod event;
pub(crate) mod fingerprint;
pub(crate) mod manifest;
pub(crate) mod record;
pub(crate) mod registry;
mod restore;
mod rollback;
pub(crate) mod runs;
pub(crate) mod standing;
pub(crate) mod store;
#[cfg(test)]
mod tests;
pub(crate) mod trusted;

pub(crate) use candidate::Candidate;
pub(crate) use change::{Amounts, Change, Lost};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use manifest::SkillFile;
pub(crate) use registry::{Condition, Registry, id};
pub(crate) use runs::Runs;
pub(crate) use standing::Standing;
pub(crate) use trusted::Trusted;
