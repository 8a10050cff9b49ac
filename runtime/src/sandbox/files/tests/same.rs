//! Whatever a guest does to files: held back and allowed, it gets the same answers and leaves the same files as when
//! nothing is held back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, OpenFlags};

use super::harness::{CREATE, Call, EXCLUSIVE, House, READ, TRUNCATE, WRITE, Watcher, bind};
use crate::grant::{DirectoryGrant, DirectoryMode};

/// One operation. Descriptors and paths are numbers into what there is.
#[derive(Debug, Clone)]
enum Step {
    Open { at: usize, path: usize, oflags: u8, flags: u8 },
    Close(usize),
    Write { at: usize, text: String, offset: u64 },
    Stream { at: usize, text: String, append: bool },
    Resize { at: usize, size: u64 },
    Read(usize),
    Size(usize),
    Sync(usize),
    Touch(usize),
    ReadPath(usize),
    Stat(usize),
    Unlink(usize),
    Rename(usize, usize),
    MakeDirectory(usize),
    RemoveDirectory(usize),
    List(usize),
}

const PATHS: [&str; 7] = ["a", "b", "dir", "dir/a", "dir/new", "link", "dangling"];
const OPEN: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let (at, path) = (0..OPEN, 0..PATHS.len());
    let text = "[a-z]{0,6}";
    prop_oneof![
        6 => (at.clone(), path.clone(), 0..8_u8, 0..4_u8)
            .prop_map(|(at, path, oflags, flags)| Step::Open { at, path, oflags, flags }),
        3 => at.clone().prop_map(Step::Close),
        5 => (at.clone(), text, 0..20_u64).prop_map(|(at, text, offset)| Step::Write { at, text, offset }),
        5 => (at.clone(), text, any::<bool>()).prop_map(|(at, text, append)| Step::Stream { at, text, append }),
        2 => (at.clone(), 0..20_u64).prop_map(|(at, size)| Step::Resize { at, size }),
        3 => at.clone().prop_map(Step::Read),
        1 => at.clone().prop_map(Step::Size),
        1 => at.clone().prop_map(Step::Sync),
        1 => at.prop_map(Step::Touch),
        2 => path.clone().prop_map(Step::ReadPath),
        2 => path.clone().prop_map(Step::Stat),
        2 => path.clone().prop_map(Step::Unlink),
        2 => (path.clone(), path.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => path.clone().prop_map(Step::MakeDirectory),
        1 => path.clone().prop_map(Step::RemoveDirectory),
        1 => path.prop_map(Step::List),
    ]
}

fn path(index: usize) -> String {
    format!("data/{}", PATHS[index])
}

/// Does one step; the answer in words.
fn take(call: &mut Call, open: &mut [Option<u32>; OPEN], step: &Step) -> String {
    let root = call.root;
    let held = |at: &usize| open[*at];
    macro_rules! on {
        ($at:expr, |$file:ident| $answer:expr) => {
            match held($at) {
                Some($file) => format!("{:?}", $answer),
                None => "closed".to_owned(),
            }
        };
    }
    match step {
        Step::Open { at, path: index, oflags, flags } => {
            if held(at).is_some() {
                return "taken".to_owned();
            }
            let mut oflag = OpenFlags::empty();
            for (bit, flag) in [(1, CREATE), (2, TRUNCATE), (4, EXCLUSIVE)] {
                if oflags & bit != 0 {
                    oflag |= flag;
                }
            }
            let mut flag = DescriptorFlags::empty();
            for (bit, one) in [(1, READ), (2, WRITE)] {
                if flags & bit != 0 {
                    flag |= one;
                }
            }
            let answer = call.open(&path(*index), oflag, flag);
            open[*at] = answer.ok();
            format!("{:?}", answer.map(drop))
        }
        Step::Close(at) => {
            let file = open[*at].take();
            file.into_iter().for_each(|file| call.close(file));
            String::new()
        }
        Step::Write { at, text, offset } => on!(at, |file| call.write_at(file, text, *offset)),
        Step::Stream { at, text, append } => {
            on!(at, |file| call.stream(file, text, *append).map_err(|error| error.to_string()))
        }
        Step::Resize { at, size } => on!(at, |file| call.set_size(file, *size)),
        Step::Read(at) => on!(at, |file| call.read_all(file)),
        Step::Size(at) => on!(at, |file| call.size(file)),
        Step::Sync(at) => on!(at, |file| call.sync(file)),
        Step::Touch(at) => on!(at, |file| call.set_times(file, 1_000)),
        Step::ReadPath(index) => format!("{:?}", call.read(&path(*index))),
        Step::Stat(index) => {
            let stat = call.stat(root, &path(*index), true);
            format!("{:?}", stat.map(|stat| (stat.type_, stat.size, stat.link_count)))
        }
        Step::Unlink(index) => format!("{:?}", call.unlink(root, &path(*index))),
        Step::Rename(from, to) => format!("{:?}", call.rename(&path(*from), &path(*to))),
        Step::MakeDirectory(index) => format!("{:?}", call.mkdir(root, &path(*index))),
        Step::RemoveDirectory(index) => format!("{:?}", call.rmdir(root, &path(*index))),
        Step::List(index) => format!("{:?}", call.list(&path(*index))),
    }
}

fn tree(house: &House, path: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(house.path(path)).unwrap() {
        let name = format!("{path}/{}", entry.unwrap().file_name().to_str().unwrap());
        let metadata = house.path(&name).symlink_metadata().unwrap();
        if metadata.is_dir() {
            tree(house, &name, found);
            found.insert(name, "a directory".into());
        } else if metadata.is_symlink() {
            found.insert(name, "a link".into());
        } else {
            let content = String::from_utf8_lossy(&std::fs::read(house.path(&name)).unwrap()).into_owned();
            found.insert(name, content);
        }
    }
}

/// The answers, and what is there in the end.
fn run(steps: &[Step], inspect: Option<u64>) -> (Vec<String>, BTreeMap<String, String>) {
    let house = House::new();
    house.put("grant/a", "in a").put("grant/dir/a", "in dir").link("a", "grant/link");
    house.link("dir/new", "grant/dangling");
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    let watcher = Watcher { inspect, ..Watcher::default() };
    let mut call = Call::new(bind(&[grant], house.folder.path()), 1 << 20, watcher);
    let mut open = [None; OPEN];
    let answers = steps.iter().map(|step| take(&mut call, &mut open, step)).collect();
    call.finish();
    assert_eq!(call.withheld(), None);
    let mut found = BTreeMap::new();
    tree(&house, "grant", &mut found);
    (answers, found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn held_back_and_allowed_is_as_if_nothing_were_held_back(steps in prop::collection::vec(step(), 1..40)) {
        let (answers, files) = run(&steps, None);
        let (staged_answers, staged_files) = run(&steps, Some(10_000));
        for (index, (one, other)) in answers.iter().zip(&staged_answers).enumerate() {
            prop_assert_eq!(one, other, "step {}: {:?}", index, steps[index]);
        }
        prop_assert_eq!(files, staged_files);
    }
}
