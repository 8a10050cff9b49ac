//! What a granted request is on the wire, what a refused one leaves behind, and which connections live on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wasmtime_wasi_http::{Error, WasiHttpHooks};

use super::server::{Identity, Script, reply};
use super::world::{Answer, TestCall, World, endless, full, request, request_of};
use crate::denial::{Denial, DenialId};
use crate::grant::host::HostCeiling;
use crate::sandbox::network::{Network, NetworkConfig, ProxyUrl, SkillNetwork, SystemResolver};
use crate::sandbox::overseer::{Access, BoxFuture, Decision, Effect, Overseer, Permit};

fn hello() -> Script {
    Script::Reply(reply("200 OK", "", "hello"))
}

#[tokio::test]
async fn a_granted_request_goes_out_over_tls_with_the_name_that_matched() {
    let world = World::plain(hello()).await;
    let call = TestCall::of(&world.skill(&["https://api.example.com"]));
    assert_eq!(call.text("https://API.example.com./a?b=c#d").await.unwrap(), "hello");
    let seen = world.log.seen();
    assert!(seen[0].head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[0].head.contains("host: api.example.com\r\n"), "{}", seen[0].head);
    assert_eq!(world.asked(), ["api.example.com"]);
    let ledger = call.ledger();
    assert_eq!(ledger.accesses.len(), 1);
    assert_eq!(ledger.accesses[0].target, "https://api.example.com:443");
    assert_eq!(ledger.accesses[0].access, "GET");
    assert_eq!(ledger.accesses[0].decision, Decision::Allowed);
}

