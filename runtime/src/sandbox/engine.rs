//! The wasmtime engine: which WebAssembly a skill may be written in, and how instances are laid out in memory.
//!
//! Every feature that is built in stands here by name, on or off, so that what loads is a decision and not a default; threads,
//! garbage collection and exceptions are left out of the build (`Cargo.toml`). The compiling
//! child process ([`crate::compile`]) builds its engine from the same function: what it compiles, this one loads.

use std::num::NonZeroUsize;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

/// Stack that WebAssembly frames of one call may use, in bytes.
pub(crate) const WASM_STACK: usize = 512 << 10;
/// Stack of a call's fiber, in bytes. What [`WASM_STACK`] leaves is for host functions; too little aborts the process.
const FIBER_STACK: usize = 2 << 20;
/// Core instances, memories and tables that one component may need; a Rust guest needs 3, 1 and 2.
const CORE_INSTANCES: u32 = 32;
const MEMORIES: u32 = 4;
const TABLES: u32 = 16;
/// Table elements of one table: pointers, so 8 bytes each. JavaScript engines need about 30,000.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;
/// What stays resident in a freed slot so that the next call pays no page faults, in bytes.
const KEEP_RESIDENT: usize = 512 << 10;

/// The settings that decide what code is made: shared by the process that compiles and the one that runs.
fn code_config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .consume_fuel(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // One skill's stack is not readable by the next through an engine bug.
        .async_stack_zeroing(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        // Backtraces name functions; offsets within them cost compile time and space.
        .generate_address_map(false)
        // WASI 0.2 only: removes the attack surface of most of 2026's advisories (async lifting, streams, futures).
        .concurrency_support(false)
        .wasm_component_model(true)
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_tail_call(true)
        .wasm_extended_const(true)
        // Not deterministic across processors.
        .wasm_relaxed_simd(false)
        // More than one way to have memory, and sizes beyond what limits are counted in.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        // Heap types and stack switching are where 2026's memory-safety advisories were.
        .wasm_stack_switching(false);
    config
}

/// The engine of the process that compiles: no instances, one thread.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    Engine::new(&code_config())
}

/// The engine of the process that runs skills, with room for `running` calls at once, and for `held` more that wait for
/// somebody's decision: their instances stay where they are. Room is address space; memory is what they touched.
pub(crate) fn running(running: u32, held: u32) -> wasmtime::Result<Engine> {
    let slots = running.saturating_add(held);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
        .total_memories(slots.saturating_mul(MEMORIES))
        .total_tables(slots.saturating_mul(TABLES))
        .total_stacks(slots.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(4)
        .max_memories_per_module(1)
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(slots.min(32))
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(64 << 10)
        // Only dirty pages are cleared: 35 µs against 12.6 µs for a Rust guest.
        .pagemap_scan(Enabled::Auto);
    let mut config = code_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}
