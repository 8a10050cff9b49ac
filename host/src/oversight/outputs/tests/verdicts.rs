//! What a judgement comes to: by place, by action, and never with what was found in it.

use bytes::Bytes;
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{CallError, Content, Effect, Ending, ErrorKind, FileChange, Outcome};

use super::super::{Action, Judged, Outputs, Place, Verdict, withheld};
use super::seen::{deflate, gzip, zlib};
use super::{NONE, outputs, settings};

const CARD: &str = "4268465632122333";
const SPACED: &str = "4268 4656 3212 2333";

fn request(url: &str, header: (&str, &str), body: &str) -> Effect {
    Effect::Request {
        method: "POST".into(),
        url: url.into(),
        headers: vec![(header.0.into(), header.1.into())],
        body: Some(Content(Bytes::from(body.to_owned()))),
    }
}

fn write(path: &str, content: &str) -> Effect {
    Effect::Change {
        change: FileChange::Write,
        path: path.into(),
        to: None,
        content: Some(Content(Bytes::from(content.to_owned()))),
    }
}

fn message(text: &str) -> Effect {
    Effect::Message { channel: "slack: team".into(), text: Content(Bytes::from(text.to_owned())) }
}

fn answered(outputs: &Outputs, ending: Ending) -> Judged<Box<Outcome>> {
    let mut outcome = Outcome::failed(CallError::new(ErrorKind::Tool, "x"));
    outcome.ending = ending;
    outputs.judge_outcome(&outcome)
}

fn returned(outputs: &Outputs, value: Value) -> Judged<Box<Outcome>> {
    answered(outputs, Ending::Returned(value))
}

/// A verdict in a word, with what it lets go on.
fn word(judged: &Judged<Content>) -> String {
    match &judged.verdict {
        Verdict::Pass => "pass".into(),
        Verdict::Masked(content) => format!("masked {}", String::from_utf8_lossy(&content.0)),
        Verdict::Hold(held) => format!("hold {}", held.rule),
        Verdict::Block(denial) => format!("block {}", denial.message),
    }
}

fn card(actions: &str) -> Outputs {
    outputs(
        "",
        &format!("{NONE}\n[[outputs_rules]]\n{actions}")
            .replace("[[outputs_rules]]", "[[rules]]\nname = \"cards\"\ndetector = \"card\""),
    )
}

#[test]
fn a_rule_of_soul_md_blocks_everywhere_whatever_gateway_toml_says() {
    let rules = outputs(
        "- Never output: card numbers, Project Titan",
        "results = \"allow\"\nhttp = \"allow\"\nchannels = \"allow\"\ndetectors = []",
    );
    for (effect, place) in [
        (request("https://a.test/", ("x", "y"), CARD), "the request"),
        (request(&format!("https://a.test/?q={CARD}"), ("x", "y"), ""), "the request"),
        (request("https://a.test/", ("x-note", SPACED), ""), "the request"),
        (write("/drafts/a.txt", SPACED), "the change to a file"),
        (write(&format!("/drafts/{CARD}.txt"), ""), "the change to a file"),
        (message(CARD), "the message"),
    ] {
        let judged = rules.judge_effect(&effect);
        assert_eq!(word(&judged), format!("block {place} holds what the output rule `card` forbids"));
        assert_eq!(judged.notes.len(), 1);
    }
    let Verdict::Block(denial) = returned(&rules, json!({"text": "about project_titan"})).verdict else {
        panic!()
    };
    assert_eq!(denial.message, "the tool's answer holds what the output rule `SOUL.md:4` forbids");
    assert!(!denial.to_string().to_lowercase().contains("titan"), "{denial}");
    assert_eq!(denial.rule.unwrap().line, 4);
}

