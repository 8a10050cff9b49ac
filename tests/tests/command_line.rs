//! The command line's contract: exit codes, one JSON document on standard output, talk on standard error.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::io::Read;

use serde_json::{Value, json};
use soulbound_tests::{Agent, Ended, Program};

fn probe() -> Agent {
    Agent::new("- probe: Try everything").guest("probe")
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Every one of these is there; more may be.
fn has(value: &Value, expected: &[&str]) {
    for key in expected {
        assert!(value.get(key).is_some(), "no `{key}` in {value:#}");
    }
}

#[test]
fn a_call_that_returns_exits_0_with_the_value_alone_on_standard_output() {
    let ended = probe().run(&["call", "./SOUL.md", "probe", "echo-u32", "value=7"]);
    ended.ends(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("7\n", ""));
}

#[test]
fn the_options_stand_before_or_after_the_tools_arguments() {
    let agent = probe();
    for words in [
        &["call", "--json", "./SOUL.md", "probe", "echo-u32", "value=7"][..],
        &["call", "./SOUL.md", "probe", "echo-u32", "value=7", "--json"],
        &["call", "./SOUL.md", "probe", "echo-u32", r#"{"value": 7}"#, "--json"],
    ] {
        assert_eq!(agent.run(words).result(), 7, "{words:?}");
    }
}

#[test]
fn arguments_come_as_json_as_pairs_or_from_standard_input() {
    let agent = probe();
    let many = json!("1 Some(2) x Some(true)");
    let words = ["first=1", "second=2", "third=x", "fourth=true"];
    assert_eq!(agent.call("probe", "echo-many", &words).result(), many);
    let text = r#"{"first":1,"second":2,"third":"x","fourth":true}"#;
    assert_eq!(agent.call("probe", "echo-many", &[text]).result(), many);
    let program = agent.program().words(&["call", "./SOUL.md", "probe", "echo-many", "-", "--json"]);
    assert_eq!(program.input(text).run().result(), many);
}

#[test]
fn a_denial_a_tool_s_error_and_a_trap_exit_1() {
    let agent = probe();
    let denied = agent.call("probe", "attempt-at", &[r#"{"attempt": {"read": "/etc/passwd"}}"#]);
    assert_eq!(denied.denial(), "path.outside");
    assert_eq!(agent.call("probe", "panic", &["message=x"]).denial(), "guest.trap");
    let failed = agent.call("probe", "fail", &["message=no luck"]);
    failed.ends(1);
    let document = failed.json();
    assert_eq!(document["denial"], Value::Null);
    assert_eq!(document["error"]["kind"], "tool");
    assert_eq!(document["error"]["message"], "no luck");
}

#[test]
fn a_denial_and_the_tool_s_error_beside_it_are_both_told() {
    let ended = probe().call("probe", "read", &["path=/etc/passwd"]);
    assert_eq!(ended.denial(), "path.outside");
    assert_eq!(ended.json()["error"]["kind"], "tool");
}

#[test]
fn bad_arguments_exit_2_and_name_the_path() {
    let agent = probe();
    let cases: &[(&str, &[&str], &str)] = &[
        ("echo-u32", &["value=ten"], r#"args.value: expected u32, found "ten""#),
        ("echo-u32", &["{}"], "args.value"),
        ("echo-u32", &[r#"{"value":1,"value":2}"#], "given twice"),
        ("echo-u32", &[r#"{"value":1,"other":2}"#], "other"),
        ("echo-u32", &["[1]"], "expected an object"),
        ("echo-u32", &["1"], "key=value"),
        ("nonsense", &["{}"], "has no tool"),
    ];
    for (tool, arguments, expected) in cases {
        let ended = agent.call("probe", tool, arguments);
        ended.ends(2);
        let document = ended.json();
        assert_eq!(document["error"]["kind"], "arguments", "{document:#}");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{tool} {arguments:?}: {message}");
    }
}

#[test]
fn a_bad_soul_is_2_for_a_call_and_1_for_a_check() {
    let agent = Agent::new("- probe: Try\n  - raed: ./docs");
    let called = agent.call("probe", "nothing", &[]);
    called.ends(2);
    assert_eq!(called.json()["error"]["kind"], "soul");
    assert!(called.json()["error"]["hint"].as_str().unwrap().contains("read"), "{called:?}");
    let checked = agent.run(&["check", "./SOUL.md", "--json"]);
    checked.ends(1);
    assert_eq!(checked.json()["ok"], false);
    let error = &checked.json()["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&json!(6), &json!(5)), "{error:#}");
}

#[test]
fn a_file_that_cannot_be_read_is_2() {
    let agent = probe();
    for words in [
        &["check", "./NOT.md"][..],
        &["call", "./NOT.md", "probe", "nothing"],
        &["why", "./NOT.md", "probe", "--path", "/x"],
        &["inspect", "./not.wasm"],
        &["inspect", "./skills/probe", "--against", "./NOT.md"],
    ] {
        let ended = agent.run(words);
        ended.ends(2);
        assert_eq!(ended.stdout, "", "{words:?}");
        assert!(ended.stderr.contains("error:"), "{ended:?}");
    }
}

#[test]
fn wrong_usage_is_2_and_says_so_on_standard_error() {
    let agent = probe();
    for words in [
        &["nonsense"][..],
        &["call"],
        &["call", "./SOUL.md", "probe", "nothing", "--nonsense"],
        &["why", "./SOUL.md", "probe"],
        &["completions", "nonsense"],
        &["explain", "path.outsid"],
        &[],
    ] {
        let ended = agent.run(words);
        ended.ends(2);
        assert_eq!(ended.stdout, "", "{words:?}");
        assert_ne!(ended.stderr, "", "{words:?}");
    }
    agent.run(&["explain", "path.outsid"]).complains("did you mean `path.outside`?");
}

#[test]
fn a_word_that_is_no_path_is_an_agent_s_id_and_the_hint_names_the_file() {
    let agent = probe();
    for words in [&["why", "echo", "probe", "--path", "/x"][..], &["check", "echo"]] {
        agent.run(words).ends(2).complains("there is no agent `echo`").complains("`./echo/SOUL.md`");
    }
    let called = agent.run(&["call", "echo", "probe", "nothing"]);
    called.ends(2).complains("there is no agent `echo`").complains("`./echo/SOUL.md`");
    assert!(!agent.state().join("gateway.lock").exists(), "no gateway is started for nobody");
}

#[test]
fn a_folder_stands_for_its_soul() {
    let ended = probe().run(&["check", ".", "--json"]);
    ended.ends(0);
    assert_eq!(ended.json()["agent"]["id"], "echo");
}

#[test]
fn call_as_json_has_the_fields_of_the_contract() {
    let agent = probe();
    let returned = agent.call("probe", "print-text", &["text=hello", "to=out"]).json();
    has(&returned, &["ok", "result", "denials", "accesses", "duration_us", "memory_peak_bytes", "log"]);
    assert_eq!(returned["log"][0], json!({"source": "stdout", "text": "hello"}));
    assert!(returned["memory_peak_bytes"].as_u64().unwrap() > 65_536);
    assert!(returned["duration_us"].as_u64().unwrap() > 0);
    let denied = agent.call("probe", "read", &["path=/etc/passwd"]).json();
    has(
        &denied,
        &["ok", "denial", "error", "denials", "accesses", "duration_us", "memory_peak_bytes", "log"],
    );
    has(&denied["denial"], &["id", "message", "imported", "rule", "hint"]);
    has(&denied["denial"]["rule"], &["file", "line", "text"]);
    has(&denied["error"], &["kind", "id", "message", "hint"]);
    assert_eq!(
        denied["accesses"].as_array().unwrap().last().unwrap(),
        &json!({"kind": "file", "target": "/etc/passwd", "access": "read", "decision": "denied",
            "denial": "path.outside"})
    );
    // Refused before it began, and bad arguments: the same shape.
    let refused = agent.call("other", "nothing", &[]).json();
    assert_eq!(keys(&refused), keys(&agent.call("probe", "nonsense", &[]).json()));
}

#[test]
fn check_as_json_has_the_fields_of_the_contract() {
    let agent = Agent::with_soul(
        "# A\n## Identity\n- Name: Echo\n- Role: Writer\n- Model: m\n## Rules\n- Be kind\n## Skills\n\
         - probe: Try\n  - read: ./docs\n  - write: ./ws as /out\n  - limit: time 5s\n## Channels\n- slack: team\n",
    )
    .guest("probe")
    .directory("docs")
    .directory("ws");
    let document = agent.run(&["check", "./SOUL.md", "--json"]).json();
    has(&document, &["ok", "agent", "rules", "skills", "reach", "channels", "warnings", "errors"]);
    has(&document["agent"], &["id", "name", "role", "model"]);
    has(&document["rules"][0], &["text", "line", "standing", "by"]);
    assert_eq!(document["rules"][0]["standing"], "advisory");
    let skill = &document["skills"][0];
    has(
        skill,
        &[
            "name", "purpose", "line", "read", "write", "create", "hosts", "env", "secrets", "approve",
            "limits", "refuse", "sha256", "origin", "digest",
        ],
    );
    assert_eq!(skill["read"][0]["dir"], "./docs");
    assert_eq!(skill["write"][0]["as"], "/out");
    assert_eq!(skill["origin"], "agent");
    assert_eq!(document["ok"], true);
}

#[test]
fn why_as_json_has_the_fields_of_the_contract() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs").guest("probe").file("docs/x.txt", "x");
    let allowed = agent.run(&["why", "./SOUL.md", "probe", "--path", "/docs/x.txt", "--json"]);
    allowed.ends(0);
    assert_eq!(allowed.json()["decision"], "allowed");
    assert_eq!(allowed.json()["rule"]["line"], 6);
    let denied = agent.run(&["why", "./SOUL.md", "probe", "--path", "/docs/x.txt", "--write", "--json"]);
    denied.ends(1);
    assert_eq!(denied.json()["decision"], "denied");
    assert_eq!(denied.json()["denial"]["id"], "path.read-only");
    has(&denied.json(), &["decision", "rule", "denial"]);
}

#[test]
fn why_and_a_call_agree() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs\n  - write: ./ws").guest("probe").directory("ws");
    let agent = agent.file("docs/x.txt", "x").file("docs/.hidden", "x").file("ws/AGENTS.md", "x");
    let paths = [
        "/docs/x.txt",
        "/docs/.hidden",
        "/etc/passwd",
        "/docs/../ws/x",
        "/ws/AGENTS.md",
        "/ws/new",
        "relative",
    ];
    for path in paths {
        for write in [false, true] {
            let mut words = vec!["why", "./SOUL.md", "probe", "--json", "--path", path];
            words.extend(write.then_some("--write"));
            let why = agent.run(&words).json();
            // `wasi:filesystem` knows no absolute paths: a language's library takes the first slash off.
            let attempt =
                json!({"attempt": {if write { "create" } else { "read" }: path.trim_start_matches('/')}});
            let called = agent.call_json("probe", "attempt-at", &attempt).json();
            let by_call = called["denials"].as_array().unwrap().first().map(|denial| &denial["id"]);
            let by_why = why.get("denial").filter(|denial| !denial.is_null()).map(|denial| &denial["id"]);
            assert_eq!(by_why, by_call, "{path} write={write}: {why:#} {called:#}");
        }
    }
}

#[test]
fn inspect_as_json_has_the_fields_of_the_contract() {
    let agent = probe();
    let document = agent.run(&["inspect", "./skills/probe", "--json"]).json();
    has(&document, &["digest", "bytes", "world", "imports", "tools"]);
    has(&document["imports"][0], &["interface", "capability", "standing", "functions"]);
    has(&document["tools"][0], &["name", "description", "inputSchema", "outputSchema", "annotations"]);
    let wit = agent.run(&["inspect", "./skills/probe", "--wit"]);
    wit.ends(0);
    assert!(wit.stdout.contains("world"), "{wit:?}");
}

#[test]
fn inspect_against_a_soul_that_does_not_grant_an_import_exits_1() {
    let agent = Agent::new("- probe-web: Try").guest("probe-web");
    let ended = agent.run(&["inspect", "./skills/probe-web", "--against", "./SOUL.md", "--json"]);
    ended.ends(1);
    let imports = ended.json()["imports"].as_array().unwrap().clone();
    let missing: Vec<_> = imports.iter().filter(|import| import["standing"] == "missing").collect();
    assert!(missing[0]["interface"].as_str().unwrap().starts_with("wasi:http/outgoing-handler@0.2."));
    agent.run(&["inspect", "./skills/probe-web"]).ends(0);
}

#[test]
fn every_command_s_help_has_an_example() {
    let agent = probe();
    for words in [
        &["-h"][..],
        &["--help"],
        &["check", "-h"],
        &["call", "-h"],
        &["inspect", "-h"],
        &["why", "-h"],
        &["explain", "-h"],
        &["completions", "-h"],
    ] {
        let ended = agent.run(words);
        ended.ends(0);
        assert!(ended.stdout.contains("Example:\n  soulbound "), "{words:?}: {}", ended.stdout);
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn completions_are_there_for_each_shell() {
    let agent = probe();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = agent.run(&["completions", shell]);
        ended.ends(0);
        assert!(ended.stdout.contains("inspect"), "{shell}");
    }
}

/// Ids that the design names: they never change.
const DESIGNED: &[&str] = &[
    "skill.not-listed",
    "skill.not-trusted",
    "import.not-granted",
    "import.unknown",
    "path.outside",
    "path.protected",
    "path.read-only",
    "path.special",
    "path.hard-link",
    "path.executable",
    "path.mount",
    "path.moved",
    "path.quota",
    "host.not-granted",
    "host.private-address",
    "host.method",
    "limit.time",
    "limit.memory",
    "limit.output",
    "limit.rate",
    "limit.egress",
    "approval.denied",
    "approval.timeout",
    "approval.too-many",
    "output.blocked",
    "breaker.open",
    "agent.stopped",
    "gateway.stopped",
    "audit.unavailable",
    "limit.stack",
    "limit.handles",
    "limit.log",
    "guest.trap",
    "guest.exit",
    "busy",
];

#[test]
fn every_denial_is_explained() {
    let agent = probe();
    let list = agent.run(&["explain", "--json"]).json();
    let ids: Vec<&str> = list["denials"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    for id in DESIGNED {
        assert!(ids.contains(id), "{id}");
    }
    for id in ids {
        let ended = agent.run(&["explain", id]);
        ended.ends(0);
        assert!(ended.stdout.starts_with(id) && ended.stdout.contains("What to do:"), "{}", ended.stdout);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let agent = probe();
    for words in [
        &["completions", "bash"][..],
        &["explain"],
        &["inspect", "./skills/probe", "--json"],
        &["call", "./SOUL.md", "probe", "big-result", "bytes=500000"],
        &["check", "./SOUL.md"],
        &["-h"],
    ] {
        let mut child = agent.program().words(words).start();
        drop(child.stdout.take());
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        let status = child.wait().unwrap();
        assert_ne!(status.code(), Some(101), "{words:?}: {complaint}");
        assert!(status.code().is_some(), "{words:?} ended by a signal: {status}");
        assert!(!complaint.contains("panicked"), "{words:?}: {complaint}");
    }
}

#[test]
fn standard_error_that_is_closed_is_no_panic() {
    let agent = probe();
    let mut child = agent.program().words(&["call", "./SOUL.md", "probe", "read", "path=/x"]).start();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn colour_is_for_terminals_and_no_color_is_honoured() {
    let agent = probe();
    let words = ["call", "./SOUL.md", "probe", "read", "path=/etc/passwd"];
    let run = |change: fn(Program) -> Program| change(agent.program().words(&words)).on_terminal();
    let (code, shown) = run(|program| program);
    assert_eq!(code, Some(1));
    assert!(shown.contains("\u{1b}[31mdenied[path.outside]"), "{shown:?}");
    for plain in
        [run(|program| program.variable("NO_COLOR", "1")), run(|program| program.variable("TERM", "dumb"))]
    {
        assert!(!plain.1.contains('\u{1b}'), "{:?}", plain.1);
    }
    let piped: Ended = agent.run(&words);
    assert!(!piped.said().contains('\u{1b}'));
}

#[test]
fn an_error_says_its_reason_once_and_the_hint_last() {
    let agent = probe();
    for words in [&["check", "odd/none.md"][..], &["redteam", "odd/SOUL.md"], &["agents", "add", "ex/nope"]] {
        let said = agent.run(words).ends(2).stderr.clone();
        assert_eq!(said.matches("No such file").count(), 1, "{words:?}: {said}");
        let (what, hint) = said.split_once("\n  hint: ").unwrap();
        assert!(what.contains("No such file") && !hint.contains("No such file"), "{words:?}: {said}");
    }
}
