//! What waits for a person, in memory and bounded: identical questions are one, with a line of waiters behind it.
//!
//! The rule: a question leaves the queue exactly once, decided or not. Nothing here waits, writes or calls anybody.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use soulbound_runtime::Denial;
use soulbound_runtime::skill::Digest;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::decision::Approved;
use super::link::Link;
use super::subject::Subject;
use crate::audit::Book;
use crate::clock::Moment;

/// Decisions that are remembered for whoever comes second.
const RECENT: usize = 512;

/// Bytes of arguments, bodies and files that wait, in all.
const HELD_BYTES: usize = 64 << 20;

/// What becomes of a waiter.
pub(super) type Verdict = Result<Approved, Denial>;

/// A question that waits.
pub(super) struct Request {
    /// 128 random bits: what links and forms are bound to.
    pub(super) id: String,
    /// `echo-37`; none until its record is written.
    pub(super) name: Option<String>,
    pub(super) binding: Digest,
    pub(super) subject: Arc<Subject>,
    pub(super) book: Arc<Book>,
    pub(super) asked: Moment,
    /// When nobody has decided by then, it is refused. Identical questions that come later do not put it off.
    pub(super) deadline: Instant,
    /// How often it was asked.
    pub(super) times: u64,
    /// The link that decides about it, where one was told.
    pub(super) link: Option<Link>,
    /// What each in line holds in memory.
    bytes: usize,
    line: VecDeque<Waiter>,
}

struct Waiter {
    number: u64,
    tell: oneshot::Sender<Verdict>,
}

impl Request {
    /// How many wait for the answer.
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Tells the first in line that is still there one thing, and everybody behind it another. Whether anybody was there.
    pub(super) fn tell_first(mut self, first: Verdict, others: impl Fn() -> Verdict) -> bool {
        let mut first = Some(first);
        for waiter in self.line.drain(..) {
            match first.take() {
                // Whoever went away meanwhile did not use it up.
                Some(verdict) => first = waiter.tell.send(verdict).err(),
                None => drop(waiter.tell.send(others())),
            }
        }
        first.is_none()
    }

    /// Tells everybody the same.
    pub(super) fn tell_all(mut self, verdict: &Verdict) {
        for waiter in self.line.drain(..) {
            let _ = waiter.tell.send(verdict.clone());
        }
    }
}

/// A place in the line.
pub(super) struct Place {
    pub(super) key: u64,
    pub(super) number: u64,
    pub(super) deadline: Instant,
    pub(super) told: oneshot::Receiver<Verdict>,
    /// Nobody had asked this before.
    pub(super) is_new: bool,
}

/// A question that was decided.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    id: String,
    name: String,
    /// `approved once by root on pts/1 (cli) at …`.
    pub(super) said: String,
}

/// What a reference leads to.
pub(super) enum Found {
    Waiting(Request),
    Decided(Recent),
    Nothing,
}

/// How many may wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) agent: usize,
    pub(super) gateway: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Agent(usize),
    Gateway(usize),
    Bytes,
}

/// Everything that waits.
#[derive(Default)]
pub(super) struct Queue {
    next: u64,
    requests: HashMap<u64, Request>,
    recent: VecDeque<Recent>,
}

impl Queue {
    /// Takes a place: behind identical ones, or as a new question.
    pub(super) fn join(
        &mut self,
        subject: &Arc<Subject>,
        binding: Digest,
        book: &Arc<Book>,
        id: impl FnOnce() -> String,
        deadline: Instant,
        room: Room,
    ) -> Result<Place, Full> {
        let of_agent = self.waiting(Some(&subject.agent));
        if of_agent >= room.agent {
            return Err(Full::Agent(of_agent));
        }
        let of_all = self.waiting(None);
        if of_all >= room.gateway {
            return Err(Full::Gateway(of_all));
        }
        let bytes = subject.bytes();
        // Whoever asks the same holds the same once more, in a call of its own.
        let held: usize = self.requests.values().map(|request| request.bytes * request.waiting()).sum();
        if held + bytes > HELD_BYTES {
            return Err(Full::Bytes);
        }
        self.next += 1;
        let number = self.next;
        let (tell, told) = oneshot::channel();
        let waiter = Waiter { number, tell };
        let there = self.requests.iter_mut().find(|(_, request)| request.binding == binding);
        if let Some((key, request)) = there {
            request.times += 1;
            request.line.push_back(waiter);
            return Ok(Place { key: *key, number, deadline: request.deadline, told, is_new: false });
        }
        let request = Request {
            id: id(),
            name: None,
            binding,
            subject: Arc::clone(subject),
            book: Arc::clone(book),
            asked: Moment::now(),
            deadline,
            times: 1,
            link: None,
            bytes,
            line: VecDeque::from([waiter]),
        };
        self.requests.insert(number, request);
        Ok(Place { key: number, number, deadline, told, is_new: true })
    }

