//! The second matcher. It reads a grant's canonical text and a recorded target as plain strings, and knows nothing of the
//! runtime's matchers: what both agree on is not one mistake made once.

use std::net::IpAddr;

use soulbound_runtime::Soul;
use soulbound_runtime::grant::{Grant, HostGrant};

use super::files::{self, Course};

/// An access as the record has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried<'a> {
    /// `file`, `host` or `channel`.
    pub(super) kind: &'a str,
    /// The path, origin or channel.
    pub(super) target: &'a str,
    /// What was tried.
    pub(super) access: &'a str,
    /// Whether it failed, though nothing refused it.
    pub(super) failed: bool,
}

/// What it amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// A grant covers it.
    Granted,
    /// None does, and why not.
    Ungranted(&'static str),
    /// The text alone does not tell.
    Unclear,
}

/// Judges one access of a skill under a SOUL.md. `course` is how the call ran so far.
pub(super) fn judge(soul: &Soul, skill: &str, tried: &Tried<'_>, course: &mut Course) -> Ruling {
    let Some(entry) = soul.skills().iter().find(|entry| entry.name == skill) else {
        return Ruling::Ungranted("the skill is not listed");
    };
    match tried.kind {
        "host" if refuses(&entry.grant, "http") => Ruling::Ungranted("the skill's `refuse` names `http`"),
        "host" => host(&entry.grant.hosts, tried),
        "file" => files::judge(&entry.grant.directories, tried, course),
        "channel" if refuses(&entry.grant, "channels") => {
            Ruling::Ungranted("the skill's `refuse` names `channels`")
        }
        "channel" => {
            let listed = |name: String| name == tried.target;
            if soul.channels().iter().any(|channel| listed(format!("{}: {}", channel.kind, channel.target))) {
                Ruling::Granted
            } else {
                Ruling::Ungranted("the channel is not listed")
            }
        }
        _ => Ruling::Ungranted("no grant knows this kind of access"),
    }
}

fn refuses(grant: &Grant, capability: &str) -> bool {
    grant.refuse.iter().any(|(refused, _)| refused.name() == capability)
}

