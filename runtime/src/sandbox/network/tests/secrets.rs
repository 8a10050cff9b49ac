//! Secrets on the wire: who gets one, who only hears its name, and what comes back of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};

use super::server::{Identity, Script, reply};
use super::world::{TestCall, World, request};
use crate::denial::{Denial, DenialId};
use crate::grant::host::Target;
use crate::sandbox::overseer::{Access, BoxFuture, Effect, Overseer, Permit};
use crate::sandbox::secret::{Secret, SecretRefusal, SecretSource};

const VALUE: &str = "sk-test-0123456789";
const GRANTS: &[&str] =
    &["GET POST https://api.example.com", "https://other.example.com", "http://api.example.com"];
const SECRETS: &[&str] = &["TOKEN for https://api.example.com as header Authorization: Bearer {}"];
const URL: &str = "https://api.example.com/v1";

/// What an operator has set, and how often it left.
struct Store {
    value: Mutex<Result<Arc<Secret>, SecretRefusal>>,
    used: AtomicU64,
}

impl Store {
    fn of(value: &str) -> Arc<Self> {
        Arc::new(Self { value: Mutex::new(Ok(Secret::new(value).unwrap())), used: AtomicU64::new(0) })
    }

    fn set(&self, value: Result<Arc<Secret>, SecretRefusal>) {
        *self.value.lock().unwrap() = value;
    }
}

impl SecretSource for Store {
    fn find(&self, agent: &str, name: &str, origin: &Target) -> Result<Arc<Secret>, SecretRefusal> {
        assert_eq!((agent, name, origin.origin().as_str()), ("echo", "TOKEN", "https://api.example.com"));
        self.value.lock().unwrap().clone()
    }

    fn used(&self, _: &str, _: &str) {
        self.used.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keeps what it was shown, and may do something while it is asked.
struct Curious(Mutex<Vec<String>>, Box<dyn Fn() + Send + Sync>);

impl Overseer for Curious {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.0.lock().unwrap().push(format!("{effect:?}"));
        (self.1)();
        Box::pin(std::future::ready(Ok(Permit::Unchanged)))
    }

    fn record(&self, access: &Access) {
        self.0.lock().unwrap().push(format!("{access:?}"));
    }
}

async fn world(script: Script) -> World {
    World::new(&Identity::of(&["api.example.com", "other.example.com"]), script).await
}

fn ok(headers: &str, body: &str) -> Script {
    Script::Reply(reply("200 OK", headers, body))
}

async fn text(call: &TestCall, url: &str) -> String {
    call.text(url).await.unwrap()
}

#[tokio::test]
async fn a_secret_goes_to_its_origin_in_its_header_and_nowhere_else() {
    let world = world(ok("", "hello")).await;
    let store = Store::of(VALUE);
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Arc::clone(&store) as _));
    let call = TestCall::of(&skill);
    for url in [URL, "https://other.example.com/v1", "http://api.example.com/v1"] {
        assert_eq!(text(&call, url).await, "hello");
    }
    let heads: Vec<String> = world.log.seen().into_iter().map(|seen| seen.head).collect();
    assert!(heads[0].contains("authorization: Bearer sk-test-0123456789\r\n"), "{}", heads[0]);
    for head in &heads[1..] {
        assert!(!head.to_lowercase().contains("authorization") && !head.contains("sk-test"), "{head}");
    }
    assert_eq!(store.used.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_redirect_that_the_guest_follows_carries_nothing_to_another_host() {
    let away = reply("302 Found", "location: https://other.example.com/steal\r\n", "");
    let world = world(Script::Then(away, reply("200 OK", "", "there"))).await;
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    let call = TestCall::of(&skill);
    let answer = call.get(URL).await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!((answer.status().as_u16(), world.log.seen().len()), (302, 1));
    assert_eq!(text(&call, &location).await, "there");
    assert!(!world.log.seen()[1].head.contains("sk-test"));
}

#[tokio::test]
async fn an_overseer_hears_the_name_and_never_the_value() {
    let world = world(ok(&format!("x-echo: {VALUE}\r\n"), VALUE)).await;
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    let curious = Arc::new(Curious(Mutex::default(), Box::new(|| {})));
    let call = TestCall::watched(&skill, Arc::clone(&curious) as _, None);
    text(&call, URL).await;
    let heard = format!("{:?} {:?}", curious.0.lock().unwrap(), call.ledger());
    assert!(heard.contains("Bearer [secret TOKEN]") && !heard.contains("sk-test"), "{heard}");
    assert!(!format!("{skill:?}").contains("sk-test"));
}

#[tokio::test]
async fn what_was_taken_away_while_a_person_decided_does_not_leave() {
    let world = world(ok("", "hello")).await;
    let store = Store::of(VALUE);
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Arc::clone(&store) as _));
    let remover = Arc::clone(&store);
    let remove = Box::new(move || remover.set(Err(SecretRefusal::NotSet)));
    let call = TestCall::watched(&skill, Arc::new(Curious(Mutex::default(), remove)), None);
    assert!(matches!(call.get(URL).await, Err(Error::HttpRequestDenied)));
    assert_eq!(call.denial().id, DenialId::SecretMissing);
    assert!(world.log.seen().is_empty() && world.dialled().is_empty());
    // What was changed meanwhile leaves as it is now.
    store.set(Ok(Secret::new("sk-rotated").unwrap()));
    assert_eq!(text(&TestCall::of(&skill), URL).await, "hello");
    assert!(world.log.seen()[0].head.contains("Bearer sk-rotated"));
}

