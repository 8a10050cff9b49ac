//! Figures 1 and 2: what a call costs, fresh instance and all, beside bare wasmtime in the same run.
//!
//! The ratios come from calls that alternate with bare ones, so that a busy machine slows both; criterion's groups
//! then give each alone, with its own comparison to the run before.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a bench")]

mod bare;
mod stage;

use criterion::Criterion;
use serde_json::json;
use soulbound_runtime::compile::run_if_worker;
use soulbound_runtime::sandbox::BoundSkill;
use wasmtime::component::Val;

use bare::{Bare, BareSkill};
use stage::{Stage, TEXT, Times, arguments, built, call, executor};

const ROUNDS: usize = 20_000;

/// A tool both ways, and how many times the bare call it may cost.
struct Pair {
    name: &'static str,
    tool: &'static str,
    target: f64,
    bare: BareSkill,
    ours: BoundSkill,
}

fn main() {
    // Components are compiled in a child process: this program again.
    run_if_worker();
    let stage = Stage::set();
    let executor = executor();
    let bare = Bare::new();
    let mut pairs = Vec::new();
    let tiny = stage.tiny();
    let name = "tiny";
    let (tool, target) = ("run", 4.0);
    pairs.push(Pair { name, tool, target, bare: bare.bind(&tiny, tool), ours: stage.bind("a", &tiny, &[]) });
    if let Some(skill) = built("guests", "word-count") {
        let (name, tool, target) = ("rust", "count", 2.0);
        let (bare, ours) = (bare.bind(&skill, tool), stage.bind("a", &skill, &[]));
        pairs.push(Pair { name, tool, target, bare, ours });
    }
    std::fs::create_dir(stage.folder.path().join("documents")).unwrap();
    std::fs::write(stage.folder.path().join("documents/note.txt"), "0123456789abcde\n".repeat(256)).unwrap();
    let reader = built("skills", "file-reader").map(|skill| stage.bind("a", &skill, &["read: ./documents"]));
    let path = json!({"path": "/documents/note.txt"});

    for pair in &pairs {
        executor.block_on(alternate(pair));
    }
    if let Some(reader) = &reader {
        let mut times = Times::default();
        executor.block_on(async {
            for _ in 0..ROUNDS {
                times.take(call(reader, "read", arguments(path.clone()))).await;
            }
        });
        println!("{:<12} {}  target 60 µs", "read 4 KiB", times.shown());
    }

    let mut criterion = Criterion::default().configure_from_args();
    for pair in &pairs {
        let mut group = criterion.benchmark_group(pair.name);
        group.bench_function("bare", |b| {
            b.to_async(&executor).iter(async || pair.bare.call(&[Val::String(TEXT.into())]).await);
        });
        group.bench_function("ours", |b| {
            b.to_async(&executor).iter(|| call(&pair.ours, pair.tool, arguments(json!({"text": TEXT}))));
        });
        group.finish();
    }
    if let Some(reader) = &reader {
        criterion.bench_function("file-reader/read 4 KiB", |b| {
            b.to_async(&executor).iter(|| call(reader, "read", arguments(path.clone())));
        });
    }
    criterion.final_summary();
}

/// Bare, ours, bare, ours: the times of each and what one costs in the other.
async fn alternate(pair: &Pair) {
    let (mut bare, mut ours) = (Times::default(), Times::default());
    for round in 0..ROUNDS + 500 {
        if round == 500 {
            (bare, ours) = (Times::default(), Times::default());
        }
        bare.take(pair.bare.call(&[Val::String(TEXT.into())])).await;
        ours.take(call(&pair.ours, pair.tool, arguments(json!({"text": TEXT})))).await;
    }
    println!("{:<12} {}", format!("{} bare", pair.name), bare.shown());
    println!("{:<12} {}", format!("{} ours", pair.name), ours.shown());
    let ratio = ours.quantile(0.5) / bare.quantile(0.5);
    println!("{:<12} {ratio:.2} × bare at p50, target {} ×", "", pair.target);
}
