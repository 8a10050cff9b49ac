//! A state folder on a disk that is really full: no call runs unrecorded, and the stop works and is recorded.
//!
//! The disk is a small file system in a mount namespace of the test's own. Where the system allows none, this says so; that the
//! trail behaves is then held by the audit's own tests with injected errors.

use soulbound_tests::{Agent, namespace};

/// What happens in the namespace; see [`namespace::run`].
const SCRIPT: &str = r#"
set -e
mount -t tmpfs -o size=16m,mode=700 none "$2"
printf '[gateway]\nlisten = "127.0.0.1:0"\n' > "$2/gateway.toml"
echo mounted
digest=$("$1" agents add "$3" --json < /dev/null 2> /dev/null | sed -n 's/^  "digest": "\([0-9a-f]*\)".*/\1/p')
"$1" agents add "$3" --yes --digest "$digest" > /dev/null
"$1" gateway start > /dev/null
"$1" call echo probe nothing && echo "called"
dd if=/dev/zero of="$2/other" bs=4096 2> /dev/null || true
# The room that is kept for outcomes takes some calls yet.
for try in $(seq 1 3000); do "$1" call echo probe nothing > /dev/null 2> "$3/said" || break; done
head -1 "$3/said"
"$1" doctor | grep -c 'audit.writable\|state.disk' || true
"$1" gateway stop
test -e "$2/stopped" && echo "stopped is there"
rm "$2/other"
"$1" audit show --event gateway.stopped --json | grep -c '"event": "gateway.stopped"'
"$1" audit verify > /dev/null && echo "the trail is whole"
"#;

#[test]
fn a_full_disk_refuses_calls_and_still_takes_the_stop() {
    let agent = Agent::new("- probe: Try\n  - limit: rate 100000/minute").guest("probe");
    let Some(said) = namespace::run(&agent, SCRIPT) else { return };
    for wanted in
        ["called", "denied[audit.unavailable]", "stopped `", "stopped is there", "the trail is whole"]
    {
        assert!(said.contains(wanted), "no `{wanted}` in:\n{said}");
    }
}
