//! What a worker that is somebody else's by now says, and what is not believed of it.

use std::sync::Mutex;

use http_body_util::{BodyExt, Empty};
use serde_json::json;

use super::*;
use crate::denial::Denial;
use crate::grant::Grant;
use crate::sandbox::limiter::MemoryGauge;
use crate::sandbox::log::CallLog;
use crate::sandbox::network::{Network, NetworkConfig, SkillNetwork};
use crate::sandbox::overseer::{Access, BoxFuture, FileChange, Overseer};
use crate::sandbox::worker::connection::Patience;
use crate::sandbox::worker::connection::tests::{PATIENT, silent};
use crate::sandbox::worker::http::{Length, Piece, RequestHead};
use crate::sandbox::worker::message::End;

/// Hears what a guest reports.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Overseer for Ear {
    fn before_effect<'a>(&'a self, _: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        Box::pin(std::future::ready(Ok(Permit::Unchanged)))
    }

    fn record(&self, _: &Access) {}

    fn progress(&self, progress: &Progress) {
        self.0.lock().unwrap().extend(progress.message.clone());
    }
}

fn answering(connection: &Arc<Connection>, call: u64, may_change: bool) -> Answering {
    heard_by(connection, call, may_change, Arc::default())
}

fn heard_by(connection: &Arc<Connection>, call: u64, may_change: bool, ear: Arc<Ear>) -> Answering {
    let clock = CallClock::start(Duration::from_secs(60));
    let witness = Arc::new(Witness::new(Arc::from("skill"), Arc::from("agent"), ear, clock));
    let skill = SkillNetwork::new(Vec::new(), Network::new(NetworkConfig::default()).unwrap());
    let network = CallNetwork::new(skill, Arc::clone(&witness), None);
    Answering {
        ongoing: Ongoing { connection: Arc::clone(connection), call },
        reports: Reports { witness, log: CallLog::default(), gauge: Arc::<MemoryGauge>::default() },
        clock: CallClock::start(Duration::from_secs(60)),
        channels: Arc::new(tokio::sync::Mutex::new(CallChannels::new(&Grant::default(), None))),
        inspects: None,
        may_change,
        requests: Requests::new(network),
        asked: JoinSet::new(),
    }
}

fn change(path: usize, to: Option<usize>) -> What {
    let (path, to) = ("x".repeat(path), to.map(|to| "x".repeat(to)));
    What::Change { ask: 0, change: FileChange::Rename, path, to, content: false }
}

#[tokio::test]
async fn a_change_that_cannot_be_the_guest_s_is_nonsense() {
    let (connection, _theirs) = silent(PATIENT);
    let (call, _words) = connection.register(0).unwrap();
    let heard = |may_change, what| answering(&connection, call, may_change).hear(what, Vec::new());
    assert!(
        matches!(heard(false, change(1, None)), Heard::Nonsense),
        "nothing is granted for more than reading"
    );
    assert!(matches!(heard(true, change(LONGEST_PATH + 1, None)), Heard::Nonsense));
    assert!(matches!(heard(true, change(1, Some(LONGEST_PATH + 1))), Heard::Nonsense));
    assert!(matches!(heard(true, change(LONGEST_PATH, Some(LONGEST_PATH))), Heard::More));
    let sent = || What::Send { ask: 0, channel: "news".to_owned() };
    let mut long = answering(&connection, call, true);
    assert!(matches!(long.hear(sent(), vec![b'x'; LONGEST_SENT + 1]), Heard::Nonsense));
    assert!(matches!(long.hear(sent(), vec![b'x'; LONGEST_SENT]), Heard::More));
    let to = |channel: usize| What::Send { ask: 0, channel: "x".repeat(channel) };
    assert!(matches!(long.hear(to(LONGEST_CHANNEL + 1), Vec::new()), Heard::Nonsense));
    assert!(matches!(long.hear(to(LONGEST_CHANNEL), Vec::new()), Heard::More));
    connection.end();
}

#[tokio::test]
async fn a_worker_that_does_not_read_is_ended_with_the_call_that_is_cancelled() {
    let (connection, _theirs) = silent(Patience { ending: Duration::from_millis(200), ..PATIENT });
    let ((one, _words), (_other, _more)) = (connection.register(0).unwrap(), connection.register(0).unwrap());
    let full = Arc::clone(&connection);
    tokio::spawn(async move { full.send(&ToWorker::Next { ask: 0 }, &vec![0; 16 << 20]).await });
    connection.leave(one);
    let ended = tokio::time::timeout(Duration::from_secs(60), connection.epitaph()).await;
    assert!(ended.expect("it goes on").contains("SIGKILL"));
}

