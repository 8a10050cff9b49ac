//! What an overseer that inspects bodies sees, and that just this is sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};

use super::server::{Script, reply};
use super::world::{TestCall, World, empty, endless, full, request};
use crate::denial::{Denial, DenialId};
use crate::sandbox::overseer::{Access, BoxFuture, Carrier, Content, Effect, Overseer, Permit};

/// Inspects POST up to so many bytes.
struct Inspector {
    most: u64,
    mask: Option<&'static str>,
    refuse: bool,
    seen: Mutex<Vec<Effect>>,
}

impl Inspector {
    fn of(most: u64) -> Self {
        Self { most, mask: None, refuse: false, seen: Mutex::default() }
    }

    fn bodies(&self) -> Vec<Option<Bytes>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|effect| effect.content().map(|content| content.0.clone())).collect()
    }
}

impl Overseer for Inspector {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.seen.lock().unwrap().push(effect.clone());
        let answer = match self.mask {
            _ if self.refuse => Err(Denial::new(DenialId::ApprovalDenied, "a person refused")),
            Some(mask) => Ok(Permit::Masked(Content(mask.into()))),
            None => Ok(Permit::Unchanged),
        };
        Box::pin(std::future::ready(answer))
    }

    fn inspects(&self, carrier: Carrier<'_>) -> Option<u64> {
        matches!(carrier, Carrier::Request { method: "POST" }).then_some(self.most)
    }

    fn record(&self, _: &Access) {}
}

async fn stage(inspector: Inspector) -> (World, TestCall, Arc<Inspector>) {
    let world = World::plain(Script::Reply(reply("200 OK", "", "hello"))).await;
    let inspector = Arc::new(inspector);
    let skill = world.skill(&["GET POST http://api.example.com"]);
    let call = TestCall::watched(&skill, Arc::clone(&inspector) as _, None);
    (world, call, inspector)
}

fn post(body: WasiBody) -> http::Request<WasiBody> {
    request("POST", "http://api.example.com/").unwrap().map(|_| body)
}

/// A body of these frames.
struct Listed(std::vec::IntoIter<Result<Frame<Bytes>, Error>>);
impl http_body::Body for Listed {
    type Data = Bytes;
    type Error = Error;
    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Error>>> {
        std::task::Poll::Ready(self.0.next())
    }
}

/// A body in pieces, then these trailers, then an error if so said.
fn pieces(parts: &[&'static str], trailers: Option<HeaderMap>, broken: bool) -> WasiBody {
    let mut frames: Vec<Result<Frame<Bytes>, Error>> =
        parts.iter().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))).collect();
    frames.extend(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
    if broken {
        frames.push(Err(Error::HttpProtocolError));
    }
    Listed(frames.into_iter()).boxed_unsync()
}

#[tokio::test]
async fn the_whole_body_is_judged_however_it_comes_and_just_that_is_sent() {
    let (world, call, inspector) = stage(Inspector::of(1_000)).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-later", "secret".parse().unwrap());
    call.send(post(pieces(&["sec", "", "ret"], Some(trailers), false))).await.unwrap();
    assert_eq!(inspector.bodies(), [Some(Bytes::from("secret"))]);
    let seen = &world.log.seen()[0];
    assert_eq!(seen.bytes, b"secret");
    let head = seen.head.to_ascii_lowercase();
    assert!(head.contains("content-length: 6\r\n") && !head.contains("chunked"), "{head}");
    assert!(!head.contains("x-later"), "nobody judged a trailer");
}

