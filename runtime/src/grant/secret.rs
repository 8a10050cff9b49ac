//! Stub.
/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs)]
pub struct SecretGrant { pub rule: crate::RuleRef }
