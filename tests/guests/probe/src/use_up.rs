//! Using up time, memory and handles.

use std::hint::black_box;
use std::time::Duration;

const MIB: usize = 1024 * 1024;
const PAGE: usize = 4096;
const WASM_PAGES_A_MIB: usize = 16;

pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub(crate) fn sleep(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Two ways on, chosen at run time, so that the compiler can make no loop of it.
static NEXT: [fn(u64) -> u64; 2] = [recurse, recurse_too];

/// Not a tail call, and with nothing in linear memory: what is used up is the host's stack.
pub(crate) fn recurse(depth: u64) -> u64 {
    NEXT[(depth & 1) as usize](depth + 1).rotate_left(3) ^ depth
}

fn recurse_too(depth: u64) -> u64 {
    NEXT[(depth & 1) as usize](depth + 1).rotate_left(5) ^ depth
}

/// With something in linear memory in every frame: what is used up is the stack that the guest keeps there.
pub(crate) fn recurse_large(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    if black_box(true) { recurse_large(depth + 1).wrapping_add(frame.iter().sum()) } else { depth }
}

#[cfg(target_arch = "wasm32")]
pub(crate) fn grow(mib: u32) -> Option<u32> {
    use std::arch::wasm32::{memory_grow, memory_size};
    if memory_grow::<0>(mib as usize * WASM_PAGES_A_MIB) == usize::MAX {
        return None;
    }
    Some((memory_size::<0>() / WASM_PAGES_A_MIB) as u32)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn grow(mib: u32) -> Option<u32> {
    Some(mib * WASM_PAGES_A_MIB as u32)
}

pub(crate) fn alloc_touch(mib: u32) -> u64 {
    let mut held = Vec::new();
    for _ in 0..mib {
        let mut block = vec![0_u8; MIB];
        for byte in block.iter_mut().step_by(PAGE) {
            *byte = 1;
        }
        held.push(black_box(block));
    }
    held.iter().map(|block| block.len() as u64).sum()
}

pub(crate) fn handles(count: u32) -> u32 {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX));
    }
    black_box(held).len() as u32
}

pub(crate) fn poll_many(count: u32) {
    let ready = wasip2::clocks::monotonic_clock::subscribe_duration(0);
    let names = vec![&ready; count as usize];
    black_box(wasip2::io::poll::poll(&names));
}
