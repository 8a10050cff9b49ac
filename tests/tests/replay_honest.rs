//! `soulbound audit replay` over what an honest gateway left of guests that try what is not there to be had: changes of the
//! folders that only lead to granted ones, of the granted ones themselves, of hidden and protected names, in every spelling.
//! No finding, whichever way the calls ran; and a finding for a trail in which such a change came about.

use serde_json::{Value, json};
use soulbound_tests::gateway::ECHO;
use soulbound_tests::{Agent, Gateway};

const RULES: &str = "## Rules\n- Never output: card numbers\n";

/// What `audit replay` says of the agent.
fn replayed(agent: &Agent, code: i32) -> Value {
    agent.run(&["audit", "replay", "--json"]).ends(code).json()["trails"][0].clone()
}

fn agent() -> Agent {
    Agent::new(
        "- probe-std: Try\n  - write: ./x as /home/x\n  - read: ./y as /home/deep/y\n  - create: ./in as /home/in\n\
         - probe: Try\n  - write: ./x as /home/x\n  - read: ./y as /home/deep/y\n  - create: ./in as /home/in",
    )
    .guest("probe-std")
    .guest("probe")
    .file("x/f", "x")
    .file("y/f", "y")
    .file("in/old", "old")
}

/// Changes that come to nothing, and a few that do not.
fn tries() -> Vec<String> {
    let places = [
        "",
        ".",
        "home",
        "home/",
        "home/.",
        "./home",
        "home/deep",
        "home//deep/.",
        "home/x",
        "home/x/.",
        "home/in",
        "home/deep/y",
        "home/x/none/SOUL.md",
        "home/x/f/g",
        "home/xx",
        "etc",
        "home/../home/deep",
        "home/x/.h",
    ];
    let verbs = ["mkdir", "rmdir", "remove", "open 0 wc", "open 0 wn", "open 0 w", "stat", "list"];
    let mut steps: Vec<String> =
        verbs.iter().flat_map(|verb| places.iter().map(move |place| format!("{verb} {place}"))).collect();
    steps.extend(places.iter().map(|place| format!("rename {place} home/x/moved")));
    steps.extend(places.iter().map(|place| format!("rename home/x/f {place}")));
    steps.extend(
        [
            "open 1 wn home/in/new",
            "write 1 text",
            "resize 1 2",
            "times 1 9",
            "put home/in/old text",
            "mkdir-all home/x/a/b",
        ]
        .map(str::to_owned),
    );
    steps
}

fn try_everything(gateway: &Gateway<'_>) {
    for steps in tries().chunks(40) {
        let plan = format!("plan={}", json!(steps));
        gateway.call("probe-std", "take", &["below=", &plan]).ends(0);
    }
    for attempt in [
        json!({"create-directory": "home"}),
        json!({"create": ""}),
        json!({"create": "home\0"}),
        json!({"create": "home/x/.h\0"}),
        json!({"create-new": "home/in/a → b"}),
        json!({"create-new": "home/x/a → b"}),
        json!({"rename": ["home/x/a → b", "home/x/c → /etc/d"]}),
        json!({"set-times": "home"}),
        json!({"set-times": "home/x"}),
        json!({"read-link": "home/in"}),
        json!({"truncate": "/etc/passwd"}),
    ] {
        let _ = gateway.call("probe", "attempt-at", &[&format!("attempt={attempt}")]);
    }
}

