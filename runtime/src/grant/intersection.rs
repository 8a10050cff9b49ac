//! What two grants of one skill permit together: how a SOUL.md that changed on disk narrows the trusted one.
//!
//! The rule: nothing is permitted that either of the two does not permit, and everything is that both do. Whatever waits,
//! limits, refuses or pins holds if either says so.

use std::path::Path;

use super::{Grant, channel, host};

impl Grant {
    /// This grant under the restrictions of another one of the same skill. `folder` is the SOUL.md's, to which both
    /// grants' directories are relative. Where a thing can be written in two ways, it is as this grant writes it.
    #[must_use]
    pub fn intersection(&self, other: &Self, folder: &Path) -> Self {
        let mut directories = Vec::new();
        for own in &self.directories {
            directories.extend(other.directories.iter().filter_map(|other| own.meet(other, folder)));
        }
        let mut limits = self.limits.tighten(&other.limits);
        limits.rule = self.limits.rule.clone().or_else(|| other.limits.rule.clone());
        Self {
            directories,
            // Neither text knows what became of a directory on disk.
            lost: Vec::new(),
            hosts: host::meet(&self.hosts, &other.hosts),
            environment: kept(&self.environment, &other.environment, |a, b| {
                a.name == b.name && a.value == b.value
            }),
            secrets: kept(&self.secrets, &other.secrets, |a, b| a.to_string() == b.to_string()),
            approve: union(&self.approve, &other.approve, |a, b| a.what == b.what),
            limits,
            refuse: union(&self.refuse, &other.refuse, |a, b| a.0 == b.0),
            sha256: union(&self.sha256, &other.sha256, |a, b| a.0 == b.0),
            channels: channel::meet(&self.channels, &other.channels),
            line: self.line.clone(),
        }
    }
}

