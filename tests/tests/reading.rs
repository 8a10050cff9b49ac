//! What a person reads, whole: snapshots of the commands' output, with what varies filtered out.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::fs;

use soulbound_tests::{Agent, Ended, guest, root};

/// Guardian, as the repository ships it.
fn guardian() -> Agent {
    let from = root().join("examples/guardian");
    let agent = Agent::with_soul(&fs::read_to_string(from.join("SOUL.md")).unwrap());
    guest::copy(&from, &agent.folder());
    agent
}

fn shown(ended: &Ended) -> String {
    format!("exit {}\n--- stdout\n{}--- stderr\n{}", ended.code.unwrap(), ended.stdout, ended.stderr)
}

/// Digests, sizes, versions of WASI and the temporary place differ from build to build and run to run.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{64}", "[digest]");
    settings.add_filter(r"\(\d+ bytes\)", "([n] bytes)");
    settings.add_filter(r"@0\.2\.\d+", "@0.2.x");
    settings.add_filter(r"/\S*/soulbound-test-\w+", "[place]");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

fn reads_as(name: &str, ended: &Ended) {
    settings().bind(|| insta::assert_snapshot!(name, shown(ended)));
}

#[test]
fn a_check() {
    reads_as("check-guardian", &guardian().run(&["check", "./SOUL.md"]));
}

#[test]
fn a_check_of_a_file_with_errors() {
    let agent = Agent::new("- probe: Try\n  - raed: ./docs\n  - hosts: https://*.com\nstray");
    reads_as("check-errors", &agent.run(&["check", "./SOUL.md"]));
}

#[test]
fn a_call_that_is_allowed() {
    let words = ["call", "./SOUL.md", "file-reader", "read", "path=/documents/policy.md", "length=40"];
    reads_as("call-allowed", &guardian().run(&words));
}

#[test]
fn a_call_that_is_denied() {
    let words = ["call", "./SOUL.md", "file-reader", "read", "path=/documents/../SOUL.md"];
    reads_as("call-denied", &guardian().run(&words));
}

#[test]
fn a_host_that_is_denied() {
    let words = ["call", "./SOUL.md", "browser", "fetch", "url=https://evil.test/steal?x=1"];
    reads_as("call-host-denied", &guardian().run(&words));
}

#[test]
fn a_component_against_a_grant() {
    let skill = guest::standard("browser");
    reads_as(
        "inspect-against",
        &guardian().run(&["inspect", skill.to_str().unwrap(), "--against", "./SOUL.md"]),
    );
}

#[test]
fn why_a_host_is_allowed_or_not() {
    let agent = guardian();
    reads_as(
        "why-allowed",
        &agent.run(&["why", "./SOUL.md", "browser", "--host", "https://en.wikipedia.org/x"]),
    );
    reads_as("why-denied", &agent.run(&["why", "./SOUL.md", "browser", "--host", "https://evil.test/"]));
}

#[test]
fn the_metadata_table() {
    reads_as("explain-metadata", &guardian().run(&["explain", "metadata"]));
}

#[test]
fn one_denial_explained() {
    reads_as("explain-path-outside", &guardian().run(&["explain", "path.outside"]));
}
