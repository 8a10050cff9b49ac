//! The host's own posts: where they go, what is told of them, and that each ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::server::{self, Identity, Log, Script, reply};
use super::world::{FakeDialer, FakeResolver};
use crate::sandbox::network::{NetworkConfig, Outbound, OutboundError, OutboundUrl, ProxyUrl, Sent};

const NAME: &str = "hooks.example.com";
const SECRET: &str = "T0-secret-path";

/// A way out whose every name leads to one recording server.
async fn outbound(names: &[&str], script: Script) -> (Outbound, Arc<Log>, SocketAddr) {
    let identity = Identity::of(names);
    let (server, log) = server::start(&identity, script).await;
    let config = NetworkConfig {
        resolver: Arc::new(FakeResolver::default()),
        dialer: Arc::new(FakeDialer { server, dialled: Default::default(), dead: Default::default() }),
        extra_ca_pem: Some(identity.ca_pem.into_bytes()),
        ..NetworkConfig::default()
    };
    let mut outbound = Outbound::new(&config).unwrap();
    outbound.connect_within = Duration::from_millis(1_500);
    outbound.whole_within = Duration::from_secs(3);
    (outbound, log, server)
}

fn hook() -> OutboundUrl {
    OutboundUrl::parse(&format!("https://{NAME}/services/{SECRET}?wait=true")).unwrap()
}

#[tokio::test]
async fn a_post_arrives_as_it_was_written() {
    let (outbound, log, _) = outbound(&[NAME], Script::Reply(reply("204 No Content", "", ""))).await;
    let headers = [("content-type", "application/json"), ("soulbound-signature", "t=1,v1=00")];
    let sent = outbound.post(&hook(), &headers, "{\"text\":\"hello\"}").await;
    assert_eq!(sent, Ok(Sent { status: 204 }));
    let seen = &log.seen()[0];
    assert!(seen.head.starts_with(&format!("POST /services/{SECRET}?wait=true HTTP/1.1\r\n")), "{seen:?}");
    for line in
        ["host: hooks.example.com\r\n", "soulbound-signature: t=1,v1=00\r\n", "content-length: 16\r\n"]
    {
        assert!(seen.head.contains(line), "{seen:?}");
    }
    assert_eq!(seen.body, 16);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let elsewhere = reply(status, "location: https://elsewhere.example.com/\r\n", "");
        let (outbound, log, _) = outbound(&[NAME, "elsewhere.example.com"], Script::Reply(elsewhere)).await;
        let error = outbound.post(&hook(), &[], "x").await.unwrap_err();
        assert!(matches!(error, OutboundError::Redirect(_)) && !error.may_pass(), "{error}");
        assert_eq!(log.seen().len(), 1);
    }
}

#[tokio::test]
async fn what_refuses_is_told_with_its_status_and_nothing_of_the_url() {
    let echo = format!("no such hook: /services/{SECRET}");
    for (status, body, again) in
        [("500 Oops", "try_later", true), ("404 Not Found", echo.as_str(), false), ("429 Slow", "", true)]
    {
        let (outbound, _, _) = outbound(&[NAME], Script::Reply(reply(status, "", body))).await;
        let error = outbound.post(&hook(), &[], "x").await.unwrap_err();
        assert_eq!(error.may_pass(), again, "{error}");
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        assert!(shown.contains(status.split_once(' ').unwrap().0), "{shown}");
        assert!(!shown.contains(SECRET) && !debug.contains(SECRET), "{debug}");
    }
}

#[tokio::test]
async fn whoever_hangs_or_drips_is_cut_off() {
    let drip = |start: &str| Script::Drip {
        start: start.to_owned(),
        piece: "x".to_owned(),
        pause: Duration::from_millis(50),
    };
    for script in [Script::Silence, drip("HTTP/1.1 200 OK\r\nx-a: "), drip("")] {
        let (outbound, _, _) = outbound(&[NAME], script).await;
        let started = Instant::now();
        let error = outbound.post(&hook(), &[], "x").await.unwrap_err();
        assert!(error.may_pass(), "{error}");
        assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    }
    // An error page without an end: its status is known, the rest is not waited for.
    let endless = drip("HTTP/1.1 503 Busy\r\ncontent-length: 9000000\r\n\r\n");
    let (outbound, _, _) = outbound(&[NAME], endless).await;
    let error = outbound.post(&hook(), &[], "x").await.unwrap_err();
    assert!(matches!(error, OutboundError::Status { status: 503, said: None }), "{error:?}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (outbound, log, _) = outbound(&["other.example.com"], Script::Reply(reply("200 OK", "", ""))).await;
    let error = outbound.post(&hook(), &[], "x").await.unwrap_err();
    assert_eq!((error.clone(), error.may_pass()), (OutboundError::Tls, false));
    assert!(log.seen().is_empty());
}

#[tokio::test]
async fn the_proxy_is_for_what_leaves_the_machine() {
    let identity = Identity::of(&[NAME]);
    let (server, log) = server::start(&identity, Script::Reply(reply("200 OK", "", ""))).await;
    let (proxy, proxied) = server::start(&identity, Script::Reply(reply("403 No", "", ""))).await;
    let config = NetworkConfig {
        resolver: Arc::new(FakeResolver::default()),
        proxy: Some(ProxyUrl::parse(&format!("http://{proxy}")).unwrap()),
        ..NetworkConfig::default()
    };
    let outbound = Outbound::new(&config).unwrap();
    let local = OutboundUrl::parse(&format!("http://{server}/hook")).unwrap();
    assert_eq!(outbound.post(&local, &[], "x").await, Ok(Sent { status: 200 }));
    assert_eq!((log.seen().len(), proxied.accepted.load(Ordering::SeqCst)), (1, 0));
    assert_eq!(outbound.post(&hook(), &[], "x").await, Err(OutboundError::Connect));
    assert!(proxied.seen()[0].head.starts_with("CONNECT 93.184.215."), "{:?}", proxied.seen());
}
