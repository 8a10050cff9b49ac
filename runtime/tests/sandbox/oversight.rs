//! The overseer's side of a call: it hears of everything, and may hold or refuse every effect.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use soulbound_runtime::sandbox::{
    Access, BoundSkill, BoxFuture, Decision, Effect, FileChange, Overseer, Permit,
};
use soulbound_runtime::{Denial, DenialId};
use tempfile::TempDir;

use crate::shared::{RUNTIME, bind_for, call_watched, denied, folder, guest};

/// Writes down what it hears, holds each effect for a while, and may refuse it.
#[derive(Default)]
struct Watcher {
    hold: Duration,
    refuse: bool,
    effects: Mutex<Vec<Effect>>,
    accesses: Mutex<Vec<Access>>,
}

impl Overseer for Watcher {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.effects.lock().unwrap().push(effect.clone());
        Box::pin(async move {
            if !self.hold.is_zero() {
                tokio::time::sleep(self.hold).await;
            }
            if self.refuse {
                Err(Denial::new(DenialId::ApprovalDenied, "a person said no"))
            } else {
                Ok(Permit::Unchanged)
            }
        })
    }

    fn record(&self, access: &Access) {
        self.accesses.lock().unwrap().push(access.clone());
    }
}

fn probe() -> (TempDir, BoundSkill) {
    let folder = folder();
    fs::create_dir(folder.path().join("docs")).unwrap();
    fs::create_dir(folder.path().join("ws")).unwrap();
    fs::write(folder.path().join("docs/x"), "x").unwrap();
    let lines = ["read: ./docs", "write: ./ws", "limit: time 500ms"];
    let bound = bind_for(&RUNTIME, "echo", folder.path(), &guest("probe"), &lines).unwrap();
    (folder, bound)
}

#[tokio::test]
async fn an_effect_that_is_refused_does_not_happen() {
    let (folder, probe) = probe();
    let watcher = Arc::new(Watcher { refuse: true, ..Watcher::default() });
    let outcome =
        call_watched(&probe, "write", json!({"path": "/ws/new", "text": "x"}), watcher.clone()).await;
    assert_eq!(denied(&outcome), "approval.denied");
    assert!(!folder.path().join("ws/new").exists());
    let effects = watcher.effects.lock().unwrap();
    assert!(
        matches!(&effects[0], Effect::Change { change: FileChange::Create, path, .. } if path == "/ws/new"),
        "{effects:?}"
    );
}

#[tokio::test]
async fn waiting_for_the_overseer_does_not_use_up_the_call_s_time() {
    let (folder, probe) = probe();
    let watcher = Arc::new(Watcher { hold: Duration::from_millis(1_200), ..Watcher::default() });
    let outcome = call_watched(&probe, "write", json!({"path": "/ws/new", "text": "x"}), watcher).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert!(outcome.duration > Duration::from_secs(1));
    assert!(folder.path().join("ws/new").exists());
    // And the clock goes on afterwards.
    let watcher = Arc::new(Watcher { hold: Duration::from_millis(100), ..Watcher::default() });
    let outcome = call_watched(&probe, "sleep", json!({"milliseconds": 60_000}), watcher).await;
    assert_eq!(denied(&outcome), "limit.time");
}

