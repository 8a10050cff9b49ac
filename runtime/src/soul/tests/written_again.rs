//! What a SOUL.md grants, written again as its parts show themselves, reads back as the same: nobody is shown other authority
//! than there is.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::TestRunner;

use super::super::{SkillEntry, Soul};
use super::soul;

const DIRECTORIES: [&str; 8] = [
    "./docs",
    "./a/b",
    "`./with space`",
    "/srv/data",
    "`./odd,name`",
    "./x_y-z.d",
    "`./(odd) as x`",
    "`./a*b`",
];
const HOSTS: [&str; 12] = [
    "`https://api.example.com`",
    "a.example.com",
    "`*.example.org`",
    "POST https://b.example.com:8443",
    "http://x.test",
    "`GET DELETE http://c.example.com`",
    "http://127.0.0.1:8080",
    "`http://10.1.0.0/16 (private 10.1.0.0/16)`",
    "`http://10.2.3.4:81 (private 10.2.0.0/16)`",
    "https://93.184.216.0/24",
    "`https://[2606:4700::/32]`",
    "`https://[2606:4700::1]:444`",
];
const VARIABLES: [&str; 5] = ["A=1", "`B=x y`", "`C=`", "`D=a, b`", "`E_2=é=*x*`"];
const SECRETS: [&str; 3] = [
    "`TOKEN for https://api.example.com as header Authorization: Bearer {}`",
    "`KEY_2 for https://api.example.com as header x-api-key: {}`",
    "`OTHER for https://b.example.com:8443 as header X-Other: a {} b`",
];
const APPROVALS: [&str; 5] = ["delete", "move-it", "POST", "PUT", "writes"];
const LIMITS: [&str; 8] = [
    "rate 10/minute",
    "rate 7/hour",
    "time 1500ms",
    "time 5s",
    "memory 64MiB",
    "output 3000",
    "disk 1GiB",
    "egress 4KiB/hour",
];

const WAITS: &str = "  - approve: always\n";

/// The lines of a skill: a key, and its entries.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let some = |entries: &'static [&'static str]| subsequence(entries, 0..=entries.len().min(4));
    let seen = || (select(vec!["read", "write", "create"]), select(vec!["", " as /g"]), any::<bool>());
    let directories = subsequence(DIRECTORIES.as_slice(), 0..4)
        .prop_flat_map(move |paths| (prop::collection::vec(seen(), paths.len()), Just(paths)));
    let directories = directories.prop_map(|(seen, paths)| {
        let of = |wanted: &str| {
            let all = seen.iter().zip(&paths).enumerate().filter(|(_, ((key, ..), _))| *key == wanted);
            let texts = all.map(|(number, ((_, guest, hidden), path))| {
                let guest = if guest.is_empty() { String::new() } else { format!("{guest}{number}/x") };
                format!("{path}{guest}{}", if *hidden { " (hidden)" } else { "" })
            });
            line(wanted, &texts.collect::<Vec<_>>())
        };
        ["read", "write", "create"].into_iter().filter_map(of).collect::<Vec<_>>()
    });
    let digest = prop::option::of("[0-9a-f]{64}");
    let refused = subsequence(vec!["env", "sockets", "http", "channels"], 0..2);
    (
        directories,
        some(&HOSTS),
        some(&VARIABLES),
        some(&SECRETS),
        some(&APPROVALS),
        some(&LIMITS),
        refused,
        digest,
    )
        .prop_map(|(directories, hosts, variables, secrets, approvals, limits, refused, digest)| {
            let digest: Vec<String> = digest.into_iter().collect();
            let others = [
                line("hosts", &hosts),
                line("env", &variables),
                line("secrets", &secrets),
                line("approve", &approvals),
                line("limit", &limits),
                line("refuse", &refused),
                line("sha256", &digest),
            ];
            directories.into_iter().chain(others.into_iter().flatten()).collect()
        })
}

fn line(key: &str, entries: &[impl AsRef<str>]) -> Option<String> {
    let entries: Vec<&str> = entries.iter().map(AsRef::as_ref).collect();
    (!entries.is_empty()).then(|| format!("  - {key}: {}\n", entries.join(", ")))
}

fn read(lines: &[String], channel: &str, approve: &str) -> Option<Soul> {
    let text = format!(
        "# A\n## Identity\n- Name: Echo\n## Skills\n- probe: x\n{}## Channels\n- {channel}\n{approve}",
        lines.concat()
    );
    soul(&text).ok()
}