    /// The question with this key, to be named or told of.
    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Request> {
        self.requests.get_mut(&key)
    }

    /// Leaves the line. The question comes back when nobody waits for its answer any more.
    pub(super) fn leave(&mut self, key: u64, number: u64) -> Option<Request> {
        let request = self.requests.get_mut(&key)?;
        request.line.retain(|waiter| waiter.number != number);
        if request.line.is_empty() { self.requests.remove(&key) } else { None }
    }

    /// Takes a question out: its time is up, or it cannot be asked.
    pub(super) fn remove(&mut self, key: u64) -> Option<Request> {
        self.requests.remove(&key)
    }

    /// Takes out the question that somebody decided about, by its name or its id. One whose time is up is not there.
    pub(super) fn take(&mut self, reference: &str, now: Instant) -> Found {
        let key = self.key_of(reference, now);
        if let Some(request) = key.and_then(|key| self.requests.remove(&key)) {
            return Found::Waiting(request);
        }
        match self.recent.iter().rev().find(|recent| recent.id == reference || recent.name == reference) {
            Some(recent) => Found::Decided(recent.clone()),
            None => Found::Nothing,
        }
    }

    /// The question that waits under this name or id.
    pub(super) fn find(&self, reference: &str, now: Instant) -> Option<&Request> {
        self.requests.get(&self.key_of(reference, now)?)
    }

    /// Whose question waits under this id, or waited.
    pub(super) fn agent_of(&self, id: &str, now: Instant) -> Option<String> {
        let waiting = self.find(id, now).map(|request| request.subject.agent.clone());
        let decided = || self.recent.iter().rev().find(|recent| recent.id == id);
        waiting.or_else(|| Some(decided()?.name.rsplit_once('-')?.0.to_owned()))
    }

    /// The question that this link decides about.
    pub(super) fn find_link(&self, token: Digest, now: Instant) -> Option<&Request> {
        self.requests.values().find(|request| {
            request.link.as_ref().is_some_and(|link| link.is(token)) && request.deadline > now
        })
    }

