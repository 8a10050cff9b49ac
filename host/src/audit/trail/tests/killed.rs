//! SIGKILL at any moment: what was acknowledged is there, and the trail is clean after it is opened again.
//!
//! The child is this test program, started again with one test to run: it writes calls from several threads and says each
//! one that was acknowledged. No drop runs in it, no buffer of ours is flushed: it is really killed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::audit::keys::Keys;
use crate::audit::read::{self, Filter};
use crate::audit::verify;

const ROUNDS: usize = 200;
const STATE: &str = "SOULBOUND_TEST_TRAIL";
/// Small files, so that many kills meet a rotation.
const OPTIONS: Options = Options { durability: Durability::Process, rotate: 30_000 };

#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let audit = Audit::open(Path::new(&state), OPTIONS).unwrap();
    let (book, _) = audit.book("echo", Header::default()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let done = call(&book);
                    writeln!(std::io::stdout(), "acknowledged {done}").unwrap();
                }
            });
        }
    });
}

fn killed_after(state: &Path, acknowledged: usize) -> Vec<u64> {
    let module = module_path!().split_once("::").unwrap().1;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::child"), "--ignored", "--nocapture"])
        .env(STATE, state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut calls = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut take = |calls: &mut Vec<u64>| match lines.next() {
        Some(line) => {
            calls.extend(
                line.unwrap().strip_prefix("acknowledged ").and_then(|call| call.parse::<u64>().ok()),
            );
            true
        }
        None => false,
    };
    while calls.len() < acknowledged && take(&mut calls) {}
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it died counts too.
    while take(&mut calls) {}
    calls
}

#[test]
fn killed_at_any_moment_no_acknowledged_call_is_missing_and_the_trail_is_clean() {
    let mut place = Place::with(OPTIONS);
    let mut acknowledged = BTreeSet::new();
    let mut all = 0;
    for round in 0..ROUNDS {
        if round % 25 == 0 {
            place = Place::with(OPTIONS);
            acknowledged.clear();
        }
        // From the very first record to a few rotations.
        acknowledged.extend(killed_after(place.state(), (round * 7) % 61));
        let (book, opening) = place.open();
        assert_eq!(opening.discontinuity, None, "round {round}");
        drop(book);
        let keys = Keys::read(place.state()).unwrap().unwrap();
        let report = verify::trail(&place.echo(), "echo", &keys, None, false).unwrap();
        assert_eq!((report.findings, report.open), (Vec::new(), 0), "round {round}");
        let mut allowed = BTreeSet::new();
        read::all(
            &place.echo(),
            &Filter { decision: Some(Decision::Allowed), ..Filter::default() },
            &mut |record| {
                allowed.extend(record.number("call"));
                true
            },
        )
        .unwrap();
        let missing: Vec<_> = acknowledged.difference(&allowed).collect();
        assert!(missing.is_empty(), "round {round}: {missing:?}");
        all += acknowledged.len();
    }
    assert!(all > ROUNDS * 10, "the child has to get somewhere: {all}");
}
