//! A wall clock that somebody sets: it decides nothing. The gateway gets a clock of its own for that, and the machine keeps
//! its one: a small library before libc's adds seconds to what `CLOCK_REALTIME` says, and to nothing else.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use soulbound_tests::approvals::{decide, denied, ended, until_waiting, waiting};
use soulbound_tests::gateway::{add, until};
use soulbound_tests::{Agent, Gateway};

/// Eight bytes of a file, mapped before anything of the program runs.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
static const volatile long *ahead;
__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("AHEAD");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) ahead = mapped;
}
int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*own)(clockid_t, struct timespec *);
    if (!own) own = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int answer = own(which, now);
    if (!answer && ahead && which == CLOCK_REALTIME) now->tv_sec += *ahead;
    return answer;
}
"#;

const DAY: i64 = 86_400;

/// The clock of one gateway.
struct Clock {
    library: PathBuf,
    ahead: PathBuf,
}

impl Clock {
    /// One that is right; none where there is no compiler for it.
    fn of(agent: &Agent) -> Option<Self> {
        let (source, library, ahead) =
            (agent.outside("clock.c"), agent.outside("clock.so"), agent.outside("ahead"));
        fs::write(&source, LIBRARY).unwrap();
        fs::write(&ahead, [0_u8; 8]).unwrap();
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .stderr(Stdio::inherit())
            .status();
        if !made.is_ok_and(|made| made.success()) {
            eprintln!("NOT RUN: there is no C compiler here that makes a library");
            return None;
        }
        Some(Self { library, ahead })
    }

    /// Sets it so many seconds ahead of the machine's.
    fn set(&self, seconds: i64) {
        File::options()
            .write(true)
            .open(&self.ahead)
            .unwrap()
            .write_all_at(&seconds.to_ne_bytes(), 0)
            .unwrap();
    }

    /// The agent's gateway, by this clock.
    fn gateway<'a>(&self, agent: &'a Agent) -> Gateway<'a> {
        add(agent);
        let start = agent.program().words(&["gateway", "start"]);
        start.variable("LD_PRELOAD", &self.library).variable("AHEAD", &self.ahead).run().ends(0);
        // It runs already: this asks which it is.
        Gateway::start(agent)
    }
}

/// The day of the newest record of the agent.
fn day(agent: &Agent) -> String {
    let trail = fs::read_to_string(agent.state().join("agents/echo/audit.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(trail.lines().last().unwrap()).unwrap();
    last["time"].as_str().unwrap()[..10].to_owned()
}

#[test]
fn a_clock_that_is_set_ends_no_waiting_and_prolongs_none() {
    let toml = "[gateway]\nlisten = \"127.0.0.1:0\"\n[approvals]\nrate = \"1000/minute\"\ntimeout = ";
    let agent = Agent::new("- probe: Try\n  - write: ./ws\n  - approve: mkdir, who").guest("probe");
    let agent = agent.directory("ws").gateway(&format!("{toml}\"90s\"\n"));
    let Some(clock) = Clock::of(&agent) else { return };
    let gateway = clock.gateway(&agent);

    // Forward: what waits goes on waiting, and is approved after it.
    let call = gateway.calling("probe", "mkdir", &["path=/ws/a"]);
    let name = until_waiting(&agent, 1).remove(0);
    let today = day(&agent);
    clock.set(400 * DAY);
    gateway.call("probe", "nothing", &[]).ends(0);
    assert_ne!(day(&agent), today, "the gateway's clock was not set");
    let left = waiting(&agent)[0]["seconds"].as_u64().unwrap();
    assert!((1..=90).contains(&left), "{left} s");
    decide(&agent, &["approve", &name]).ends(0);
    assert_eq!(ended(call)["ok"], true);

    // What was approved for an hour is so after a year forward, and after two back.
    let call = gateway.calling("probe", "who", &[]);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["approve", &name, "--for", "60m"]).ends(0);
    assert_eq!(ended(call)["ok"], true);
    for ahead in [800, 0, -800] {
        clock.set(ahead * DAY);
        gateway.call("probe", "who", &[]).ends(0);
    }
    decide(&agent, &["revoke", &name]).ends(0);

    // Back: what was approved for a second, and what waits for one, ends after it all the same.
    clock.set(0);
    let call = gateway.calling("probe", "who", &[]);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["approve", &name, "--for", "1s"]).ends(0);
    assert_eq!(ended(call)["ok"], true);
    clock.set(-400 * DAY);
    let standing = || agent.run(&["approvals", "--json"]).json()["standing"].as_array().unwrap().len();
    until(|| standing() == 0, "the approval for a second to end");
    fs::write(agent.state().join("gateway.toml"), format!("{toml}\"1s\"\n")).unwrap();
    let own = || fs::read_to_string(agent.state().join("audit.jsonl")).unwrap();
    until(|| own().contains("settings.changed"), "the new settings");
    let call = gateway.calling("probe", "mkdir", &["path=/ws/b"]);
    until_waiting(&agent, 1);
    clock.set(-800 * DAY);
    assert_eq!(denied(call).0, "approval.timeout");
    assert!(!agent.path("ws/b").exists());
    // The trail's order is its own.
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_clock_that_is_set_fills_no_rate() {
    let agent = Agent::new("- probe: Try\n  - limit: rate 3/hour").guest("probe");
    let agent = agent.gateway("[gateway]\nlisten = \"127.0.0.1:0\"\n");
    let Some(clock) = Clock::of(&agent) else { return };
    let gateway = clock.gateway(&agent);
    for _ in 0..3 {
        gateway.call("probe", "nothing", &[]).ends(0);
    }
    for ahead in [0, 2, -2, 800] {
        clock.set(ahead * DAY);
        assert_eq!(gateway.call("probe", "nothing", &[]).denial(), "limit.rate", "{ahead} days ahead");
    }
}
