//! Stub.
#![expect(missing_docs)]
use std::sync::Arc;
use wasmtime::component::ResourceTable;
#[derive(Debug, Clone, Default)]
pub struct OpenRules {}
#[derive(Debug)]
pub struct BoundFiles {}
#[derive(Debug)]
pub struct DirectoryError { pub rule: crate::RuleRef, pub message: String, pub hint: Option<String> }
impl BoundFiles {
    pub fn open(_: &[crate::grant::DirectoryGrant], _: &std::path::Path, _: &OpenRules) -> Result<Self, Vec<DirectoryError>> { Ok(Self{}) }
    pub fn verify(&self, _: &str) -> Result<(), crate::Denial> { Ok(()) }
}
pub struct CallFiles {}
impl CallFiles { pub(crate) fn new(_: Arc<BoundFiles>, _: Arc<crate::sandbox::witness::Witness>, _: u64) -> Self { Self{} } }
pub struct FilesView<'a> { pub files: &'a mut CallFiles, pub table: &'a mut ResourceTable }
pub(crate) fn link(_: &mut wasmtime::component::Linker<crate::sandbox::state::CallState>) -> wasmtime::Result<()> { Ok(()) }