#[test]
fn without_a_word_from_anybody_keys_and_tokens_stay_in_and_nothing_else_is_looked_at() {
    let rules = outputs("", "");
    let token = "AKIAGI3MNBQNSPUQ2IDW";
    for (effect, expected) in [
        (
            request("https://a.test/", ("x", "y"), token),
            "block the request holds what the output rule `cloud-token` forbids",
        ),
        (
            request("https://a.test/", ("x", "y"), "AKIAIOSFODNN7EXAMPLE"),
            "block the request holds what the output rule `cloud-token` forbids",
        ),
        (message(token), "block the message holds what the output rule `cloud-token` forbids"),
        (write("/drafts/report.md", token), "pass"),
        (request("https://a.test/", ("x", "y"), CARD), "pass"),
    ] {
        assert_eq!(word(&rules.judge_effect(&effect)), expected);
    }
    let Verdict::Masked(outcome) = returned(&rules, json!({"a": format!("key {token}."), "b": 1})).verdict
    else {
        panic!()
    };
    assert_eq!(outcome.ending, Ending::Returned(json!({"a": "key [redacted: cloud-token].", "b": 1})));
    // An example from the documentation is in half of all READMEs.
    assert!(matches!(returned(&rules, json!("AKIAIOSFODNN7EXAMPLE")).verdict, Verdict::Pass));
    assert!(!rules.applies(Place::Files) && rules.applies(Place::Http));
}

#[test]
fn an_example_passes_a_local_write_only_for_the_detectors_of_the_operator() {
    let example = write("/drafts/a", "see AKIAIOSFODNN7EXAMPLE");
    let real = write("/drafts/a", "see AKIAGI3MNBQNSPUQ2IDW");
    for (rules, expected) in [
        (outputs("", "files = \"block\""), ["pass", "block"]),
        (outputs("", "files = \"block\"\nexamples = \"judge\""), ["block", "block"]),
        (outputs("- Never output: cloud tokens", ""), ["block", "block"]),
    ] {
        let words = [&example, &real].map(|effect| word(&rules.judge_effect(effect)));
        assert!(words.iter().zip(expected).all(|(word, expected)| word.starts_with(expected)), "{words:?}");
    }
}

#[test]
fn a_mask_in_a_body_or_a_file_keeps_every_length() {
    let rules = card("http = \"redact\"\nfiles = \"redact\"\nchannels = \"redact\"");
    let masked = format!("masked pay {} now", "*".repeat(19));
    assert_eq!(
        word(&rules.judge_effect(&request("https://a.test/", ("x", "y"), &format!("pay {SPACED} now")))),
        masked
    );
    assert_eq!(word(&rules.judge_effect(&write("/a", &format!("pay {SPACED} now")))), masked);
    assert_eq!(
        word(&rules.judge_effect(&message(&format!("pay {SPACED} now")))),
        "masked pay [redacted: cards] now"
    );
    let two = format!("{CARD}, é, {CARD}");
    assert_eq!(word(&rules.judge_effect(&write("/a", &two))), format!("masked {0}, é, {0}", "*".repeat(16)));
}

#[test]
fn what_cannot_be_masked_is_blocked() {
    let rules = card("http = \"redact\"\nfiles = \"redact\"\nresults = \"redact\"\nchannels = \"redact\"");
    let hidden = [
        "NDI2ODQ2NTYzMjEyMjMzMw==",
        "%34268465632122333",
        "4268\u{200b}465632122333",
        "34323638343635363332313232333333",
    ];
    for hidden in hidden {
        assert!(word(&rules.judge_effect(&message(hidden))).starts_with("block"), "{hidden}");
        assert!(matches!(returned(&rules, json!({"a": [hidden]})).verdict, Verdict::Block(_)), "{hidden}");
        // Also beside one that could be.
        assert!(word(&rules.judge_effect(&write("/a", &format!("{CARD} {hidden}")))).starts_with("block"));
    }
    for effect in [
        request(&format!("https://a.test/{CARD}"), ("x", "y"), ""),
        request("https://a.test", ("x", CARD), ""),
        write(CARD, ""),
    ] {
        assert!(word(&rules.judge_effect(&effect)).starts_with("block"));
    }
    // A number and a key are no strings that could hold something else.
    for value in [json!({"n": 4_268_465_632_122_333_u64}), json!({CARD: 1})] {
        assert!(matches!(returned(&rules, value).verdict, Verdict::Block(_)));
    }
}

