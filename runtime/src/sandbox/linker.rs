//! What a guest finds behind its imports: one list, interface by interface.
//!
//! Whether a skill may have an import was judged from its declared list when it was bound
//! ([`crate::skill::imports`]). This is the second key: what is not linked here does not exist.

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasData, InstancePre, Linker, ResourceTable, ResourceType};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi_http::p2::bindings::http;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};
use wasmtime_wasi_io::bindings::wasi::io;
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use crate::compile::CompileError;
use crate::grant::Capability;
use crate::sandbox::state::CallState;
use crate::sandbox::{channels, files, interfaces};
use crate::skill::imports::{JudgedImport, Standing};
use crate::visible;

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Everything that a skill without network may import.
fn without_network(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    io::error::add_to_linker::<CallState, HasTable>(l, |state| &mut state.table)?;
    io::poll::add_to_linker::<CallState, HasTable>(l, |state| &mut state.table)?;
    io::streams::add_to_linker::<CallState, HasTable>(l, |state| &mut state.table)?;
    clocks::monotonic_clock::add_to_linker::<CallState, WasiClocks>(l, CallState::clocks)?;
    clocks::wall_clock::add_to_linker::<CallState, WasiClocks>(l, CallState::clocks)?;
    random::random::add_to_linker::<CallState, WasiRandom>(l, CallState::random)?;
    random::insecure::add_to_linker::<CallState, WasiRandom>(l, CallState::random)?;
    random::insecure_seed::add_to_linker::<CallState, WasiRandom>(l, CallState::random)?;
    cli::exit::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::stdin::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::stdout::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::stderr::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_input::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_output::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_stdin::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_stdout::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    cli::terminal_stderr::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    // With exactly the variables of `env`, and no arguments.
    cli::environment::add_to_linker::<CallState, WasiCli>(l, CallState::cli)?;
    // With exactly the directories of the grant.
    files::add_to_linker::<CallState>(l, CallState::files)?;
    interfaces::link(l)?;
    // With exactly the channels of the grant; without one a component that imports it does not bind.
    channels::link(l)?;
    http::types::add_to_linker::<CallState, WasiHttp>(l, &Default::default(), CallState::http)?;
    Ok(linker)
}

/// The same and the one interface that sends requests.
fn with_network(without: &Linker<CallState>) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = without.clone();
    http::outgoing_handler::add_to_linker::<CallState, WasiHttp>(&mut linker, CallState::http)?;
    Ok(linker)
}

/// The host's type behind a resource that a refused interface names. Those of `wasi:io` are real, since other interfaces
/// hand them out too; no function ever makes one of the others.
fn resource_type(name: &str) -> ResourceType {
    match name {
        "pollable" => ResourceType::host::<DynPollable>(),
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "error" => ResourceType::host::<wasmtime_wasi_io::streams::Error>(),
        _ => ResourceType::host::<Refused>(),
    }
}

/// A refused import was called.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is refused by SOUL.md")]
pub(crate) struct Refused(pub(crate) String);

/// Which of the linkers a component gets, and which of its imports always fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Linking {
    network: bool,
    refused: Vec<String>,
}

/// The two linkers that there are.
pub(crate) struct Linkers {
    without_network: Linker<CallState>,
    with_network: Linker<CallState>,
}

impl Linkers {
    /// Both, for this engine.
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let without_network = without_network(engine)?;
        let with_network = with_network(&without_network)?;
        Ok(Self { without_network, with_network })
    }
}

impl Linking {
    /// By what the imports amount to under the grant.
    pub(crate) fn of(judged: &[JudgedImport]) -> Self {
        let has = |capability, standing| {
            judged.iter().any(|import| import.capability == Some(capability) && import.standing == standing)
        };
        // A refused `http` is the real one over an empty grant: each request is refused as the interface's own error.
        let network = has(Capability::Http, Standing::Granted) || has(Capability::Http, Standing::Refused);
        let sockets = judged.iter().filter(|import| import.capability == Some(Capability::Sockets));
        let refused = if has(Capability::Sockets, Standing::Refused) {
            sockets.map(|import| import.interface.clone()).collect()
        } else {
            Vec::new()
        };
        Self { network, refused }
    }

    /// The component, linked.
    pub(crate) fn link(
        &self,
        linkers: &Linkers,
        engine: &Engine,
        component: &Component,
    ) -> Result<InstancePre<CallState>, CompileError> {
        let linker = if self.network { &linkers.with_network } else { &linkers.without_network };
        let load =
            |error: wasmtime::Error| CompileError::Load(visible::line(&error.root_cause().to_string()));
        if self.refused.is_empty() {
            return linker.instantiate_pre(component).map_err(load);
        }
        let mut linker = linker.clone();
        for interface in &self.refused {
            refuse(&mut linker, engine, component, interface).map_err(load)?;
        }
        linker.instantiate_pre(component).map_err(load)
    }
}

/// Gives an import that nothing implements functions that always fail, so that a component that merely declares it
/// can run without it.
fn refuse(
    linker: &mut Linker<CallState>,
    engine: &Engine,
    component: &Component,
    interface: &str,
) -> wasmtime::Result<()> {
    let ty = component.component_type();
    let Some(import) = ty.get_import(engine, interface) else { return Ok(()) };
    let ComponentItem::ComponentInstance(instance) = import.ty else { return Ok(()) };
    let mut link = linker.instance(interface)?;
    for (name, item) in instance.exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(_) => {
                let full = format!("{interface}#{name}");
                link.func_new(name, move |_, _, _, _| Err(Refused(full.clone()).into()))?;
            }
            ComponentItem::Resource(_) => link.resource(name, resource_type(name), |_, _| Ok(()))?,
            _ => {}
        }
    }
    Ok(())
}
