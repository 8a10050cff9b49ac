//! Channels: an agent speaks only where its SOUL.md and the operator both let it, and each message says whose it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use soulbound_tests::agent::tree;
use soulbound_tests::gateway::{ECHO, until};
use soulbound_tests::{Agent, Ended, Gateway, Peer};

const CREDENTIAL: &str = "T0AAAA-s3cr3t-path";
const LISTED: &str = "## Channels\n- slack: content-team\n- telegram: news\n  - approve: always\n";

fn soul(channels: &str) -> String {
    format!(
        "# Agent\n## Identity\n- Name: Echo\n## Skills\n- messenger: Tell the team\n- probe: Try\n{channels}"
    )
}

/// An agent with the standard messenger.
fn agent(channels: &str, toml: &str) -> Agent {
    Agent::with_soul(&soul(channels)).guest("probe").gateway(toml)
}

fn binding(name: &str, audience: &str, place: &str) -> String {
    format!("[[channels]]\nchannel = \"{name}\"\naudience = \"{audience}\"\n{place}\n")
}

fn slack(peer: &Peer) -> String {
    binding(
        "slack: content-team",
        "internal",
        &format!("slack = \"{}/services/{CREDENTIAL}\"", peer.origin()),
    )
}

fn accepting() -> Peer {
    Peer::answering("200 OK", "", "ok")
}

fn send(gateway: &Gateway<'_>, channel: &str, text: &str) -> Ended {
    gateway.call("messenger", "send", &[&format!("channel={channel}"), &format!("text={text}")])
}

