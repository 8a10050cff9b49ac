//! What may not leave, through the real program: results, requests, files, and what is said of them afterwards.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, until};
use soulbound_tests::{Agent, Gateway, Peer};

/// Random digits with a card's check digit, and the same in base64.
const CARD: &str = "4268465632122333";
const CARD_IN_BASE64: &str = "NDI2ODQ2NTYzMjEyMjMzMw==";
/// Random letters as AWS writes them, and the example in its documentation.
const TOKEN: &str = concat!("AKIA", "GI3MNBQNSPUQ2IDW");
const EXAMPLE: &str = concat!("AKIA", "IOSFODNN7EXAMPLE");
const KEY: &str = concat!(
    "-----BEGIN PRIV",
    "ATE KEY-----\n3FIfkU/AhUS4B3tf1tgJQbX88bxiUaVCNh/+Mj1ffHDqg1c/\n-----END PRIV",
    "ATE KEY-----\n"
);

fn soul(rules: &str, skills: &str) -> String {
    format!("# Agent\n## Identity\n- Name: Echo\n## Rules\n{rules}\n## Skills\n{skills}\n")
}

fn reader(rules: &str) -> Agent {
    Agent::with_soul(&soul(rules, "- file-reader: Read\n  - read: ./docs"))
        .file("docs/key.pem", KEY)
        .file("docs/report.md", format!("see {EXAMPLE}"))
        .file("docs/plain.txt", "nothing")
        .file("docs/account.txt", format!("the card is {CARD}."))
}

fn trail(agent: &Agent) -> Vec<Value> {
    agent.run(&["audit", "show", ECHO, "--json"]).ends(0).json()["records"].as_array().unwrap().clone()
}

fn events(agent: &Agent, event: &str) -> Vec<Value> {
    trail(agent).into_iter().filter(|record| record["event"] == event).collect()
}

