//! Components that cost a compiler everything: the program refuses them, or compiles them, in bounded time and memory.
//!
//! The child does the work, so what is measured is both: the program's own memory, and the wall clock for the two.

use std::time::Duration;

use soulbound_tests::gateway::{is_running, until};
use soulbound_tests::{Agent, Ended, corpus, guest};

/// Ten seconds of processor time for the child, on a busy machine.
const LONGEST: Duration = Duration::from_secs(25);

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component around a core module of so many functions of type `() -> ()`, each with this body, whose first is
/// the tool `run`.
fn module(functions: usize, body: &[u8]) -> Vec<u8> {
    let entry = [&leb(body.len())[..], body].concat();
    let core = [
        &b"\0asm\x01\0\0\0"[..],
        &section(1, &[1, 0x60, 0, 0]),
        &section(3, &[&leb(functions)[..], &vec![0; functions]].concat()),
        &section(7, b"\x01\x03run\x00\x00"),
        &section(10, &[&leb(functions)[..], &entry.repeat(functions)].concat()),
    ]
    .concat();
    // The rest is that of the corpus's good component: instance, alias, type, lift, export.
    let rest = b"\x02\x04\x01\x00\x00\x00\x06\x09\x01\x00\x00\x01\x00\x03run\x07\x05\x01\x40\x00\x01\x00\x08\x06\x01\x00\x00\x00\x00\x00\x0b\x09\x01\x00\x03run\x01\x00\x00";
    [COMPONENT, &section(1, &core), rest].concat()
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(COMPONENT.to_vec(), |inner, _| [COMPONENT, &section(4, &inner)].concat())
}

/// `call` compiles, `inspect` only decodes: both are bounded.
fn is_bounded(name: &str, component: &[u8]) -> [Ended; 2] {
    let agent = Agent::new("- s: Try").component("s", component);
    let runs = [agent.run(&["inspect", "./skills/s", "--json"]), agent.call("s", "run", &[])];
    for ended in &runs {
        assert!(matches!(ended.code, Some(0..=2)), "{name}: {:?}", ended.code);
        assert!(ended.took < LONGEST, "{name} took {:?}", ended.took);
        assert!(ended.peak < 512 << 20, "{name}: {} MiB in the program itself", ended.peak >> 20);
        if ended.code == Some(2) {
            let clear = ["cannot be used", "more than", "does not load"];
            assert!(clear.iter().any(|text| ended.said().contains(text)), "{name}: {ended:?}");
        }
    }
    runs
}

#[test]
fn the_generator_makes_components_that_run() {
    let agent = Agent::new("- s: Try").component("s", &module(3, &[0, 0x0b]));
    agent.call("s", "run", &[]).ends(0);
}

#[test]
fn twenty_thousand_nested_components_are_refused() {
    for ended in is_bounded("nested-20000", &nested(20_000)) {
        ended.ends(2);
    }
}

#[test]
fn a_million_functions_are_bounded() {
    is_bounded("functions-999999", &module(999_999, &[0, 0x0b]));
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let body = [&[0][..], &vec![0x01; 8_000_000], &[0x0b]].concat();
    for ended in is_bounded("body-8m", &module(1, &body)) {
        ended.ends(2);
    }
}

#[test]
fn seven_hundred_thousand_dependent_additions_are_bounded() {
    let adding = [0x41, 1, 0x6a].repeat(700_000);
    let body = [&[0, 0x41, 0][..], &adding, &[0x1a, 0x0b]].concat();
    is_bounded("body-arith-2m", &module(1, &body));
}

/// Each local is read before any is written, and all of them live around a loop that no compiler can unroll.
#[test]
fn forty_nine_thousand_live_locals_are_bounded() {
    const LOCALS: usize = 49_000;
    let read = (0..LOCALS).flat_map(|local| [&[0x20][..], &leb(local), &[0x42, 1, 0x7c]].concat());
    let written = (0..LOCALS).flat_map(|local| [&[0x21][..], &leb(local)].concat());
    let declared = [&[1][..], &leb(LOCALS), &[0x7e]].concat();
    let looped = [&[0x03, 0x40][..], &read.chain(written).collect::<Vec<u8>>()].concat();
    let again = [0x20, 0, 0x42, 100, 0x54, 0x0d, 0, 0x0b];
    is_bounded("locals-49k", &module(1, &[declared, looped, again.to_vec(), vec![0x0b]].concat()));
}

