//! Stub.
/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs)]
pub struct EnvironmentGrant { pub name: String, pub value: String }
