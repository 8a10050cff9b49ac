//! What one call's store holds: everything that the guest's imports can touch, on one screen.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::sandbox::channels::CallChannels;
use crate::sandbox::files::{CallFiles, FilesView};
use crate::sandbox::interfaces::SelfKnowledge;
use crate::sandbox::limiter::MemoryLimiter;
use crate::sandbox::log::CallLog;
use crate::sandbox::witness::{LastWord, Witness};

/// The state of one call. Made for it, dropped with it.
pub(crate) struct CallState {
    /// Dropped first, so before the requests in the table: a body whose guest was ended must not pass for a complete one.
    pub(crate) _last_word: LastWord,
    /// Host objects that the guest holds handles to: files, streams, requests. Bounded.
    pub(crate) table: ResourceTable,
    /// Clocks, random numbers, environment, standard streams: without a directory, a socket or a variable of ours.
    pub(crate) wasi: WasiCtx,
    /// `wasi:http` objects.
    pub(crate) http: WasiHttpCtx,
    /// The one way to the network.
    pub(crate) network: Box<dyn WasiHttpHooks + Send>,
    /// The one way to files.
    pub(crate) files: CallFiles,
    /// The agent's channels.
    pub(crate) channels: CallChannels,
    /// Memory, summed.
    pub(crate) limiter: MemoryLimiter,
    /// Where standard output and the log end up.
    pub(crate) log: CallLog,
    /// Records and asks.
    pub(crate) witness: Arc<Witness>,
    /// What `soulbound:skill/self` tells.
    pub(crate) knowledge: Arc<SelfKnowledge>,
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut *self.network }
    }
}

impl CallState {
    /// The filesystem's part of the state.
    pub(crate) fn files(&mut self) -> FilesView<'_> {
        FilesView { files: &mut self.files, table: &mut self.table }
    }
}
