//! The second matcher against the runtime's about hosts: random `hosts` entries, random requests as the trail has them, an
//! effect's whole URL and an outcome's origin.

use std::cell::Cell;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use soulbound_runtime::Soul;
use soulbound_runtime::grant::host::{Target, permits};

use super::files::Course;
use super::judge::{Ruling, Tried, judge};

/// An entry, with the one range that it may need. What does not parse together is nobody's SOUL.md.
fn entry() -> impl Strategy<Value = String> {
    let methods = prop::sample::select(vec!["", "", "POST ", "GET POST ", "DELETE PUT ", "HEAD "]);
    let scheme = prop::sample::select(vec!["", "", "https://", "https://", "http://"]);
    let host = prop::sample::select(vec![
        ("a.example.com", ""),
        ("a.example.com", ""),
        ("b.a.example.com", ""),
        ("*.example.com", ""),
        ("*.a.example.com", ""),
        ("example.com", ""),
        ("x.test", ""),
        ("127.0.0.1", ""),
        ("10.9.9.9", " (private 10.9.0.0/16)"),
        ("10.0.0.0/8", " (private 10.0.0.0/8)"),
        ("10.9.0.0/16", " (private 10.9.0.0/16)"),
        ("93.184.216.0/24", ""),
        ("93.184.216.34", ""),
        ("[2606:4700::/32]", ""),
        ("[2606:4700::1]", ""),
    ]);
    let port = prop::sample::select(vec!["", "", "", ":443", ":80", ":8443"]);
    (methods, scheme, host, port).prop_map(|(methods, scheme, (host, private), port)| {
        format!("`{methods}{scheme}{host}{port}{private}`")
    })
}

fn entries() -> impl Strategy<Value = Vec<String>> {
    let entries = prop::collection::vec(entry(), 1..6);
    entries.prop_filter("nobody's SOUL.md", |entries| soul(entries).is_some())
}

fn soul(entries: &[String]) -> Option<Soul> {
    let hosts = entries.join(", ");
    let text = format!("# A\n## Identity\n- Name: Echo\n## Skills\n- probe: x\n  - hosts: {hosts}\n");
    Soul::parse("SOUL.md", text.as_bytes()).ok()
}

/// A method and where it goes.
fn request() -> impl Strategy<Value = (&'static str, Target)> {
    let name = prop::sample::select(vec![
        "a.example.com",
        "a.example.com",
        "a.example.com",
        "b.a.example.com",
        "b.a.example.com",
        "c.b.a.example.com",
        "example.com",
        "evilexample.com",
        "a.example.com.evil.test",
        "xa.example.com",
        "127.0.0.1",
        "127.0.0.2",
        "10.9.9.9",
        "10.8.0.1",
        "11.0.0.1",
        "93.184.216.34",
        "93.184.217.34",
        "[2606:4700::1]",
        "[2606:4700:0:0::2]",
        "[2606:4701::1]",
        "x.test",
    ]);
    let port = prop::sample::select(vec!["", "", "", ":443", ":80", ":8443", ":8080"]);
    let method = prop::sample::select(vec!["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]);
    (method, prop::sample::select(vec!["https", "https", "https", "http"]), name, port).prop_map(
        |(method, scheme, name, port)| {
            (method, Target::from_parts(scheme, &format!("{name}{port}")).unwrap())
        },
    )
}

/// What the second matcher makes of it as an outcome has it, and as an effect has it.
fn granted(soul: &Soul, method: &str, target: &Target) -> [bool; 3] {
    let urls = ["", "/", "/x:8443/@a.example.com?https://x.test"].map(|path| format!("{target}{path}"));
    urls.map(|url| {
        let tried = Tried { kind: "host", target: &url, access: method, failed: false };
        judge(soul, "probe", &tried, &mut Course::default()) == Ruling::Granted
    })
}

fn run<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(error) = TestRunner::new(config).run(strategy, test) {
        panic!("{error}");
    }
}

#[test]
fn both_matchers_agree_about_hosts() {
    let (permitted, refused) = (Cell::new(0), Cell::new(0));
    run(&(entries(), prop::collection::vec(request(), 60)), |(entries, requests)| {
        let soul = soul(&entries).unwrap();
        for (method, target) in requests {
            let first = permits(&soul.skills()[0].grant.hosts, method, &target).is_ok();
            let second = granted(&soul, method, &target);
            prop_assert_eq!([first; 3], second, "{} {}: {:?}", method, target, soul.skills()[0].grant.hosts);
            let count = if first { &permitted } else { &refused };
            count.set(count.get() + 1);
        }
        Ok(())
    });
    let (permitted, refused) = (permitted.get(), refused.get());
    assert!(permitted > 200 && refused > 3_000, "{permitted} permitted, {refused} refused");
}

#[test]
fn what_a_narrowed_soul_lets_be_asked_both_of_its_two_do() {
    let (permitted, by_one) = (Cell::new(0), Cell::new(0));
    let requests = prop::collection::vec(request(), 60);
    run(&(entries(), entries(), entries(), requests), |(both, one, other, requests)| {
        let souls = (soul(&[one, both.clone()].concat()), soul(&[both, other].concat()));
        let (Some(one), Some(other)) = souls else { return Ok(()) };
        let narrowed = one.narrowed_by(&other, Path::new("/agent"));
        for (method, target) in requests {
            let asked = permits(&narrowed.skills()[0].grant.hosts, method, &target).is_ok();
            let [one, other] = [&one, &other].map(|soul| granted(soul, method, &target) == [true; 3]);
            prop_assert_eq!(asked, one && other, "{} {}: {} {}", method, target, one, other);
            permitted.set(permitted.get() + u32::from(asked));
            by_one.set(by_one.get() + u32::from(one != other));
        }
        Ok(())
    });
    let (permitted, by_one) = (permitted.get(), by_one.get());
    assert!(permitted > 30 && by_one > 300, "{permitted} permitted by both, {by_one} by one");
}
