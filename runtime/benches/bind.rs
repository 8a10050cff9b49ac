//! Figure 3: binding a skill from the compile cache, beside the compiling that it saves.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a bench")]

mod stage;

use criterion::Criterion;
use soulbound_runtime::compile::run_if_worker;
use soulbound_runtime::skill::SkillFolder;

use stage::{Stage, Times, built};

fn main() {
    // Components are compiled in a child process: this program again.
    run_if_worker();
    let mut criterion = Criterion::default().configure_from_args();
    for (kind, name) in [("guests", "probe"), ("skills", "file-reader")] {
        if let Some(skill) = built(kind, name) {
            measure(&mut criterion, name, &skill);
        }
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, name: &str, skill: &SkillFolder) {
    let kilobytes = skill.component.len() / 1_000;
    let mut cold = Times::default();
    for _ in 0..5 {
        // A stage of its own each time: its cache is empty.
        let stage = Stage::set();
        cold.time(|| stage.bind("a", skill, &[]));
    }
    println!("{name} ({kilobytes} kB): compiled anew  {}", cold.shown());

    let stage = Stage::set();
    let mut cached = Times::default();
    drop(stage.bind("a", skill, &[]));
    let (agent, soul) = stage.soul("a", skill, &[]);
    for _ in 0..500 {
        cached.time(|| stage.runtime.bind(&agent, &soul.skills()[0], skill).unwrap());
    }
    println!("{name} ({kilobytes} kB): from the cache {}  target 1000 µs", cached.shown());

    criterion.bench_function(&format!("bind/{name} from the cache"), |b| {
        b.iter(|| stage.runtime.bind(&agent, &soul.skills()[0], skill).unwrap());
    });
}
