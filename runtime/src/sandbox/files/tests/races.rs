//! The corpus' races: one thread moves things about as fast as it can, the other is the guest. Two seconds each.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::harness::{CREATE, Call, House, WRITE, Watcher, bind};
use crate::grant::{DirectoryGrant, DirectoryMode};

const LONG: Duration = Duration::from_secs(2);

/// Runs `move_about` in a loop beside `guest`, and checks the outside afterwards.
fn race(house: &House, move_about: impl Fn() + Sync, mut guest: impl FnMut(&mut Call)) -> u32 {
    let over = AtomicBool::new(false);
    let mut rounds = 0;
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    let mut call = Call::new(bind(&[grant], house.folder.path()), u64::MAX, Watcher::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                move_about();
            }
        });
        let begun = Instant::now();
        while begun.elapsed() < LONG {
            guest(&mut call);
            rounds += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
    let outside: Vec<_> =
        fs::read_dir(house.path("outside")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(outside.len() <= 2, "{outside:?}");
    assert!(!house.there("outside/new.txt"));
    assert_eq!(house.read("outside/secret.txt"), "SECRET");
    assert_eq!(house.read("outside/x"), "keep");
    rounds
}

fn house() -> House {
    let house = House::new();
    house.put("outside/secret.txt", "SECRET").put("outside/x", "keep");
    house.put("grant/sub/x", "x").put("grant/sub/deep/y", "y");
    house
}

#[test]
fn a_directory_swapped_for_a_link_never_leads_out() {
    let house = house();
    let (sub, away) = (house.path("grant/sub"), house.path("grant/away"));
    let move_about = || {
        let _ = fs::rename(&sub, &away);
        let _ = std::os::unix::fs::symlink("../outside", &sub);
        let _ = fs::remove_file(&sub);
        let _ = fs::rename(&away, &sub);
    };
    let rounds = race(&house, move_about, |call| {
        let root = call.root;
        if let Ok(text) = call.read("data/sub/secret.txt") {
            panic!("read {text}");
        }
        let _ = call.open("data/sub/new.txt", CREATE, WRITE).map(|file| call.close(file));
        let _ = call.unlink(root, "data/sub/x");
        let _ = call.rename("data/sub/new.txt", "data/sub/newer.txt");
        let _ = call.set_times_at(root, "data/sub/secret.txt", true);
    });
    assert!(rounds > 100, "{rounds}");
}

#[test]
fn a_directory_moved_out_under_a_dotdot_never_leads_out() {
    let house = house();
    let (deep, moved) = (house.path("grant/sub/deep"), house.path("outside/deep"));
    let move_about = || {
        let _ = fs::rename(&deep, &moved);
        let _ = fs::rename(&moved, &deep);
    };
    let rounds = race(&house, move_about, |call| {
        for path in ["data/sub/deep/../../../outside/secret.txt", "data/sub/deep/../secret.txt"] {
            if let Ok(text) = call.read(path) {
                panic!("read {text}");
            }
        }
        if let Ok(deep) = call.open_directory(call.root, "data/sub/deep") {
            if let Ok(text) = call.read_at(deep, "../secret.txt") {
                panic!("read {text}");
            }
            call.close(deep);
        }
    });
    assert!(rounds > 100, "{rounds}");
}

#[test]
fn directories_that_come_and_go_break_nothing() {
    let house = house();
    let sub = house.path("grant/sub");
    let move_about = || {
        let _ = fs::remove_dir_all(&sub);
        let _ = fs::create_dir_all(sub.join("deep"));
        let _ = fs::write(sub.join("deep/y"), "y");
    };
    let rounds = race(&house, move_about, |call| {
        let root = call.root;
        for path in ["data", "data/sub", "data/sub/deep"] {
            let _ = call.list(path);
        }
        let _ = call.read("data/sub/deep/y").map(|text| assert!(text.is_empty() || text == "y"));
        let _ = call.mkdir(root, "data/sub/made");
        let _ = call.rmdir(root, "data/sub/made");
        let _ = call.rename("data/sub/deep", "data/sub/deeper");
    });
    assert!(rounds > 100, "{rounds}");
}
