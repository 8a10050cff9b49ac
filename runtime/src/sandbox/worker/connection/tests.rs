//! When a worker that is somebody else's by now is ended: the process is any, and what it says is written by hand.
//!
//! The rule: what is not tried is given an hour, so that only the guard that is meant can end it in time.

use std::process::{Command, Stdio};

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::*;

const SOON: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(3_600);
/// Waits for nothing.
pub(in crate::sandbox::worker) const PATIENT: Patience = Patience { idle: LONG, ending: LONG };

/// A connection to a process that neither reads nor says anything, and its end of the socket.
pub(in crate::sandbox::worker) fn silent(patience: Patience) -> (Arc<Connection>, UnixStream) {
    let sleep = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (reading, writing) = ours.into_split();
    let io = tokio::runtime::Handle::current();
    let process = Process::of(sleep).unwrap();
    (Connection::open(process, BufReader::new(reading), writing, &io, patience), theirs)
}

async fn ends(connection: &Connection) {
    let ended = tokio::time::timeout(Duration::from_secs(60), connection.epitaph()).await;
    assert!(ended.expect("it goes on").contains("SIGKILL"));
}

/// A word of this call, as a worker writes it.
fn word(call: u64) -> Vec<u8> {
    frame::frame(&Told { call, what: What::Computed { milliseconds: 1 } }, &[]).unwrap()
}

/// Reads whatever it is told.
fn reading(mut theirs: UnixStream) {
    tokio::spawn(async move { while theirs.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {} });
}

#[tokio::test]
async fn a_worker_without_a_call_is_ended_however_much_it_talks() {
    for talks in [false, true] {
        let (connection, mut theirs) = silent(Patience { idle: SOON, ..PATIENT });
        let (call, words) = connection.register(0).unwrap();
        drop(words);
        connection.finished(call);
        tokio::spawn(async move {
            // Of a call that there was: that is no nonsense.
            while talks && theirs.write_all(&word(call)).await.is_ok() {}
            std::future::pending::<()>().await;
        });
        ends(&connection).await;
        assert!(connection.register(0).is_none());
    }
}

#[tokio::test]
async fn a_worker_that_does_not_read_is_ended_by_whoever_speaks_to_it() {
    let (connection, _theirs) = silent(Patience { ending: SOON, ..PATIENT });
    let (_call, _words) = connection.register(0).unwrap();
    connection.send(&ToWorker::Next { ask: 0 }, &vec![0; 16 << 20]).await;
    ends(&connection).await;
}

#[tokio::test]
async fn a_worker_is_ended_with_its_only_call_and_does_not_get_a_moment() {
    let (connection, theirs) = silent(PATIENT);
    reading(theirs);
    let (call, _words) = connection.register(0).unwrap();
    connection.leave(call);
    ends(&connection).await;
}

#[tokio::test]
async fn a_cancelled_call_beside_others_has_a_moment_to_end_and_then_its_worker_is_ended() {
    let (connection, theirs) = silent(Patience { ending: SOON, ..PATIENT });
    reading(theirs);
    let ((call, _words), (_other, _more)) =
        (connection.register(0).unwrap(), connection.register(0).unwrap());
    connection.leave(call);
    ends(&connection).await;
}

#[tokio::test]
async fn a_worker_that_is_retired_without_a_call_ends_at_once() {
    let (connection, _theirs) = silent(PATIENT);
    let (call, _words) = connection.register(0).unwrap();
    connection.finished(call);
    connection.retire();
    ends(&connection).await;
}

#[tokio::test]
async fn a_worker_that_was_told_half_of_something_is_ended() {
    let (connection, theirs) = silent(PATIENT);
    let telling = Arc::clone(&connection);
    let telling =
        tokio::spawn(async move { telling.send(&ToWorker::Next { ask: 0 }, &vec![0; 16 << 20]).await });
    theirs.readable().await.unwrap();
    telling.abort();
    ends(&connection).await;
}

#[tokio::test]
async fn a_worker_that_says_what_makes_no_sense_is_ended() {
    let head = |length: u64| [&length.to_le_bytes()[..], b"{}"].concat();
    let mut large =
        frame::frame(&Told { call: 0, what: What::GiveUp { ask: 0 } }, &vec![0; 2 << 20]).unwrap();
    // Its announcement: nobody would read the rest.
    large.truncate(4_096);
    for (said, why) in [
        (b"no frame at all, and longer than a length".to_vec(), "no frame"),
        (head(2), "a head that is none"),
        (head(u64::MAX), "a head without end"),
        (large, "a body that is not due"),
        (word(7), "a call that there never was"),
    ] {
        let (connection, mut theirs) = silent(PATIENT);
        let (_call, _words) = connection.register(0).unwrap();
        theirs.write_all(&said).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(60), connection.epitaph()).await;
        assert!(ended.is_ok(), "{why}");
    }
}