#[test]
fn the_strictest_rule_decides() {
    let toml = format!(
        "{NONE}\n[[rules]]\nname = \"a\"\nwords = [\"alpha\"]\nchannels = \"note\"\n[[rules]]\nname = \"b\"\nexpression = 'b[0-9]+'\nchannels = \"redact\"\n[[rules]]\nname = \"c\"\nwords = [\"gamma\"]\nchannels = \"hold\"\n[[rules]]\nname = \"d\"\nwords = [\"delta\"]\n"
    );
    let rules = outputs("", &toml);
    for (text, expected, notes) in [
        ("nothing", "pass", 0),
        ("alpha", "pass", 1),
        ("alpha b12", "masked alpha [redacted: b]", 2),
        ("alpha b12 gamma", "hold c", 3),
        ("delta b12 gamma", "block the message holds what the output rule `d` forbids", 3),
        ("alphabet", "pass", 0),
    ] {
        let judged = rules.judge_effect(&message(text));
        assert_eq!((word(&judged).as_str(), judged.notes.len()), (expected, notes), "{text}");
    }
    assert_eq!(rules.judge_effect(&message("b1")).notes[0].action, Action::Redact);
}

#[test]
fn more_than_is_looked_at_is_refused() {
    let rules = card("");
    // 32 MiB in 32 KiB.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![b'a'; 32 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let effect = Effect::Message { channel: "x: y".into(), text: Content(Bytes::from(bomb)) };
    let judged = rules.judge_effect(&effect);
    assert!(word(&judged).contains("more is packed into it than is looked at"), "{}", word(&judged));
    assert_eq!(judged.notes[0].rule, "unjudged");
    let packed = request("https://a.test", ("Content-Encoding", "br"), "x");
    assert!(word(&rules.judge_effect(&packed)).contains("Content-Encoding"));
    assert_eq!(word(&outputs("", NONE).judge_effect(&packed)), "pass");
}

#[test]
fn a_body_is_what_its_coding_says_or_stays() {
    let rules = card("");
    let judge = |codings: &[(&str, &str)], body: Vec<u8>| {
        word(&rules.judge_effect(&Effect::Request {
            method: "POST".into(),
            url: "https://a.test".into(),
            headers: codings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            body: Some(Content(Bytes::from(body))),
        }))
    };
    let name = "Content-Encoding";
    let bad = CARD.as_bytes();
    for (codings, body) in [
        (vec![(name, "gzip")], gzip(b"fine")),
        (vec![(name, "x-GZIP")], [gzip(b"fine"), gzip(b"too")].concat()),
        (vec![(name, "deflate")], zlib(b"fine")),
        (vec![(name, "deflate")], deflate(b"fine")),
        (vec![(name, "identity, gzip")], gzip(b"fine")),
        (vec![(name, "gzip")], Vec::new()),
        (vec![(name, "identity")], b"fine".to_vec()),
    ] {
        assert_eq!(judge(&codings, body), "pass", "{codings:?}");
    }
    for (codings, body) in [
        (vec![(name, "gzip")], gzip(bad)),
        (vec![(name, "deflate")], zlib(bad)),
        (vec![(name, "deflate")], deflate(bad)),
        (vec![(name, "identity")], deflate(bad)),
    ] {
        assert!(judge(&codings, body).contains("`cards`"), "{codings:?}");
    }
    for (codings, body) in [
        (vec![(name, "gzip, gzip")], gzip(&gzip(b"x"))),
        (vec![(name, "deflate,gzip")], gzip(&zlib(b"x"))),
        (vec![(name, "gzip"), ("content-encoding", "gzip")], gzip(&gzip(b"x"))),
        (vec![(name, "gzip")], b"x".to_vec()),
        (vec![(name, "gzip")], zlib(b"x")),
        (vec![(name, "deflate")], gzip(b"x")),
        (vec![(name, "gzip")], [gzip(b"x"), b"more".to_vec()].concat()),
        (vec![(name, "deflate")], [zlib(b"x"), b"more".to_vec()].concat()),
        (vec![(name, "gzip")], gzip(b"some text")[..20].to_vec()),
        (vec![("content_encoding", "br")], b"x".to_vec()),
    ] {
        assert!(judge(&codings, body).contains("`Content-Encoding`"), "{codings:?}");
    }
}

