//! `probe-files` and, with requests, `probe-http`: what `soulbound redteam` binds under each grant of an agent.
//!
//! One file a kind of trouble; `probe.wit` is the documentation of each tool. The rule: nothing is judged, softened or put
//! right here, and every call to the host is really made. The plan is the host's.

mod act;
mod bindings;
#[cfg(feature = "http")]
mod fetch;
mod voice;
mod waste;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bindings::{Guest, Step, Supply, Voice};
#[cfg(feature = "http")]
use bindings::{Request, Response};

struct Probe;

/// Answers that differ, kept of a hammering.
const KEPT: usize = 64;
static CALLS: AtomicU32 = AtomicU32::new(0);

impl Guest for Probe {
    fn files(steps: Vec<Step>) -> Vec<Result<String, String>> {
        steps.iter().map(act::perform).collect()
    }

    fn hammer(step: Step, milliseconds: u64) -> Vec<String> {
        let (started, length) = (Instant::now(), Duration::from_millis(milliseconds));
        let (mut seen, mut rounds) = (Vec::new(), 0_u64);
        loop {
            let answer = act::perform(&step).unwrap_or_else(|error| error);
            if seen.len() < KEPT && !seen.contains(&answer) {
                seen.push(answer);
            }
            rounds += 1;
            if started.elapsed() >= length {
                break;
            }
        }
        seen.push(format!("{rounds} rounds"));
        seen
    }

    fn waste(what: Supply, amount: u64, path: Option<String>) -> u64 {
        waste::use_up(what, amount, &path.unwrap_or_default())
    }

    fn bulk(bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }

    fn say(text: String, by: Voice) -> Result<String, String> {
        voice::say(text, by)
    }

    fn surroundings() -> Vec<String> {
        let variables = std::env::vars().map(|(name, value)| format!("{name}={value}"));
        let given = wasip2::filesystem::preopens::get_directories();
        let given = given.into_iter().map(|(_, name)| format!("directory {name}"));
        variables.chain(std::env::args()).chain(given).collect()
    }

    fn calls() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }

    #[cfg(feature = "http")]
    fn fetch(requests: Vec<Request>) -> Vec<Result<Response, String>> {
        requests.iter().map(|request| fetch::send(request)?.read()).collect()
    }

    #[cfg(feature = "http")]
    fn fetch_at_once(request: Request, count: u32) -> Vec<Result<u16, String>> {
        let sent: Vec<_> = (0..count).map(|_| fetch::send(&request)).collect();
        // Every one stays open until the last has answered.
        let answers: Vec<_> = sent.into_iter().map(|sent| sent.and_then(fetch::Sent::wait)).collect();
        answers
            .iter()
            .map(|answer| answer.as_ref().map(|answer| answer.status()).map_err(Clone::clone))
            .collect()
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(Probe with_types_in crate::bindings);
    use super::Probe;
}
