//! Every case of the corpus as a table: the verdict, the line of the error, the exact grants, and what must
//! never be granted under any reading.

use base64::Engine;
use serde_json::Value;

use super::super::{ReadError, Soul, SoulErrors};
use crate::grant::{DirectoryMode, HostGrant};
use crate::ledger::skipped_only;

const CORPUS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpora/soul.json"));

/// What only the file system or the other agents can tell: decided when the agent is bound, with these lines.
const BOUND_LATER: &[&str] = &[
    "S125", // the skill is not installed
    "S143", // a socket, not a directory
    "S162", // a missing directory
    "S165", // a link that leaves
    "S250", // another agent has the name
];

/// Procedures of the gateway, and a file beside SOUL.md that is never opened.
const NOT_A_TEXT: &[&str] = &["S268", "S272", "S274", "S275"];

/// Cases in which the design decides otherwise than the corpus recommends.
const DECIDED: &[(&str, bool, &str)] = &[
    ("S200", true, "a scheme is part of an entry"),
    ("S035", true, "a blank line inside an item changes nothing"),
    ("S043", true, "a fence in another section is ignored"),
    ("S047", true, "a fence in another section is ignored"),
    ("S065", false, "its skills have keys of an older grammar; a BOM alone is accepted, see `reading`"),
    ("S175", false, "`fs` is no key"),
    ("S179", false, "overlapping directories are an error"),
    ("S258", false, "its skills have keys of an older grammar"),
];

fn input(case: &Value) -> Option<Vec<u8>> {
    if let Some(text) = case["input"].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    if let Some(encoded) = case["input_b64"].as_str() {
        return Some(base64::engine::general_purpose::STANDARD.decode(encoded).unwrap());
    }
    let recipe = &case["input_gen"];
    let mut text = recipe["head"].as_str()?.to_owned();
    // What is larger than a SOUL.md may be is refused by its size: a megabyte of it is as good as a gigabyte.
    for index in 0..recipe["times"].as_u64()? {
        if text.len() > 1 << 20 {
            break;
        }
        match recipe["nest"].as_str() {
            Some(line) => text.push_str(&format!("{}{line}", "  ".repeat(usize::try_from(index).unwrap()))),
            None => text.push_str(recipe["repeat"].as_str()?),
        }
    }
    Some(text.into_bytes())
}

/// Name, directories and hosts of each skill, as the corpus writes them.
fn granted(soul: &Soul) -> Vec<Value> {
    let host = |host: &HostGrant| {
        let text = host.to_string();
        text.strip_prefix("https://").map_or(text.clone(), str::to_owned)
    };
    soul.skills()
        .iter()
        .map(|skill| {
            let directories = skill.grant.directories.iter().map(|directory| {
                let mode = if directory.mode == DirectoryMode::Read { "ro" } else { "rw" };
                serde_json::json!([directory.path, mode])
            });
            serde_json::json!({
                "name": skill.name,
                "fs": directories.collect::<Vec<_>>(),
                "net": skill.grant.hosts.iter().map(host).collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// What `never` lists and the soul grants all the same.
fn forbidden(case: &Value, soul: &Soul) -> Vec<String> {
    let lists = |key: &str, value: &str| {
        case["never"][key].as_array().is_some_and(|list| list.iter().any(|item| item == value))
    };
    let mut found = Vec::new();
    for skill in granted(soul) {
        let name = skill["name"].as_str().unwrap();
        if lists("skills", name) {
            found.push(name.to_owned());
        }
        for directory in skill["fs"].as_array().unwrap() {
            let path = directory[0].as_str().unwrap();
            if lists("fs", path) || lists("fs_rw", path) && directory[1] == "rw" {
                found.push(path.to_owned());
            }
        }
        for host in skill["net"].as_array().unwrap() {
            let of_skill = case["never"]["net_of"][name].as_array();
            if lists("net", host.as_str().unwrap()) || of_skill.is_some_and(|hosts| hosts.contains(host)) {
                found.push(host.to_string());
            }
        }
    }
    found
}

/// Whether the case must be accepted, must be refused, or may be either.
fn expected(case: &Value) -> Option<bool> {
    let id = case["id"].as_str().unwrap();
    if let Some((_, accepted, _)) = DECIDED.iter().find(|(decided, ..)| *decided == id) {
        return Some(*accepted);
    }
    match (case["expect"].as_str().unwrap(), case["recommend"].as_str()) {
        ("accept", _) | ("either", Some("accept")) => Some(true),
        ("reject", _) | ("either", Some("reject")) => Some(false),
        _ => None,
    }
}

fn judge(case: &Value, result: &Result<Soul, SoulErrors>) -> Result<(), String> {
    match (result, expected(case)) {
        (Ok(soul), accepted) => {
            let forbidden = forbidden(case, soul);
            if !forbidden.is_empty() {
                return Err(format!("granted what must never be: {forbidden:?}"));
            }
            match (accepted, &case["skills"]) {
                (Some(false), _) => Err("accepted".into()),
                (_, Value::Array(skills)) if *skills != granted(soul) => {
                    Err(format!("granted {:?}", granted(soul)))
                }
                _ => Ok(()),
            }
        }
        (Err(errors), Some(true)) => Err(format!("refused:\n{errors}")),
        (Err(errors), accepted) => match (errors.errors.first(), case["error_line"].as_u64()) {
            (None, _) => Err("refused without an error".into()),
            (Some(first), Some(line)) if accepted == Some(false) && u64::from(first.line) != line => {
                Err(format!("the error is not in line {line}:\n{errors}"))
            }
            _ => Ok(()),
        },
    }
}

#[test]
fn every_case_of_the_corpus_gets_its_verdict() {
    let corpus: Value = serde_json::from_str(CORPUS).unwrap();
    let mut wrong = Vec::new();
    let mut skipped = Vec::new();
    for case in corpus["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let bytes = input(case).filter(|_| !NOT_A_TEXT.contains(&id) && !BOUND_LATER.contains(&id));
        let Some(bytes) = bytes else {
            skipped.push(id.to_owned());
            continue;
        };
        if let Err(reason) = judge(case, &Soul::parse("SOUL.md", &bytes)) {
            wrong.push(format!("{id} {} ({}): {reason}", case["name"], case["why"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    skipped_only("soul", skipped);
}

#[test]
fn a_soul_md_that_is_no_file_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| Soul::read(&folder.path().join(name));
    std::fs::create_dir(folder.path().join("directory")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    for (name, reason) in
        [("directory", "it is a directory"), ("fifo", "it is a FIFO"), ("missing", "No such file")]
    {
        let error = read(name).unwrap_err();
        assert!(matches!(error, ReadError::Unreadable { .. }), "{name}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert!(matches!(Soul::read(std::path::Path::new("/dev/zero")), Err(ReadError::Unreadable { .. })));

    // A sparse file of a gigabyte is refused by its size, without being read.
    let huge = std::fs::File::create(folder.path().join("huge.md")).unwrap();
    huge.set_len(1 << 30).unwrap();
    let started = std::time::Instant::now();
    let ReadError::Content(errors) = read("huge.md").unwrap_err() else {
        panic!("a huge file is bad content")
    };
    assert_eq!(errors.errors[0].line, 1);
    assert!(started.elapsed().as_millis() < 200);

    std::fs::write(folder.path().join("SOUL.md"), "## Identity\n- Name: Echo\n").unwrap();
    let soul = read("SOUL.md").unwrap();
    assert_eq!(soul.file(), folder.path().join("SOUL.md").display().to_string());
    assert_eq!(soul.id(), "echo");
}
