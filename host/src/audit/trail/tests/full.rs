//! A disk that is really full: a small file system of the test's own, in a mount namespace of its own.
//!
//! Where namespaces are not to be had this says so; the same promise is held by the tests with injected errors.

use std::process::Command;

use super::*;

const STATE: &str = "SOULBOUND_TEST_DISK";

#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let state = Path::new(&state).join("state");
    let audit = Audit::open(&state, Options::default()).unwrap();
    let (book, _) = audit.book("echo", Header::default()).unwrap();
    let arguments = arguments("x");
    let running: Vec<_> = (0..64).map(|_| now(book.intend(&entry(&arguments))).unwrap()).collect();
    // Somebody else fills the disk to its last block.
    let mut other = fs::File::create(state.with_file_name("other")).unwrap();
    use std::io::Write;
    while other.write_all(&[1; 4096]).is_ok() {}
    let mut begun = Vec::new();
    let refused = loop {
        match now(book.intend(&entry(&arguments))) {
            Ok(intent) => begun.push(intent),
            Err(error) => break error,
        }
        assert!(begun.len() < 10_000, "the disk is not full");
    };
    assert!(refused.to_string().contains("no room beyond the reserve"), "{refused}");
    for intent in running.into_iter().chain(begun) {
        now(book.conclude(intent, &OutcomeEntry::without_result(Decision::Allowed))).unwrap();
    }
    book.note(Event::AgentDisabled, "operator", &Value::Null).unwrap();
    // Room again: calls run again, and the trail is whole.
    drop(other);
    fs::remove_file(state.with_file_name("other")).unwrap();
    call(&book);
    drop(book);
    let keys = crate::audit::keys::Keys::read(&state).unwrap().unwrap();
    let report =
        crate::audit::verify::trail(&agent_folder(&state, "echo"), "echo", &keys, None, false).unwrap();
    assert_eq!((report.findings, report.open), (Vec::new(), 0));
    println!("the stop was recorded");
}

#[test]
fn a_really_full_disk_takes_outcomes_and_the_stop_and_no_new_call() {
    let folder = tempfile::tempdir().unwrap();
    let module = module_path!().split_once("::").unwrap().1;
    let script = "mount -t tmpfs -o size=2m none \"$0\" && echo mounted && exec \"$@\"";
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::child"), "--ignored", "--nocapture"])
        .env(STATE, folder.path())
        .output();
    let said = ended.map(|ended| {
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
    });
    match said {
        Ok(said) if said.contains("mounted") => assert!(said.contains("the stop was recorded"), "{said}"),
        other => println!("no mount namespace here, so no full disk: {other:?}"),
    }
}
