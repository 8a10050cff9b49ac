//! An overseer whose answers a test gives, one effect at a time.

use std::sync::Mutex;

use soulbound_runtime::sandbox::{Access, BoxFuture, Carrier, Effect, Overseer, Permit};
use soulbound_runtime::{Denial, DenialId};
use tokio::sync::{mpsc, oneshot};

/// Passes each effect on to the test, and waits for its answer.
pub(crate) struct Judge {
    inspect: Option<u64>,
    asks: mpsc::UnboundedSender<Asked>,
}

/// An effect that waits. Dropped, it is refused.
pub(crate) struct Asked {
    pub(crate) effect: Effect,
    pub(crate) answer: oneshot::Sender<Permit>,
}

impl Asked {
    pub(crate) fn allow(self) {
        let _ = self.answer.send(Permit::Unchanged);
    }
}

impl Judge {
    /// One that sees everything complete up to so many bytes, or as it goes.
    pub(crate) fn new(inspect: Option<u64>) -> (std::sync::Arc<Self>, mpsc::UnboundedReceiver<Asked>) {
        let (asks, asked) = mpsc::unbounded_channel();
        (std::sync::Arc::new(Self { inspect, asks }), asked)
    }
}

impl Overseer for Judge {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        let (answer, answered) = oneshot::channel();
        let _ = self.asks.send(Asked { effect: effect.clone(), answer });
        Box::pin(async move { answered.await.map_err(|_| refused()) })
    }

    fn inspects(&self, _: Carrier<'_>) -> Option<u64> {
        self.inspect
    }

    fn record(&self, _: &Access) {}
}

/// Allows or refuses everything at once, and remembers it.
pub(crate) struct Swift {
    pub(crate) inspect: Option<u64>,
    pub(crate) refuse: bool,
    pub(crate) effects: Mutex<Vec<Effect>>,
}

impl Swift {
    pub(crate) fn new(inspect: Option<u64>, refuse: bool) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { inspect, refuse, effects: Mutex::default() })
    }
}

impl Overseer for Swift {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.effects.lock().unwrap().push(effect.clone());
        Box::pin(std::future::ready(if self.refuse { Err(refused()) } else { Ok(Permit::Unchanged) }))
    }

    fn inspects(&self, _: Carrier<'_>) -> Option<u64> {
        self.inspect
    }

    fn record(&self, _: &Access) {}
}

fn refused() -> Denial {
    Denial::new(DenialId::ApprovalDenied, "a person said no")
}
