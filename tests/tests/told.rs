//! What an operator is told when something is the matter: that it is that, and what helps. Each of these said something else once.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;
use soulbound_tests::gateway::{ECHO, is_running, until};
use soulbound_tests::trusted::{added, listed, trust};
use soulbound_tests::{Agent, Ended, Gateway, namespace};

/// What `agents` says of the one agent there is: the kinds of its differences.
fn differs(agent: &Agent) -> Vec<String> {
    let row = listed(agent)[0].clone();
    let kinds = row["changes"].as_array().unwrap().iter();
    let kinds: Vec<String> = kinds.map(|one| one["what"].as_str().unwrap().to_owned()).collect();
    assert_eq!(row["standing"] == "as-trusted", kinds.is_empty(), "{row}");
    let table = agent.run(&["agents"]).ends(0).stdout.clone();
    for change in row["changes"].as_array().unwrap() {
        assert!(table.contains(change["text"].as_str().unwrap()), "{table}");
    }
    kinds
}

#[test]
fn the_list_tells_apart_what_changed() {
    let agent = added();
    assert_eq!(differs(&agent), Vec::<String>::new());
    let soul = fs::read_to_string(agent.soul()).unwrap();
    for (text, says) in [
        (soul.replace("./docs, ./more", "./docs"), "SOUL.md takes away"),
        (soul.replace("./docs, ./more", "./docs, ./more, ./private"), "SOUL.md changed"),
        (soul.replace("./docs, ./more", "./docs, ./private"), "SOUL.md takes away and adds"),
    ] {
        agent.write("SOUL.md", text);
        assert_eq!(differs(&agent), ["soul"]);
        assert_eq!(listed(&agent)[0]["changes"][0]["text"], says);
    }
    agent.write("SOUL.md", "no agent at all");
    assert_eq!(differs(&agent), ["nothing-runs"]);
    fs::remove_file(agent.soul()).unwrap();
    assert_eq!(differs(&agent), ["nothing-runs"]);
    agent.write("SOUL.md", &soul);
    assert_eq!(differs(&agent), Vec::<String>::new());

    agent.write("skills/probe/SKILL.md", "other words");
    assert_eq!(differs(&agent), ["skill"]);
    fs::rename(agent.path("docs"), agent.path("old")).unwrap();
    assert_eq!(differs(&agent), ["skill", "directory"]);
    fs::remove_dir_all(agent.path("skills/probe")).unwrap();
    assert!(
        listed(&agent)[0]["changes"][0]["text"].as_str().unwrap().ends_with("is gone"),
        "{}",
        listed(&agent)
    );
}

#[test]
fn a_directory_that_is_gone_is_told_as_that_by_whatever_is_asked() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    let told = |ended: &Ended, what: &str, agent: &Agent| {
        let said = ended.said();
        for wanted in [
            "path.moved",
            what,
            "put the trusted directory back where it was",
            "`soulbound agents trust echo`",
        ] {
            assert!(said.contains(wanted), "no `{wanted}` in {ended:#?}");
        }
        assert!(!said.contains("add `") && !said.contains("path.outside"), "{said}");
        assert!(said.contains("docs"), "the line that grants it: {said}");
        let rolled = agent.run(&["agents", "rollback", ECHO]);
        rolled.ends(1).complains("rollback puts files back, not directories");
    };
    let gone = "directory `./docs` does not exist";
    let another = "`./docs` is another directory than the one that was trusted";
    let read = |path: &str| gateway.call("probe", "read", &[path]);

    fs::rename(agent.path("docs"), agent.path("old")).unwrap();
    told(&read("path=/docs/x.txt"), gone, &agent);
    told(&agent.run(&["why", ECHO, "probe", "--path", "/docs/x.txt"]), gone, &agent);
    let diff = agent.run(&["agents", "diff", ECHO]);
    diff.ends(1).complains("put the trusted directory back where it was");
    assert!(!diff.said().contains("rollback"), "it cannot help: {}", diff.said());
    // Another in its place: what is said follows, though nothing else changed.
    fs::create_dir(agent.path("docs")).unwrap();
    until(|| read("path=/docs/x.txt").said().contains(another), "the gateway to see what is there now");
    told(&agent.run(&["why", ECHO, "probe", "--path", "/docs/x.txt"]), another, &agent);
    fs::remove_dir(agent.path("docs")).unwrap();
    // A path that only begins alike is outside, as ever.
    assert_eq!(read("path=/docsx").denial(), "path.outside");

    // With none left the skill has nothing to do with files at all.
    for name in ["more", "drafts"] {
        fs::rename(agent.path(name), agent.path(&format!("{name}.old"))).unwrap();
    }
    until(
        || !read("path=/more/m.txt").said().contains("\"result\": \"m\""),
        "the gateway to see that all are gone",
    );
    told(&read("path=/docs/x.txt"), gone, &agent);
    for (from, to) in [("old", "docs"), ("more.old", "more"), ("drafts.old", "drafts")] {
        fs::rename(agent.path(from), agent.path(to)).unwrap();
    }
    until(|| read("path=/docs/x.txt").code == Some(0), "the directories to be back");
}

