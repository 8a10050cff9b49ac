//! Stub.
/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs)]
pub struct ApprovalGrant { pub rule: crate::RuleRef }