#[tokio::test]
async fn a_denial_reads_as_the_contract_shows_it() {
    let world = World::plain(hello()).await;
    let call = TestCall::of(&world.skill(&["https://en.wikipedia.org"]));
    assert!(matches!(call.get("https://evil.test/x").await, Err(Error::HttpRequestDenied)));
    insta::assert_snapshot!(call.denial(), @r#"
    denied[host.not-granted]: skill `browser` may not reach "https://evil.test:443"
      imported: wasi:http/outgoing-handler@0.2
      rule:     SOUL.md:14 `hosts: https://en.wikipedia.org`
      hint:     soulbound why echo browser --host https://evil.test
    "#);
    assert!(world.asked().is_empty() && world.dialled().is_empty());
    let call = TestCall::of(&world.skill(&["https://en.wikipedia.org"]));
    assert!(call.send(request("POST", "https://en.wikipedia.org/").unwrap()).await.is_err());
    insta::assert_snapshot!(call.denial(), @r#"
    denied[host.method]: skill `browser` may not send "POST" to "https://en.wikipedia.org:443"
      imported: wasi:http/outgoing-handler@0.2
      rule:     SOUL.md:14 `hosts: https://en.wikipedia.org`
      hint:     soulbound why echo browser --host https://en.wikipedia.org --method POST
    "#);
}

#[tokio::test]
async fn what_a_private_name_leads_to_is_told_to_people_and_not_to_the_model() {
    let world = World::plain(hello()).await;
    world.answers("api.example.com", &["10.1.2.3"]);
    let call = TestCall::of(&world.skill(&["api.example.com"]));
    assert!(matches!(call.get("https://api.example.com/").await, Err(Error::DestinationIpProhibited)));
    let denial = call.denial();
    assert_eq!(denial.id, DenialId::HostPrivateAddress);
    assert!(!denial.first_line().contains("10.1.2.3") && denial.to_string().contains("10.1.2.3"));
    assert_eq!(call.ledger().accesses.len(), 1);
    assert!(world.dialled().is_empty());
}

#[tokio::test]
async fn a_private_range_opens_its_own_addresses_for_its_own_entry() {
    let world = World::plain(hello()).await;
    world.answers("api.example.com", &["10.2.0.1"]);
    let skill = world.skill(&["http://api.example.com (private 10.2.0.0/16)", "http://other.example.com"]);
    assert_eq!(TestCall::of(&skill).text("http://api.example.com/").await.unwrap(), "hello");
    assert_eq!(world.dialled(), ["10.2.0.1:80".parse().unwrap()]);
    world.answers("other.example.com", &["10.2.0.1"]);
    assert!(TestCall::of(&skill).get("http://other.example.com/").await.is_err());
    world.answers("api.example.com", &["10.3.0.1"]);
    assert!(TestCall::of(&skill).get("http://api.example.com/").await.is_err());
    assert_eq!(world.dialled().len(), 1);
}

#[tokio::test]
async fn a_loopback_literal_is_reached_for_real_and_the_gateways_own_port_is_not() {
    let world = World::plain(hello()).await;
    let port = world.dialer.server.port();
    let config = NetworkConfig { resolver: Arc::new(SystemResolver::new()), ..NetworkConfig::default() };
    let entry = format!("http://127.0.0.1:{port}");
    let grant = || vec![crate::grant::HostGrant::parse(&entry, super::world::rule(&entry)).unwrap()];
    let skill = SkillNetwork::new(grant(), Network::new(config.clone()).unwrap());
    assert_eq!(TestCall::of(&skill).text(&format!("{entry}/")).await.unwrap(), "hello");
    assert!(TestCall::of(&skill).get(&format!("http://localhost:{port}/")).await.is_err());

    let config = NetworkConfig { own_listeners: vec![format!("0.0.0.0:{port}").parse().unwrap()], ..config };
    let skill = SkillNetwork::new(grant(), Network::new(config).unwrap());
    let refused = TestCall::of(&skill).get(&format!("{entry}/")).await;
    assert!(matches!(refused, Err(Error::DestinationIpProhibited)));
    assert_eq!(world.log.seen().len(), 1);
}

#[tokio::test]
async fn the_connection_goes_to_the_checked_address_and_nothing_is_looked_up_twice() {
    let world = World::plain(hello()).await;
    let lists = vec![vec!["93.184.216.34".parse().unwrap()], vec!["127.0.0.1".parse().unwrap()]];
    world.resolver.answers.lock().unwrap().insert("api.example.com".into(), Answer::Lists(lists));
    let skill = world.skill(&["api.example.com"]);
    assert_eq!(TestCall::of(&skill).text("https://api.example.com/").await.unwrap(), "hello");
    assert_eq!(world.asked().len(), 1);
    // The next request asks anew and is refused, idle connection or not.
    assert!(TestCall::of(&skill).get("https://api.example.com/").await.is_err());
    assert_eq!(world.dialled(), ["93.184.216.34:443".parse().unwrap()]);
}

#[tokio::test]
async fn ipv6_is_reached_by_name_and_by_literal() {
    let identity = Identity::of(&["api.example.com", "2606:2800::1"]);
    let world = World::new(&identity, hello()).await;
    world.answers("api.example.com", &["2606:2800::7"]);
    let skill = world.skill(&["api.example.com", "[2606:2800::1]"]);
    assert_eq!(TestCall::of(&skill).text("https://api.example.com/").await.unwrap(), "hello");
    assert_eq!(TestCall::of(&skill).text("https://[2606:2800:0::1]/").await.unwrap(), "hello");
    assert_eq!(
        world.dialled(),
        ["[2606:2800::7]:443".parse().unwrap(), "[2606:2800::1]:443".parse().unwrap()]
    );
    assert!(world.log.seen()[1].head.contains("host: [2606:2800::1]\r\n"));
}

#[tokio::test]
async fn a_dead_first_address_does_not_keep_the_second_from_being_tried() {
    let mut world = World::plain(hello()).await;
    world.config.limits.connect_timeout = Duration::from_secs(2);
    world.answers("api.example.com", &["93.184.216.1", "93.184.216.2"]);
    world.dialer.dead.lock().unwrap().push("93.184.216.1".parse().unwrap());
    let call = TestCall::of(&world.skill(&["api.example.com"]));
    assert_eq!(call.text("https://api.example.com/").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_connection_lives_on_within_one_origin_of_one_skill_only() {
    let identity = Identity::of(&["api.example.com", "cdn.example.com"]);
    let world = World::new(&identity, hello()).await;
    world.answers("api.example.com", &["93.184.216.34"]);
    world.answers("cdn.example.com", &["93.184.216.34"]);
    let one = world.skill(&["api.example.com", "cdn.example.com"]);
    let two = world.skill(&["api.example.com"]);
    for _ in 0..3 {
        TestCall::of(&one).text("https://api.example.com/").await.unwrap();
    }
    assert_eq!(world.dialled().len(), 1, "three requests to one origin need one connection");
    TestCall::of(&one).text("https://cdn.example.com/").await.unwrap();
    assert_eq!(world.dialled().len(), 2, "another origin at the same address needs its own");
    TestCall::of(&two).text("https://api.example.com/").await.unwrap();
    assert_eq!(world.dialled().len(), 3, "another skill needs its own");
    world.answers("api.example.com", &["93.184.216.35"]);
    TestCall::of(&one).text("https://api.example.com/").await.unwrap();
    assert_eq!(world.dialled().len(), 4, "an address that is no longer answered is not used any more");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let world = World::plain(Script::Reply(reply("200 OK", "connection: close\r\n", "bye"))).await;
    let skill = world.skill(&["api.example.com"]);
    for _ in 0..3 {
        assert_eq!(TestCall::of(&skill).text("https://api.example.com/").await.unwrap(), "bye");
    }
    assert_eq!(world.dialled().len(), 3);
}

#[tokio::test]
async fn a_connection_with_an_unread_response_is_closed_and_never_reused() {
    let long = "x".repeat(1 << 20);
    let world = World::plain(Script::Reply(reply("200 OK", "", &long))).await;
    let skill = world.skill(&["api.example.com"]);
    let response = TestCall::of(&skill).get("https://api.example.com/").await.unwrap();
    drop(response);
    closes(&world, 1).await;
    TestCall::of(&skill).text("https://api.example.com/").await.unwrap();
    assert_eq!(world.dialled().len(), 2);
}

async fn closes(world: &World, connections: usize) {
    for _ in 0..100 {
        if world.log.closed.load(Ordering::SeqCst) >= connections {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the connection is still open after a second");
}

#[tokio::test]
async fn a_cancelled_call_closes_its_connection_at_once() {
    let world = World::plain(Script::Silence).await;
    let skill = world.skill(&["api.example.com"]);
    let call = TestCall::of(&skill);
    let waiting = tokio::time::timeout(Duration::from_millis(300), call.get("https://api.example.com/"));
    assert!(waiting.await.is_err());
    closes(&world, 1).await;
    assert_eq!(call.ledger().accesses[0].decision, Decision::Allowed, "and it is on record");
}

#[tokio::test]
async fn a_dropped_response_ends_an_upload_that_is_still_going_on() {
    let world = World::plain(Script::Early).await;
    let skill = world.skill(&["POST api.example.com"]);
    let post = request("POST", "https://api.example.com/").unwrap().map(|_| endless());
    let response = TestCall::of(&skill).send(post).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(response);
    closes(&world, 1).await;
}

#[tokio::test]
async fn a_path_that_is_no_path_is_refused() {
    let world = World::plain(hello()).await;
    let skill = world.skill(&["GET OPTIONS api.example.com"]);
    let mut sent = 0;
    for path in ["*", "x", "http://evil.com/", "/\u{fc}", "/a\\b"] {
        let Some(request) = request_of("OPTIONS", "https", "api.example.com", path) else { continue };
        let call = TestCall::of(&skill);
        let outcome = call.send(request).await;
        if path == "/a\\b" {
            continue;
        }
        sent += 1;
        assert!(matches!(outcome, Err(Error::HttpRequestDenied)), "{path}");
        assert_eq!(call.denial().id, DenialId::HostMalformed);
    }
    assert!(sent > 0, "the http crate refuses all of them by now");
    assert!(world.log.seen().iter().all(|seen| seen.head.starts_with("OPTIONS /")));
}

#[tokio::test]
async fn a_call_that_is_killed_during_its_lookup_is_on_record() {
    let world = World::plain(hello()).await;
    world.resolver.answers.lock().unwrap().insert("api.example.com".into(), Answer::Never);
    let call = TestCall::of(&world.skill(&["api.example.com"]));
    let waiting = tokio::time::timeout(Duration::from_millis(50), call.get("https://api.example.com/"));
    assert!(waiting.await.is_err());
    assert_eq!(call.ledger().accesses.len(), 1);
}

#[tokio::test]
async fn a_certificate_for_another_name_or_from_nobody_ends_the_request() {
    let world = World::new(&Identity::of(&["evil.com"]), hello()).await;
    let call = TestCall::of(&world.skill(&["api.example.com"]));
    assert!(matches!(call.get("https://api.example.com/").await, Err(Error::TlsCertificateError)));
    assert!(world.log.seen().is_empty());

    let mut world = World::plain(hello()).await;
    world.config.extra_ca_pem = None;
    let call = TestCall::of(&world.skill(&["api.example.com"]));
    assert!(matches!(call.get("https://api.example.com/").await, Err(Error::TlsCertificateError)));
    assert!(world.log.seen().is_empty());
}

#[test]
fn an_extra_ca_that_cannot_be_used_is_an_error_and_not_silence() {
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let config =
            NetworkConfig { extra_ca_pem: Some(pem.as_bytes().to_vec()), ..NetworkConfig::default() };
        assert!(Network::new(config).is_err(), "{pem}");
    }
}

struct Strict(std::sync::Mutex<Vec<Effect>>);

impl Overseer for Strict {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.0.lock().unwrap().push(effect.clone());
        Box::pin(std::future::ready(Err(Denial::new(DenialId::ApprovalDenied, "a person refused"))))
    }

    fn record(&self, _: &Access) {}
}

#[tokio::test]
async fn the_overseer_is_asked_before_anything_leaves_and_only_for_what_is_granted() {
    let world = World::plain(hello()).await;
    let skill = world.skill(&["GET POST api.example.com"]);
    let overseer = Arc::new(Strict(std::sync::Mutex::default()));
    let call = TestCall::watched(&skill, Arc::clone(&overseer) as _, None);
    assert!(call.get("https://evil.test/").await.is_err());
    assert!(overseer.0.lock().unwrap().is_empty());
    let mut post = request("POST", "https://api.example.com/x?y").unwrap();
    post.headers_mut().insert("x-a", "1".parse().unwrap());
    assert!(matches!(call.send(post).await, Err(Error::HttpRequestDenied)));
    assert_eq!(
        *overseer.0.lock().unwrap(),
        [Effect::Request {
            method: "POST".into(),
            url: "https://api.example.com/x?y".into(),
            headers: vec![("x-a".into(), "1".into())],
            body: None,
        }]
    );
    assert!(world.asked().is_empty() && world.dialled().is_empty());
    assert_eq!(call.ledger().denials[1].id, DenialId::ApprovalDenied);
}

#[tokio::test]
async fn the_operators_ceiling_stands_above_the_grant() {
    let mut world = World::plain(hello()).await;
    world.config.ceiling =
        HostCeiling::parse("gateway.toml", None, &["*.example.com".to_owned(), "93.184.216.0/24".to_owned()])
            .unwrap();
    world.answers("cdn.example.net", &["93.184.216.34"]);
    let skill = world.skill(&["api.example.com", "cdn.example.net"]);
    for url in ["https://api.example.com/", "https://cdn.example.net/"] {
        let call = TestCall::of(&skill);
        assert!(call.get(url).await.is_err());
        let denial = call.denial();
        assert_eq!(denial.id, DenialId::HostCeiling);
        assert_eq!(denial.rule.unwrap().file, "gateway.toml");
    }
    assert!(world.dialled().is_empty());
    assert_eq!(world.asked(), ["cdn.example.net"]);
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_checked_address_and_never_for_a_name() {
    let mut world = World::plain(hello()).await;
    let server = world.dialer.server;
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = proxy.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        let mut upstream = tokio::net::TcpStream::connect(server).await.unwrap();
        tokio::spawn(async move {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
        });
        String::from_utf8(head).unwrap()
    });
    world.config.proxy = Some(ProxyUrl::parse(&format!("http://127.0.0.1:{}", at.port())).unwrap());
    world.config.dialer = Arc::new(crate::sandbox::network::TcpDialer);
    world.answers("api.example.com", &["93.184.216.34"]);
    let call = TestCall::of(&world.skill(&["api.example.com"]));
    assert_eq!(call.text("https://api.example.com/").await.unwrap(), "hello");
    assert_eq!(asked.await.unwrap(), "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: 93.184.216.34:443\r\n\r\n");
    for bad in ["https://p:1", "socks5://p:1", "http://u:p@p:1", "http://p:1/x", "p:1", "http://p:1?x"] {
        assert!(ProxyUrl::parse(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn headers_that_would_mean_another_request_are_refused() {
    let world = World::plain(hello()).await;
    let skill = world.skill(&["api.example.com"]);
    let mut hooks = TestCall::of(&skill).network;
    for name in [
        "host",
        "connection",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "http2-settings",
        "proxy-connection",
        "proxy-authorization",
        "proxy-anything",
        "forwarded",
        "x-forwarded-host",
        "x-forwarded-for",
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-original-method",
        "x-rewrite-url",
        "expect",
        // Behind CGI, WSGI and their like these are the same.
        "x_http_method_override",
        "x_forwarded-host",
        "transfer_encoding",
        "content_length",
    ] {
        let name: http::HeaderName = name.parse().unwrap();
        assert!(hooks.is_forbidden_header(&name) && hooks.forbidden_header_filter()(&name), "{name}");
        let call = TestCall::of(&skill);
        let mut sent = request("GET", "https://api.example.com/").unwrap();
        sent.headers_mut().insert(name, "evil.com".parse().unwrap());
        assert!(call.send(sent).await.is_err());
        assert_eq!(call.denial().id, DenialId::HostHeader);
    }
    for name in [
        "accept",
        "x_api_key",
        "content-length",
        "authorization",
        "content-type",
        "user-agent",
        "x-api-key",
        "if-none-match",
    ] {
        assert!(!hooks.is_forbidden_header(&name.parse().unwrap()), "{name}");
    }
    assert!(!hooks.set_host_header());
    assert!(world.log.seen().is_empty());
}

#[tokio::test]
async fn a_body_is_sent_and_every_byte_is_charged_before_it_leaves() {
    let world = World::plain(hello()).await;
    let skill = world.skill(&["POST http://api.example.com"]);
    let charged = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&charged);
    let budget = move |bytes| {
        if counter.fetch_add(bytes, Ordering::SeqCst) + bytes > 10_000 {
            return Err(Denial::new(DenialId::LimitEgress, "the budget is used up"));
        }
        Ok(())
    };
    let call =
        TestCall::watched(&skill, Arc::new(crate::sandbox::overseer::Unattended), Some(Arc::new(budget)));
    let post = |bytes| request("POST", "http://api.example.com/").unwrap().map(|_| full(vec![b'x'; bytes]));
    let response = call.send(post(3_000)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(world.log.seen()[0].body, 3_000);
    assert!((3_000..3_200).contains(&charged.load(Ordering::SeqCst)));
    assert!(matches!(call.send(post(8_000)).await, Err(Error::HttpRequestDenied)));
    assert_eq!(call.denial().id, DenialId::LimitEgress);
    assert!(!world.log.seen().iter().any(|seen| seen.body == 8_000), "not a byte over the budget");
}

#[tokio::test]
async fn a_hint_is_a_command_only_if_it_needs_no_quoting() {
    let world = World::plain(hello()).await;
    let call = TestCall::of(&world.skill(&["api.example.com"]));
    let sent = request("A$(id)", "https://api.example.com/");
    if let Some(sent) = sent {
        let _ = call.send(sent).await;
        assert_eq!(call.denial().hint, None);
    }
    let _ = call.send(request("!#$&*", "https://api.example.com/").unwrap()).await;
    assert_eq!(call.ledger().denials.last().unwrap().hint, None);
}