#[tokio::test]
async fn a_guest_cannot_set_the_header_itself_there() {
    let world = world(ok("", "hello")).await;
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    let send = async |url: &str| {
        let call = TestCall::of(&skill);
        let mut request = request("GET", url).unwrap();
        request.headers_mut().insert("authorization", "Bearer own".parse().unwrap());
        (call.send(request).await.is_ok(), call.ledger().denials.first().map(|denial| denial.id))
    };
    assert_eq!(send(URL).await, (false, Some(DenialId::SecretHeader)));
    assert_eq!(world.log.seen().len(), 0);
    assert_eq!(send("https://other.example.com/").await, (true, None));
}

#[tokio::test]
async fn nor_in_a_spelling_that_a_server_takes_for_it() {
    let world = world(ok("", "hello")).await;
    let secrets = ["TOKEN for https://api.example.com as header X-Api-Key: {}"];
    let skill = world.with_secrets(GRANTS, &secrets, Some(Store::of(VALUE)));
    for name in ["x-api-key", "x_api_key", "X-Api_Key"] {
        let call = TestCall::of(&skill);
        let mut request = request("GET", URL).unwrap();
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, "own".parse().unwrap());
        assert!(call.send(request).await.is_err());
        assert_eq!(call.denial().id, DenialId::SecretHeader);
    }
    assert_eq!(world.log.seen().len(), 0);
}

#[tokio::test]
async fn the_whole_answer_is_asked_for_as_it_is() {
    let world = world(ok("", "hello")).await;
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    let send = async |url: &str| {
        let mut request = request("GET", url).unwrap();
        for (name, value) in [(RANGE, "bytes=3-9"), (IF_RANGE, "\"x\""), (ACCEPT_ENCODING, "gzip, br")] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        TestCall::of(&skill).send(request).await.unwrap();
        world.log.seen().pop().unwrap().head.to_lowercase()
    };
    let head = send(URL).await;
    assert!(!head.contains("range") && head.contains("accept-encoding: identity\r\n"), "{head}");
    assert!(!head.contains("gzip"), "{head}");
    assert!(send("https://other.example.com/").await.contains("range: bytes=3-9"));
}

#[tokio::test]
async fn an_encoded_answer_is_refused() {
    for header in [
        "content-encoding: gzip",
        "content-encoding: identity\r\ncontent-encoding: br",
        "transfer-encoding: gzip, chunked",
    ] {
        let body = if header.starts_with("transfer") { "0\r\n\r\n" } else { "x" };
        let length = if header.starts_with("transfer") { "" } else { "content-length: 1\r\n" };
        let world = world(Script::Reply(format!("HTTP/1.1 200 OK\r\n{header}\r\n{length}\r\n{body}"))).await;
        let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
        let call = TestCall::of(&skill);
        assert!(call.get(URL).await.is_err(), "{header}");
        assert_eq!(call.denial().id, DenialId::SecretEncoded, "{header}");
    }
}

#[tokio::test]
async fn an_echo_is_masked_in_headers_bodies_and_later_answers_of_the_call() {
    let body = format!("{{\"token\": \"{VALUE}\", \"quoted\": \"sk%2Dtest%2D0123456789\"}}");
    let world = world(ok(&format!("x-echo: Bearer {VALUE}\r\nx-{VALUE}: 1\r\n"), &body)).await;
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    let call = TestCall::of(&skill);
    // The last one in a call that has sent nothing: another call may have, to a server that tells its neighbours.
    let fresh = TestCall::of(&skill);
    for (call, url) in
        [(&call, URL), (&call, "https://other.example.com/"), (&fresh, "https://other.example.com/")]
    {
        let answer = call.get(url).await.unwrap();
        assert_eq!(answer.headers()["x-echo"], "Bearer ******************");
        assert!(
            answer.headers().keys().all(|name| !name.as_str().contains("sk-test")),
            "{:?}",
            answer.headers()
        );
        let told: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let shown = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(shown, "{\"token\": \"******************\", \"quoted\": \"**********************\"}");
        assert_eq!(told, shown.len());
    }
}

