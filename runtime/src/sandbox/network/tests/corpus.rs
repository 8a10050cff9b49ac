//! The hosts corpus, each case through the parser, the matcher and a real request. The oracle is who was
//! contacted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Request, Response};
use serde::Deserialize;
use serde_json::Value;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpHooks};

use super::server::{Identity, Script, reply};
use super::world::{Answer, TestCall, World, public, request, request_of, rule};
use crate::grant::HostGrant;
use crate::grant::address::{OwnAddresses, judge};
use crate::grant::capability::{Capability, IMPORTS};
use crate::grant::host::{Target, TargetHost, permits};
use crate::ledger::skipped_only;
use crate::sandbox::network::{Network, SkillNetwork};

#[derive(Debug, Deserialize)]
struct Corpus {
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    cat: String,
    expect: String,
    recommend: Option<String>,
    grant: Vec<String>,
    url: Option<String>,
    scheme: Option<String>,
    authority: Option<String>,
    method: Option<String>,
    headers: Option<HashMap<String, String>>,
    h2_authority: Option<String>,
    dns: Option<HashMap<String, Value>>,
    redirects: Option<Vec<HashMap<String, Value>>>,
    sequence: Option<Vec<String>>,
    tls: Option<HashMap<String, String>>,
    socket: Option<String>,
    lookup: Option<String>,
    #[serde(default)]
    assert_not_contacted: Vec<String>,
    #[serde(default)]
    assert_stripped: Vec<String>,
    #[serde(default)]
    assert_no_header: Vec<String>,
    why: String,
}

/// Where the corpus leaves the verdict to the design and the design decides otherwise than the
/// recommendation, or the case has none.
const DECIDED: &[(&str, bool)] = &[
    ("H0067", true),  // a wildcard covers any depth
    ("H0400", true),  // a scheme in a grant is honoured
    ("H0491", true),  // an empty port is the default one, in an authority as in a URL
    ("H0606", false), // loopback only by a literal, and an entry without a scheme means https
    ("H0615", false), // through `wasi:sockets`, which can't be granted
    ("H0641", true),  // there is no cookie jar
    ("H0642", true),  // the request goes out; the test below kills it
];

fn corpus() -> Vec<Case> {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpora/hosts.json"));
    serde_json::from_str::<Corpus>(text).unwrap().cases
}

impl Case {
    fn allowed(&self) -> bool {
        if let Some((_, decided)) = DECIDED.iter().find(|(id, _)| *id == self.id) {
            return *decided;
        }
        match (self.expect.as_str(), self.recommend.as_deref()) {
            ("either", recommend) => {
                recommend.expect("an undecided case without a recommendation") == "allow"
            }
            (expect, _) => expect == "allow",
        }
    }

    fn grants(&self) -> Option<Vec<HostGrant>> {
        self.grant.iter().map(|entry| HostGrant::parse(entry, rule(entry)).ok()).collect()
    }

    fn first_url(&self) -> String {
        let url = match &self.sequence {
            Some(sequence) => sequence[0].clone(),
            None => self.url.clone().unwrap_or_default(),
        };
        // "A: https://api.example.com/ (Set-Cookie)"
        url.trim_start_matches("A: ").trim_end_matches(" (Set-Cookie)").to_owned()
    }

    fn target(&self) -> Option<Target> {
        match (&self.scheme, &self.authority) {
            (Some(scheme), Some(authority)) => Target::from_parts(scheme, authority).ok(),
            _ => Target::from_url(&self.first_url()).ok(),
        }
    }

