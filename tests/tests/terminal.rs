//! What a guest or its author chose never acts on the terminal of whoever reads it.

use serde_json::{Value, json};
use soulbound_tests::{Agent, Ended, guest};

/// Clear screen, a title, a hyperlink, bidirectional overrides, zero width, C1, newline, return, backspace, DEL.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]8;;http://evil\u{1b}\\x\u{202e}gnp.\u{2066}\u{200b}\u{feff}\u{9b}31m\r\n\u{8}\u{7f}end";

/// Nothing raw that a terminal, or a person's eye, would be misled by.
fn clean(ended: &Ended) {
    let said = ended.said();
    for character in said.chars() {
        let acts = (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        assert!(!acts, "{character:?} stands raw in {said:?}");
    }
}

fn probe() -> Agent {
    Agent::new("- probe: Try\n  - read: ./docs").guest("probe").directory("docs")
}

fn both(agent: &Agent, tool: &str, arguments: &Value) -> [Ended; 2] {
    let run = |option: &str| {
        let program = agent.program().words(&["call", option, "./SOUL.md", "probe", tool, "-"]);
        program.input(arguments.to_string()).run()
    };
    [run("--json"), run("--log")]
}

#[test]
fn what_a_guest_prints_logs_or_returns_is_escaped() {
    let agent = probe();
    let cases = [
        ("print-text", json!({"text": HOSTILE, "to": "out"})),
        ("print-text", json!({"text": HOSTILE, "to": "err"})),
        ("log-text", json!({"text": HOSTILE})),
        ("echo-string", json!({"value": HOSTILE})),
        ("fail", json!({"message": HOSTILE})),
        ("panic", json!({"message": HOSTILE})),
        ("read", json!({"path": HOSTILE})),
        ("attempt-at", json!({"attempt": {"read": HOSTILE.replace('\u{0}', "")}})),
        ("echo-u32", json!({"value": HOSTILE})),
        ("echo-colour", json!({"value": HOSTILE})),
        ("echo-u32", json!({HOSTILE: 1})),
    ];
    for (tool, arguments) in cases {
        for ended in both(&agent, tool, &arguments) {
            clean(&ended);
            assert_ne!(ended.said(), "", "{tool}");
        }
    }
}

#[test]
fn json_still_says_what_the_guest_said() {
    let ended = probe().call_json("probe", "echo-string", &json!({"value": HOSTILE}));
    assert_eq!(ended.result(), HOSTILE);
}

#[test]
fn a_guest_s_output_is_in_the_log_and_never_on_our_streams() {
    let agent = probe();
    for to in ["out", "err"] {
        let arguments = ["text={\"jsonrpc\": \"2.0\"}", &format!("to={to}")];
        let ended =
            agent.program().words(&["call", "./SOUL.md", "probe", "print-text"]).words(&arguments).run();
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("null\n", ""));
    }
}

#[test]
fn a_line_of_the_log_cannot_pass_for_another() {
    let agent = probe();
    let ended = agent.program().words(&["call", "--log", "./SOUL.md", "probe", "log-text", "-"]);
    let ended = ended.input(json!({"text": "one\nerror: two\rdenied[x.y]: three"}).to_string()).run();
    for line in ended.stderr.lines() {
        assert!(line.starts_with("warn: "), "{:?}", ended.stderr);
    }
}

#[test]
fn names_in_components_and_arguments_of_ours_are_escaped() {
    let agent = probe();
    for words in [
        &["call", "./SOUL.md", "probe", HOSTILE][..],
        &["call", "./SOUL.md", HOSTILE, "nothing"],
        &["why", "./SOUL.md", "probe", "--path", HOSTILE],
        &["why", "./SOUL.md", "probe", "--host", HOSTILE],
        &["why", "./SOUL.md", "probe", "--import", HOSTILE],
        &["why", "./SOUL.md", HOSTILE, "--path", "/x"],
        &["explain", HOSTILE],
        &["call", "./SOUL.md", "probe", "nothing", HOSTILE],
        &["check", "./\u{1b}[2J.md"],
        &["inspect", "./\u{1b}[2J.wasm"],
        &["inspect", "./skills/probe", "--against", "./SOUL.md", "--skill-name", HOSTILE],
        &[HOSTILE],
    ] {
        let ended = agent.run(words);
        assert_ne!(ended.code, Some(0), "{words:?}");
        assert_ne!(ended.code, Some(101), "{words:?}");
        clean(&ended);
    }
}

#[test]
fn a_trap_in_a_function_of_a_hostile_name_is_escaped() {
    let name = "\\1b[2J\\e2\\80\\aeevil";
    let wasm =
        guest::core(&format!("(func $f (@name \"{name}\") unreachable) (func (export \"run\") (call $f))"));
    let agent = Agent::new("- s: Try").component("s", &wasm);
    for words in
        [&["call", "--json", "./SOUL.md", "s", "run"][..], &["call", "--log", "./SOUL.md", "s", "run"]]
    {
        let ended = agent.run(words);
        ended.ends(1);
        assert!(ended.said().contains("evil"), "{ended:?}");
        clean(&ended);
    }
}

#[test]
fn hostile_text_in_a_soul_is_shown_escaped() {
    let agent = Agent::with_soul(&format!(
        "# A\n## Identity\n- Name: Echo\n## Rules\n- {0}\n## Skills\n- probe: Try {0}\n  - read: {0}\n",
        HOSTILE.replace(['\r', '\n'], "")
    ));
    for words in
        [&["check", "./SOUL.md"][..], &["check", "./SOUL.md", "--json"], &["call", "./SOUL.md", "probe", "x"]]
    {
        let ended = agent.run(words);
        assert_ne!(ended.code, Some(0));
        clean(&ended);
    }
}

#[test]
fn a_hostile_manifest_and_wit_are_escaped() {
    let agent = probe();
    agent.write("skills/probe/SKILL.md", format!("---\nname: probe\ndescription: {:?}\n---\n", HOSTILE));
    agent.run(&["inspect", "./skills/probe"]).ends(2);
    clean(&agent.run(&["inspect", "./skills/probe"]));
    clean(&agent.run(&["check", "./SOUL.md"]));
}