#[tokio::test]
async fn what_is_not_inspected_streams_and_is_not_shown() {
    let (world, call, inspector) = stage(Inspector::of(1_000)).await;
    call.get("http://api.example.com/").await.unwrap();
    assert_eq!(inspector.bodies(), [None]);
    assert_eq!(world.log.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_body_never_leaves() {
    let (world, call, _) = stage(Inspector { refuse: true, ..Inspector::of(1_000) }).await;
    assert!(matches!(call.send(post(full(b"secret".to_vec()))).await, Err(Error::HttpRequestDenied)));
    assert_eq!(call.denial().id, DenialId::ApprovalDenied);
    assert!(world.asked().is_empty() && world.dialled().is_empty());
}

#[tokio::test]
async fn a_body_over_what_is_held_back_is_a_denial_and_nobody_is_asked() {
    let (mut world, call, inspector) = stage(Inspector::of(10)).await;
    call.send(post(full(vec![b'x'; 10]))).await.unwrap();
    assert!(matches!(call.send(post(full(vec![b'x'; 11]))).await, Err(Error::HttpRequestDenied)));
    let never_ends = tokio::time::timeout(Duration::from_secs(20), call.send(post(endless()))).await;
    assert!(matches!(never_ends.unwrap(), Err(Error::HttpRequestDenied)));
    let denials = call.ledger().denials;
    assert!(denials.len() == 2 && denials.iter().all(|denial| denial.id == DenialId::EffectTooLarge));
    assert_eq!((inspector.bodies().len(), world.log.seen().len()), (1, 1));
    // The operator's own limit counts if it is the smaller one.
    world.config.limits.request_body = 5;
    let skill = world.skill(&["POST http://api.example.com"]);
    let call = TestCall::watched(&skill, Arc::new(Inspector::of(1_000)), None);
    assert!(call.send(post(full(vec![b'x'; 6]))).await.is_err());
    assert_eq!(call.denial().id, DenialId::EffectTooLarge);
}

#[tokio::test]
async fn a_mask_of_the_same_length_is_sent_and_of_another_nothing_is() {
    let (world, call, _) = stage(Inspector { mask: Some("******"), ..Inspector::of(1_000) }).await;
    call.send(post(full(b"secret".to_vec()))).await.unwrap();
    assert_eq!(world.log.seen()[0].bytes, b"******");
    assert!(call.send(post(full(b"another secret".to_vec()))).await.is_err());
    assert!(call.send(post(empty())).await.is_err());
    // A mask for what was not even inspected is the overseer's fault too, and lets nothing go.
    assert!(call.get("http://api.example.com/").await.is_err());
    assert!(call.ledger().denials.iter().all(|denial| denial.id == DenialId::EffectFailed));
    assert_eq!(world.log.seen().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_not_what_its_head_says_or_breaks_off_is_neither_judged_nor_sent() {
    let (world, call, inspector) = stage(Inspector::of(1_000)).await;
    for (length, body) in [
        ("5", pieces(&["secret"], None, false)),
        ("7", pieces(&["secret"], None, false)),
        ("6, 6", pieces(&["secret"], None, false)),
        ("6", pieces(&["secret"], None, true)),
    ] {
        let mut request = post(body);
        request.headers_mut().insert("content-length", length.parse().unwrap());
        assert!(call.send(request).await.is_err(), "{length}");
    }
    assert!(inspector.bodies().is_empty());
    assert!(world.log.seen().is_empty() && world.dialled().is_empty());
    let mut right = post(pieces(&["sec", "ret"], None, false));
    right.headers_mut().insert("content-length", "6".parse().unwrap());
    call.send(right).await.unwrap();
}

#[tokio::test]
async fn header_values_that_would_look_the_same_to_a_person_are_refused() {
    let (world, call, inspector) = stage(Inspector::of(1_000)).await;
    let mut request = post(full(b"x".to_vec()));
    request.headers_mut().insert("x-a", http::HeaderValue::from_bytes(b"\xff").unwrap());
    assert!(call.send(request).await.is_err());
    assert_eq!(call.denial().id, DenialId::HostHeader);
    assert!(inspector.bodies().is_empty() && world.dialled().is_empty());
}

#[tokio::test]
async fn a_body_whose_guest_was_ended_is_not_taken_for_a_whole_one() {
    let (world, call, inspector) = stage(Inspector::of(1_000)).await;
    call.end();
    assert!(call.send(post(full(b"sec".to_vec()))).await.is_err());
    assert!(inspector.bodies().is_empty() && world.dialled().is_empty());
}

#[tokio::test]
async fn a_held_back_body_is_charged_once_and_a_refused_one_not_at_all() {
    let world = World::plain(Script::Reply(reply("200 OK", "", "hello"))).await;
    let skill = world.skill(&["POST http://api.example.com"]);
    for (refuse, charge) in [(false, 3_000..3_200), (true, 0..1)] {
        let charged = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&charged);
        let budget = Arc::new(move |bytes| {
            counter.fetch_add(bytes, Ordering::SeqCst);
            Ok(())
        });
        let inspector = Arc::new(Inspector { refuse, ..Inspector::of(10_000) });
        let call = TestCall::watched(&skill, inspector, Some(budget));
        let _ = call.send(post(full(vec![b'x'; 3_000]))).await;
        let charged = charged.load(Ordering::SeqCst);
        assert!(charge.contains(&charged), "{charged}");
    }
}

/// A body that is at its end, and says nothing else: that there is none.
struct Over;
impl http_body::Body for Over {
    type Data = Bytes;
    type Error = Error;
    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Error>>> {
        std::task::Poll::Ready(None)
    }
    fn is_end_stream(&self) -> bool {
        true
    }
}

/// A body of which nothing is known, as a guest streams it.
fn streamed(data: &'static str) -> WasiBody {
    pieces(&[data], None, false)
}

#[tokio::test]
async fn a_length_that_lies_is_refused_whether_the_body_is_judged_or_streams() {
    // Without a body hyper writes the header and nothing after it; the next request on the connection would be the body.
    for method in ["POST", "GET"] {
        let (world, call, _) = stage(Inspector::of(1_000)).await;
        let refused = [
            (empty(), vec!["5"]),
            (Over.boxed_unsync(), vec!["38"]),
            (full(Vec::new()), vec!["38"]),
            (full(b"secret".to_vec()), vec!["5"]),
            (full(b"secret".to_vec()), vec!["7"]),
            (full(b"secret".to_vec()), vec!["6", "6"]),
            (full(b"secret".to_vec()), vec!["+6"]),
            (streamed("secret"), vec!["6, 6"]),
            (streamed("secret"), vec![""]),
            (streamed("secret"), vec!["6", "7"]),
        ];
        for (body, lengths) in refused {
            let mut request = post(body);
            *request.method_mut() = method.parse().unwrap();
            for length in &lengths {
                request.headers_mut().append("content-length", length.parse().unwrap());
            }
            assert!(call.send(request).await.is_err(), "{lengths:?}");
        }
        assert!(world.log.seen().is_empty() && world.dialled().is_empty(), "nothing left");
        assert_eq!(call.denial().id, DenialId::HostHeader);
    }
    let (world, call, _) = stage(Inspector::of(1_000)).await;
    for (body, length) in [(empty(), "0"), (full(b"secret".to_vec()), "6"), (streamed("secret"), "6")] {
        let mut request = post(body);
        request.headers_mut().append("content-length", length.parse().unwrap());
        call.send(request).await.unwrap();
    }
    assert_eq!(world.log.seen().len(), 3, "the truth is sent");
}