    fn request(&self) -> Option<Request<WasiBody>> {
        let method = self.method.as_deref().unwrap_or("GET");
        let mut sent = match (&self.scheme, &self.authority) {
            (Some(scheme), Some(authority)) => request_of(method, scheme, authority, "/")?,
            _ => request(method, &self.first_url())?,
        };
        for (name, value) in self.headers.iter().flatten() {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            sent.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        if let Some(other) = &self.h2_authority {
            sent.headers_mut().insert("host", other.parse().unwrap());
        }
        Some(sent)
    }

    /// Grant, matcher and address alone, for cases in which nothing else could refuse.
    fn pure_verdict(&self) -> bool {
        let (Some(grants), Some(target)) = (self.grants(), self.target()) else { return false };
        let Ok(entry) = permits(&grants, self.method.as_deref().unwrap_or("GET"), &target) else {
            return false;
        };
        match target.host {
            TargetHost::Address(address) => {
                judge((address, target.port).into(), entry, &OwnAddresses::default()).is_ok()
            }
            TargetHost::Name(_) => true,
        }
    }

    fn is_decided_by_the_target(&self) -> bool {
        self.dns.is_none()
            && self.headers.is_none()
            && self.h2_authority.is_none()
            && self.tls.is_none()
            && self.redirects.is_none()
            && self.sequence.is_none()
    }

    fn script(&self) -> Script {
        let Some(first) = self.redirects.as_ref().and_then(|list| list.first()) else {
            return Script::Reply(reply("200 OK", "set-cookie: a=b\r\n", "ok"));
        };
        let mut headers = String::new();
        for (name, value) in first.iter().filter(|(name, _)| *name != "status") {
            headers.push_str(&format!("{}: {}\r\n", name.replace('_', "-"), value.as_str().unwrap()));
        }
        let status = format!("{} Something", first["status"]);
        Script::Then(reply(&status, &headers, "first"), reply("200 OK", "", "second"))
    }
}

fn answer(value: &Value) -> Answer {
    let addresses = |list: &Value| {
        list.as_array().unwrap().iter().map(|a| a.as_str().unwrap().parse().unwrap()).collect()
    };
    match value {
        Value::String(_) => Answer::Failure,
        Value::Object(object) => Answer::Lists(vec![addresses(&object["a"])]),
        Value::Array(list) if list.first().is_some_and(Value::is_array) => {
            Answer::Lists(list.iter().map(addresses).collect())
        }
        list => Answer::Lists(vec![addresses(list)]),
    }
}

/// What a guest makes of a `Location`.
fn join(base: &str, location: &str) -> String {
    let target = Target::from_url(base).unwrap();
    if location.starts_with("//") {
        format!("{}:{location}", target.scheme.as_str())
    } else if location.starts_with('/') {
        format!("{}{location}", target.origin())
    } else {
        location.to_owned()
    }
}

async fn run(case: &Case, identity: &Identity) -> Result<(), String> {
    if case.is_decided_by_the_target() && case.pure_verdict() != case.allowed() {
        return Err(format!("the matcher says {}", case.pure_verdict()));
    }
    let other = case.tls.as_ref().map(|tls| Identity::of(&[tls["cert_for"].as_str()]));
    let world = World::new(other.as_ref().unwrap_or(identity), case.script()).await;
    for (name, value) in case.dns.iter().flatten() {
        world.resolver.answers.lock().unwrap().insert(name.clone(), answer(value));
    }
    let Some(grants) = case.grants() else {
        return if case.allowed() { Err("the grant does not parse".into()) } else { Ok(()) };
    };
    let skill = SkillNetwork::new(grants, Network::new(world.config.clone()).unwrap());
    let call = TestCall::of(&skill);
    let verdict = exchange(case, &call).await;
    contacted_only_what_is_granted(case, &world)?;
    if verdict != case.allowed() {
        return Err(format!("the network says {verdict}; {:?}", call.ledger().denials));
    }
    Ok(())
}

/// Sends the case's request as a guest would, and what follows from it. True if everything went through.
async fn exchange(case: &Case, call: &TestCall) -> bool {
    let Some(sent) = case.request() else { return false };
    let Ok(response) = call.send(sent).await else { return false };
    let again = follow(case, &response);
    let _ = http_body_util::BodyExt::collect(response.into_body()).await;
    match again {
        None => true,
        Some(url) => match request("GET", &url) {
            Some(sent) => call.send(sent).await.is_ok(),
            None => false,
        },
    }
}

/// Where a guest would go next: the redirect, the next of a sequence, or for what must not be acted on, the
/// same again.
fn follow(case: &Case, response: &Response<WasiBody>) -> Option<String> {
    if let Some(location) = response.headers().get("location") {
        return Some(join(&case.first_url(), location.to_str().unwrap()));
    }
    match &case.sequence {
        Some(sequence) if case.id == "H0638" => Some(sequence[1].clone()),
        _ => case.redirects.is_some().then(|| case.first_url()),
    }
}

/// The oracle: every address dialled is one that a granted name or literal leads to, and not one on the
/// case's list.
fn contacted_only_what_is_granted(case: &Case, world: &World) -> Result<(), String> {
    let grants = case.grants().unwrap_or_default();
    for name in world.asked() {
        let is_granted = grants.iter().any(|grant| grant.pattern().covers(&TargetHost::Name(name.clone())));
        if !is_granted {
            return Err(format!("{name} was looked up"));
        }
    }
    for dialled in world.dialled() {
        let is_looked_up = world.asked().iter().any(|name| {
            let stated = case.dns.as_ref().and_then(|dns| dns.get(name));
            match stated.map(answer) {
                Some(Answer::Lists(lists)) => lists.concat().contains(&dialled.ip()),
                _ => public(name) == dialled.ip(),
            }
        });
        let is_literal =
            grants.iter().any(|grant| grant.pattern().covers(&TargetHost::Address(dialled.ip())));
        if !is_looked_up && !is_literal {
            return Err(format!("{dialled} was contacted"));
        }
        for never in &case.assert_not_contacted {
            if dialled.to_string() == *never || dialled.ip().to_string() == *never {
                return Err(format!("{never} was contacted"));
            }
        }
    }
    for seen in world.log.seen() {
        let head = seen.head.to_ascii_lowercase();
        for never in case.assert_stripped.iter().chain(&case.assert_no_header) {
            if head.contains(&format!("\r\n{never}:")) {
                return Err(format!("`{never}` was sent"));
            }
        }
        if case.assert_not_contacted.iter().any(|never| head.contains(&format!("host: {never}\r\n"))) {
            return Err("a request for another host was sent".into());
        }
    }
    Ok(())
}

/// The case that is run again by itself with a hostile environment.
const ALL: &str = "sandbox::network::tests::corpus::every_case_of_the_corpus_gets_its_verdict";

#[tokio::test]
async fn every_case_of_the_corpus_gets_its_verdict() {
    let cases = corpus();
    assert_eq!(cases.len(), 327);
    let mut names: Vec<String> = cases
        .iter()
        .filter(|case| case.allowed())
        .filter_map(Case::target)
        .map(|target| target.host.to_string().trim_matches(['[', ']']).to_owned())
        .chain(["api.example.com".into(), "cdn.example.net".into()])
        .collect();
    names.sort();
    names.dedup();
    let identity = Identity::of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut wrong, mut skipped) = (Vec::new(), Vec::new());
    for case in &cases {
        // No import gives these to a guest, whatever is granted: the test below.
        if case.socket.is_some() || case.lookup.is_some() {
            assert!(!case.allowed(), "{}: sockets can't be granted", case.id);
            skipped.push(case.id.clone());
            continue;
        }
        if let Err(found) = run(case, &identity).await {
            wrong.push(format!(
                "{} [{}] expected {}: {found} ({})",
                case.id,
                case.cat,
                case.allowed(),
                case.why
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    skipped_only("hosts", skipped);
}

#[test]
fn no_variable_of_the_environment_reroutes_a_request() {
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let at = format!("http://{}", trap.local_addr().unwrap());
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".netrc"), "machine api.example.com login x password y\n").unwrap();
    // The whole corpus again, in a process of its own, in which every variable that any client honours is
    // set.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args([ALL, "--exact", "--test-threads=1"]).env("HOME", home.path()).env("NO_PROXY", "");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "CGI_HTTP_PROXY"] {
        child.env(name, &at).env(name.to_ascii_lowercase(), &at);
    }
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC"] {
        child.env(name, home.path().join(".netrc"));
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let contacted = trap.accept().map(|(_, from)| from);
    assert!(
        matches!(&contacted, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
        "{contacted:?}"
    );
}

#[test]
fn sockets_and_lookups_are_imports_that_no_entry_grants() {
    let rows: Vec<_> = IMPORTS.iter().filter(|row| row.package == "wasi:sockets").collect();
    assert!(rows.iter().all(|row| row.capability == Some(Capability::Sockets)) && !rows.is_empty());
    for entry in ["tcp://api.example.com:25", "udp://api.example.com:53", "tcp://93.184.216.34:443"] {
        assert!(HostGrant::parse(entry, rule(entry)).is_err(), "{entry}");
    }
}

#[tokio::test]
async fn one_agents_cookies_and_connections_are_not_anothers() {
    let identity = Identity::of(&["api.example.com"]);
    let world = World::new(&identity, Script::Reply(reply("200 OK", "set-cookie: a=b\r\n", "ok"))).await;
    let network = Network::new(world.config.clone()).unwrap();
    for _ in 0..2 {
        let grants = vec![HostGrant::parse("api.example.com", rule("api.example.com")).unwrap()];
        let skill = SkillNetwork::new(grants, Arc::clone(&network));
        TestCall::of(&skill).text("https://api.example.com/").await.unwrap();
    }
    let seen = world.log.seen();
    assert!(!seen[1].head.to_ascii_lowercase().contains("cookie"));
    assert_ne!(seen[0].connection, seen[1].connection);
}

#[tokio::test]
async fn a_kill_during_a_streaming_response_closes_the_connection_within_the_budget() {
    let pause = Duration::from_millis(5);
    let start = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".into();
    let identity = Identity::of(&["api.example.com"]);
    let world = World::new(&identity, Script::Drip { start, piece: "1\r\nx\r\n".into(), pause }).await;
    let skill = world.skill(&["api.example.com"]);
    let call = TestCall::of(&skill);
    let reading = tokio::time::timeout(Duration::from_millis(200), call.text("https://api.example.com/slow"));
    assert!(reading.await.is_err());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.log.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_hook_that_wasmtime_calls_is_the_same_path() {
    let identity = Identity::of(&["api.example.com"]);
    let world = World::new(&identity, Script::Reply(reply("200 OK", "", "ok"))).await;
    let skill = world.skill(&["api.example.com"]);
    let mut call = TestCall::of(&skill);
    let done =
        || -> Box<dyn Future<Output = Result<(), Error>> + Send> { Box::new(std::future::ready(Ok(()))) };
    let sent = request("GET", "https://api.example.com/").unwrap();
    let (response, driver) =
        std::pin::Pin::from(call.network.send_request(sent, None, done())).await.unwrap();
    assert_eq!(response.status(), 200);
    std::pin::Pin::from(driver).await.unwrap();
    let sent = request("GET", "https://evil.com/").unwrap();
    let refused = std::pin::Pin::from(call.network.send_request(sent, None, done())).await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)));
    assert!(call.network.p2_outgoing_body_chunk_size() <= 64 << 10);
}
