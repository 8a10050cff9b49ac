//! Stub.
#![expect(missing_docs)]
use std::sync::Arc;
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {}
#[derive(Debug)]
pub struct Network {}
impl Network { pub fn new(_: NetworkConfig) -> Result<Self, std::io::Error> { Ok(Self{}) } }
pub struct SkillNetwork {}
impl SkillNetwork { pub fn new(_: Arc<Network>, _: Vec<crate::grant::HostGrant>) -> Self { Self{} } }
pub struct CallNetwork {}
impl CallNetwork { pub(crate) fn new(_: Arc<SkillNetwork>, _: Arc<crate::sandbox::witness::Witness>, _: Arc<dyn Fn(u64) -> Result<(), crate::Denial> + Send + Sync>) -> Self { Self{} } }
impl wasmtime_wasi_http::WasiHttpHooks for CallNetwork {
    fn send_request(&mut self, _: http::Request<wasmtime_wasi_http::WasiBody>, _: Option<wasmtime_wasi_http::RequestOptions>, _: Box<dyn Future<Output=Result<(), wasmtime_wasi_http::Error>>+Send>)
  -> Box<dyn Future<Output = Result<(http::Response<wasmtime_wasi_http::WasiBody>, Box<dyn Future<Output=Result<(),wasmtime_wasi_http::Error>>+Send>), wasmtime_wasi_http::Error>> + Send> { todo!() }
}
