//! HTTP through a real guest and real sockets: what is granted works, what is not never leaves.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use soulbound_tests::{Agent, Ended, Peer};

fn agent(hosts: &str, limits: &str) -> Agent {
    Agent::new(&format!("- probe-web: Try\n  - hosts: {hosts}\n  - limit: {limits}")).guest("probe-web")
}

fn request(agent: &Agent, method: &str, url: &str, headers: Value) -> Ended {
    let arguments = json!({"method": method, "url": url, "headers": headers, "body": null});
    agent.call_json("probe-web", "request", &arguments)
}

fn get(agent: &Agent, url: &str) -> Ended {
    request(agent, "GET", url, json!([]))
}

#[test]
fn a_granted_host_answers() {
    let peer = Peer::answering("200 OK", "x-kind: test\r\n", "hello");
    let ended = get(&agent(&peer.origin(), "time 10s"), &format!("{}/path?q=1", peer.origin()));
    assert_eq!(ended.result()["status"], 200);
    assert_eq!(ended.result()["body"], "hello");
    assert!(peer.requests()[0].starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{:?}", peer.requests());
    let access = &ended.json()["accesses"][0];
    assert_eq!(access["kind"], "host");
    assert_eq!(access["decision"], "allowed");
}

#[test]
fn methods_need_a_grant_of_their_own() {
    let peer = Peer::answering("200 OK", "", "ok");
    let reading = agent(&peer.origin(), "time 10s");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"] {
        let ended = request(&reading, method, &peer.origin(), json!([]));
        assert_eq!(ended.denial(), "host.method", "{method}");
    }
    assert_eq!(peer.requests().len(), 0);
    let posting = agent(&format!("POST {}", peer.origin()), "time 10s");
    assert_eq!(request(&posting, "POST", &peer.origin(), json!([])).result()["status"], 200);
    assert_eq!(get(&posting, &peer.origin()).denial(), "host.method");
}

#[test]
fn loopback_without_a_literal_grant_is_never_reached() {
    let peer = Peer::answering("200 OK", "", "secret");
    let port = peer.origin().rsplit(':').next().unwrap().to_owned();
    let cases = [
        ("https://example.com", peer.origin()),
        ("http://127.0.0.1:9", peer.origin()),
        ("https://example.com", format!("http://localhost:{port}/")),
        ("https://example.com", format!("http://127.1:{port}/")),
        ("https://example.com", format!("http://0x7f000001:{port}/")),
        ("https://example.com", format!("http://2130706433:{port}/")),
        ("https://example.com", format!("http://[::1]:{port}/")),
        ("https://example.com", format!("http://[::ffff:127.0.0.1]:{port}/")),
        ("https://example.com", format!("http://0.0.0.0:{port}/")),
        ("https://example.com", format!("http://example.com@127.0.0.1:{port}/")),
    ];
    for (granted, url) in cases {
        let ended = get(&agent(granted, "time 10s"), &url);
        ended.ends(1);
        assert_eq!(ended.json()["ok"], false);
        assert_eq!(ended.json()["result"], Value::Null);
    }
    assert_eq!(peer.requests(), Vec::<String>::new());
}

#[test]
fn the_metadata_service_is_never_reachable() {
    for entry in ["http://169.254.169.254", "http://metadata.google.internal", "http://[fd00:ec2::254]"] {
        let agent = agent(entry, "time 5s");
        agent.run(&["check", "./SOUL.md"]).ends(1);
    }
    let ended = get(&agent("https://example.com", "time 5s"), "http://169.254.169.254/latest/meta-data/");
    ended.ends(1);
    assert!(ended.denial().starts_with("host."));
}

#[test]
fn a_redirect_goes_back_to_the_guest_and_is_not_followed() {
    let secret = Peer::answering("200 OK", "", "secret");
    let location = format!("location: {}/\r\n", secret.origin());
    let peer = Peer::answering("302 Found", location.leak(), "");
    let ended = get(&agent(&peer.origin(), "time 10s"), &peer.origin());
    assert_eq!(ended.result()["status"], 302);
    assert!(ended.result()["headers"].to_string().contains(&secret.origin()));
    assert_eq!(secret.requests().len(), 0);
}

#[test]
fn headers_that_change_where_a_request_goes_do_not_leave() {
    let peer = Peer::answering("200 OK", "", "ok");
    let agent = agent(&peer.origin(), "time 10s");
    for name in [
        "Host",
        "Connection",
        "Proxy-Authorization",
        "Transfer-Encoding",
        "Upgrade",
        "X-HTTP-Method-Override",
    ] {
        let ended = request(&agent, "GET", &peer.origin(), json!([[name, "evil.example"]]));
        assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
    }
    for head in peer.requests() {
        assert!(!head.contains("evil.example"), "{head}");
    }
    assert_eq!(request(&agent, "GET", &peer.origin(), json!([["X-Own", "fine"]])).result()["status"], 200);
    assert!(peer.requests().last().unwrap().to_lowercase().contains("x-own: fine"));
}