/// The entries that both have.
fn kept<T: Clone>(own: &[T], other: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<T> {
    own.iter().filter(|entry| other.iter().any(|other| same(entry, other))).cloned().collect()
}

/// The entries that either has.
fn union<T: Clone>(own: &[T], other: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let more = other.iter().filter(|entry| !own.iter().any(|own| same(own, entry)));
    own.iter().chain(more).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::Soul;
    use crate::sandbox::files::{BoundFiles, Judgement, OpenRules};

    /// The grant of the one skill of a SOUL.md with these lines.
    fn grant(lines: &[String]) -> Option<Grant> {
        let nested: String = lines.iter().map(|line| format!("  - {line}\n")).collect();
        let text = format!("## Identity\n- Name: Echo\n## Skills\n- probe: Try\n{nested}");
        Some(Soul::parse("SOUL.md", text.as_bytes()).ok()?.skill("probe")?.grant.clone())
    }

    /// What is really in the folder, and so what can be reached for.
    const TREE: [&str; 7] = ["a", "a/b", "a/b/c", "a/.h", "a/.h/i", "d", "d/e"];

    fn house() -> tempfile::TempDir {
        let house = tempfile::tempdir().unwrap();
        for directory in TREE {
            fs::create_dir_all(house.path().join(directory)).unwrap();
            fs::write(house.path().join(directory).join("file"), "x").unwrap();
        }
        house
    }

    /// Whether a grant lets a file be opened, and where the skill sees it; the sandbox's own judge decides.
    fn reaches(grant: &Grant, files: &BoundFiles, house: &Path, file: &str, write: bool) -> bool {
        let path = house.join(file);
        grant.directories.iter().any(|directory| {
            let Ok(below) = path.strip_prefix(directory.place(house)) else { return false };
            let guest = format!("{}/{}", directory.guest, below.display());
            matches!(files.judge("probe", "echo", &guest, write), Judgement::Allowed(_))
        })
    }

    fn directories() -> impl Strategy<Value = Vec<String>> {
        let place =
            prop::sample::select(vec!["./a", "./a/b", "./a/b/c", "./a/.h", "./a/.h/i", "./d", "./d/e"]);
        let key = prop::sample::select(vec!["read", "write", "create"]);
        let hidden = prop::sample::select(vec!["", " (hidden)"]);
        let entry = (key, place, hidden);
        prop::collection::vec(entry, 0..4).prop_map(|entries| {
            let of = |wanted: &str| {
                let of_key = entries.iter().enumerate().filter(|(_, (key, ..))| *key == wanted);
                let texts: Vec<String> = of_key
                    .map(|(index, (_, place, hidden))| format!("{place} as /g{index}{hidden}"))
                    .collect();
                (!texts.is_empty()).then(|| format!("{wanted}: {}", texts.join(", ")))
            };
            ["read", "write", "create"].into_iter().filter_map(of).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn a_file_is_reached_exactly_when_both_grants_reach_it(one in directories(), other in directories()) {
            let house = house();
            let folder = house.path();
            let (Some(one), Some(other)) = (grant(&one), grant(&other)) else { return Ok(()) };
            let both = one.intersection(&other, folder);
            let open = |grant: &Grant| BoundFiles::open(&grant.directories, folder, &OpenRules::default());
            let (Ok(one_files), Ok(other_files)) = (open(&one), open(&other)) else { return Ok(()) };
            let both_files = open(&both).map_err(|errors| TestCaseError::fail(format!("{errors:?}")))?;
            for directory in TREE {
                for name in ["file", "new"] {
                    for write in [false, true] {
                        let file = format!("{directory}/{name}");
                        let expected = reaches(&one, &one_files, folder, &file, write)
                            && reaches(&other, &other_files, folder, &file, write);
                        let found = reaches(&both, &both_files, folder, &file, write);
                        prop_assert_eq!(found, expected, "{} write {}: {:?}", file, write, both.directories);
                    }
                }
            }
        }

        #[test]
        fn narrowing_by_itself_changes_nothing(lines in directories()) {
            let Some(grant) = grant(&lines) else { return Ok(()) };
            let both = grant.intersection(&grant, Path::new("/agent"));
            prop_assert_eq!(format!("{both:?}"), format!("{grant:?}"));
        }
    }

    #[test]
    fn whatever_waits_limits_refuses_or_pins_holds_if_either_says_so() {
        let pin = |digit: &str| format!("sha256: {}", digit.repeat(64));
        let one = ["env: A=1, B=2", "approve: delete", "limit: time 5s, rate 10/minute", &pin("a")];
        let other =
            ["env: A=1, B=3", "approve: writes", "limit: time 2s, rate 100/hour", "refuse: http", &pin("b")];
        let lines =
            |lines: &[&str]| grant(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()).unwrap();
        let both = lines(&one).intersection(&lines(&other), Path::new("/agent"));
        assert_eq!(both.environment.iter().map(ToString::to_string).collect::<Vec<_>>(), ["A=1"]);
        assert_eq!(both.approve.iter().map(ToString::to_string).collect::<Vec<_>>(), ["delete", "writes"]);
        assert_eq!(both.limits.entries(), ["rate 10/minute", "rate 100/hour", "time 2s"]);
        assert_eq!((both.refuse.len(), both.sha256.len()), (1, 2));
    }

    #[test]
    fn everything_meets_itself_as_it_is() {
        let lines = [
            "read: ./a, /srv/x as /x (hidden)",
            "write: ./d",
            "hosts: GET POST a.org, *.a.org, a.org:81 (private 10.0.0.0/8)",
            "env: A=1",
            "secrets: T for https://a.org as header X-Key: {}",
            "approve: delete, POST",
            "limit: time 5s, rate 10/minute, egress 4KiB/hour",
            "refuse: sockets",
        ];
        let grant = grant(&lines.map(str::to_owned)).unwrap();
        assert_eq!(format!("{:?}", grant.intersection(&grant, Path::new("/agent"))), format!("{grant:?}"));
    }
}
