//! Stub.

/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalGrant {}
