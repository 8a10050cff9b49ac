//! Servers, resolvers and guests that want more than their share.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions};

use super::server::{Script, reply};
use super::world::{Answer, TestCall, World, full, request};
use crate::denial::DenialId;

const URL: &str = "http://api.example.com/";
const GRANT: &[&str] = &["GET POST http://api.example.com"];

async fn world(script: Script) -> World {
    let mut world = World::plain(script).await;
    let limits = &mut world.config.limits;
    limits.connect_timeout = Duration::from_millis(400);
    limits.first_byte_timeout = Duration::from_millis(400);
    limits.response_body = 100_000;
    limits.request_body = 50_000;
    limits.headers = 16 << 10;
    limits.requests_per_call = 5;
    limits.concurrent = 2;
    world
}

fn drip(start: &str, piece: &str, pause: u64) -> Script {
    Script::Drip { start: start.into(), piece: piece.into(), pause: Duration::from_millis(pause) }
}

/// Sends, reads to the end, and fails if that takes longer than three seconds.
async fn outcome(world: &World) -> (Result<String, Error>, TestCall) {
    let call = TestCall::of(&world.skill(GRANT));
    let outcome = tokio::time::timeout(Duration::from_secs(3), call.text(URL)).await.expect("it never ended");
    (outcome, call)
}

