//! Reading SOUL.md.

/// An agent as its SOUL.md describes it.
#[derive(Debug)]
pub struct Soul {}