#[tokio::test]
async fn reading_is_no_effect_and_everything_is_recorded_before_the_outcome() {
    let (_folder, probe) = probe();
    let watcher = Arc::new(Watcher { refuse: true, ..Watcher::default() });
    for (path, decision) in [("/docs/x", Decision::Allowed), ("/etc/passwd", Decision::Denied)] {
        let outcome = call_watched(&probe, "read", json!({"path": path}), watcher.clone()).await;
        assert_eq!(outcome.succeeded(), decision == Decision::Allowed, "{outcome:?}");
        let heard = std::mem::take(&mut *watcher.accesses.lock().unwrap());
        assert_eq!(heard, outcome.accesses);
        assert!(heard.iter().any(|access| access.decision == decision && access.target == path), "{heard:?}");
    }
    assert!(watcher.effects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn every_kind_of_change_asks_first() {
    let (folder, probe) = probe();
    fs::write(folder.path().join("ws/old"), "x").unwrap();
    fs::create_dir(folder.path().join("ws/empty")).unwrap();
    let cases = [
        ("write", json!({"path": "/ws/old", "text": "y"})),
        ("append", json!({"path": "/ws/old", "text": "y"})),
        ("create", json!({"path": "/ws/new", "text": "y"})),
        ("set-size", json!({"path": "/ws/old", "bytes": 0})),
        ("rename", json!({"source": "/ws/old", "destination": "/ws/moved"})),
        ("remove", json!({"path": "/ws/old"})),
        ("rmdir", json!({"path": "/ws/empty"})),
        ("mkdir", json!({"path": "/ws/made"})),
        ("attempt-at", json!({"attempt": {"set-times": "ws/old"}})),
        ("attempt-at", json!({"attempt": {"truncate": "ws/old"}})),
    ];
    for (tool, arguments) in cases {
        let watcher = Arc::new(Watcher { refuse: true, ..Watcher::default() });
        let outcome = call_watched(&probe, tool, arguments, watcher.clone()).await;
        assert!(!watcher.effects.lock().unwrap().is_empty(), "{tool} asked nobody");
        assert_eq!(denied(&outcome), "approval.denied", "{tool}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("ws/old")).unwrap(), "x");
    let names = fs::read_dir(folder.path().join("ws")).unwrap().count();
    assert_eq!(names, 2);
}

#[tokio::test]
async fn what_waits_for_a_person_is_refused_where_nobody_looks_after_approvals() {
    let folder = folder();
    fs::create_dir(folder.path().join("ws")).unwrap();
    let refused = |lines: &'static [&'static str], tool: &'static str, arguments| {
        let bound = bind_for(&RUNTIME, "echo", folder.path(), &guest("probe"), lines).unwrap();
        async move {
            // It lets everything go on, and does not say that it looks after approvals.
            let outcome = call_watched(&bound, tool, arguments, Arc::new(Watcher::default())).await;
            (!outcome.succeeded()).then(|| denied(&outcome).to_owned())
        }
    };
    let denied = Some("approval.denied".to_owned());
    let new = || json!({"path": "/ws/new", "text": "x"});
    assert_eq!(refused(&["write: ./ws", "approve: always"], "who", json!({})).await, denied);
    assert_eq!(refused(&["write: ./ws", "approve: write"], "write", new()).await, denied);
    assert_eq!(refused(&["write: ./ws", "approve: writes"], "write", new()).await, denied);
    assert!(!folder.path().join("ws/new").exists());
    assert_eq!(refused(&["write: ./ws", "approve: writes"], "who", json!({})).await, None);
    assert_eq!(refused(&["write: ./ws", "approve: rename, POST"], "write", new()).await, None);
    assert!(folder.path().join("ws/new").exists());
}

#[tokio::test]
async fn a_directory_that_is_another_one_by_now_is_not_used() {
    let (folder, probe) = probe();
    let write = || {
        call_watched(&probe, "write", json!({"path": "/ws/new", "text": "x"}), Arc::new(Watcher::default()))
    };
    assert!(write().await.succeeded());
    fs::rename(folder.path().join("ws"), folder.path().join("moved")).unwrap();
    fs::create_dir(folder.path().join("ws")).unwrap();
    let outcome = write().await;
    assert_eq!(denied(&outcome), "path.moved");
    assert!(outcome.accesses.is_empty(), "nothing of it ran");
    assert_eq!(fs::read_dir(folder.path().join("ws")).unwrap().count(), 0);
    fs::remove_dir(folder.path().join("ws")).unwrap();
    fs::rename(folder.path().join("moved"), folder.path().join("ws")).unwrap();
    assert!(write().await.succeeded());
}