#[test]
fn an_honest_run_that_tries_to_change_what_only_leads_to_grants_leaves_no_finding() {
    for settings in ["", "[sandbox]\nisolation = \"process\"\n"] {
        let agent = agent().gateway(&format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{settings}"));
        let gateway = Gateway::with(&agent);
        try_everything(&gateway);
        let replayed = replayed(&agent, 0);
        assert_eq!(
            (&replayed["findings"], &replayed["verified"]),
            (&json!([]), &json!(true)),
            "{replayed:#}"
        );
        let count = |name: &str| replayed[name].as_u64().unwrap();
        assert!(count("judged") > 50 && count("refused") > 50, "{replayed:#}");
        assert!(count("judged") > 5 * count("unjudged"), "{replayed:#}");
        let path = agent.state().join("agents").join(ECHO).join("audit.jsonl");
        let trail = std::fs::read_to_string(path).unwrap();
        assert!(trail.contains(r#""failed":"exist""#), "a failure is told as one: {trail}");
    }
}

#[test]
fn so_does_one_whose_files_are_held_back_for_output_rules() {
    let agent = agent();
    let soul = std::fs::read_to_string(agent.path("SOUL.md")).unwrap();
    std::fs::write(agent.path("SOUL.md"), soul.replace("## Skills", &format!("{RULES}## Skills"))).unwrap();
    let gateway = Gateway::with(&agent);
    try_everything(&gateway);
    let replayed = replayed(&agent, 0);
    assert_eq!(replayed["findings"], json!([]), "{replayed:#}");
    let trail = std::fs::read_to_string(agent.state().join("agents").join(ECHO).join("audit.jsonl")).unwrap();
    assert!(trail.contains(r#""access":"open-new""#), "nothing was held back: {trail}");
}

#[test]
fn a_run_that_the_file_on_disk_narrowed_leaves_none_either_and_its_records_say_so() {
    let agent = Agent::new("- probe: Try\n  - create: ./in as /home/in").guest("probe").directory("in/sub");
    let gateway = Gateway::with(&agent);
    let attempt = |attempt: Value| {
        let _ = gateway.call("probe", "attempt-at", &[&format!("attempt={attempt}")]);
    };
    attempt(json!({"directory": "home/in"}));
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    std::fs::write(agent.soul(), soul.replace("./in as /home/in", "./in/sub as /home/in/sub")).unwrap();
    for path in ["home/in", "home/in/sub", "home"] {
        attempt(json!({"directory": path}));
        attempt(json!({"stat": path}));
        attempt(json!({"create-directory": path}));
    }
    attempt(json!({"create-new": "home/in/sub/new"}));
    assert!(agent.path("in/sub/new").is_file(), "the narrower directory is granted");
    let replayed = replayed(&agent, 0);
    assert_eq!(replayed["findings"], json!([]), "{replayed:#}");
    let trail = std::fs::read_to_string(agent.state().join("agents").join(ECHO).join("audit.jsonl")).unwrap();
    let calls = |line: &&str| line.contains(r#""event":"intent""#);
    let narrowed = trail.lines().filter(calls).filter(|line| line.contains(r#""narrowed_by":""#)).count();
    assert_eq!((trail.lines().filter(calls).count(), narrowed), (11, 10), "{trail}");
}

#[test]
fn a_change_of_a_folder_that_only_leads_to_grants_is_a_finding_where_it_came_about() {
    let agent = agent();
    let gateway = Gateway::with(&agent);
    let attempt = json!({"create-directory": "home/deep"});
    assert!(gateway.call("probe", "attempt-at", &[&format!("attempt={attempt}")]).stdout.contains("exist"));
    drop(gateway);
    let path = agent.state().join("agents").join(ECHO).join("audit.jsonl");
    let honest = std::fs::read_to_string(&path).unwrap();
    let failed = r#","failed":"exist","kind":"file""#;
    assert!(honest.contains(failed), "the record says that it failed: {honest}");
    assert_eq!(replayed(&agent, 0)["findings"], json!([]));
    // A gateway whose wall had let it come about would have left these.
    for (forged, why) in [
        (honest.replace(failed, r#","kind":"file""#), "a folder that only leads to granted ones was changed"),
        (honest.replace("\"/home/deep\"", "\"/home\""), ""),
        (honest.replace("\"/home/deep\"", "\"/etc/deep\""), "no directory entry covers it"),
        (honest.replace("\"/home/deep\"", "\"/home/deepest\""), "no directory entry covers it"),
        (
            honest.replace("\"/home/deep\"", "\"/home/x/.h\""),
            "a hidden name, and the entry does not say `(hidden)`",
        ),
    ] {
        std::fs::write(&path, forged).unwrap();
        let findings = replayed(&agent, 1)["findings"].clone();
        let found: Vec<&str> =
            findings.as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect();
        assert_eq!(found, if why.is_empty() { vec![] } else { vec![why] }, "{findings:#}");
    }
}
