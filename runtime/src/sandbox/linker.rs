//! What a guest finds behind its imports: one list, interface by interface.
//!
//! Whether a skill may have an import was judged from its declared list when it was bound
//! ([`crate::skill::imports`]). This is the second key: what is not linked here does not exist.

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasData, Linker, ResourceTable, ResourceType};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi_http::p2::bindings::http;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};
use wasmtime_wasi_io::bindings::wasi::io;
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use crate::sandbox::state::CallState;
use crate::sandbox::{channels, files, interfaces};

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Everything that a skill without network may import.
pub(crate) fn without_network(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
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
pub(crate) fn with_network(without: &Linker<CallState>) -> wasmtime::Result<Linker<CallState>> {
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

/// Gives an import that nothing implements functions that always fail, so that a component that merely declares it
/// can run without it.
pub(crate) fn refuse(
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
