//! Attacks on limits: time, memory, stack, handles, disk, output, the log, requests, calls to the host.

use serde_json::{Value, json};
use soulbound_runtime::grant::DirectoryMode;

use super::Ground;
use super::network::Open;
use super::paths::at;
use crate::redteam::attack::{Aim, Amount, Attack, Class, Contact, Counted, ProbeKind};
use crate::redteam::probe::DISK;
use crate::redteam::scratch::INSIDE;

/// The most handles that a call may hold: what a guest asks for beyond it has to end the call, so it asks for what it could get
/// and tell. More open files than this in one process is an outage.
const HANDLES: u64 = 1_024;
/// Random bytes in one call to the host.
const RANDOM: u64 = 1 << 20;
/// Calls within calls that end again. No frame is smaller than a return address and a frame pointer, 16 bytes, so what the engine
/// gives, 512 KiB, holds no more than the first; the second asks for twice of it at least.
const FRAMES: u64 = (512 << 10) / 16;
const DEEP: u64 = FRAMES * 2;
/// What is passed to the host in one step may have so many bytes more than a result.
const STEP: u64 = 2 << 20;
/// Requests of one call, by the runtime's own limit.
const REQUESTS: u64 = 100;

/// Every attack on a limit.
pub(super) fn attacks(ground: &Ground<'_>) -> Vec<Attack> {
    let target = ground.target;
    let limits = target.probe(ProbeKind::Files).map(soulbound_runtime::sandbox::BoundSkill::limits);
    let memory = limits.map_or(0, |limits| limits.memory >> 20);
    let output = limits.map_or(0, |limits| limits.output);
    // What is passed to the host in one step has no more bytes than this, and each name has four of them.
    let names = (output + STEP) / 4;
    let waste = |what: &str, why: &str, amount: u64, most: Option<u64>| {
        let attack =
            Attack::new(Class::Exhaustion, what, why, "waste", json!({"what": what, "amount": amount}));
        match most {
            Some(most) => attack.aim(Aim::AtMost(Amount { of: Counted::Returned, most })),
            None => attack,
        }
    };
    let named = |name: &str, why: &str, what: &str, amount: u64, most: u64| {
        let arguments = json!({"what": what, "amount": amount});
        let attack = Attack::new(Class::Exhaustion, name, why, "waste", arguments);
        attack.aim(Aim::AtMost(Amount { of: Counted::Returned, most }))
    };
    let mut all = vec![
        waste("spin", "computes without end", 0, None),
        waste("sleep", "sleeps for an hour", 3_600_000, None),
        waste("host-calls", "calls the host without end", 0, None),
        waste("memory", "takes twice the memory", memory * 2 + 64, Some(memory)),
        waste("stack", "recurses without end", 0, None),
        // That a call ends says nothing of a limit: every stack does. This one would return.
        named("stack-deep", "recurses deeper than its stack is, and returns", "stack", DEEP, FRAMES),
        waste("handles", "holds thousands of handles", HANDLES * 4, Some(HANDLES)),
        waste("random", "asks for more random numbers at once than it may", RANDOM * 8, Some(RANDOM)),
        waste("poll", "waits on millions of names of one thing", names * 2, Some(names)),
        waste("print", "prints 64 MiB", 64 << 20, None),
        waste("log", "logs 100,000 lines", 100_000, None),
        waste("progress", "reports progress a million times", 1_000_000, None),
    ];
    let result = Attack::new(
        Class::Exhaustion,
        "result",
        "returns twice the output",
        "bulk",
        json!({"bytes": output * 2 + 4096}),
    );
    all.push(result.aim(Aim::AtMost(Amount { of: Counted::Result, most: output })));
    let fresh =
        Attack::new(Class::Exhaustion, "instance", "finds what an earlier call left", "calls", json!({}));
    let mut fresh = fresh.aim(Aim::AtMost(Amount { of: Counted::Returned, most: 1 }));
    fresh.times = 3;
    all.push(fresh);
    for given in &target.given {
        let mut below = |what: &str, why: &str, amount: u64, path: String, most: u64| {
            let arguments = json!({"what": what, "amount": amount, "path": path});
            let attack =
                Attack::new(Class::Exhaustion, &format!("{what}@{}", given.guest), why, "waste", arguments);
            all.push(attack.aim(Aim::AtMost(Amount { of: Counted::Returned, most })));
        };
        if given.mode != DirectoryMode::Create {
            below("files", "holds one file open thousands of times", HANDLES * 2, at(given, INSIDE), HANDLES);
        }
        if given.mode != DirectoryMode::Read {
            below("disk", "writes twice what it may", DISK * 2, at(given, "rt-disk.bin"), DISK);
            below("size", "makes a file of a terabyte", 1 << 40, at(given, "rt-size.bin"), DISK);
            // Each counts as 4 KiB of what a call may write.
            below(
                "make-files",
                "makes twice the files that it may",
                DISK / 4096 * 2,
                given.guest.trim_start_matches('/').to_owned(),
                DISK / 4096,
            );
        }
    }
    all
}

/// Requests beyond what one call may make. Quick, and in turn: what arrives has to be its own doing.
pub(super) fn requests(ground: &Ground<'_>) -> Option<Attack> {
    let grant = ground.target.entry.grant.hosts.first()?;
    ground.target.probe(ProbeKind::Http)?;
    let open = Open::of(grant)?;
    let many: Vec<Value> = (0..REQUESTS * 2).map(|_| open.request()).collect();
    let contact = Contact { most: Some(REQUESTS), ..open.contact() };
    let attack =
        Attack::new(Class::Exhaustion, "requests", "sends without end", "fetch", json!({"requests": many}));
    Some(attack.over_http(contact))
}