#[test]
fn a_million_blocks_are_bounded() {
    let blocks = [0x02, 0x40, 0x41, 0, 0x0d, 0, 0x0b].repeat(1_000_000);
    is_bounded("blocks-1m", &module(1, &[&[0][..], &blocks, &[0x0b]].concat()));
}

#[test]
fn instances_that_double_at_every_level_are_bounded() {
    let corpus = corpus("components.json");
    let case = corpus["cases"].as_array().unwrap().iter().find(|case| case["id"] == "W150").unwrap();
    is_bounded("2^16 instances", &guest::component(case["wat"].as_str().unwrap()));
    let mut text = "(component $c0)".to_owned();
    for level in 1..=25 {
        let below = level - 1;
        text = format!(
            "(component $c{level} {text} (instance (instantiate $c{below})) (instance (instantiate $c{below})))"
        );
    }
    for ended in is_bounded("2^25 instances", &guest::component(&text)) {
        assert_ne!(ended.code, Some(101));
    }
}

#[test]
fn ten_thousand_core_instances_are_refused() {
    let instances = "(core instance (instantiate $m))".repeat(10_000);
    let component = guest::component(&format!("(component (core module $m) {instances})"));
    for ended in is_bounded("instances-10k", &component) {
        ended.ends(2);
    }
}

#[test]
fn a_component_over_the_size_limit_is_refused_unread() {
    let custom = [&[1, b'x'][..], &vec![0; 64 << 20]].concat();
    let component = [module(1, &[0, 0x0b]), section(0, &custom)].concat();
    for ended in is_bounded("custom-64m", &component) {
        ended.ends(2);
        assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
    }
}

#[test]
fn edits_of_a_good_component_are_refused_or_run_by_the_real_child() {
    let good = module(2, &[0, 0x0b]);
    let agent = Agent::new("- s: Try");
    for number in 0..60_usize {
        let mut bytes = good.clone();
        let at = 8 + number * 37 % (bytes.len() - 8);
        match number % 3 {
            0 => bytes[at] ^= 0xff,
            1 => bytes.insert(at, 0x80),
            _ => bytes.truncate(at),
        }
        guest::write(&agent.skill("s"), "s", &bytes);
        let ended = agent.call("s", "run", &[]);
        assert!(matches!(ended.code, Some(0..=2)), "edit {number}: {ended:?}");
        assert!(!ended.said().contains("panicked") && ended.took < LONGEST, "edit {number}: {ended:?}");
    }
}

/// Processor time that a process has used, in hundredths of a second (the kernel's `USER_HZ`, 100 on Linux).
fn processor_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
}

/// Left alone, this one computes until its processor time is up: 8 s. So what tells is how much of that it used.
#[test]
fn a_compiling_child_dies_with_its_parent() {
    let adding = [0x41, 1, 0x6a].repeat(700_000);
    let body = [&[0, 0x41, 0][..], &adding, &[0x1a, 0x0b]].concat();
    let agent = Agent::new("- s: Try").component("s", &module(1, &body));
    let soul = agent.soul();
    let mut parent = agent.program().words(&["call", soul.to_str().unwrap(), "s", "run"]).start();
    let pid = i32::try_from(parent.id()).unwrap();
    let mut child = 0;
    until(
        || {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
            let children =
                threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
            child = children
                .flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .next()
                .map_or(0, |pid| pid.parse().unwrap());
            // It has begun with its work: the limits on itself stand.
            child != 0 && processor_time(child).is_some_and(|used| used >= 20)
        },
        "the child to compile",
    );
    parent.kill().unwrap();
    parent.wait().unwrap();
    let mut used = 0;
    until(
        || {
            used = processor_time(child).unwrap_or(used);
            !is_running(child)
        },
        "the child to die",
    );
    assert!(used < 400, "{used} hundredths of a second: it went on without its parent");
}