#[test]
fn whoever_calls_is_not_told_which_places_the_operator_denies() {
    let agent = added();
    let denied = agent.path("docs/project-blackjack");
    fs::create_dir(&denied).unwrap();
    let settings = agent.state().join("gateway.toml");
    let before = fs::read_to_string(&settings).unwrap_or_default();
    fs::write(&settings, format!("{before}\n[ceiling]\ndeny_dirs = [\"{}\"]\n", denied.display())).unwrap();
    let gateway = Gateway::start(&agent);
    let said = gateway.call("probe", "read", &["path=/docs/x.txt"]).said();
    assert!(said.contains("path.moved") && said.contains("agents diff echo"), "{said}");
    assert!(!said.contains("blackjack"), "{said}");
    let told = agent.run(&["agents", "diff", ECHO]).said();
    assert!(told.contains("project-blackjack"), "the operator is: {told}");
}

#[test]
fn a_path_that_goes_up_from_a_directory_that_is_gone_is_outside() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    fs::rename(agent.path("docs"), agent.path("old")).unwrap();
    let read = |path: &str| gateway.call("probe", "read", &[&format!("path={path}")]).said();
    until(|| read("/docs/x.txt").contains("path.moved"), "the directory to be gone");
    for path in ["/docs/../private/key", "/docs/../../etc/shadow", "/docs/a/../../private/key"] {
        let said = read(path);
        assert!(said.contains("path.outside") && !said.contains("path.moved"), "{path}: {said}");
    }
}

#[test]
fn a_link_in_a_directorys_place_is_told_as_that() {
    let agent = added();
    fs::rename(agent.path("docs"), agent.path("old")).unwrap();
    symlink("private", agent.path("docs")).unwrap();
    let said = agent.run(&["why", ECHO, "probe", "--path", "/docs/key"]).said();
    assert!(said.contains("denied[path.moved]"), "{said}");
}

#[test]
fn a_skill_that_soul_md_took_away_is_not_listed_in_the_hint() {
    let agent = Agent::new("- probe: Try\n- browser: Look\n  - hosts: https://x.test").guest("probe");
    let gateway = Gateway::with(&agent);
    let soul = fs::read_to_string(agent.soul()).unwrap();
    agent.write("SOUL.md", soul.replace("- browser: Look\n  - hosts: https://x.test\n", ""));
    for ended in [
        gateway.call("browser", "fetch", &["url=https://x.test"]),
        agent.run(&["why", ECHO, "browser", "--host", "x.test"]),
    ] {
        let said = ended.said();
        assert!(said.contains("skill.not-listed") && said.contains("does not list it any more"), "{said}");
        assert!(said.contains("soulbound agents diff echo") && !said.contains("lists `"), "{said}");
    }
    let said = gateway.call("nosuch", "nothing", &[]).said();
    assert!(said.contains("SOUL.md lists `probe`\""), "{said}");
}

/// The findings of doctor that are more than good to know: id and message.
fn doctor(agent: &Agent) -> Vec<(String, String)> {
    let document = agent.run(&["doctor", "--json"]).json();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let all = document["findings"].as_array().unwrap().clone();
    assert!(all.iter().all(|one| !text(one, "fixHint").is_empty()), "{document}");
    all.iter()
        .filter(|one| one["severity"] != "info")
        .map(|one| (text(one, "checkId"), text(one, "message")))
        .filter(|(id, _)| {
            !id.starts_with("limits.")
                && !["state.disk", "layer.compiling", "gateway.port"].contains(&id.as_str())
        })
        .collect()
}

