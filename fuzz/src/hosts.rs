//! Host entries against URLs, three ways: the runtime's matcher, `audit replay`'s (which shares no code with it), and the
//! WHATWG parser of crate `url` for what a URL means.
//!
//! An input is three lines: the entries of a `hosts` line, a method, a URL.

use soulbound::fuzz::second_matcher_grants;
use soulbound_runtime::Soul;
use soulbound_runtime::grant::host::{HostRefusal, Target, TargetHost, permits};
use url::{Host, Url};

/// Judges the request of the bytes under the entries of the bytes.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.splitn(3, '\n');
    let (Some(entries), Some(method), Some(url)) = (lines.next(), lines.next(), lines.next()) else { return };
    let url = url.trim_end_matches('\n');
    let Ok(target) = Target::from_url(url) else { return };
    same_origin(url, &target);
    let again = Target::from_url(&target.to_string());
    assert_eq!(again.as_ref(), Ok(&target), "a target reads back otherwise");
    let soul = format!("# A\n## Identity\n- Name: Echo\n## Skills\n- probe: x\n  - hosts: {entries}\n");
    let Ok(soul) = Soul::parse("SOUL.md", soul.as_bytes()) else { return };
    let Some(skill) = soul.skill("probe") else { return };
    let first = permits(&skill.grant.hosts, method, &target);
    let second = second_matcher_grants(&soul, "probe", method, &target.to_string());
    match first {
        // A table above every entry, which the second matcher does not have.
        Err(HostRefusal::Metadata(_)) => {}
        first => assert_eq!(first.is_ok(), second, "the matchers disagree: `{entries}` {method} {target}"),
    }
}

/// A URL that is accepted means the same to a browser's parser.
fn same_origin(url: &str, target: &Target) {
    let other = Url::parse(url).unwrap_or_else(|error| panic!("{target} is no URL to others: {error}"));
    assert_eq!(other.scheme(), target.scheme.as_str(), "{url}");
    assert_eq!(other.port_or_known_default(), Some(target.port), "{url}");
    assert!(other.username().is_empty() && other.password().is_none(), "{url}");
    let same = match (other.host(), &target.host) {
        (Some(Host::Domain(theirs)), TargetHost::Name(ours)) => {
            theirs.strip_suffix('.').unwrap_or(theirs) == ours
        }
        (Some(Host::Ipv4(theirs)), TargetHost::Address(ours)) => *ours == theirs,
        (Some(Host::Ipv6(theirs)), TargetHost::Address(ours)) => *ours == theirs,
        _ => false,
    };
    assert!(same, "{url}: ours {target}, theirs {:?}", other.host());
}