/// A skill's lines, from what its grant shows.
fn shown(skill: &SkillEntry) -> Vec<String> {
    let grant = &skill.grant;
    // What stands in backticks is taken as it is; directories and the rest bring theirs along.
    let quoted = |texts: Vec<String>| texts.into_iter().map(|text| format!("`{text}`")).collect::<Vec<_>>();
    let directories = |key: &str| {
        let of_key = grant.directories.iter().filter(|directory| directory.mode.key() == key);
        line(key, &of_key.map(ToString::to_string).collect::<Vec<_>>())
    };
    let others = [
        line("hosts", &quoted(grant.hosts.iter().map(ToString::to_string).collect())),
        line("env", &quoted(grant.environment.iter().map(ToString::to_string).collect())),
        line("secrets", &quoted(grant.secrets.iter().map(ToString::to_string).collect())),
        line("approve", &grant.approve.iter().map(ToString::to_string).collect::<Vec<_>>()),
        line("limit", &grant.limits.entries()),
        line(
            "refuse",
            &grant.refuse.iter().map(|(capability, _)| capability.to_string()).collect::<Vec<_>>(),
        ),
        line(
            "sha256",
            &grant
                .sha256
                .iter()
                .map(|(bytes, _)| crate::skill::Digest(*bytes).to_string())
                .collect::<Vec<_>>(),
        ),
    ];
    ["read", "write", "create"]
        .into_iter()
        .filter_map(directories)
        .chain(others.into_iter().flatten())
        .collect()
}

/// Everything that a grant says but where it says it.
fn told(skill: &SkillEntry) -> Vec<String> {
    let grant = &skill.grant;
    let directories =
        grant.directories.iter().map(|one| format!("{:?}", (one.mode, &one.path, &one.guest, one.hidden)));
    let hosts = grant.hosts.iter().map(|one| {
        format!("{:?}", (one.methods(), one.scheme(), one.pattern(), one.port(), one.private_range()))
    });
    let variables = grant.environment.iter().map(|one| format!("{:?}", (&one.name, &one.value)));
    let secrets = grant
        .secrets
        .iter()
        .map(|one| format!("{:?}", (&one.name, one.origin(), &one.header, &one.template)));
    let limits = &grant.limits;
    let limits = (limits.time, limits.memory, limits.output, limits.disk, &limits.rate, &limits.egress);
    let channels =
        grant.channels.iter().map(|one| format!("{:?}", (&one.kind, &one.target, one.review.is_some())));
    let rest = [
        format!("{:?}", grant.approve.iter().map(|one| &one.what).collect::<Vec<_>>()),
        format!("{limits:?}"),
        format!("{:?}", grant.refuse.iter().map(|(capability, _)| capability).collect::<Vec<_>>()),
        format!("{:?}", grant.sha256.iter().map(|(bytes, _)| bytes).collect::<Vec<_>>()),
    ];
    directories.chain(hosts).chain(variables).chain(secrets).chain(channels).chain(rest).collect()
}

/// The lines, and the SOUL.md that they make.
fn souls() -> impl Strategy<Value = (Vec<String>, Soul)> {
    let channel = select(vec!["slack: content-team", "telegram: 42"]);
    (lines(), channel, any::<bool>()).prop_filter_map("nobody's SOUL.md", |(lines, channel, waits)| {
        let soul = read(&lines, channel, if waits { WAITS } else { "" })?;
        Some((lines, soul))
    })
}

#[test]
fn what_a_soul_grants_reads_back_as_the_same_from_what_is_shown_of_it() {
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let keys = RefCell::new(BTreeMap::<String, u32>::new());
    let answer = TestRunner::new(config).run(&souls(), |(lines, first)| {
        let skill = &first.skills()[0];
        let channel = &skill.grant.channels[0];
        let approve = if channel.review.is_some() { WAITS } else { "" };
        let written = shown(skill);
        let again = read(&written, &channel.to_string(), approve);
        prop_assert!(again.is_some(), "{:?} was shown as {:?}, which does not read", lines, written);
        let again = again.unwrap();
        prop_assert_eq!(told(skill), told(&again.skills()[0]), "{:?} was shown as {:?}", lines, written);
        prop_assert_eq!(shown(&again.skills()[0]), written);
        for line in lines {
            let key = line.trim_start_matches("  - ").split(':').next().unwrap_or_default().to_owned();
            *keys.borrow_mut().entry(key).or_default() += 1;
        }
        Ok(())
    });
    answer.unwrap_or_else(|error| panic!("{error}"));
    let keys = keys.into_inner();
    assert!(keys.len() == 10 && keys.values().all(|count| *count >= 20), "each key, and often: {keys:?}");
}
