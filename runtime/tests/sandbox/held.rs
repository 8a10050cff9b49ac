//! Effects that wait: the call's clock, its slot and its place meanwhile, and that nothing stays of one that is cut off.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use soulbound_runtime::sandbox::{BoundSkill, Load, Outcome, Runtime, RuntimeConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use crate::judge::Judge;
use crate::shared::{bind_for, call, call_watched, config, denied, folder, guest, none};

/// A runtime where one agent has one slot and one place.
fn narrow() -> Runtime {
    let mut config: RuntimeConfig = config();
    (config.slots, config.held) = (2, 2);
    Runtime::new(config).unwrap()
}

fn probe(runtime: &Runtime, id: &str) -> (TempDir, BoundSkill) {
    let folder = folder();
    fs::create_dir(folder.path().join("ws")).unwrap();
    let lines = ["write: ./ws", "limit: time 20s"];
    let bound = bind_for(runtime, id, folder.path(), &guest("probe"), &lines).unwrap();
    (folder, bound)
}

fn web(runtime: &Runtime, url: &str, time: &str) -> BoundSkill {
    let lines = [&format!("hosts: POST {url}"), &format!("limit: time {time}")];
    bind_for(runtime, "echo", Path::new("/"), &guest("probe-web"), &lines.map(String::as_str)).unwrap()
}

fn write(skill: &BoundSkill, path: &str, judge: Arc<Judge>) -> JoinHandle<Outcome> {
    let (skill, arguments) = (skill.clone(), json!({"path": path, "text": "x"}));
    tokio::spawn(async move { call_watched(&skill, "write", arguments, judge).await })
}

/// Waits until the runtime is as busy as this: `(running, waiting, held)`.
async fn until(runtime: &Runtime, busy: (usize, usize, usize)) {
    let is = |load: Load| (load.running, load.waiting, load.held) == busy;
    while !is(runtime.load()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_held_call_leaves_its_slot_to_others_and_takes_one_again() {
    let runtime = narrow();
    let (folder, probe) = probe(&runtime, "echo");
    let (judge, mut asked) = Judge::new(Some(1_000));
    let held = write(&probe, "/ws/new", judge);
    let ask = asked.recv().await.unwrap();
    until(&runtime, (0, 0, 1)).await;
    // The agent's only slot is free for its next call, which runs to its end.
    assert!(call(&probe, "nothing", none()).await.succeeded());
    // One that keeps it makes the held one wait after the answer, off its clock.
    let spinning = {
        let probe = probe.clone();
        tokio::spawn(async move { call(&probe, "spin", none()).await })
    };
    until(&runtime, (1, 0, 1)).await;
    ask.allow();
    until(&runtime, (1, 1, 1)).await;
    assert!(!folder.path().join("ws/new").exists(), "it goes on with a slot");
    spinning.abort();
    assert!(held.await.unwrap().succeeded());
    assert!(folder.path().join("ws/new").exists());
    until(&runtime, (0, 0, 0)).await;
}

#[tokio::test]
async fn more_than_may_be_held_are_refused_and_another_agent_has_its_own_share() {
    let runtime = narrow();
    let ((_one, echo), (_two, other)) = (probe(&runtime, "echo"), probe(&runtime, "other"));
    let (judge, mut asked) = Judge::new(Some(1_000));
    let first = write(&echo, "/ws/a", judge.clone());
    let ask = asked.recv().await.unwrap();
    until(&runtime, (0, 0, 1)).await;
    let second = write(&echo, "/ws/b", judge.clone()).await.unwrap();
    assert_eq!(denied(&second), "approval.too-many");
    let _second = asked.recv().await.unwrap();
    let third = write(&other, "/ws/c", judge);
    let of_other = asked.recv().await.unwrap();
    until(&runtime, (0, 0, 2)).await;
    of_other.allow();
    ask.allow();
    assert!(first.await.unwrap().succeeded() && third.await.unwrap().succeeded());
}

#[tokio::test]
async fn an_answer_that_comes_soon_costs_no_slot() {
    let runtime = narrow();
    let (_folder, probe) = probe(&runtime, "echo");
    let (judge, mut asked) = Judge::new(Some(1_000));
    let call = write(&probe, "/ws/new", judge);
    let ask = asked.recv().await.unwrap();
    assert_eq!(runtime.load().held, 0);
    ask.allow();
    assert!(call.await.unwrap().succeeded());
}

#[tokio::test]
async fn a_call_that_is_cut_off_while_it_is_held_leaves_nothing() {
    let runtime = narrow();
    let (folder, probe) = probe(&runtime, "echo");
    let (judge, mut asked) = Judge::new(Some(1_000));
    let held = write(&probe, "/ws/new", judge);
    let mut ask = asked.recv().await.unwrap();
    until(&runtime, (0, 0, 1)).await;
    held.abort();
    ask.answer.closed().await;
    until(&runtime, (0, 0, 0)).await;
    assert_eq!(fs::read_dir(folder.path().join("ws")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_guest_computes_beside_a_held_request_is_charged() {
    let runtime = narrow();
    let url = "http://127.0.0.1:9";
    let web = web(&runtime, url, "500ms");
    let (judge, mut asked) = Judge::new(Some(1_000));
    let arguments = json!({"url": url, "body": "x"});
    let spinning =
        tokio::spawn(async move { call_watched(&web, "request-and-spin", arguments, judge).await });
    let mut ask = asked.recv().await.unwrap();
    assert_eq!(denied(&spinning.await.unwrap()), "limit.time");
    ask.answer.closed().await;
    until(&runtime, (0, 0, 0)).await;
}

#[tokio::test]
async fn waiting_for_a_held_request_is_not_charged_and_what_was_judged_is_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"judged") {
            seen.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8(seen).unwrap()
    });
    let runtime = narrow();
    let web = web(&runtime, &url, "400ms");
    let (judge, mut asked) = Judge::new(Some(1_000));
    let arguments = json!({"method": "POST", "url": url, "headers": [["x-a", "1"]], "body": "judged"});
    let call = tokio::spawn(async move { call_watched(&web, "request", arguments, judge).await });
    let ask = asked.recv().await.unwrap();
    assert_eq!(ask.effect.content().unwrap().0, "judged");
    until(&runtime, (0, 0, 1)).await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    ask.allow();
    let outcome = call.await.unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    assert!(served.await.unwrap().to_ascii_lowercase().contains("x-a: 1\r\n"));
}

#[tokio::test]
async fn requests_that_are_given_up_while_they_are_held_leave_nothing() {
    let runtime = narrow();
    let url = "http://127.0.0.1:9";
    let web = web(&runtime, url, "20s");
    let (judge, mut asked) = Judge::new(Some(1_000));
    let arguments = json!({"url": url, "body": "x", "times": 50});
    assert!(call_watched(&web, "request-and-give-up", arguments, judge).await.succeeded());
    until(&runtime, (0, 0, 0)).await;
    while let Ok(mut ask) = asked.try_recv() {
        ask.answer.closed().await;
    }
}
