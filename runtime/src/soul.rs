//! Stub.
/// Stub.
#[derive(Debug)]
pub struct Soul {}
/// Stub.
#[derive(Debug, Default, Clone)]
#[expect(missing_docs)]
pub struct SkillEntry { pub name: String, pub purpose: String, pub line: u32, pub grant: crate::grant::Grant }