#[tokio::test]
async fn a_worker_that_is_retired_takes_no_call_and_ends_with_its_last() {
    let (connection, _theirs) = silent(PATIENT);
    let (call, _words) = connection.register(0).unwrap();
    connection.retire();
    assert!(connection.register(0).is_none());
    connection.finished(call);
    let ended = tokio::time::timeout(Duration::from_secs(60), connection.epitaph()).await;
    assert!(ended.expect("it goes on").contains("SIGKILL"));
}

#[tokio::test]
async fn content_that_nobody_asked_to_see_or_more_of_it_is_nonsense() {
    let (connection, _theirs) = silent(PATIENT);
    let (call, _words) = connection.register(0).unwrap();
    let shown =
        || What::Change { ask: 0, change: FileChange::Write, path: "a".to_owned(), to: None, content: true };
    for (inspects, length, is_heard) in
        [(None, 1, false), (None, 0, false), (Some(10), 11, false), (Some(10), 10, true)]
    {
        let mut answering = Answering { inspects, ..answering(&connection, call, true) };
        let heard = answering.hear(shown(), vec![b'x'; length]);
        assert_eq!(matches!(heard, Heard::More), is_heard, "{length} bytes of {inspects:?}");
    }
    connection.end();
}

fn asked(ask: u64) -> What {
    let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let head = RequestHead {
        method: "GET".to_owned(),
        scheme: Some("https".to_owned()),
        authority: Some("api.example.com".to_owned()),
        path: Some("/".to_owned()),
        fields: Vec::new(),
        timeouts: [None; 3],
        length: Length::of(&nothing),
    };
    What::Request { ask, head }
}

#[tokio::test]
async fn more_questions_than_a_guest_can_have_are_nonsense() {
    let (connection, _theirs) = silent(PATIENT);
    let (call, _words) = connection.register(0).unwrap();
    let questions: [fn(u64) -> What; 3] =
        [|_| change(1, None), |ask| What::Send { ask, channel: "news".to_owned() }, asked];
    for question in questions {
        let mut answering = answering(&connection, call, true);
        for number in 0..OPEN_QUESTIONS as u64 {
            assert!(matches!(answering.hear(question(number), Vec::new()), Heard::More), "{number}");
        }
        assert!(matches!(answering.hear(question(OPEN_QUESTIONS as u64), Vec::new()), Heard::Nonsense));
    }
    connection.end();
}

#[tokio::test]
async fn a_request_s_words_out_of_turn_are_nonsense() {
    let (connection, _theirs) = silent(PATIENT);
    let (call, _words) = connection.register(0).unwrap();
    let next = || What::Next { ask: 0 };
    let piece = || What::Piece { ask: 0, piece: Piece::Data };
    for (what, out_of_turn) in [
        ("twice the same", vec![asked(0)]),
        ("two asked for", vec![next(), next()]),
        ("two sent", vec![piece(), piece()]),
    ] {
        let mut answering = answering(&connection, call, true);
        assert!(matches!(answering.hear(asked(0), Vec::new()), Heard::More));
        let heard: Vec<Heard> =
            out_of_turn.into_iter().map(|what| answering.hear(what, b"x".to_vec())).collect();
        assert!(matches!(heard.last(), Some(Heard::Nonsense)), "{what}");
    }
    connection.end();
}

#[tokio::test]
async fn what_is_passed_on_is_cut_and_a_line_of_the_log_is_of_a_source_that_there_is() {
    let (connection, _theirs) = silent(PATIENT);
    let (call, _words) = connection.register(0).unwrap();
    let ear = Arc::<Ear>::default();
    let mut answering = heard_by(&connection, call, false, Arc::clone(&ear));
    let message = Some("x".repeat(2 * PROGRESS_CHARACTERS));
    answering.hear(What::Progress { done: 1, total: None, message }, Vec::new());
    assert_eq!(*ear.0.lock().unwrap(), ["x".repeat(PROGRESS_CHARACTERS)]);
    let ended = |source: &str| {
        let (ending, value) = End::of(&Ending::Returned(json!(1)));
        let lines = vec![(source.to_owned(), "text".to_owned())];
        (What::Ended { ending, lines, dropped: 0, peak: 0 }, value)
    };
    for (source, is_one) in [("stdout\nerror", false), ("gateway", false), ("", false), ("stdout", true)] {
        let (what, value) = ended(source);
        assert_eq!(matches!(answering.hear(what, value), Heard::End(_)), is_one, "{source:?}");
    }
    connection.end();
}