#[tokio::test]
async fn a_server_that_never_answers_or_stalls_is_given_up() {
    for script in [
        Script::Silence,
        drip("HTTP/1.1 200 OK\r\nx-a: ", "a", 50),
        drip("", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", 0),
        drip("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\nabc", "", 10_000),
        drip("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "", 10_000),
    ] {
        let (outcome, _) = outcome(&world(script).await).await;
        assert!(matches!(outcome, Err(Error::ConnectionReadTimeout)), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit_and_on_record() {
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    for script in [
        drip("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &chunk, 0),
        drip("HTTP/1.1 200 OK\r\n\r\n", &chunk, 0),
        Script::Reply("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551613\r\n\r\n".into()),
        Script::Reply(reply("200 OK", "", &"x".repeat(100_001))),
    ] {
        let (outcome, call) = outcome(&world(script).await).await;
        assert!(matches!(outcome, Err(Error::HttpResponseBodySize(Some(100_000)))), "{outcome:?}");
        assert_eq!(call.denial().id, DenialId::LimitBody);
    }
    let (outcome, _) = outcome(&world(Script::Reply(reply("200 OK", "", &"x".repeat(100_000)))).await).await;
    assert_eq!(outcome.unwrap().len(), 100_000, "the limit itself is fine");
}

#[tokio::test]
async fn endless_or_countless_headers_are_refused() {
    let many = "a: b\r\n".repeat(300);
    for script in [
        drip("HTTP/1.1 200 OK\r\n", &"x-a: yyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(20), 0),
        drip("HTTP/1.1 200 OK\r\nx-a: ", &"y".repeat(5_000), 0),
        Script::Reply(reply("200 OK", &many, "")),
        Script::Reply(reply("200 OK", &format!("x-a: {}\r\n", "y".repeat(20_000)), "")),
    ] {
        let (outcome, _) = outcome(&world(script).await).await;
        assert!(matches!(outcome, Err(Error::HttpResponseHeaderSectionSize(None))), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_an_error_and_nothing_more() {
    for script in [
        Script::Reply("SSH-2.0-OpenSSH_9.9\r\n\r\n".into()),
        Script::Reply("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd".into()),
        Script::Reply("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".into()),
        Script::Reply("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".into()),
        Script::Reply("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nshort".into()),
    ] {
        let (outcome, _) = outcome(&world(script).await).await;
        assert!(outcome.is_err(), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_lookup_that_never_ends_is_given_up_and_cannot_use_up_the_resolver() {
    let world = world(Script::Silence).await;
    world.resolver.answers.lock().unwrap().insert("api.example.com".into(), Answer::Never);
    let skill = world.skill(GRANT);
    for _ in 0..6 {
        let call = TestCall::of(&skill);
        assert!(matches!(call.get(URL).await, Err(Error::DnsTimeout)));
        assert_eq!(call.ledger().accesses.len(), 1);
    }
    assert_eq!(
        world.asked().len(),
        super::super::LOOKUPS_PER_SKILL,
        "the rest waited for a slot of their own skill"
    );
}

#[tokio::test]
async fn ten_thousand_answers_are_judged_up_to_a_cap_and_four_are_tried() {
    let mut world = world(Script::Silence).await;
    world.config.limits.connect_timeout = Duration::from_millis(200);
    let many: Vec<_> =
        (0..10_000_u32).map(|n| std::net::IpAddr::from((0x5db8_0000 + n).to_be_bytes())).collect();
    world.dialer.dead.lock().unwrap().extend(many.iter().copied());
    world.resolver.answers.lock().unwrap().insert("api.example.com".into(), Answer::Lists(vec![many]));
    let (outcome, _) = outcome(&world).await;
    assert!(matches!(outcome, Err(Error::ConnectionTimeout)), "{outcome:?}");
    assert_eq!(world.dialled().len(), 4);
}

#[tokio::test]
async fn requests_are_counted_in_all_and_at_once() {
    let world = world(Script::Reply(reply("200 OK", "", "hello"))).await;
    let skill = world.skill(GRANT);
    let call = TestCall::of(&skill);
    let one = call.get(URL).await.unwrap();
    let two = call.get(URL).await.unwrap();
    assert!(matches!(call.get(URL).await, Err(Error::ConnectionLimitReached)));
    assert_eq!(call.denial().id, DenialId::LimitRequests);
    drop((one, two));
    call.text(URL).await.unwrap();
    call.text(URL).await.unwrap();
    assert!(matches!(call.get(URL).await, Err(Error::ConnectionLimitReached)));
    assert!(TestCall::of(&skill).text(URL).await.is_ok(), "another call has its own count");
    assert_eq!(world.log.seen().len(), 5);
}

#[tokio::test]
async fn a_method_of_megabytes_is_refused_and_kept_nowhere() {
    let world = world(Script::Reply(reply("200 OK", "", "hello"))).await;
    let call = TestCall::of(&world.skill(GRANT));
    let method = "A".repeat(2 << 20);
    for _ in 0..50 {
        assert!(call.send(request(&method, URL).unwrap()).await.is_err());
    }
    let kept: usize = call
        .ledger()
        .accesses
        .iter()
        .map(|access| {
            access.access.len()
                + access.target.len()
                + access.denial.as_ref().map_or(0, |d| d.to_string().len())
        })
        .sum();
    assert!(kept < 50_000, "{kept} bytes of records");
    let last = call.ledger().denials.last().map(|denial| denial.id);
    assert_eq!(last, Some(DenialId::LimitRequests), "refused requests count too");
    assert!(world.log.seen().is_empty());
}

#[tokio::test]
async fn a_request_larger_than_the_limit_is_cut_and_on_record() {
    let world = world(Script::Reply(reply("200 OK", "", "hello"))).await;
    let skill = world.skill(GRANT);
    let call = TestCall::of(&skill);
    let post = |bytes| request("POST", URL).unwrap().map(|_| full(vec![b'x'; bytes]));
    assert!(call.send(post(50_000)).await.is_ok());
    let outcome = call.send(post(50_001)).await.map(|_| ());
    assert!(matches!(outcome, Err(Error::HttpRequestBodySize(Some(50_000)))), "{outcome:?}");
    assert_eq!(call.denial().id, DenialId::LimitBody);
    let call = TestCall::of(&skill);
    let mut large = request("GET", URL).unwrap();
    large.headers_mut().insert("x-a", "y".repeat(17 << 10).parse().unwrap());
    assert!(matches!(call.send(large).await, Err(Error::HttpRequestHeaderSectionSize(_))));
    assert_eq!(call.ledger().accesses.len(), 1);
}

#[tokio::test]
async fn a_guests_timeout_shortens_ours_and_never_lengthens_it() {
    let mut world = world(Script::Silence).await;
    world.config.limits.first_byte_timeout = Duration::from_millis(600);
    let skill = world.skill(GRANT);
    for (guest, most) in [(Some(20), 400), (Some(3_600_000), 2_000), (Some(0), 400), (None, 2_000)] {
        let timeout = guest.map(Duration::from_millis);
        let options = RequestOptions { first_byte_timeout: timeout, ..RequestOptions::default() };
        let started = Instant::now();
        let sent = TestCall::of(&skill).network.send(request("GET", URL).unwrap(), Some(options));
        let sent = tokio::time::timeout(Duration::from_millis(most), sent).await.expect("it never ended");
        assert!(matches!(sent, Err(Error::ConnectionReadTimeout)));
        assert!(started.elapsed() < Duration::from_millis(most), "{guest:?}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn nothing_is_decompressed() {
    let bomb = reply("200 OK", "content-encoding: gzip\r\n", "not gzip at all");
    let (outcome, _) = outcome(&world(Script::Reply(bomb)).await).await;
    assert_eq!(outcome.unwrap(), "not gzip at all");
    let world = world(Script::Reply(reply("200 OK", "", "x"))).await;
    let body = TestCall::of(&world.skill(GRANT)).get(URL).await.unwrap().into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "x");
    assert!(!world.log.seen()[0].head.to_ascii_lowercase().contains("accept-encoding"));
}
