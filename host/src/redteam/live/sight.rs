//! What a probe may see of this very machine: the oracle of a live run, in place of canaries.
//!
//! A probe tells the size and the times of what it found, to the nanosecond; the host has the same numbers of everything in the
//! granted directories, and of what each attack is after, with device and inode. The rule: whatever was found and is not known to
//! lie inside is an escape. No content is read, by either side.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use soulbound_runtime::visible;

use crate::redteam::attack::Attack;

/// What the directories have that a skill sees above its grants.
const VIRTUAL: &str = "0 - -";

/// The prints of everything that one skill may see.
#[derive(Debug)]
pub(crate) struct Sight(HashSet<String>);

impl Sight {
    /// That of these prints, and of the directories that are on no disk.
    pub(super) fn new(inside: impl IntoIterator<Item = String>) -> Self {
        Self(inside.into_iter().chain([VIRTUAL.to_owned()]).collect())
    }

    /// What a probe told of an attack, as evidence, unless it is of something inside.
    ///
    /// What the attack is after comes first: the kernel's clock for files stands still for milliseconds, so that a file inside
    /// can have the numbers of one outside.
    pub(crate) fn escaped(&self, attack: &Attack, told: &str) -> Option<String> {
        let print = numbers(told);
        let meant = attack.real.as_deref().and_then(|real| Some((real, fs::metadata(real).ok()?)));
        if let Some((real, metadata)) = meant.filter(|(_, metadata)| self::print(metadata) == print) {
            let shown = visible::quoted_target(&real.to_string_lossy());
            let (device, inode) = (metadata.dev(), metadata.ino());
            return Some(format!(
                "it reached {shown}, device {device:x}, inode {inode}, which the grant does not open"
            ));
        }
        let size = print.split(' ').next().unwrap_or_default();
        let known = self.0.contains(print);
        (!known)
            .then(|| format!("it reached something of {size} bytes that the host does not see in the grant"))
    }

    /// Whether a probe found just this.
    pub(crate) fn is(&self, real: &Path, told: &str) -> bool {
        fs::metadata(real).is_ok_and(|metadata| print(&metadata) == numbers(told))
    }
}

/// Size and times, as a probe tells them.
pub(super) fn print(metadata: &Metadata) -> String {
    let time = |seconds: i64, nanoseconds: i64| {
        // A time before 1970 cannot be told in WASI.
        if seconds < 0 { "-".to_owned() } else { format!("{seconds}.{nanoseconds:09}") }
    };
    let changed = time(metadata.mtime(), metadata.mtime_nsec());
    let entered = time(metadata.ctime(), metadata.ctime_nsec());
    format!("{} {changed} {entered}", metadata.len())
}

/// What a probe told, without its word for the kind.
fn numbers(told: &str) -> &str {
    told.split_once(' ').map_or(told, |(_, numbers)| numbers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::redteam::attack::Class;

    #[test]
    fn what_is_not_known_to_lie_inside_is_an_escape_and_named_where_the_host_knows_it() {
        let place = tempfile::tempdir().unwrap();
        let [inside, outside] = ["inside.txt", "outside.txt"].map(|name| place.path().join(name));
        fs::write(&inside, "in").unwrap();
        fs::write(&outside, "outside").unwrap();
        let of = |path: &Path| print(&fs::metadata(path).unwrap());
        let sight = Sight::new([of(&inside)]);
        let attack = Attack::file(Class::Paths, "x", "x", json!({})).after(outside.clone());
        assert_eq!(sight.escaped(&attack, &format!("File {}", of(&inside))), None);
        assert_eq!(sight.escaped(&attack, "Directory 0 - -"), None);
        let twin = Sight::new([of(&outside)]);
        assert!(
            twin.escaped(&attack, &format!("File {}", of(&outside))).is_some(),
            "one inside has its numbers"
        );
        let named = sight.escaped(&attack, &format!("File {}", of(&outside))).unwrap();
        let inode = fs::metadata(&outside).unwrap().ino();
        assert!(named.contains("outside.txt") && named.contains(&format!("inode {inode},")), "{named}");
        // What nobody knows is no better, and what is no print at all is none of ours.
        let unknown = sight.escaped(&attack, "File 12 1.000000000 1.000000000").unwrap();
        assert!(unknown.starts_with("it reached something of 12 bytes"), "{unknown}");
        assert!(sight.escaped(&attack, "").is_some());
        assert!(sight.is(&inside, &format!("File {}", of(&inside))));
        assert!(!sight.is(&inside, &format!("File {}", of(&outside))));
    }
}