#[test]
fn a_private_key_in_a_file_is_not_what_the_model_reads() {
    let agent = reader("- Be kind");
    let gateway = Gateway::with(&agent);
    let read = gateway.call("file-reader", "read", &["path=/docs/key.pem"]);
    assert_eq!(read.result()["text"], "[redacted: private-key]\n");
    let noted = events(&agent, "output.redacted");
    assert_eq!(noted.len(), 1, "{noted:?}");
    let note = noted[0].to_string();
    assert!(note.contains("private-key") && note.contains("results") && !note.contains("3FIfkU"), "{note}");
    // The call ran, and the trail says so.
    assert_eq!(events(&agent, "outcome")[0]["decision"], "allowed");
    assert_eq!(
        gateway.call("file-reader", "read", &["path=/docs/report.md"]).result()["text"],
        format!("see {EXAMPLE}")
    );
    assert_eq!(gateway.call("file-reader", "read", &["path=/docs/plain.txt"]).result()["text"], "nothing");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_result_that_a_rule_of_soul_md_forbids_is_withheld_and_its_call_is_on_record() {
    let agent = reader("- Never output: card numbers");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let read = gateway.call("file-reader", "read", &["path=/docs/account.txt"]);
    assert_eq!(read.denial(), "output.blocked");
    assert!(!read.stdout.contains(CARD) && !read.stderr.contains(CARD), "{read:?}");
    assert_eq!(read.json()["denial"]["rule"]["line"], 5);
    let answer = gateway.mcp(ECHO, &token).call("file-reader__read", json!({"path": "/docs/account.txt"}));
    assert_eq!(answer["isError"], true);
    assert!(
        answer
            .to_string()
            .contains("denied[output.blocked]: the tool's answer holds what the output rule `card` forbids"),
        "{answer}"
    );
    assert!(!answer.to_string().contains(CARD), "{answer}");
    let outcome = &events(&agent, "outcome")[0];
    assert_eq!(
        (&outcome["decision"], &outcome["accesses"][0]["decision"]),
        (&json!("denied"), &json!("allowed"))
    );
    assert!(trail(&agent).iter().all(|record| !record.to_string().contains(CARD)));
    until(|| agent.run(&["heartbeat", ECHO]).stdout.contains("Output rule refused"), "the heartbeat");
}

#[test]
fn a_url_and_a_header_that_hold_it_never_leave() {
    let peer = Peer::answering("200 OK", "", "ok");
    let skills = format!("- probe-web: Try\n  - hosts: {}", peer.origin());
    let agent = Agent::with_soul(&soul("- Never output: card numbers", &skills)).guest("probe-web");
    let gateway = Gateway::with(&agent);
    let origin = peer.origin();
    let request = |path: &str, header: &str| {
        let arguments = json!({"method": "GET", "url": format!("{origin}{path}"), "headers": [["x-note", header]], "body": null});
        gateway.call("probe-web", "request", &[&arguments.to_string()])
    };
    for (path, header) in [
        (format!("/?q={CARD}"), String::new()),
        (format!("/?q={CARD_IN_BASE64}"), String::new()),
        ("/?q=4268%2D4656%2D3212%2D2333".to_owned(), String::new()),
        ("/34323638343635363332313232333333".to_owned(), String::new()),
        ("/".to_owned(), format!("to {CARD}")),
        ("/".to_owned(), CARD_IN_BASE64.to_owned()),
    ] {
        assert_eq!(request(&path, &header).denial(), "output.blocked", "{path} {header}");
    }
    assert_eq!(peer.requests(), Vec::<String>::new());
    assert_eq!(request("/?q=4268465632122334", "fine").result()["status"], 200);
    assert_eq!(peer.requests().len(), 1);
    assert_eq!(events(&agent, "output.blocked").len(), 6);
    // Six refused, one done.
    assert_eq!(events(&agent, "effect").len(), 1);
}

#[test]
fn a_body_that_holds_it_never_leaves() {
    let peer = Peer::answering("200 OK", "", "ok");
    let skills = format!("- probe-web: Try\n  - hosts: POST {}", peer.origin());
    let agent = Agent::with_soul(&soul("- Be kind", &skills)).guest("probe-web").gateway(
        "[outputs]\n[[outputs.rules]]\nname = \"cards\"\ndetector = \"card\"\nresults = \"allow\"\n",
    );
    let gateway = Gateway::with(&agent);
    let post = |body: &str| {
        let arguments = json!({"method": "POST", "url": peer.origin(), "headers": [], "body": body});
        gateway.call("probe-web", "request", &[&arguments.to_string()])
    };
    for body in [CARD.to_owned(), format!("{{\"data\": \"{CARD_IN_BASE64}\"}}"), format!("token={TOKEN}")] {
        assert_eq!(post(&body).denial(), "output.blocked", "{body}");
    }
    assert_eq!(peer.requests(), Vec::<String>::new());
    assert_eq!(post("nothing").result()["status"], 200);
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn a_file_that_holds_it_is_not_written_and_an_example_is() {
    let writer = |rules: &str| {
        Agent::with_soul(&soul(rules, "- file-writer: Save\n  - write: ./drafts")).directory("drafts")
    };
    let free = writer("- Be kind");
    let gateway = Gateway::with(&free);
    let text = format!("content=the example key is {EXAMPLE}");
    gateway.call("file-writer", "save", &["path=/drafts/report.md", &text]).ends(0);
    assert!(free.path("drafts/report.md").is_file());

    let strict = writer("- Never output: card numbers");
    let gateway = Gateway::with(&strict);
    let text = format!("content=pay {CARD} now");
    assert_eq!(
        gateway.call("file-writer", "save", &["path=/drafts/a.txt", &text]).denial(),
        "output.blocked"
    );
    assert_eq!(
        gateway.call("file-writer", "save", &[&format!("path=/drafts/{CARD}.txt"), "content=x"]).denial(),
        "output.blocked"
    );
    assert_eq!(std::fs::read_dir(strict.path("drafts")).unwrap().count(), 0);
    // Over a file that is there, the tool says neither that it is not nor that something was left.
    strict.write("drafts/q.md", "old");
    let refused = gateway.call("file-writer", "save", &["path=/drafts/q.md", &text]);
    let said = refused.ends(1).said();
    assert!(said.contains("the write of `/drafts/q.md` was refused"), "{said}");
    assert!(!said.contains("nothing is at") && !said.contains("was left"), "{said}");
    assert_eq!(std::fs::read_to_string(strict.path("drafts/q.md")).unwrap(), "old");
    assert_eq!(std::fs::read_dir(strict.path("drafts")).unwrap().count(), 1);
}

#[test]
fn what_an_operator_wants_masked_is_written_with_stars() {
    let toml = "[outputs]\n[[outputs.rules]]\nname = \"cards\"\ndetector = \"card\"\nfiles = \"redact\"\n";
    let agent = Agent::with_soul(&soul("- Be kind", "- file-writer: Save\n  - write: ./drafts"))
        .directory("drafts")
        .gateway(toml);
    let gateway = Gateway::with(&agent);
    gateway.call("file-writer", "save", &["path=/drafts/a.txt", &format!("content=pay {CARD} now")]).ends(0);
    assert_eq!(std::fs::read_to_string(agent.path("drafts/a.txt")).unwrap(), "pay **************** now");
    let hidden =
        gateway.call("file-writer", "save", &["path=/drafts/b.txt", &format!("content={CARD_IN_BASE64}")]);
    assert_eq!(hidden.denial(), "output.blocked");
    assert!(!agent.path("drafts/b.txt").exists());
    assert_eq!(events(&agent, "output.redacted").len(), 1);
}

#[test]
fn a_rule_that_changes_applies_to_the_next_call() {
    let agent = reader("- Be kind");
    let gateway = Gateway::with(&agent);
    assert!(gateway.call("file-reader", "read", &["path=/docs/account.txt"]).stdout.contains(CARD));
    // By SOUL.md: less is let out at once, and nobody has to trust that.
    let text = std::fs::read_to_string(agent.soul()).unwrap();
    std::fs::write(agent.soul(), text.replace("- Be kind", "- Never output: card numbers")).unwrap();
    assert_eq!(gateway.call("file-reader", "read", &["path=/docs/account.txt"]).denial(), "output.blocked");
    // By the operator.
    std::fs::write(
        agent.state().join("gateway.toml"),
        "[gateway]\nlisten = \"127.0.0.1:0\"\n[outputs]\nresults = \"block\"\n",
    )
    .unwrap();
    until(
        || {
            gateway.call("file-reader", "read", &["path=/docs/key.pem"]).json()["denial"]["id"]
                == "output.blocked"
        },
        "the new settings",
    );
    // And taken back, the one on disk is gone; what the operator trusted never had it.
    std::fs::write(agent.soul(), text).unwrap();
    assert!(gateway.call("file-reader", "read", &["path=/docs/account.txt"]).stdout.contains(CARD));
}

#[test]
fn a_call_without_a_gateway_keeps_the_same_rules() {
    let agent = reader("- Never output: card numbers");
    let read = agent.call("file-reader", "read", &["path=/docs/account.txt"]);
    assert_eq!(read.denial(), "output.blocked");
    assert!(!read.stdout.contains(CARD), "{read:?}");
    assert_eq!(
        agent.call("file-reader", "read", &["path=/docs/key.pem"]).result()["text"],
        "[redacted: private-key]\n"
    );
}

#[test]
fn what_a_guest_prints_is_an_answer_too() {
    let agent = Agent::with_soul(&soul("- Never output: card numbers", "- probe: Try")).guest("probe");
    let gateway = Gateway::with(&agent);
    let said = gateway.call("probe", "log-text", &[&format!("text=card {CARD}")]);
    assert!(
        said.ends(0).stdout.contains("withheld by an output rule") && !said.stdout.contains(CARD),
        "{said:?}"
    );
    let failed = gateway.call("probe", "fail", &[&format!("message=no account {CARD}")]);
    assert_eq!(failed.denial(), "output.blocked");
    assert!(!failed.stdout.contains(CARD) && !failed.stderr.contains(CARD), "{failed:?}");
}

#[test]
fn a_rule_that_cannot_be_read_stops_the_start() {
    for (rule, message) in [
        ("Never output: sk-.*", "`*` in words: a regular expression stands between slashes"),
        ("Never output: `/(a/`", "no regular expression"),
        ("Never output: `/(a{1000}){1000}/`", "needs more than"),
        ("Never output: `/x?/`", "matches the empty text"),
        ("Never output: card numbers or IBANs", "looks like card numbers"),
    ] {
        let checked = reader(&format!("- {rule}")).run(&["check", "./SOUL.md"]);
        checked.ends(1);
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert!(said.contains(message) && said.contains("SOUL.md:5:"), "{rule}: {said}");
    }
    for (toml, message) in [
        ("[outputs]\ndetectors = [\"crad\"]\n", "did you mean `card`?"),
        ("[outputs]\nresults = \"mask\"\n", "unknown variant `mask`"),
        ("[outputs]\nrule = []\n", "did you mean `rules`?"),
        ("[[outputs.rules]]\nname = \"a\"\nexpression = '(x{500}){500}'\n", "needs more than"),
        ("[[outputs.rules]]\nname = \"a\"\n", "needs one of `words`, `expression` and `detector`"),
    ] {
        let checked = reader("- Be kind").gateway(toml).run(&["check", "./SOUL.md"]);
        let said = format!("{}{}", checked.ends(2).stdout, checked.stderr);
        assert!(said.contains(message), "{toml}: {said}");
    }
}

#[test]
fn check_says_how_each_rule_was_read() {
    let agent = reader("- Never output: card numbers, Project Titan, `/TICKET-[0-9]+/`");
    let checked = agent.run(&["check", "./SOUL.md", "--json"]).ends(0).json();
    assert_eq!(checked["rules"][0]["standing"], "enforced");
    assert_eq!(
        checked["rules"][0]["by"],
        "results, requests, file writes and channel messages are blocked if they hold card numbers, or the words \"Project Titan\", or what matches `/TICKET-[0-9]+/`"
    );
}

#[test]
fn an_expression_that_others_choke_on_judges_a_megabyte_in_good_time() {
    // Backtracking takes longer than the universe for the first; all of them are tried on every byte.
    let rules = r"- Never output: `/(x+x+)+y/`, `/(x|x|x)*z/`, `/(.*)*w$/`";
    let agent = Agent::with_soul(&soul(rules, "- probe: Try\n  - limit: output 2MiB")).guest("probe");
    let gateway = Gateway::with(&agent);
    let result = gateway.call("probe", "big-result", &["bytes=1000000"]).result();
    assert_eq!(result.as_str().unwrap().len(), 1_000_000);
}