#[test]
fn doctor_looks_at_the_trails() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    gateway.call("probe", "nothing", &[]).ends(0);
    assert_eq!(doctor(&agent), [], "also while it runs");
    agent.run(&["gateway", "stop"]).ends(0);
    let _ = fs::rename(agent.state().join("stopped"), agent.state().join("armed"));
    let trail = agent.state().join("agents/echo/audit.jsonl");
    let kept = agent.outside("kept.jsonl");
    fs::copy(&trail, &kept).unwrap();
    let good = fs::read_to_string(&trail).unwrap();
    let whole = doctor(&agent);
    assert_eq!(whole, []);
    let at = good.find("\"nothing\"").unwrap();
    let changed = format!("{}\"nothinG\"{}", &good[..at], &good[at + 9..]);
    let cut = good.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
    for (what, text) in
        [("changed", Some(changed)), ("emptied", Some(String::new())), ("cut", Some(cut)), ("deleted", None)]
    {
        match text {
            Some(text) => fs::write(&trail, text).unwrap(),
            None => fs::remove_file(&trail).unwrap(),
        }
        let found = doctor(&agent);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert!(
            found[0].0 == "audit.trails" && found[0].1.contains("the trail of echo"),
            "{what}: {found:?}"
        );
        agent.run(&["doctor"]).ends(1);
        let _ = fs::remove_file(&trail);
        fs::copy(&kept, &trail).unwrap();
    }
    assert_eq!(doctor(&agent), []);
    fs::set_permissions(&trail, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(doctor(&agent)[0].0, "audit.readable");
    // Everything of it, tips too: nothing is left that could be wrong, with and without a tip in the gateway's own trail.
    let fresh = added();
    for agent in [&agent, &fresh] {
        assert!(doctor(agent).iter().all(|(id, _)| id == "audit.readable"));
        for name in ["audit.jsonl", "audit.tip", "audit.tip.sig"] {
            let _ = fs::remove_file(agent.state().join("agents/echo").join(name));
        }
        assert_eq!(doctor(agent)[0].0, "audit.trails");
        agent.run(&["audit", "verify"]).ends(1);
    }
    fs::remove_dir_all(agent.state().join("keys")).unwrap();
    let found = doctor(&agent);
    assert!(found.iter().any(|(id, what)| id == "audit.readable" && what.contains("keys")), "{found:?}");
}

#[test]
fn a_state_file_that_is_not_understood_is_told_and_no_open_breaker_is_lost() {
    let agent = added();
    let own = agent.state().join("agents/echo");
    for (name, garbage) in [
        ("budgets.json", "\0\0"),
        ("baseline.json", "[1]"),
        ("approvals.json", "[{"),
        ("breakers.json", "{}"),
    ] {
        fs::write(own.join(name), garbage).unwrap();
    }
    let gateway = Gateway::start(&agent);
    assert_eq!(gateway.call("probe", "nothing", &[]).denial(), "breaker.open");
    let found: Vec<String> = doctor(&agent).into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, ["breakers.closed", "approvals.readable", "agents.set-aside", "agents.set-aside"]);
    for name in ["budgets.json", "baseline.json"] {
        assert!(own.join(format!("{name}.unreadable")).exists(), "{name}");
        fs::remove_file(own.join(format!("{name}.unreadable"))).unwrap();
    }
    let log = fs::read_to_string(agent.state().join("gateway.log")).unwrap();
    assert_eq!(log.matches("is not understood: set aside").count(), 2, "{log}");
    assert_eq!(
        fs::read_to_string(own.join("approvals.json")).unwrap(),
        "[{",
        "what a person decided is kept"
    );
    fs::remove_file(own.join("approvals.json")).unwrap();
    agent.run(&["agents", "reset", ECHO]).ends(0);
    gateway.call("probe", "nothing", &[]).ends(0);
    assert_eq!(doctor(&agent), []);
    fs::write(own.join("agent.toml"), "version = 1\n").unwrap();
    assert_eq!(doctor(&agent)[0].0, "agents.readable");
}