/// `scheme://host` and a port where it is not the scheme's own, taken apart at its punctuation. A granted host may be a
/// network.
fn origin(text: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = text.split_once("://")?;
    let (host, port) = match rest.strip_prefix('[') {
        Some(inside) => {
            let (host, after) = inside.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => match rest.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match (port, scheme) {
        (Some(port), _) => port.parse().ok()?,
        (None, "https") => 443,
        (None, "http") => 80,
        _ => return None,
    };
    Some((scheme, host, port))
}

fn host(grants: &[HostGrant], tried: &Tried<'_>) -> Ruling {
    let after_scheme = tried.target.find("://").map_or(0, |at| at + 3);
    let end = tried.target.get(after_scheme..).and_then(|rest| rest.find('/')).map(|at| after_scheme + at);
    let Some((scheme, name, port)) =
        origin(tried.target.get(..end.unwrap_or(tried.target.len())).unwrap_or_default())
    else {
        return Ruling::Ungranted("the target is no origin");
    };
    // What else stands there may mean another host to whoever reads the URL: `evil.test\\.example.com`.
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    if name.parse::<IpAddr>().is_err() && !name.chars().all(is_plain) {
        return Ruling::Ungranted("the target is no origin");
    }
    let mut why = "no `hosts` entry covers it";
    for grant in grants {
        let mut words: Vec<&str> =
            grant.text().split(" (private ").next().unwrap_or_default().split(' ').collect();
        let Some(granted) = words.pop().and_then(origin) else { continue };
        if (granted.0, granted.2) != (scheme, port) || !covers(granted.1, name) {
            continue;
        }
        let methods = if words.is_empty() { vec!["GET", "HEAD"] } else { words };
        if methods.contains(&tried.access) {
            return Ruling::Granted;
        }
        why = "the `hosts` entry has not this method";
    }
    Ruling::Ungranted(why)
}

/// Whether a granted host, as text, covers a host, as text.
fn covers(granted: &str, host: &str) -> bool {
    let address = |text: &str| text.parse::<IpAddr>().ok();
    if let Some((base, length)) = granted.split_once('/') {
        let (Some(base), Some(host), Ok(length)) = (address(base), address(host), length.parse::<u32>())
        else {
            return false;
        };
        // A shift by the whole width is no shift: a network of everything would cover everything.
        return match (base, host) {
            (IpAddr::V4(base), IpAddr::V4(host)) => {
                (base.to_bits() ^ host.to_bits()).checked_shr(32 - length.min(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(host)) => {
                (base.to_bits() ^ host.to_bits()).checked_shr(128 - length.min(128)).unwrap_or(0) == 0
            }
            _ => false,
        };
    }
    match granted.strip_prefix('*') {
        // What is left begins with the dot.
        Some(below) => host.len() > below.len() && host.ends_with(below) && address(host).is_none(),
        None => granted == host || address(granted).is_some_and(|granted| address(host) == Some(granted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soul(lines: &[&str]) -> Soul {
        let grants: String = lines.iter().map(|line| format!("  - {line}\n")).collect();
        let text = format!(
            "# A\n## Identity\n- Name: Echo\n## Skills\n- probe: x\n{grants}## Channels\n- slack: team\n"
        );
        Soul::parse("SOUL.md", text.as_bytes()).unwrap()
    }

    fn ruling(soul: &Soul, kind: &str, access: &str, target: &str) -> Ruling {
        let tried = Tried { kind, target, access, failed: false };
        judge(soul, "probe", &tried, &mut Course::default())
    }

    #[test]
    fn what_stands_under_no_grant_is_found() {
        let soul = soul(&[
            "read: ./documents",
            "write: ./out as /work/out",
            "create: ./in",
            "hosts: https://a.example.com, POST https://*.b.example.com:8443, `http://10.1.0.0/16 (private 10.1.0.0/16)`, `https://[2606:4700::1]`",
        ]);
        let granted = |kind, access, target| {
            assert_eq!(ruling(&soul, kind, access, target), Ruling::Granted, "{target}")
        };
        let found = |kind, access, target| {
            assert!(matches!(ruling(&soul, kind, access, target), Ruling::Ungranted(_)), "{access} {target}");
        };
        granted("file", "read", "/documents/a/b");
        granted("file", "list", "/");
        granted("file", "stat", "/work");
        granted("file", "write", "/work/out/x");
        granted("file", "rename", "/work/out/x");
        granted("file", "rename-to", "/work/out/x → y");
        granted("file", "create", "/in/x");
        granted("host", "GET", "https://a.example.com:443");
        granted("host", "GET", "https://a.example.com/path:1?x");
        granted("host", "POST", "https://x.b.example.com:8443");
        granted("host", "GET", "http://10.1.2.3");
        granted("host", "HEAD", "https://[2606:4700:0:0::1]:443");
        granted("channel", "send", "slack: team");
        found("file", "read", "/etc/passwd");
        found("file", "read", "/documentsx/a");
        found("file", "write", "/documents/a");
        found("file", "read", "/in/x");
        found("file", "delete", "/in/x");
        found("file", "read", "/documents/.git/config");
        found("file", "write", "/work/out/Soul.MD");
        found("file", "create", "/work");
        found("file", "rename-to", "/documents/y");
        found("host", "POST", "https://a.example.com");
        found("host", "GET", "https://b.example.com:8443");
        found("host", "POST", "https://b.example.com:8443");
        found("host", "POST", "https://evilb.example.com:8443");
        found("host", "GET", "http://a.example.com");
        found("host", "GET", "http://10.2.0.1");
        found("host", "GET", "nonsense");
        found("host", "POST", "https://evil.test\\x.b.example.com:8443");
        found("host", "POST", "https://evil.test@x.b.example.com:8443");
        found("host", "GET", "https://a.example.com@evil.test/");
        found("channel", "send", "slack: other");
        found("memory", "read", "x");
        for (access, target) in [
            ("read", "/documents/../etc"),
            ("read", "/work/../documents/../etc"),
            // Out of one directory by its text, and into another.
            ("read", "/in/x/../../documents/a"),
            ("list", "/in/.."),
            ("write", "/documents/../work/out/x"),
            // Of an earlier build, perhaps.
            ("rename", "/work/out/x → /documents/y"),
        ] {
            assert_eq!(ruling(&soul, "file", access, target), Ruling::Unclear, "{target}");
        }
        let cut = format!("/documents/{}…", "x".repeat(4_090));
        assert_eq!(ruling(&soul, "file", "read", &cut), Ruling::Unclear);
        found("file", "read", "/work/../etc/passwd");
        found("file", "read", "/../documents/a");
        found("file", "write", "/documents/a/../b");
        found("file", "write", "/in/../documents/a");
        found("file", "read", "/in/x/../y");
        found("file", "read", "/in/../etc/passwd");
        found("file", "write", "/work/out/../out/S\u{200b}OUL.md");
        found("file", "link", "/work/out/x");
        found("file", "delete", "/work/out");
        found("file", "make-directory", "/work");
        found("file", "set-size", "/documents/a");
        let failed = |access, target| {
            let tried = Tried { kind: "file", target, access, failed: true };
            judge(&soul, "probe", &tried, &mut Course::default())
        };
        for (access, target) in
            [("make-directory", "/work"), ("write", "/"), ("delete", "/work/out"), ("write", "/in/none/x")]
        {
            assert_eq!(failed(access, target), Ruling::Granted, "{target}");
        }
        for (access, target) in [
            ("make-directory", "/works"),
            ("create", "/etc/x"),
            ("stat", "/in/x"),
            ("create", "/work/out/.git/x"),
        ] {
            assert!(matches!(failed(access, target), Ruling::Ungranted(_)), "{target}");
        }
        let other = Tried { kind: "file", target: "/documents/a", access: "read", failed: false };
        assert!(matches!(judge(&soul, "other", &other, &mut Course::default()), Ruling::Ungranted(_)));
    }
}
