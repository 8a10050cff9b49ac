//! Using up what a call has: time, memory, stack, handles, disk, output.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use wasip2::clocks::monotonic_clock::{now, subscribe_duration};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

use crate::bindings::Supply;
use crate::bindings::soulbound::skill::log::{Level, log};
use crate::bindings::soulbound::skill::progress::report;

const MIB: usize = 1 << 20;
const PAGE: usize = 4096;
const CHUNK: u64 = 64 * 1024;

/// Uses up so much of it; how much there was to have.
pub(crate) fn use_up(what: Supply, amount: u64, path: &str) -> u64 {
    match what {
        Supply::Spin => spin(),
        Supply::Sleep => {
            std::thread::sleep(Duration::from_millis(amount));
            amount
        }
        Supply::HostCalls => host_calls(amount),
        Supply::Memory => memory(amount),
        Supply::Stack => descend(amount),
        Supply::Handles => held(amount, || Some(subscribe_duration(u64::MAX))),
        Supply::Files => held(amount, || {
            root()?.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ).ok()
        }),
        Supply::MakeFiles => {
            (0..amount).take_while(|number| make(&format!("{path}/rt-{number}")).is_some()).count() as u64
        }
        Supply::Disk => disk(amount, path).unwrap_or(0),
        Supply::Size => make(path).and_then(|file| file.set_size(amount).ok()).map_or(0, |()| amount),
        Supply::Random => wasip2::random::random::get_random_bytes(amount).len() as u64,
        Supply::Poll => {
            let ready = subscribe_duration(0);
            let names = vec![&ready; amount as usize];
            wasip2::io::poll::poll(&names).len() as u64
        }
        Supply::Print => print(amount),
        Supply::Log => {
            (0..amount).for_each(|line| log(Level::Info, &format!("line {line} {}", "x".repeat(1000))));
            amount
        }
        Supply::Progress => {
            (0..amount).for_each(|done| report(done, None, Some("busy")));
            amount
        }
    }
}

fn spin() -> u64 {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn host_calls(amount: u64) -> u64 {
    let mut made = 0_u64;
    while amount == 0 || made < amount {
        black_box(now());
        made += 1;
    }
    made
}

/// In MiB, and every page of it is written to.
fn memory(amount: u64) -> u64 {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..amount {
        let mut block = Vec::new();
        if block.try_reserve_exact(MIB).is_err() {
            break;
        }
        block.resize(MIB, 0_u8);
        block.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        kept.push(black_box(block));
    }
    kept.len() as u64
}

/// Chosen at run time, so that the compiler makes no loop of it.
static DOWN: [fn(u64) -> u64; 2] = [descend, descend_too];

/// So many frames, each below the one before: how many there were. From 0 it is without end.
fn descend(left: u64) -> u64 {
    next(left, 0).map_or(1, |deeper| deeper.wrapping_add(1))
}

fn descend_too(left: u64) -> u64 {
    next(left, 1).map_or(1, |deeper| deeper.wrapping_add(1))
}

#[inline(always)]
fn next(left: u64, turn: u64) -> Option<u64> {
    if left == 1 {
        return None;
    }
    DOWN.get(((left ^ turn) & 1) as usize).map(|next| next(left.wrapping_sub(1)))
}

fn held<T>(amount: u64, mut open: impl FnMut() -> Option<T>) -> u64 {
    let mut kept = Vec::new();
    while (kept.len() as u64) < amount {
        let Some(one) = open() else { break };
        kept.push(one);
    }
    black_box(kept).len() as u64
}

fn root() -> Option<Descriptor> {
    get_directories().into_iter().next().map(|(root, _)| root)
}

fn make(path: &str) -> Option<Descriptor> {
    root()?.open_at(PathFlags::empty(), path, OpenFlags::CREATE, DescriptorFlags::WRITE).ok()
}

fn disk(amount: u64, path: &str) -> Option<u64> {
    let file = make(path)?;
    let chunk = vec![b'x'; CHUNK as usize];
    let mut written = 0;
    while written < amount {
        match file.write(&chunk, written) {
            Ok(0) | Err(_) => break,
            Ok(count) => written += count,
        }
    }
    Some(written)
}

fn print(amount: u64) -> u64 {
    let mut chunk = [b'x'; PAGE];
    // A line without an end would be one line, of which little is kept anyway.
    chunk.last_mut().into_iter().for_each(|last| *last = b'\n');
    let mut out = std::io::stdout();
    let mut printed = 0;
    while printed < amount && out.write_all(&chunk).is_ok() {
        printed += PAGE as u64;
    }
    printed
}