#[test]
fn a_gateway_whose_state_folder_became_read_only_is_seen_and_can_be_stopped() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    let Some(said) = namespace::read_only(&agent, &["gateway status", "doctor", "agents", "gateway stop"])
    else {
        return;
    };
    let parts: Vec<&str> = said.split("== ").skip(1).collect();
    assert!(parts[0].contains("gateway running"), "{said}");
    assert!(parts[1].contains("[state.writable]") && parts[1].contains("exit 1"), "{said}");
    assert!(parts[2].contains("as trusted"), "{said}");
    // The file could not be made by whoever asked for the stop, and it was a stop.
    assert!(
        parts[3].contains("everything in flight was ended, and nothing keeps it from starting again"),
        "{said}"
    );
    until(|| !is_running(gateway.pid), "the gateway to be gone");
}

#[test]
fn a_name_that_a_model_made_up_stops_no_agent_where_skills_are_to_be_stopped() {
    let agent = added();
    let toml = "[gateway]\nlisten = \"127.0.0.1:0\"\n[anomalies.trip]\nunexpected-tool = \"skill\"\n";
    fs::write(agent.state().join("gateway.toml"), toml).unwrap();
    let gateway = Gateway::start(&agent);
    assert_eq!(gateway.call("nosuch", "nothing", &[]).denial(), "skill.not-listed");
    gateway.call("probe", "nothing", &[]).ends(0);
    let noted = agent.run(&["audit", "show", ECHO, "--event", "anomaly", "--json"]).json();
    let note = &noted["records"][0]["note"];
    assert_eq!((&note["kind"], &note["trips"]), (&"unexpected-tool".into(), &"none".into()), "{noted}");
    // Where the whole agent is to be stopped, it is.
    fs::write(agent.state().join("gateway.toml"), toml.replace("\"skill\"", "\"agent\"")).unwrap();
    until(
        || {
            let _ = gateway.call("nosuch", "nothing", &[]);
            gateway.call("probe", "nothing", &[]).code == Some(1)
        },
        "the agent to be stopped",
    );
    assert_eq!(gateway.call("probe", "nothing", &[]).denial(), "breaker.open");
}

#[test]
fn watching_approvals_without_a_terminal_says_so_and_ends_with_its_reader() {
    let agent = added();
    let _gateway = Gateway::start(&agent);
    let mut watching = agent.program().words(&["approvals", "watch"]).start();
    // Nobody reads what it would write.
    drop(watching.stdout.take());
    until(|| watching.try_wait().unwrap().is_some(), "it to end");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut watching.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.contains("no terminal") && said.contains("nothing waits now"), "{said}");
}

#[test]
fn the_http_door_says_what_is_wrong_with_a_request_and_what_to_send() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    let bearer = format!("Bearer {}", gateway.token(ECHO));
    let json = ("content-type", "application/json");
    let accept = ("accept", "application/json, text/event-stream");
    let ask = |method: &str, path: &str, more: &[(&str, &str)], body: &str| {
        let headers: Vec<(&str, &str)> =
            [("authorization", bearer.as_str())].into_iter().chain(more.iter().copied()).collect();
        gateway.request(method, path, &headers, body)
    };
    let mcp = "/agents/echo/mcp";
    for (method, path, headers, body, status, wanted) in [
        ("POST", mcp, vec![], "x", 406, "hint: send `Accept: application/json, text/event-stream`"),
        (
            "POST",
            mcp,
            vec![accept, ("content-type", "text/plain")],
            "{}",
            415,
            "hint: send `Content-Type: application/json`",
        ),
        ("POST", mcp, vec![accept, json], "{\"id\":1}", 400, "-32700"),
        (
            "POST",
            mcp,
            vec![accept, json],
            "{bad",
            400,
            "the body is no JSON-RPC message: key must be a string",
        ),
        (
            "POST",
            mcp,
            vec![accept, json],
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}",
            400,
            "hint: begin with `initialize`",
        ),
        (
            "PUT",
            mcp,
            vec![],
            "",
            405,
            "\"/agents/echo/mcp\" takes no PUT\n  hint: it takes GET, POST, DELETE",
        ),
        ("GET", "/nosuch", vec![], "", 404, "there is nothing at \"/nosuch\"\n  hint: /agents/ID/mcp"),
        ("GET", "/stop", vec![], "", 405, "\"/stop\" takes no GET\n  hint: it takes POST"),
        ("POST", "/healthz", vec![], "", 405, "hint: it takes GET"),
        ("POST", "/stop", vec![], "", 401, "the operator's bearer token is needed"),
    ] {
        let answer = ask(method, path, &headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert!(answer.body.contains(wanted), "{method} {path}: {answer:?}");
    }
    // What is no request of MCP's at all ends nothing: the next one is answered.
    let mut client = gateway.mcp(ECHO, bearer.trim_start_matches("Bearer "));
    assert_eq!(client.call("probe__nothing", serde_json::json!({}))["isError"], false);
}