#[test]
fn the_host_s_proxy_variables_are_not_used() {
    let (proxy, peer) = (Peer::answering("200 OK", "", "proxied"), Peer::answering("200 OK", "", "direct"));
    let agent = agent(&peer.origin(), "time 10s");
    let mut program = agent.program().words(&["call", "--json", "./SOUL.md", "probe-web", "request", "-"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        program = program.variable(name, proxy.origin());
    }
    let arguments = json!({"method": "GET", "url": peer.origin(), "headers": [], "body": null});
    assert_eq!(program.input(arguments.to_string()).run().result()["body"], "direct");
    assert_eq!(proxy.requests().len(), 0);
}

/// Ends within the deadline and half a second, by the call's own clock.
fn times_out(ended: &Ended) {
    assert_eq!(ended.denial(), "limit.time");
    let duration = Duration::from_micros(ended.json()["duration_us"].as_u64().unwrap());
    assert!(duration >= Duration::from_secs(1) && duration < Duration::from_millis(1_500), "{duration:?}");
}

#[test]
fn a_peer_that_never_answers_is_ended_by_the_time() {
    let peer = Peer::silent();
    times_out(&get(&agent(&peer.origin(), "time 1s"), &peer.origin()));
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn a_peer_of_one_byte_a_second_is_ended_by_the_time() {
    let peer = Peer::trickling();
    times_out(&get(&agent(&peer.origin(), "time 1s"), &peer.origin()));
}

#[test]
fn endless_heads_and_informational_answers_are_bounded() {
    let flood =
        Peer::start(|_, stream| while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_ok() {});
    let long = Peer::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-filler: 0123456789012345678901234567890123456789\r\n").is_ok() {}
    });
    for peer in [flood, long] {
        let ended = get(&agent(&peer.origin(), "time 2s"), &peer.origin());
        ended.ends(1);
        assert!(ended.took < Duration::from_secs(8), "{:?}", ended.took);
        assert!(ended.peak < 128 << 20, "{} MiB", ended.peak >> 20);
    }
}

#[test]
fn an_endless_body_is_cut_and_a_claimed_length_allocates_nothing() {
    let endless = Peer::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let chunk = [b'x'; 65_536];
        while stream.write_all(&chunk).is_ok() {}
    });
    let claimed = Peer::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\nx");
    });
    for peer in [endless, claimed] {
        let ended = get(&agent(&peer.origin(), "time 4s"), &peer.origin());
        ended.ends(1);
        assert!(ended.peak < 160 << 20, "{} MiB", ended.peak >> 20);
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    }
}

#[test]
fn a_server_that_speaks_something_else_is_an_error() {
    for answer in
        [&b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"[..], b"SSH-2.0-x\r\n", b"HTTP/1.1 99999 ?\r\n\r\n", b""]
    {
        let peer = Peer::start(move |_, stream| drop(stream.write_all(answer)));
        let ended = get(&agent(&peer.origin(), "time 5s"), &peer.origin());
        ended.ends(1);
        assert_eq!(ended.json()["error"]["kind"], "tool", "{ended:?}");
    }
}

#[test]
fn uploads_count_against_the_egress_budget_across_runs() {
    let peer = Peer::answering("200 OK", "", "ok");
    let agent = agent(&format!("POST {}", peer.origin()), "egress 4KiB/hour, time 10s");
    let upload = |bytes: u64| {
        agent.call_json("probe-web", "upload", &json!({"url": format!("{}/", peer.origin()), "bytes": bytes}))
    };
    upload(1_000).ends(0);
    let ended = upload(8_000);
    assert_eq!(ended.denial(), "limit.egress");
    let mut refused = false;
    for _ in 0..4 {
        refused |= upload(1_000).code == Some(1);
    }
    assert!(refused, "the budget did not outlive the runs");
}

#[test]
fn many_requests_at_once_are_bounded() {
    let peer = Peer::answering("200 OK", "", "ok");
    let agent = agent(&peer.origin(), "time 10s");
    let ended = agent.call_json("probe-web", "request-many", &json!({"url": peer.origin(), "count": 10_000}));
    assert!(peer.requests().len() < 1_000, "{}", peer.requests().len());
    assert!(ended.denials().iter().any(|id| id.starts_with("limit.")), "{:?}", ended.denials());
    assert_eq!(get(&agent, &peer.origin()).result()["status"], 200);
}
