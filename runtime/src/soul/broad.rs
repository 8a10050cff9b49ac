//! What a line grants beyond what its author has most likely thought of: a whole home, the machine's settings, keys that log in
//! elsewhere, a host that is spoken to in the clear.
//!
//! The rule: a warning for whoever reviews the file, by its text alone. It refuses nothing, and what may never be granted at all
//! is refused elsewhere, by the real directory.

use super::diagnostic::literal;
use crate::grant::host::Scheme;
use crate::grant::{DirectoryGrant, HostGrant};

/// What is said, and what to do if it is not meant.
pub(super) type Remark = (String, &'static str);

/// Folders whose entries are each somebody's home.
const HOMES: [&str; 2] = ["/home", "/Users"];
/// Directories of the machine and not of anybody's documents.
const SYSTEM: [&str; 10] =
    ["/etc", "/var", "/var/lib", "/var/log", "/usr", "/boot", "/opt", "/run", "/mnt", "/Library"];
/// Where every user of the machine writes.
const SHARED: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Names of directories that hold keys and tokens for elsewhere.
const KEYS: [&str; 8] = [".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".password-store", "gcloud"];

/// What is to be said about a granted directory; the caller knows where it stands.
pub(super) fn directory(grant: &DirectoryGrant) -> Option<Remark> {
    let path = grant.path.as_str();
    let is_home = || {
        HOMES.iter().any(|homes| {
            path.strip_prefix(homes).is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('/').is_some_and(|name| !name.contains('/'))
            })
        })
    };
    let what = if path.split('/').any(|name| KEYS.contains(&name)) {
        "holds keys that log in elsewhere"
    } else if path == "/root" || is_home() {
        "is or holds a whole home: whatever its owner puts there later is granted too"
    } else if SYSTEM.contains(&path) {
        "is the machine's, and holds much that no skill needs"
    } else if SHARED.contains(&path) {
        "is shared: every user of the machine writes there, and what one leaves the skill finds"
    } else {
        return None;
    };
    let hint = "if that is not meant, grant the one directory that the skill works on";
    Some((format!("{} {what}", literal(path)), hint))
}

/// What is to be said about a granted host.
pub(super) fn host(grant: &HostGrant) -> Option<Remark> {
    (grant.scheme() == Scheme::Http && grant.is_public()).then(|| {
        let message = format!(
            "{} is spoken to in the clear: whoever is on the way reads and changes it",
            literal(grant.text())
        );
        (message, "write `https://`, if the host speaks it")
    })
}

#[cfg(test)]
mod tests {
    use crate::Soul;

    /// The warnings of a SOUL.md with one skill that has this line.
    fn warned(line: &str) -> Vec<String> {
        let text =
            format!("## Identity\n- Name: A\n- Role: B\n\n## Skills\n- one: What it does\n  - {line}\n");
        let soul = Soul::parse("SOUL.md", text.as_bytes()).unwrap();
        soul.warnings().iter().map(|warning| warning.message.clone()).collect()
    }

    #[test]
    fn what_grants_more_than_a_skill_works_on_is_remarked_upon() {
        for (line, said) in [
            ("read: /etc", "holds much that no skill needs"),
            ("read: /root", "a whole home"),
            ("read: /home", "a whole home"),
            ("read: /home/anna/", "a whole home"),
            ("read: /Users/anna", "a whole home"),
            ("read: /root/.ssh", "log in elsewhere"),
            ("read: /home/anna/.config/gcloud", "log in elsewhere"),
            ("write: /tmp", "every user"),
            ("hosts: http://example.org", "in the clear"),
            ("hosts: POST http://example.org:8080", "in the clear"),
        ] {
            let warnings = warned(line);
            assert!(matches!(warnings.as_slice(), [one] if one.contains(said)), "{line}: {warnings:?}");
        }
    }

    #[test]
    fn what_a_skill_works_on_is_not() {
        for line in [
            "read: ./documents",
            "read: /home/anna/documents",
            "read: /etc/soulbound-documents",
            "read: /homes",
            "write: /tmp/drafts",
            "read: ./ssh, ./gcloud.d",
            "hosts: https://example.org",
            "hosts: http://127.0.0.1:8080",
            "hosts: http://[::1]:8080",
        ] {
            assert_eq!(warned(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn a_remark_and_a_flow_at_the_same_place_are_both_said() {
        let warnings = warned("read: ./documents\n  - hosts: http://example.org");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }
}