fn text(peer: &Peer, index: usize) -> String {
    let body: Value = serde_json::from_str(&peer.bodies()[index]).unwrap();
    body["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_message_arrives_stamped_and_is_recorded_before_it_leaves() {
    let peer = accepting();
    let agent = agent(LISTED, &slack(&peer));
    let gateway = Gateway::with(&agent);
    let channels = gateway.call("messenger", "channels", &[]).result();
    assert_eq!(channels[0], json!({"name": "slack: content-team", "reviewed": false}));
    let sent = send(&gateway, "slack: content-team", "The draft is ready.");
    let record = sent.json()["record"].as_str().unwrap().to_owned();
    assert_eq!(text(&peer, 0), format!("[soulbound] agent echo, unreviewed, {record}\nThe draft is ready."));
    assert!(sent.result()["told"].as_str().unwrap().contains("unreviewed"), "{sent:?}");
    let access = &sent.json()["accesses"][0];
    assert_eq!((&access["kind"], &access["target"]), (&json!("channel"), &json!("slack: content-team")));
    let effects = agent.run(&["audit", "show", ECHO, "--event", "effect", "--json"]).json();
    assert!(effects["records"][0].to_string().contains("slack: content-team"), "{effects}");
    agent.run(&["audit", "verify"]).ends(0);
    // The place's credential is the gateway's alone.
    for (path, content) in tree(&agent.state()) {
        assert!(path.ends_with("gateway.toml") || !content.contains("s3cr3t"), "{}", path.display());
    }
    assert!(!sent.said().contains("s3cr3t"));
}

#[test]
fn a_channel_that_either_of_the_two_does_not_name_gets_nothing() {
    let peer = accepting();
    let agent = agent("## Channels\n- slack: content-team\n- slack: all-hands\n", &slack(&peer));
    let gateway = Gateway::with(&agent);
    for channel in ["slack: everyone", "content-team", "https://hooks.example.com/x"] {
        assert_eq!(send(&gateway, channel, "hello").denial(), "channel.not-listed");
    }
    let unbound = send(&gateway, "slack: all-hands", "hello");
    assert_eq!(unbound.denial(), "channel.not-bound");
    let hint = unbound.json()["denial"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("[[channels]]"), "{hint}");
    assert!(peer.requests().is_empty());
    let refused = agent.run(&["audit", "show", ECHO, "--decision", "denied", "--json"]).json();
    assert_eq!(refused["records"].as_array().unwrap().len(), 4, "{refused}");
    // Bound for another agent is not bound for this one.
    let other = slack(&peer) + "agents = [\"other\"]\n";
    fs::write(agent.state().join("gateway.toml"), format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{other}"))
        .unwrap();
    until(|| send(&gateway, "slack: content-team", "hello").code != Some(0), "the new settings");
    assert_eq!(send(&gateway, "slack: content-team", "hello").denial(), "channel.not-bound");
}

#[test]
fn a_skill_that_sends_does_not_start_without_a_channel() {
    let agent = agent("", "");
    let checked = agent.run(&["check", "./SOUL.md"]).ends(0).stdout.clone();
    assert!(checked.contains("import.not-granted") && checked.contains("## Channels"), "{checked}");
    let gateway = Gateway::with(&agent);
    assert_eq!(send(&gateway, "slack: content-team", "hello").denial(), "import.not-granted");
}

#[test]
fn what_is_reviewed_first_does_not_leave_while_nobody_decides() {
    let peer = accepting();
    let place = format!("slack = \"{}/x\"", peer.origin());
    let toml = binding("telegram: news", "internal", &place)
        + &binding("slack: content-team", "public", &place)
        + &binding("slack: open", "public", &format!("{place}\nreview = \"soul\""))
        + &binding("slack: strict", "internal", &format!("{place}\nreview = \"always\""));
    let toml = format!("{toml}[approvals]\ntimeout = \"100ms\"\n");
    let listed = format!("{LISTED}- slack: open\n- slack: strict\n");
    let agent = agent(&listed, &toml);
    let gateway = Gateway::with(&agent);
    for (channel, by) in [
        ("telegram: news", "SOUL.md"),
        ("slack: content-team", "gateway.toml"),
        ("slack: strict", "gateway.toml"),
    ] {
        let ended = send(&gateway, channel, "advice");
        assert_eq!(ended.denial(), "approval.timeout", "{channel}");
        assert_eq!(ended.json()["denial"]["rule"]["file"], by, "{channel}");
    }
    assert!(peer.requests().is_empty());
    // The operator said in so many words that this one is not reviewed.
    send(&gateway, "slack: open", "news").ends(0);
    // Until the agent's own rule says so; narrowing needs nobody's trust.
    let soul = fs::read_to_string(agent.soul()).unwrap();
    let rule = "## Rules\n- All outputs must be reviewed before publishing\n## Skills";
    fs::write(agent.soul(), soul.replace("## Skills", rule)).unwrap();
    assert_eq!(send(&gateway, "slack: open", "news").denial(), "approval.timeout");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn the_card_says_who_reads_and_who_reviews() {
    let peer = accepting();
    let agent = agent(
        "## Rules\n- All outputs must be reviewed before publishing\n## Channels\n- slack: content-team\n- mail: boss\n",
        &slack(&peer),
    );
    let card = agent.run(&["check", "./SOUL.md"]).ends(0).stdout.clone();
    for line in [
        "slack: content-team  internal, by slack, each message waits for a person",
        "mail: boss  not bound by the operator",
        "enforced    All outputs",
    ] {
        assert!(card.contains(line), "{line}:\n{card}");
    }
    let document = agent.run(&["check", "./SOUL.md", "--json"]).json();
    assert_eq!(document["channels"][0]["audience"], "internal");
    assert_eq!(document["channels"][1]["bound"], Value::Null);
    assert!(!card.contains("s3cr3t") && !document.to_string().contains("s3cr3t"));
}

#[test]
fn what_an_agent_writes_calls_nobody_dresses_no_link_and_stamps_nothing() {
    let (peer, other, bot) = (accepting(), accepting(), accepting());
    let toml = slack(&peer)
        + &binding("discord: team", "internal", &format!("discord = \"{}/x\"", other.origin()))
        + &binding(
            "telegram: team",
            "internal",
            &format!(
                "telegram = {{ token = \"1:{CREDENTIAL}\", chat = \"@team\", api = \"{}\" }}",
                bot.origin()
            ),
        );
    let agent = agent(&format!("{LISTED}- discord: team\n- telegram: team\n"), &toml);
    let gateway = Gateway::with(&agent);
    let hostile = "<!channel> @everyone [bank](https://evil.test) <https://evil.test|bank>\n[soulbound] agent echo, reviewed by anna, echo#1";
    for channel in ["slack: content-team", "discord: team", "telegram: team"] {
        send(&gateway, channel, hostile).ends(0);
    }
    let slack = text(&peer, 0);
    let discord: Value = serde_json::from_str(&other.bodies()[0]).unwrap();
    let telegram = text(&bot, 0);
    for shown in [slack.as_str(), discord["content"].as_str().unwrap(), telegram.as_str()] {
        assert_eq!(shown.matches("[soulbound]").count(), 1, "{shown}");
        assert!(shown.starts_with("[soulbound] agent echo, unreviewed, echo#"), "{shown}");
        assert!(!shown.contains('@'), "{shown}");
    }
    assert!(!slack.contains('<') && !slack.contains("]("), "{slack}");
    assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
    assert!(discord["content"].as_str().unwrap().contains("\\[bank\\]"), "{discord}");
    assert_eq!(serde_json::from_str::<Value>(&bot.bodies()[0]).unwrap()["chat_id"], "@team");
}

#[test]
fn a_place_that_fails_redirects_or_takes_less_is_an_error_that_says_so() {
    let elsewhere = accepting();
    let moved = Peer::answering("302 Found", format!("location: {}/\r\n", elsewhere.origin()).leak(), "");
    let broken = Peer::answering("500 Oops", "", "try_later");
    let small = accepting();
    let toml = binding("slack: a", "internal", &format!("slack = \"{}/s3cr3t\"", moved.origin()))
        + &binding("slack: b", "internal", &format!("slack = \"{}/s3cr3t\"", broken.origin()))
        + &binding("discord: c", "internal", &format!("discord = \"{}/s3cr3t\"", small.origin()));
    let agent = agent("## Channels\n- slack: a\n- slack: b\n- discord: c\n", &toml);
    let gateway = Gateway::with(&agent);
    let long = "x".repeat(2_000);
    for (channel, text, why) in [
        ("slack: a", "hi", "302, a redirect"),
        ("slack: b", "hi", "500: try_later"),
        ("discord: c", long.as_str(), "takes 2000 characters"),
    ] {
        let ended = send(&gateway, channel, text);
        let document = ended.ends(1).json();
        assert_eq!(document["denials"], json!([]), "no denial, an error: {document}");
        let value = &document["error"]["value"];
        assert_eq!(value["kind"], "not-delivered", "{document}");
        assert!(value["message"].as_str().unwrap().contains(why), "{document}");
        assert!(!ended.said().contains("s3cr3t"));
    }
    assert!(elsewhere.requests().is_empty() && small.requests().is_empty());
}

#[test]
fn a_channel_that_is_a_file_has_entries_that_no_text_forges() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().canonicalize().unwrap().join("posts.log");
    let toml = binding("log: posts", "internal", &format!("file = {:?}", file.display().to_string()));
    let agent = agent("## Channels\n- log: posts\n", &toml);
    let gateway = Gateway::with(&agent);
    send(
        &gateway,
        "log: posts",
        "one\n\n2026-01-01T00:00:00Z [soulbound] agent echo, reviewed by anna, echo#9\nevil",
    )
    .ends(0);
    send(&gateway, "log: posts", "two").ends(0);
    let written = fs::read_to_string(&file).unwrap();
    let entries: Vec<&str> =
        written.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
    assert_eq!(entries.len(), 2, "{written}");
    assert!(
        entries.iter().all(|entry| entry.contains("[soulbound] agent echo, unreviewed, echo#")),
        "{written}"
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Somebody puts a link in its place.
    fs::remove_file(&file).unwrap();
    fs::write(agent.outside("precious"), "").unwrap();
    fs::set_permissions(agent.outside("precious"), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(agent.outside("precious"), &file).unwrap();
    send(&gateway, "log: posts", "three").ends(1);
    assert_eq!(fs::read_to_string(agent.outside("precious")).unwrap(), "");
}

#[test]
fn no_grant_touches_a_channel_s_file_and_no_file_lies_where_it_steers() {
    let agent = agent("## Channels\n- log: posts\n", "");
    let settings = |file: &std::path::Path| {
        let toml = binding("log: posts", "internal", &format!("file = {:?}", file.display().to_string()));
        fs::write(agent.state().join("gateway.toml"), toml).unwrap();
    };
    for file in [
        agent.state().join("x.log"),
        agent.folder().join("x.log"),
        agent.outside("SOUL.md"),
        agent.outside("nowhere/x.log"),
    ] {
        settings(&file);
        agent.run(&["check", "./SOUL.md"]).ends(2).complains("gateway.toml");
    }
    let granted = agent.path("posts");
    fs::create_dir(&granted).unwrap();
    settings(&granted.join("x.log"));
    fs::write(agent.soul(), soul("  - write: ./posts\n## Channels\n- log: posts\n")).unwrap();
    let checked = agent.run(&["check", "./SOUL.md"]).ends(1).stdout.clone();
    assert!(checked.contains("posts"), "{checked}");
}

#[test]
fn a_webhook_gets_the_text_as_it_is_signed_and_with_who_reviewed_it() {
    let peer = accepting();
    let place = format!("webhook = \"{}/x\"\nsecret = \"0123456789abcdef\"", peer.origin());
    let agent = agent("## Channels\n- site: blog\n", &binding("site: blog", "internal", &place));
    let gateway = Gateway::with(&agent);
    send(&gateway, "site:blog", "<b>@you</b>").ends(0);
    let document: Value = serde_json::from_str(&peer.bodies()[0]).unwrap();
    assert_eq!(document["text"], "<b>@you</b>");
    assert_eq!(document["review"], json!({"state": "unreviewed"}));
    assert_eq!((&document["agent"], &document["channel"]), (&json!("echo"), &json!("site: blog")));
    assert!(peer.requests()[0].contains("soulbound-signature: t="), "{:?}", peer.requests());
}

#[test]
fn a_channel_that_is_taken_away_ends_what_is_being_sent_there() {
    let peer = Peer::silent();
    let agent = agent("## Channels\n- slack: content-team\n- mail: x\n", &slack(&peer));
    let gateway = Gateway::with(&agent);
    let sending = |text: &str| {
        gateway.calling("messenger", "send", &["channel=slack: content-team", &format!("text={text}")])
    };
    let denial = |call: std::process::Child| {
        let output = call.wait_with_output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["denial"]["id"].clone()
    };
    let call = sending("one");
    until(|| peer.requests().len() == 1, "the message to be under way");
    let before = fs::read_to_string(agent.soul()).unwrap();
    fs::write(agent.soul(), before.replace("- slack: content-team\n", "")).unwrap();
    assert_eq!(denial(call), "skill.not-trusted");
    assert_eq!(send(&gateway, "slack: content-team", "two").denial(), "channel.not-listed");
    fs::write(agent.soul(), before).unwrap();
    // The same when the operator takes the place away.
    let call = sending("three");
    until(|| peer.requests().len() == 2, "the message to be under way");
    fs::write(agent.state().join("gateway.toml"), "[gateway]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    assert_eq!(denial(call), "skill.not-trusted");
}

#[test]
fn what_a_binding_says_wrongly_is_an_error_that_names_it() {
    let good = "slack = \"https://hooks.example.com/s3cr3t\"";
    for (toml, named) in [
        (
            "[[channels]]\nchannel = \"slack: a\"\nslack = \"https://hooks.example.com/s3cr3t\"\n".to_owned(),
            "audience",
        ),
        (binding("slack: a", "everyone", good), "`internal` or `public`"),
        (binding("slack", "internal", good), "kind: target"),
        (binding("slack: a", "internal", ""), "exactly one"),
        (binding("slack: a", "internal", &format!("{good}\nreview = \"never\"")), "review"),
        (binding("slack: a", "internal", good) + &binding("slack:a", "public", good), "bound twice"),
        (binding("slack: a", "internal", "file = \"relative.log\""), "relative.log"),
        (binding("slack: a", "internal", &format!("{good}\nagents = []")), "agents"),
        (
            binding("slack: a", "internal", "slak = \"https://hooks.example.com/s3cr3t\""),
            "did you mean `slack`?",
        ),
    ] {
        let ended = agent(LISTED, &toml).run(&["check", "./SOUL.md"]);
        ended.ends(2).complains("gateway.toml").complains(named);
        assert!(!ended.said().contains("s3cr3t"), "{}", ended.said());
    }
}
