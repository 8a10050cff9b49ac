//! What is listed, how it is paged, who is let in.

use std::sync::Arc;

use serde_json::{Value, json};

use super::stage::{Http, LEGACY, Lines, MODERN, Stage};
use crate::gateway::offer::{Offer, OfferedTool};

async fn tools(http: &Http) -> Vec<Value> {
    let (mut tools, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let params = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
        let reply = http.modern("tools/list", params).await;
        let result = reply.result();
        tools.extend(result["tools"].as_array().unwrap_or_else(|| panic!("{reply:?}")).iter().cloned());
        assert!(
            result["ttlMs"].is_u64()
                && result["cacheScope"] == "private"
                && result["resultType"] == "complete"
        );
        cursor = result["nextCursor"].clone();
        if cursor.is_null() {
            return tools;
        }
    }
}

#[tokio::test]
async fn every_tool_has_object_schemas_and_truthful_annotations() {
    let http = Http::new(&Stage::new());
    let tools = tools(&http).await;
    assert!(tools.len() > 60);
    for tool in &tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        let name = tool["name"].as_str().unwrap();
        assert!(
            name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
            "{name}"
        );
        // It imports files and was granted none: it can change nothing.
        assert_eq!(
            tool["annotations"],
            json!({"title": tool["title"], "readOnlyHint": true, "destructiveHint": false, "idempotentHint": false, "openWorldHint": false})
        );
    }
    let echo = tools.iter().find(|tool| tool["name"] == "probe__echo").unwrap();
    assert_eq!(echo["description"], "Everything at once.");
    assert!(
        echo["outputSchema"]["properties"]["shapes"].is_object(),
        "a record is an object already: {echo}"
    );
}

#[tokio::test]
async fn ten_thousand_tools_are_listed_a_page_at_a_time() {
    let stage = Stage::new();
    let (skill, tool) = {
        let offer = stage.offer.lock().await.clone().unwrap();
        (Arc::clone(&offer.skills[0]), offer.tools[0].tool.clone())
    };
    let tools_of = |count: usize| {
        let many = (0..count).map(|index| OfferedTool {
            name: format!("probe__t{index}"),
            skill: Arc::clone(&skill),
            tool: tool.clone(),
        });
        Offer { tools: many.collect(), skills: vec![Arc::clone(&skill)], refused: Vec::new() }
    };
    *stage.offer.lock().await = Ok(Arc::new(tools_of(10_000)));
    let http = Http::new(&stage);
    let listed = tools(&http).await;
    assert_eq!(listed.len(), 10_000);
    assert_eq!(listed[9_999]["name"], "probe__t9999");
    let reply = http.modern("tools/list", json!({"cursor": "x"})).await;
    assert_eq!(reply.answer()["error"]["code"], -32_602);
}

#[tokio::test]
async fn both_eras_are_told_who_serves_and_what_it_may() {
    let stage = Stage::new();
    let http = Http::new(&stage);
    let discover = http.modern("server/discover", json!({})).await;
    let instructions = discover.result()["instructions"].as_str().unwrap();
    assert!(
        instructions.contains("Echo (Tester)") && instructions.contains("- probe: Does as it is told"),
        "{instructions}"
    );
    let versions = discover.result()["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)) && versions.contains(&json!(LEGACY)));
    let params =
        json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
    let reply = http.send(&[], body).await;
    assert_eq!(reply.result()["instructions"], instructions);
    assert_eq!(reply.result()["protocolVersion"], LEGACY);
    let session = reply.session.unwrap();
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
    let reply = http.send(&[("mcp-session-id", &session), ("mcp-protocol-version", LEGACY)], list).await;
    let listed = reply.result();
    assert!(!listed["tools"].as_array().unwrap().is_empty());
    assert!(listed.get("ttlMs").is_some() && listed.get("resultType").is_none(), "{reply:?}");
}

#[tokio::test]
async fn what_is_not_offered_is_not_there() {
    let http = Http::new(&Stage::new());
    for method in ["prompts/list", "completion/complete", "sampling/createMessage", "soulbound/grant"] {
        let params =
            json!({"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "x", "value": "y"}});
        let reply = http.modern(method, params).await;
        assert_eq!((reply.status, &reply.answer()["error"]["code"]), (404, &json!(-32_601)), "{method}");
    }
}

#[tokio::test]
async fn a_rebound_name_a_foreign_page_and_a_huge_message_are_refused() {
    let http = Http::new(&Stage::new());
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
    for header in [("host", "evil.test:7685"), ("origin", "https://evil.test"), ("origin", "null")] {
        assert_eq!(http.send(&[header], list.clone()).await.status, 403, "{header:?}");
    }
    assert_eq!(http.send(&[], "x".repeat((4 << 20) + 1)).await.status, 413);
}

#[tokio::test]
async fn old_sessions_make_room_for_new_ones() {
    let http = Http::new(&Stage::new());
    let params =
        json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
    let mut sessions = Vec::new();
    for _ in 0..65 {
        sessions.push(http.send(&[], body.clone()).await.session.unwrap());
    }
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"}).to_string();
    assert_eq!(http.send(&[("mcp-session-id", &sessions[0])], ping.clone()).await.status, 404);
    assert_eq!(http.send(&[("mcp-session-id", &sessions[64])], ping).await.status, 200);
}

#[tokio::test]
async fn a_changed_offer_is_announced() {
    let stage = Stage::new();
    let mut lines = Lines::open(&stage).await;
    lines.request(1, "ping", json!({})).await;
    assert_eq!(lines.next().await["id"], 1);
    // `initialized` was handled before the ping only if the watch is there by now.
    while stage.changed.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
    stage.stop().await;
    assert_eq!(lines.next().await["method"], "notifications/tools/list_changed");
    assert_eq!(lines.next().await["method"], "notifications/resources/list_changed");
}
