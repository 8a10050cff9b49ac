//! What a worker that is somebody else's by now says, and what is not believed of it.

use std::process::{Command, Stdio};

use tokio::io::BufReader;

use super::*;
use crate::grant::Grant;
use crate::sandbox::limiter::MemoryGauge;
use crate::sandbox::log::CallLog;
use crate::sandbox::network::{Network, NetworkConfig, SkillNetwork};
use crate::sandbox::overseer::FileChange;
use crate::sandbox::worker::broker::Process;

/// A connection to a process that neither reads nor says anything, and its end of the socket.
fn silent() -> (Arc<Connection>, tokio::net::UnixStream) {
    let sleep = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let (reading, writing) = ours.into_split();
    let io = tokio::runtime::Handle::current();
    (Connection::open(Process::of(sleep).unwrap(), BufReader::new(reading), writing, &io), theirs)
}

fn answering(connection: &Arc<Connection>, call: u64, may_change: bool) -> Answering {
    let witness = Arc::new(Witness::of_no_call(Arc::from("skill"), Arc::from("agent")));
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
    let (connection, _theirs) = silent();
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
    connection.end();
}

#[tokio::test]
async fn a_worker_that_does_not_read_is_ended_with_the_call_that_is_cancelled() {
    let (connection, _theirs) = silent();
    let ((one, _words), (_other, _more)) = (connection.register(0).unwrap(), connection.register(0).unwrap());
    let full = Arc::clone(&connection);
    tokio::spawn(async move { full.send(&ToWorker::Next { ask: 0 }, &vec![0; 16 << 20]).await });
    connection.leave(one);
    let ended = tokio::time::timeout(Duration::from_secs(60), connection.epitaph()).await;
    assert!(ended.expect("it goes on").contains("SIGKILL"));
}

#[tokio::test]
async fn a_worker_that_is_retired_takes_no_call_and_ends_with_its_last() {
    let (connection, _theirs) = silent();
    let (call, _words) = connection.register(0).unwrap();
    connection.retire();
    assert!(connection.register(0).is_none());
    connection.finished(call);
    let ended = tokio::time::timeout(Duration::from_secs(60), connection.epitaph()).await;
    assert!(ended.expect("it goes on").contains("SIGKILL"));
}
