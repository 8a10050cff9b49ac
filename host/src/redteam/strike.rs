//! One attack, carried out: the scene set, the probe called, everything looked at afterwards.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use soulbound_runtime::sandbox::{Access, BoxFuture, Effect, Outcome, Overseer, Permit, Progress};
use soulbound_runtime::{Denial, DenialId};

use super::attack::Attack;
use super::oracle::{self, Evidence, LATE, Standard, Verdict};
use super::probe::Target;
use super::scratch::{Scratch, Watch};
use super::stub::Traffic;

/// A call that has not ended this long after it had to never will.
const NEVER: Duration = Duration::from_secs(5);
/// How long a name stays what it is while it is flipped.
const FLIP: Duration = Duration::from_micros(40);

/// Hears what a probe reports; every effect goes on, unless it would change what is no copy.
#[derive(Default)]
pub(crate) struct Ear {
    heard: Mutex<Heard>,
    /// Whether the directories are the real ones.
    real: bool,
    /// What a probe was about to do to them.
    held: AtomicBool,
}

/// All words of progress, and how long the longest were, in characters.
#[derive(Default, Clone)]
struct Heard {
    words: String,
    longest: usize,
}

impl Ear {
    fn of(target: &Target) -> Self {
        Self { real: target.sight.is_some(), ..Self::default() }
    }

    fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn judge(&self, effect: &Effect) -> Result<Permit, Denial> {
        if self.real && !matches!(effect, Effect::Request { .. }) {
            self.held.store(true, Ordering::Relaxed);
            return Err(Denial::new(DenialId::PathReadOnly, "a live run changes nothing"));
        }
        Ok(Permit::Unchanged)
    }
}

impl Overseer for Ear {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        Box::pin(std::future::ready(self.judge(effect)))
    }

    fn approves(&self) -> bool {
        // The sandbox has to hold also where a person said yes to everything.
        true
    }

    fn record(&self, _: &Access) {}

    fn progress(&self, progress: &Progress) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let message = progress.message.as_deref().unwrap_or_default();
        heard.words.push_str(message);
        heard.longest = heard.longest.max(message.chars().count());
    }
}

/// Carries an attack out and judges it. `watch` is none for attacks that run beside others: what the disk and the network see
/// is nobody's in particular then. On this very machine nothing is carried out that does more than look.
pub(crate) async fn strike(target: &Target, attack: &Attack, watch: Option<&mut Watch>) -> Verdict {
    let Some(probe) = target.probe(attack.probe) else { return Verdict::NoEffect };
    let is_real = target.sight.is_some();
    if is_real && !attack.only_looks() {
        return Verdict::NotTried("it would do more than look, and this is no copy".to_owned());
    }
    let alone = is_real || watch.is_some();
    if alone {
        target.stub.set(&attack.contact);
    }
    let ear = Arc::new(Ear::of(target));
    let flipping = attack.race.as_deref().map(Flipping::start);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for _ in 0..attack.times {
        let overseer = Arc::clone(&ear) as Arc<dyn Overseer>;
        let call = probe.call(attack.tool, attack.arguments.clone(), overseer);
        match tokio::time::timeout(probe.limits().time + LATE + NEVER, call).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(_) => return Verdict::Escaped("the call did not end".to_owned()),
        }
    }
    drop(flipping);
    if ear.held.load(Ordering::Relaxed) {
        return Verdict::Blind("it was about to change what is no copy, and was held".to_owned());
    }
    let Heard { words, longest } = ear.heard();
    let evidence = Evidence {
        outcomes,
        traffic: if alone { target.stub.take() } else { Traffic::default() },
        changes: watch.map(Watch::changes).unwrap_or_default(),
        progress: words,
        longest,
    };
    let (forbidden, sight) = (&target.forbidden, target.sight.as_ref());
    let standard = Standard { forbidden, limits: Some(probe.limits()), sight };
    oracle::judge(attack, &evidence, &standard)
}

/// A thread that flips a name between a file and a way out, until it is dropped.
struct Flipping {
    on: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Flipping {
    fn start(at: &Path) -> Self {
        let on = Arc::new(AtomicBool::new(true));
        let (going, at) = (Arc::clone(&on), at.to_owned());
        let thread = std::thread::spawn(move || {
            while going.load(Ordering::Relaxed) {
                // A turn that fails leaves the name as it was.
                let _ = Scratch::flip(&at);
                std::thread::sleep(FLIP);
            }
        });
        Self { on, thread: Some(thread) }
    }
}

impl Drop for Flipping {
    fn drop(&mut self) {
        self.on.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use soulbound_runtime::sandbox::FileChange;

    use super::*;

    #[test]
    fn what_would_change_what_is_no_copy_is_held_and_the_same_goes_on_over_a_copy() {
        let change = Effect::Change {
            change: FileChange::Delete,
            path: "/docs/a.txt".to_owned(),
            to: None,
            content: None,
        };
        let live = Ear { real: true, ..Ear::default() };
        assert!(live.judge(&change).is_err());
        assert!(live.held.load(Ordering::Relaxed));
        let scratch = Ear::default();
        assert!(scratch.judge(&change).is_ok());
        assert!(!scratch.held.load(Ordering::Relaxed));
    }
}
