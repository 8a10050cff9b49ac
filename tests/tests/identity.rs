//! Who may come in over HTTP: one token an agent, compared before anything is said; no page of a browser, no other name.

use serde_json::json;
use soulbound_tests::gateway::{ECHO, add, add_folder};
use soulbound_tests::{Agent, Gateway};

fn probe() -> Agent {
    Agent::new("- probe: Try things").guest("probe")
}

#[test]
fn an_agents_token_reaches_that_agents_skills_and_nothing_else() {
    let agent = probe();
    let other = agent.outside("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("SOUL.md"), "# Other\n## Identity\n- Name: Other\n").unwrap();
    let gateway = Gateway::with(&agent);
    add_folder(&agent, &other);
    let (echo, others) = (gateway.token(ECHO), gateway.token("other"));
    let mut own = gateway.mcp(ECHO, &echo);
    assert_eq!(own.call("probe__who", json!({}))["structuredContent"]["result"][0], ECHO);
    assert_eq!(gateway.mcp("other", &others).ask("tools/list", json!({})).status, 200);
    for (id, token) in
        [(ECHO, &others), ("other", &echo), ("nobody", &echo), ("..", &echo), (ECHO, &String::new())]
    {
        assert_eq!(gateway.mcp(id, token).ask("tools/list", json!({})).status, 401, "{id}");
    }
    let bearer = format!("Bearer {echo}");
    for path in ["/metrics", "/status"] {
        assert_eq!(gateway.request("GET", path, &[("authorization", &bearer)], "").status, 401, "{path}");
    }
}

#[test]
fn a_rotated_token_ends_the_old_one_at_once() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let old = gateway.token(ECHO);
    let mut client = gateway.mcp(ECHO, &old);
    assert_eq!(client.ask("tools/list", json!({})).status, 200);
    let file = agent.outside("token");
    let made = agent.program().words(&["agents", "token", ECHO, "--token-file"]).words(&[&file]).run();
    assert!(made.ends(0).stdout.is_empty(), "a token in a file is not shown: {made:?}");
    let new = std::fs::read_to_string(&file).unwrap();
    assert_eq!(client.ask("tools/list", json!({})).status, 401);
    assert_eq!(gateway.mcp(ECHO, new.trim()).ask("tools/list", json!({})).status, 200);
    let recorded = agent.run(&["audit", "show", "--event", "token.made", "--json"]).json();
    assert_eq!(recorded["records"].as_array().unwrap().len(), 2, "{recorded}");
}

#[test]
fn no_token_is_at_rest_or_in_a_log() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    assert_eq!(gateway.mcp(ECHO, &token).ask("tools/list", json!({})).status, 200);
    // The random part may hold a `-` of its own.
    let secret = token.strip_prefix(&format!("soulbound-agent-{ECHO}-")).unwrap();
    for (path, content) in soulbound_tests::agent::tree(&agent.state()) {
        assert!(!content.contains(secret), "{}", path.display());
    }
}

#[test]
fn another_host_or_origin_is_turned_away_before_the_token_is_looked_at() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let bearer = format!("Bearer {}", gateway.token(ECHO));
    let path = format!("/agents/{ECHO}/mcp");
    for (name, value) in [
        ("host", "evil.test"),
        ("host", "evil.test:7685"),
        ("origin", "http://evil.test"),
        ("origin", "null"),
    ] {
        let headers = [("authorization", bearer.as_str()), (name, value)];
        assert_eq!(gateway.request("POST", &path, &headers, "{}").status, 403, "{name}: {value}");
        assert_eq!(gateway.request("GET", "/healthz", &[(name, value)], "").status, 403, "{name}: {value}");
    }
}

#[test]
fn wrong_tokens_are_recorded_and_slowed_down_while_a_right_one_is_not() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let statuses: Vec<u16> =
        (0..40).map(|_| gateway.mcp(ECHO, "wrong").ask("tools/list", json!({})).status).collect();
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert_eq!(gateway.mcp(ECHO, &token).ask("tools/list", json!({})).status, 200);
    let recorded = agent.run(&["audit", "show", "--event", "token.refused", "--json"]).json();
    let count = recorded["records"].as_array().unwrap().len();
    assert!((1..=12).contains(&count), "{count} records of 40 attempts");
}

#[test]
fn the_operators_pages_answer_to_the_operators_token() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let operator = agent.run(&["gateway", "token"]).stdout.trim().to_owned();
    let bearer = format!("Bearer {operator}");
    gateway.call("probe", "who", &[]).ends(0);
    gateway.call("nothing", "who", &[]).ends(1);
    let page = gateway.request("GET", "/metrics", &[("authorization", &bearer)], "");
    assert_eq!(page.status, 200);
    for wanted in [
        r#"soulbound_calls_total{agent="echo",skill="probe",decision="allowed"} 1"#,
        r#"soulbound_calls_total{agent="echo",skill="unlisted",decision="denied"} 1"#,
        r#"soulbound_denials_total{id="skill.not-listed"} 1"#,
        "soulbound_call_seconds_count 2",
        "soulbound_calls_live 0",
        "# EOF",
    ] {
        assert!(page.body.contains(wanted), "no `{wanted}` in:\n{}", page.body);
    }
    let status = gateway.request("GET", "/status", &[("authorization", &bearer)], "").json();
    assert_eq!(status["pid"], gateway.pid);
    assert_eq!(
        gateway.mcp(ECHO, &operator).ask("tools/list", json!({})).status,
        401,
        "the operator is no agent"
    );
}

#[test]
fn a_token_is_made_for_agents_that_there_are() {
    let agent = probe();
    agent.run(&["agents", "token", "nobody"]).ends(2).complains("there is no agent");
    add(&agent);
    assert!(agent.run(&["agents", "token", ECHO]).ends(0).stdout.starts_with("soulbound-agent-echo-"));
}
