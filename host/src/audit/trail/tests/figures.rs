//! The figures of docs/figures.md, measured. Not part of the ordinary run: they say something only when nothing else runs.

use std::time::Instant;

use super::*;
use crate::audit::keys::Keys;
use crate::audit::verify;

/// The median time of one call, intent and outcome, in microseconds.
#[test]
#[ignore = "a measurement"]
fn figures_of_a_call() {
    let place = Place::new();
    let (book, _) = place.open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let arguments = arguments("/documents/policy.md");
    let result = Value::from("text ".repeat(20));
    let digest = Some(soulbound_runtime::skill::Digest::of(b"x"));
    let mut times: Vec<u128> = (0..20_000)
        .map(|_| {
            let began = Instant::now();
            let entry = CallEntry { digest, soul: digest, policy: digest, ..entry(&arguments) };
            let outcome =
                OutcomeEntry { result: Some(&result), ..OutcomeEntry::without_result(Decision::Allowed) };
            runtime.block_on(async {
                let intent = book.intend(&entry).await.unwrap();
                book.conclude(intent, &outcome).await.unwrap();
            });
            began.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100] as f64 / 1_000.0;
    println!("intent and outcome: p50 {:.1} µs, p99 {:.1} µs", at(50), at(99));
}

/// Calls a second with the disk waited for, 64 at once.
#[test]
#[ignore = "a measurement"]
fn figures_of_power() {
    let place = Place::with(Options { durability: Durability::Power, ..Options::default() });
    let (book, _) = place.open();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let began = Instant::now();
    let each = 200;
    runtime.block_on(async {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let book = book.clone();
                tokio::spawn(async move {
                    let arguments = arguments("/documents/policy.md");
                    for _ in 0..each {
                        let intent = book.intend(&entry(&arguments)).await.unwrap();
                        book.conclude(intent, &OutcomeEntry::without_result(Decision::Allowed))
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let calls = f64::from(64 * each);
    println!("durability power, 64 in flight: {:.0} calls/s", calls / began.elapsed().as_secs_f64());
}

/// A million records, proven; and opened again.
#[test]
#[ignore = "a measurement"]
fn figures_of_a_million_records() {
    let place = Place::new();
    let (book, _) = place.open();
    calls(&book, 500_000);
    drop(book);
    let keys = Keys::read(place.state()).unwrap().unwrap();
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned()
    };
    let (before, began) = (peak(), Instant::now());
    let report = verify::trail(&place.echo(), "echo", &keys, None, false).unwrap();
    assert_eq!(report.findings, []);
    println!(
        "{} records in {} files proven in {:?}; {before} before, {} after",
        report.records,
        report.files,
        began.elapsed(),
        peak()
    );
    let began = Instant::now();
    drop(place.open());
    println!("opened in {:?}", began.elapsed());
}
