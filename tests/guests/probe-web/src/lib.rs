//! `probe-web`: sends what it is told, however bad. `wit/probe-web.wit` is the documentation of each tool.
//!
//! The rule: nothing is checked or softened here; whatever stops a request must be the host.

mod bindings;
mod send;
mod url;

use std::hint::black_box;

use bindings::{Guest, Response};
use send::{Ask, Parts};

struct ProbeWeb;

impl Guest for ProbeWeb {
    fn request(
        method: String,
        url: String,
        headers: Vec<(String, String)>,
        body: Option<String>,
    ) -> Result<Response, String> {
        let body = body.unwrap_or_default().into_bytes();
        Ask { headers, body, ..Ask::new(&method, url::parts(&url)) }.send()?.read()
    }

    fn request_parts(
        method: String,
        scheme: Option<String>,
        authority: Option<String>,
        path: Option<String>,
    ) -> Result<Response, String> {
        Ask::new(&method, Parts { scheme, authority, path }).send()?.read()
    }

    fn request_many(url: String, count: u32) -> Vec<Result<u16, String>> {
        let sent: Vec<_> = (0..count).map(|_| Ask::new("GET", url::parts(&url)).send()).collect();
        let answers: Vec<_> = sent.into_iter().map(|sent| sent.and_then(send::Sent::wait)).collect();
        // All of them stay open until the last has answered.
        answers
            .iter()
            .map(|answer| answer.as_ref().map(|answer| answer.status()).map_err(Clone::clone))
            .collect()
    }

    fn upload(url: String, bytes: u64) -> Result<u16, String> {
        let body = vec![b'x'; bytes as usize];
        Ask { body, ..Ask::new("POST", url::parts(&url)) }.send()?.wait().map(|answer| answer.status())
    }

    fn request_timeout(url: String, milliseconds: u64) -> Result<Response, String> {
        let timeout = Some(milliseconds * 1_000_000);
        Ask { timeout, ..Ask::new("GET", url::parts(&url)) }.send()?.read()
    }

    fn request_and_spin(url: String, body: String) {
        let sent = Ask { body: body.into_bytes(), ..Ask::new("POST", url::parts(&url)) }.send();
        let mut turns = 0_u64;
        while black_box(true) {
            turns = black_box(turns.wrapping_add(1));
        }
        drop(sent);
    }

    fn request_and_give_up(url: String, body: String, times: u32) {
        for _ in 0..times {
            drop(Ask { body: body.clone().into_bytes(), ..Ask::new("POST", url::parts(&url)) }.send());
        }
    }

    fn unfinished(url: String, body: String) -> Result<u16, String> {
        let ask = Ask { body: body.into_bytes(), finish: false, ..Ask::new("POST", url::parts(&url)) };
        ask.send()?.wait().map(|answer| answer.status())
    }

    fn abandon(url: String) {
        drop(black_box(Ask::new("GET", url::parts(&url)).send()));
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(ProbeWeb with_types_in crate::bindings);
    use super::ProbeWeb;
}