#[test]
fn why_takes_a_host_as_people_write_it() {
    let agent =
        Agent::new("- probe: Try\n  - hosts: https://en.wikipedia.org, http://127.0.0.1:8080").guest("probe");
    let why = |host: &str| agent.run(&["why", "./SOUL.md", "probe", "--json", "--host", host]);
    for (host, decided) in [
        ("https://en.wikipedia.org/wiki/Soul", "allowed"),
        ("en.wikipedia.org", "allowed"),
        ("EN.wikipedia.org:443", "allowed"),
        ("en.wikipedia.org/wiki/Soul?x=y", "allowed"),
        ("//en.wikipedia.org/", "allowed"),
        ("127.0.0.1:8080", "allowed"),
        ("GET https://en.wikipedia.org", "allowed"),
        ("POST en.wikipedia.org", "host.method"),
        ("evil.test", "host.not-granted"),
        ("en.wikipedia.org:80", "host.not-granted"),
        ("http://en.wikipedia.org", "host.not-granted"),
        ("*.wikipedia.org", "host.malformed"),
        ("ftp://en.wikipedia.org", "host.malformed"),
        ("user@en.wikipedia.org", "host.malformed"),
    ] {
        let answer = why(host).json();
        let found = answer["denial"]["id"].as_str().unwrap_or("allowed");
        assert_eq!(found, decided, "{host}: {answer}");
        let is_bare = !host.contains("://");
        assert_eq!(
            answer["note"].as_str().is_some_and(|note| note.starts_with("read as ")),
            is_bare,
            "{host}: {answer}"
        );
    }
    why("").ends(2).complains("--host is empty");
}

#[test]
fn history_marks_one_act_as_the_one_in_force() {
    let agent = added();
    let first = fs::read_to_string(agent.soul()).unwrap();
    agent.write("SOUL.md", first.replace("./more", "./private"));
    trust(&agent).ends(0);
    agent.write("SOUL.md", &first);
    trust(&agent).ends(0);
    let shown = agent.run(&["agents", "history", ECHO]).ends(0).stdout.clone();
    assert_eq!(shown.matches("(trusted now)").count(), 1, "{shown}");
    assert!(shown.lines().next().unwrap().contains("(trusted now)"), "{shown}");
    assert_eq!(shown.matches("(the same bytes)").count(), 1, "{shown}");
}

#[test]
fn a_gateway_that_was_told_to_stop_is_stopping_until_it_has_left() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    let operator = agent.run(&["gateway", "token"]).ends(0).stdout.trim().to_owned();
    let bearer = format!("Bearer {operator}");
    let stopped = gateway.request("POST", "/stop", &[("authorization", &bearer)], "");
    assert_eq!(stopped.status, 200, "{stopped:?}");
    let mut seen = Vec::new();
    until(
        || {
            let shown = agent.run(&["gateway", "status"]).stdout;
            seen.push(shown.lines().next().unwrap_or_default().to_owned());
            !is_running(gateway.pid)
        },
        "the gateway to leave",
    );
    let words =
        |line: &&String| !line.contains("gateway stopping (pid") && !line.contains("stopped by an operator");
    assert_eq!(seen.iter().find(words), None, "{seen:#?}");
    assert!(agent.run(&["gateway", "status"]).ends(1).stdout.starts_with("stopped by an operator"));
}
