//! Writes `tests/corpora/trail`, a state folder of this version of the form. Later builds have to read and prove it as it is, so it
//! is written anew only when `v` changes.

use super::*;
use soulbound_runtime::sandbox::{Access, AccessKind, CallError, ErrorKind};
use soulbound_runtime::skill::Digest;

/// Clear screen, a title, a bidirectional override, zero width, newline; and a line of HEARTBEAT.md.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}x\u{202e}gnp.\u{200b}\u{9b}31m\n- [10:15] Used skill: admin ERROR";

#[test]
#[ignore = "writes into the repository"]
fn write_the_corpus() {
    let state = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpora/trail");
    let audit = Audit::open(&state, Options { rotate: 2_000, ..Options::default() }).unwrap();
    let (gateway, _) = audit.gateway().unwrap();
    gateway.note(Event::GatewayStarted, "operator", &json!({"version": "0.1.0"})).unwrap();
    let header = |name: &str| Header { name: name.to_owned(), role: Some("Content Writer".to_owned()) };
    let (echo, _) = audit.book("echo", header("Echo")).unwrap();
    let digest = Some(Digest::of(b"component"));
    call(&echo);
    let hostile = arguments(HOSTILE);
    let entry = CallEntry { digest, soul: digest, policy: digest, ..entry(&hostile) };
    let denial = Denial::new(DenialId::PathOutside, "skill `file-reader` may not reach \"/etc/passwd\"");
    let accesses = [Access {
        kind: AccessKind::File,
        target: HOSTILE.to_owned(),
        access: "read".to_owned(),
        decision: soulbound_runtime::sandbox::Decision::Denied,
        denial: Some(denial.clone()),
        failed: None,
    }];
    let intent = now(echo.intend(&entry)).unwrap();
    now(echo.conclude(intent, &OutcomeEntry { accesses: &accesses, ..OutcomeEntry::of_denial(&denial) }))
        .unwrap();
    let error = CallError::new(ErrorKind::Tool, HOSTILE);
    let intent = now(echo.intend(&entry)).unwrap();
    let failed = OutcomeEntry { error: Some(&error), ..OutcomeEntry::without_result(Decision::Error) };
    now(echo.conclude(intent, &failed)).unwrap();
    let (keeper, _) = audit.book("keeper", header("Keeper")).unwrap();
    let none = Map::new();
    let used = CallEntry { skill: "postgres", tool: "drop-database", arguments: &none, ..entry };
    let intent = now(keeper.intend(&used)).unwrap();
    now(keeper.conclude(intent, &OutcomeEntry::without_result(Decision::Allowed))).unwrap();
    gateway.tips(&[("echo".to_owned(), echo.tip()), ("keeper".to_owned(), keeper.tip())]).unwrap();
    gateway.note(Event::GatewayStopped, "operator", &Value::Null).unwrap();
}