#[tokio::test]
async fn an_echo_in_pieces_and_trailers_is_masked() {
    let chunks =
        "6\r\nab sk-\r\n5\r\ntest-\r\n9\r\n012345678\r\n3\r\n9 c\r\n0\r\nx-late: sk-test-0123456789\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-late\r\n\r\n";
    let world = world(Script::Reply(format!("{head}{chunks}"))).await;
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    let body = TestCall::of(&skill).get(URL).await.unwrap().into_body().collect().await.unwrap();
    let late = body.trailers().and_then(|trailers| trailers.get("x-late").cloned());
    assert_eq!(late.unwrap(), "******************");
    assert_eq!(body.to_bytes(), "ab ****************** c");
}

#[tokio::test]
async fn without_its_secret_a_request_does_not_leave() {
    let world = world(ok("", "hello")).await;
    let source = |refusal: SecretRefusal| {
        let store = Store::of(VALUE);
        store.set(Err(refusal));
        Some(store as Arc<dyn SecretSource>)
    };
    let mut shown = Vec::new();
    for source in [
        None,
        source(SecretRefusal::NotSet),
        source(SecretRefusal::OtherOrigin("https://other.example.com".to_owned())),
        source(SecretRefusal::Unreadable("put `secrets.json` back".to_owned())),
    ] {
        let skill = world.with_secrets(GRANTS, SECRETS, source);
        let call = TestCall::of(&skill);
        assert!(matches!(call.get(URL).await, Err(Error::HttpRequestDenied)));
        shown.push(call.denial().to_string());
    }
    insta::assert_snapshot!(shown.join("\n"));
    assert!(world.asked().is_empty() && world.dialled().is_empty());
}

#[tokio::test]
async fn a_server_that_cannot_prove_its_name_gets_nothing() {
    let world = World::new(&Identity::of(&["wrong.example.com"]), ok("", "hello")).await;
    let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    assert!(matches!(TestCall::of(&skill).get(URL).await, Err(Error::TlsCertificateError)));
    assert_eq!(world.log.seen().len(), 0);
}

#[tokio::test]
async fn the_egress_budget_does_not_tell_how_long_a_secret_is() {
    let world = world(ok("", "hello")).await;
    let charged = async |value: &str| {
        let charged = Arc::new(AtomicU64::new(0));
        let sum = Arc::clone(&charged);
        let budget: super::super::EgressBudget = Arc::new(move |bytes| {
            sum.fetch_add(bytes, Ordering::Relaxed);
            Ok(())
        });
        let skill = world.with_secrets(GRANTS, SECRETS, Some(Store::of(value)));
        let call = TestCall::watched(&skill, Arc::new(crate::sandbox::Unattended), Some(budget));
        text(&call, URL).await;
        charged.load(Ordering::Relaxed)
    };
    assert_eq!(charged("short1").await, charged(&"long".repeat(500)).await);
}

#[tokio::test]
async fn an_answer_of_nothing_is_one_and_one_that_breaks_off_shows_neither_an_echo_nor_whether_there_was_one()
{
    let skill_of = |world: &World| world.with_secrets(GRANTS, SECRETS, Some(Store::of(VALUE)));
    let empty = world(ok("", "")).await;
    let answer = TestCall::of(&skill_of(&empty)).get(URL).await.unwrap();
    assert!(http_body::Body::is_end_stream(answer.body()));
    // A beginning of it, and another text: what came before the last 4 KiB is given, whatever those were.
    for end in ["sk-test", "hello !"] {
        let text = format!("hello {}{end}", "x".repeat(4_096));
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9999\r\n\r\n";
        let broken = world(Script::Reply(format!("{head}{text}"))).await;
        let mut body: WasiBody = TestCall::of(&skill_of(&broken)).get(URL).await.unwrap().into_body();
        let mut given = Vec::new();
        let error = loop {
            match body.frame().await {
                Some(Ok(frame)) => given.extend(frame.into_data().unwrap()),
                other => break other,
            }
        };
        assert_eq!(String::from_utf8(given).unwrap(), format!("hello {}", "x".repeat(end.len())));
        assert!(matches!(error, Some(Err(_))), "{end}");
    }
}