#[test]
fn a_denial_s_hint_and_rule_are_answers_too() {
    let id = soulbound_runtime::DenialId::HostNotGranted;
    let hint = format!("soulbound why echo browser --host https://{CARD}.example.com");
    let rule = soulbound_runtime::RuleRef {
        file: "SOUL.md".into(),
        line: 3,
        column: 0,
        text: format!("hosts: https://{CARD}.test"),
    };
    let denial = soulbound_runtime::Denial::new(id, "no").hint(hint).rule(rule);
    let mut outcome = Outcome::failed(CallError::new(ErrorKind::Tool, "no"));
    outcome.denials.push(denial.clone());
    outcome.ending = Ending::Failed { denial: Some(denial), error: None };
    let redact = outputs(
        "",
        &format!("{NONE}\n[[rules]]\nname = \"cards\"\ndetector = \"card\"\nresults = \"redact\""),
    );
    let Verdict::Masked(masked) = redact.judge_outcome(&outcome).verdict else { panic!() };
    let shown = format!("{masked:?}");
    assert!(!shown.contains(CARD) && shown.contains("--host https://[redacted: cards]"), "{shown}");
    let Verdict::Masked(masked) =
        outputs("- Never output: card numbers", NONE).judge_outcome(&outcome).verdict
    else {
        panic!()
    };
    assert!(!format!("{masked:?}").contains(CARD));
    let other = soulbound_runtime::Denial::new(soulbound_runtime::DenialId::OutputBlocked, "x");
    let shown = format!("{:?}", withheld(outcome, other));
    assert!(!shown.contains(CARD) && shown.contains("SOUL.md"), "{shown}");
}

#[test]
fn an_error_a_log_and_a_denial_are_answers_too() {
    let rules = outputs(
        "",
        &format!("{NONE}\n[[rules]]\nname = \"cards\"\ndetector = \"card\"\nresults = \"redact\""),
    );
    let mut outcome = Outcome::failed(CallError::new(ErrorKind::Tool, format!("no account {CARD}")));
    outcome.denials.push(soulbound_runtime::Denial::new(
        soulbound_runtime::DenialId::PathOutside,
        format!("no \"/{CARD}\""),
    ));
    let Verdict::Masked(masked) = rules.judge_outcome(&outcome).verdict else { panic!() };
    let shown = format!("{masked:?}");
    assert!(!shown.contains(CARD) && shown.contains("no account [redacted: cards]"), "{shown}");
    assert_eq!(rules.aside(&format!("read {CARD}")).as_deref(), Some("read [redacted: cards]"));
    assert_eq!(rules.aside("read 12 of 20"), None);

    let block = outputs("- Never output: card numbers", NONE);
    let mut value = CallError::new(ErrorKind::Tool, "no");
    value.value = Some(json!({"account": CARD}));
    let Verdict::Block(denial) =
        answered(&block, Ending::Failed { denial: None, error: Some(value) }).verdict
    else {
        panic!()
    };
    let shown = format!("{:?}", withheld(outcome, *denial));
    assert!(!shown.contains(CARD), "{shown}");
}

#[test]
fn what_settings_say_wrongly_is_said_by_name() {
    for (toml, message) in [
        ("detectors = [\"cards\"]", "`[outputs] detectors` entry `cards`: no such detector"),
        ("results = \"deny\"", "unknown variant `deny`"),
        ("result = \"block\"", "unknown field `result`"),
        ("[[rules]]\nwords = [\"x y\"]", "missing field `name`"),
        ("[[rules]]\nname = \"a b\"\nwords = [\"x y\"]", "a rule's name is"),
        ("[[rules]]\nname = \"a\"", "needs one of"),
        ("[[rules]]\nname = \"a\"\nwords = []", "needs one of"),
        ("[[rules]]\nname = \"a\"\nwords = [\"xy\"]\ndetector = \"card\"", "needs one of"),
        ("[[rules]]\nname = \"a\"\nexpression = \"x*\"", "matches the empty text"),
        ("[[rules]]\nname = \"a\"\nexpression = \"((((a{100}){100}){100}){100})\"", "needs more than"),
        ("[[rules]]\nname = \"a\"\nexpression = \"(a\"", "no regular expression"),
        ("[[rules]]\nname = \"a\"\nwords = [\"x\"]", "too short"),
        (
            "[[rules]]\nname = \"a\"\ndetector = \"card\"\n[[rules]]\nname = \"a\"\ndetector = \"iban\"",
            "two of the name `a`",
        ),
    ] {
        let error = format!("{:#}", settings(toml).err().unwrap());
        assert!(error.contains(message), "{toml}: {error}");
    }
}
