//! Progress on the way, and calls that end because their caller does not want them any more.

use serde_json::json;

use super::stage::{Http, Lines, Stage};

#[tokio::test]
async fn progress_only_grows_and_comes_before_the_answer() {
    let http = Http::new(&Stage::new());
    let params = json!({"name": "probe__progress-flood", "arguments": {"count": 20_000}, "_meta": {"progressToken": "p"}});
    let reply = http.modern("tools/call", params).await;
    let (answer, reports) = reply.messages.split_last().unwrap();
    assert!(answer["result"].is_object(), "{answer}");
    let done: Vec<f64> =
        reports.iter().map(|report| report["params"]["progress"].as_f64().unwrap()).collect();
    assert!(!done.is_empty() && done.windows(2).all(|pair| pair[0] < pair[1]), "{done:?}");
    assert!(done.len() < 200, "{} reports of 20,000", done.len());
    assert!(reports.iter().all(|report| report["params"]["progressToken"] == "p"));
}

#[tokio::test]
async fn no_token_no_progress() {
    let http = Http::new(&Stage::new());
    let reply =
        http.modern("tools/call", json!({"name": "probe__progress-flood", "arguments": {"count": 10}})).await;
    assert_eq!(reply.messages.len(), 1);
}

#[tokio::test]
async fn a_cancelled_request_of_the_old_era_ends_its_guest() {
    let stage = Stage::new();
    let mut lines = Lines::open(&stage).await;
    lines.request(7, "tools/call", json!({"name": "probe__spin"})).await;
    stage.until_running(1).await;
    lines
        .send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}))
        .await;
    stage.until_running(0).await;
    lines.request(8, "ping", json!({})).await;
    assert_eq!(lines.next().await["id"], 8, "a cancelled request is not answered");
}

#[tokio::test]
async fn a_client_of_the_new_era_that_hangs_up_ends_its_guest() {
    let stage = Stage::new();
    let http = Http::new(&stage);
    tokio::select! {
        reply = http.modern("tools/call", json!({"name": "probe__spin"})) => panic!("{reply:?}"),
        () = stage.until_running(1) => {}
    }
    stage.until_running(0).await;
}

#[tokio::test]
async fn the_kill_switch_ends_calls_over_http_and_on_connections() {
    let stage = Stage::new();
    let http = Http::new(&stage);
    let mut lines = Lines::open(&stage).await;
    lines.request(1, "tools/call", json!({"name": "probe__spin"})).await;
    let spin = http.modern("tools/call", json!({"name": "probe__spin"}));
    let kill = async {
        stage.until_running(2).await;
        http.door.end.cancel();
        lines.end.cancel();
    };
    let (reply, ()) = tokio::join!(spin, kill);
    assert_eq!(reply.status, 500);
    stage.until_running(0).await;
    lines.serving.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_closed_ends_its_calls() {
    let stage = Stage::new();
    let mut lines = Lines::open(&stage).await;
    lines.request(1, "tools/call", json!({"name": "probe__spin"})).await;
    stage.until_running(1).await;
    drop(lines);
    stage.until_running(0).await;
}
