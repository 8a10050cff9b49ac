//! A trail's lines into `audit verify`: it has no finding if and only if every byte is what the gateway wrote. Also for
//! somebody who makes every hash fit, and lacks only the key.
//!
//! An input is the last file of the trail in `tests/corpora/trail`; the other files, the tips and the keys are as they were.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;

use soulbound::fuzz::{KnownTrail, resealed};
use tempfile::TempDir;

struct Place {
    _folder: TempDir,
    trail: KnownTrail,
    genuine: Vec<u8>,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpora/trail");
    copy(&corpus, folder.path());
    let trail = KnownTrail::open(folder.path(), "echo").expect("a state folder").expect("keys");
    let genuine = fs::read(trail.file()).expect("a trail");
    Place { _folder: folder, trail, genuine }
});

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("a folder of ours");
    for entry in fs::read_dir(from).expect("the corpus") {
        let (from, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).expect("an entry");
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::write(&to, fs::read(&from).expect("a file")).expect("a copy");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("a file of ours");
        }
    }
}

/// Verifies the bytes in the trail's place, as they are and with hashes that fit.
pub fn run(bytes: &[u8]) {
    let place = &*PLACE;
    proven_if_genuine(place, bytes);
    let mut fitting = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n").and_then(resealed) {
            Some(line) => {
                fitting.extend(line);
                fitting.push(b'\n');
            }
            None => fitting.extend(line),
        }
    }
    if fitting != bytes {
        proven_if_genuine(place, &fitting);
    }
    place.trail.scan().expect("the file is read");
}

fn proven_if_genuine(place: &Place, bytes: &[u8]) {
    let findings = place.trail.findings(bytes).expect("the file is read");
    assert_eq!(findings == 0, bytes == place.genuine, "{findings} findings");
}
