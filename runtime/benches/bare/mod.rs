//! The same call by wasmtime alone: the yardstick. A new store, an instance, the call, and all of it dropped.
//!
//! The rule: the engine is ours, made by the very function that the runtime uses, so that the difference is our own
//! work and nothing else.

#[path = "../../src/sandbox/engine.rs"]
mod engine;

use soulbound_runtime::skill::SkillFolder;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// An engine with the runtime's settings, nobody ticking.
pub(crate) struct Bare(Engine);

/// A component on it, linked to all of WASI 0.2 with nothing granted.
pub(crate) struct BareSkill {
    engine: Engine,
    pre: InstancePre<State>,
    tool: ComponentExportIndex,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: wasmtime::StoreLimits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    pub(crate) fn new() -> Self {
        // The compiling engine has the same settings of code; taking it here keeps the one file free of dead code.
        drop(engine::compiling().unwrap());
        Self(engine::running(64, 0).unwrap())
    }

    /// Compiles and links.
    pub(crate) fn bind(&self, skill: &SkillFolder, tool: &str) -> BareSkill {
        let component = Component::new(&self.0, &skill.component).unwrap();
        let mut linker = Linker::new(&self.0);
        wasmtime_wasi::p2::add_to_linker_async::<State>(&mut linker).unwrap();
        let pre = linker.instantiate_pre(&component).unwrap();
        let tool = component.get_export_index(None, tool).unwrap();
        BareSkill { engine: self.0.clone(), pre, tool }
    }
}

impl BareSkill {
    /// One call in a fresh instance.
    pub(crate) async fn call(&self, arguments: &[Val]) -> Val {
        let state = State {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            limits: wasmtime::StoreLimitsBuilder::new().memory_size(256 << 20).build(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        let instance = self.pre.instantiate_async(&mut store).await.unwrap();
        let function = instance.get_func(&mut store, self.tool).unwrap();
        let mut results = [Val::Bool(false)];
        function.call_async(&mut store, arguments, &mut results).await.unwrap();
        let [result] = results;
        result
    }
}