    /// Remembers what was decided.
    pub(super) fn remember(&mut self, id: String, name: String, said: String) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { id, name, said });
    }

    /// Everything that waits and has a name, the oldest first.
    pub(super) fn all(&self) -> Vec<&Request> {
        let mut all: Vec<(&u64, &Request)> =
            self.requests.iter().filter(|(_, request)| request.name.is_some()).collect();
        all.sort_by_key(|(key, _)| **key);
        all.into_iter().map(|(_, request)| request).collect()
    }

    /// Callers that wait: of an agent, or in all.
    pub(super) fn waiting(&self, agent: Option<&str>) -> usize {
        let of = |request: &&Request| agent.is_none_or(|agent| request.subject.agent == agent);
        self.requests.values().filter(of).map(Request::waiting).sum()
    }

    fn key_of(&self, reference: &str, now: Instant) -> Option<u64> {
        let is_meant = |request: &Request| {
            request.name.as_deref().is_some_and(|name| name == reference || request.id == reference)
                && request.deadline > now
        };
        self.requests.iter().find(|(_, request)| is_meant(request)).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::subject::What;
    use super::super::subject::tests::subject;
    use super::*;
    use crate::audit::{Audit, Header, Options};

    const ROOM: Room = Room { agent: 3, gateway: 4 };

    struct Stage {
        queue: Queue,
        book: Arc<Book>,
        _place: tempfile::TempDir,
    }

    impl Stage {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let audit = Audit::open(place.path(), Options::default()).unwrap();
            let book = Arc::new(audit.book("echo", Header::default()).unwrap().0);
            Self { queue: Queue::default(), book, _place: place }
        }

        fn join(&mut self, agent: &str, argument: u64, within: Duration) -> Result<Place, Full> {
            let asked = Subject { agent: agent.to_owned(), ..subject(json!({"a": argument}), What::Call) };
            let (binding, asked) = (asked.binding(), Arc::new(asked));
            let deadline = Instant::now() + within;
            let id = || format!("id-{agent}-{argument}");
            let place = self.queue.join(&asked, binding, &self.book, id, deadline, ROOM)?;
            if let Some(request) = self.queue.get_mut(place.key) {
                request.name = Some(format!("{agent}-{argument}"));
            }
            Ok(place)
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn approved() -> Verdict {
        Ok(Approved { name: "echo-1".to_owned(), who: "anna".to_owned() })
    }

    fn used() -> Verdict {
        Err(Denial::new(soulbound_runtime::DenialId::ApprovalDenied, "used"))
    }

    #[test]
    fn an_approval_for_once_goes_to_the_first_that_is_still_there() {
        let mut stage = Stage::new();
        let [gone, mut first, mut second] = [0; 3].map(|_| stage.join("echo", 1, LONG).unwrap());
        assert!(gone.is_new && !first.is_new && !second.is_new);
        drop(gone.told);
        let Found::Waiting(request) = stage.queue.take("echo-1", Instant::now()) else { panic!() };
        assert!(request.tell_first(approved(), used));
        assert!(first.told.try_recv().unwrap().is_ok() && second.told.try_recv().unwrap().is_err());
        assert!(matches!(stage.queue.take("echo-1", Instant::now()), Found::Nothing));
    }

    #[test]
    fn what_is_out_of_time_cannot_be_approved_and_identical_questions_do_not_put_it_off() {
        let mut stage = Stage::new();
        let first = stage.join("echo", 1, Duration::from_millis(5)).unwrap();
        let second = stage.join("echo", 1, LONG).unwrap();
        assert_eq!(first.deadline, second.deadline);
        let later = first.deadline + Duration::from_millis(1);
        assert!(matches!(stage.queue.take("echo-1", later), Found::Nothing));
        assert!(stage.queue.find("id-echo-1", later).is_none());
        assert!(matches!(stage.queue.take("id-echo-1", Instant::now()), Found::Waiting(_)));
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_of_arguments_and_content_of_each_that_waits() {
        use soulbound_runtime::sandbox::Content;
        const LARGE: usize = 30 << 20;
        let arguments = subject(json!({"a": "x".repeat(LARGE)}), What::Call);
        let content = subject(json!({}), What::Result(Content(vec![b'x'; LARGE].into())));
        for (asked, alike) in [(arguments, false), (content.clone(), false), (content, true)] {
            let (mut stage, asked) = (Stage::new(), Arc::new(asked));
            let room = Room { agent: 9, gateway: 9 };
            let mut join = |number: u8| {
                let binding = Digest::of(&[if alike { 0 } else { number }]);
                let deadline = Instant::now() + LONG;
                stage.queue.join(&asked, binding, &stage.book, String::new, deadline, room)
            };
            let held = [0, 1].map(|number| join(number).unwrap());
            assert_eq!(join(2).err(), Some(Full::Bytes));
            stage.queue.leave(held[1].key, held[1].number);
            let deadline = Instant::now() + LONG;
            let again = stage.queue.join(&asked, Digest::of(&[3]), &stage.book, String::new, deadline, room);
            assert!(again.is_ok(), "there is room again");
        }
    }

    #[test]
    fn what_waits_is_bounded_by_agent_and_in_all_and_the_older_ones_stay() {
        let mut stage = Stage::new();
        let held: Vec<Place> = (0..3).map(|number| stage.join("echo", number, LONG).unwrap()).collect();
        assert_eq!(stage.join("echo", 9, LONG).err(), Some(Full::Agent(3)));
        assert_eq!(stage.join("echo", 0, LONG).err(), Some(Full::Agent(3)), "callers count, not questions");
        let _eve = stage.join("eve", 1, LONG).unwrap();
        assert_eq!(stage.join("eve", 2, LONG).err(), Some(Full::Gateway(4)));
        assert_eq!(stage.queue.all().len(), 4);
        assert!(stage.queue.leave(held[0].key, held[0].number).is_some(), "nobody waits for it any more");
        assert!(stage.join("echo", 9, LONG).is_ok());
    }
}
