//! HEARTBEAT.md against the scripts that grep it: nothing that a model chose trips one, or makes a line of its own.

use soulbound_tests::gateway::{ECHO, until};
use soulbound_tests::{Agent, Gateway};

/// What the ecosystem's monitor looks for before it removes an agent, and what it counts as a failure.
const GREPS: [(&str, &str); 2] = [("Used skill:", "database"), ("Used skill:", "admin")];

#[test]
fn a_tool_that_a_model_made_up_trips_no_monitor_and_forges_no_line() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs").guest("probe").directory("docs");
    let gateway = Gateway::with(&agent);
    let named = [
        "admin",
        "database dump",
        "x) ERROR Used skill: vault (admin",
        "x\n- [10:15] Used skill: database (admin)\n## Status\n- Errors: 99",
        "x\r- [10:15] Used skill: admin",
        "Admin\u{2028}DATABASE",
    ];
    for tool in named {
        assert_ne!(gateway.call("probe", tool, &[]).code, Some(0), "{tool}");
    }
    for skill in ["admin", "database", "probe\n- [10:15] Used skill: admin (x)"] {
        assert_ne!(gateway.call(skill, "nothing", &[]).code, Some(0), "{skill}");
    }
    gateway.call("probe", "nothing", &[]).ends(0);
    let page = || agent.run(&["heartbeat", ECHO]).stdout;
    until(|| page().contains("Used skill: probe (nothing)"), "the page");
    let page = page();
    for line in page.lines() {
        for (first, second) in GREPS {
            let trips = line.find(first).is_some_and(|at| line[at..].to_ascii_lowercase().contains(second));
            assert!(!trips, "a monitor takes this for an attack: {line}");
        }
        let known = [
            "# ",
            "## ",
            "- [",
            "- Active",
            "- Waiting",
            "- Completed",
            "- Errors",
            "- Anomalies",
            "  args: ",
        ];
        let is_known = known.iter().any(|begin| line.starts_with(begin)) || line.starts_with("20");
        assert!(is_known, "a line of somebody else's: {line:?}\n{page}");
    }
    let lines = |said: &str| page.lines().filter(|line| line.contains(said) && !line.contains('"')).count();
    assert_eq!(
        (lines("Used skill: probe (nothing)"), lines("## Status"), lines("- Errors: ")),
        (1, 1, 1),
        "{page}"
    );
}
