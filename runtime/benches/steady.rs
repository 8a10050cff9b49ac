//! Figure 5: ten thousand calls one after the other, and what the process holds before and after; then many more.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a bench")]

mod stage;

use serde_json::json;
use soulbound_runtime::compile::run_if_worker;

use stage::{Stage, TEXT, arguments, built, call, executor};

const CALLS: usize = 10_000;
/// How many times as many: what grows by a little with each call shows here, what is filled once does not.
const MANY: usize = 20;

fn main() {
    // Components are compiled in a child process: this program again.
    run_if_worker();
    let stage = Stage::set();
    std::fs::create_dir(stage.folder.path().join("documents")).unwrap();
    std::fs::write(stage.folder.path().join("documents/note.txt"), "a note\n").unwrap();
    let executor = executor();
    let mut skills = vec![(stage.bind("a", &stage.tiny(), &[]), "run", json!({"text": TEXT}))];
    if let Some(skill) = built("guests", "word-count") {
        skills.push((stage.bind("a", &skill, &[]), "count", json!({"text": TEXT})));
    }
    if let Some(skill) = built("skills", "file-reader") {
        let path = json!({"path": "/documents/note.txt"});
        skills.push((stage.bind("a", &skill, &["read: ./documents"]), "read", path));
    }
    let run = |calls: usize| {
        executor.block_on(async {
            for (skill, tool, value) in skills.iter().cycle().take(calls) {
                call(skill, tool, arguments(value.clone())).await;
            }
        });
    };
    // What the first calls fill for good: pooled slots, threads' stacks, the allocator's arenas.
    run(1_000);
    let before = held();
    run(CALLS);
    let after = held();
    run(CALLS * (MANY - 1));
    let long_after = held();
    for (((what, before), (_, after)), (_, long_after)) in before.iter().zip(&after).zip(&long_after) {
        println!(
            "{what:<16} {before:>8} before, {after:>8} after {CALLS} calls, {long_after:>8} after {}",
            CALLS * MANY
        );
    }
}

/// What this process holds, as the kernel counts it.
fn held() -> [(&'static str, u64); 3] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    [("memory (KiB)", field("VmRSS:")), ("threads", field("Threads:")), ("file descriptors", descriptors)]
}
