//! Figure 4: what eight spinning calls of one agent do to the tiny calls of another.
//!
//! Not criterion's: it is the tail of single calls that counts. Once with calls that follow each other at once, once
//! with a pause between them, since a call that finds everything asleep is another call.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a bench")]

mod stage;

use std::time::Duration;

use serde_json::{Map, json};
use soulbound_runtime::compile::run_if_worker;
use soulbound_runtime::sandbox::BoundSkill;

use stage::{Stage, TEXT, Times, arguments, call, executor};

const SPINNERS: usize = 8;

fn main() {
    // Components are compiled in a child process: this program again.
    run_if_worker();
    let stage = Stage::set();
    let tiny = stage.tiny();
    let (a, b) = (stage.bind("a", &tiny, &[]), stage.bind("b", &tiny, &[]));
    let executor = executor();
    for (name, pause, calls) in
        [("one after the other", Duration::ZERO, 20_000), ("every 2 ms", Duration::from_millis(2), 1_500)]
    {
        let mut quiet = executor.block_on(calls_of(&b, pause, calls));
        let spinning: Vec<_> = (0..SPINNERS)
            .map(|_| {
                let a = a.clone();
                executor.spawn(async move { call(&a, "spin", Map::new()).await })
            })
            .collect();
        // All of them have become heavy by then.
        std::thread::sleep(Duration::from_millis(200));
        let mut beside = executor.block_on(calls_of(&b, pause, calls));
        // Dropping a call ends its guest.
        spinning.iter().for_each(tokio::task::JoinHandle::abort);
        println!("{name:<20} quiet             {}", quiet.shown());
        println!("{name:<20} beside {SPINNERS} spinning {}", beside.shown());
        let ratio = beside.quantile(0.99) / quiet.quantile(0.99);
        println!("{:<20} p99 is {ratio:.2} × the quiet p99, target 3 ×", "");
        std::thread::sleep(Duration::from_millis(200));
    }
}

async fn calls_of(skill: &BoundSkill, pause: Duration, calls: usize) -> Times {
    let mut times = Times::default();
    for _ in 0..calls {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        times.take(call(skill, "run", arguments(json!({"text": TEXT})))).await;
    }
    times
}
