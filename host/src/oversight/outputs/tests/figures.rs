//! What a judgement costs, and how often it is wrong about text that holds nothing. The numbers stand in docs/figures.md and
//! docs/oversight.md.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::time::{ClockId, clock_gettime};

use super::super::{Outputs, Place, views};
use super::{NONE, outputs};

fn everything() -> Outputs {
    outputs(
        "- Never output: card numbers, IBANs, private keys, cloud tokens, e-mail addresses, Project Titan, `/TICKET-[0-9]{6}/`, `/a.*b.*c/i`",
        NONE,
    )
}

/// Texts of about so many bytes that are the worst for one part or another.
fn hostile(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |text: &str| text.repeat(bytes / text.len() + 1).into_bytes();
    let encoded = STANDARD.encode(STANDARD.encode("x".repeat(bytes / 2)));
    vec![
        ("prose", repeat("The committee met on Tuesday, and nothing was decided. ")),
        ("digits", repeat("4")),
        ("numbers", repeat("4268 4656 3212 2334 ")),
        ("beginnings of keys", repeat("-----BEGIN PRIVATE KEY-----\nab\n")),
        ("beginnings of tokens", repeat("eyJhbGciOiAi.eyJ-eyJ.")),
        ("beginnings of IBANs", repeat("DE68 2105 0170 0012 3456 7 ")),
        ("ats", repeat("@a")),
        ("halves of words", repeat("project titantitan ")),
        ("what an expression looks far for", repeat("aab ")),
        ("percent", repeat("%25")),
        ("backslashes", repeat("\\\\u005c")),
        ("entities", repeat("&amp;")),
        ("base64 in base64", encoded.into_bytes()),
        ("hexadecimal", repeat("3333")),
        ("nothing to be seen", repeat("\u{200b}4")),
        ("marks", repeat("a\u{301}\u{302}\u{303}")),
        ("zeros", vec![0; bytes]),
        ("no UTF-8", vec![0xff; bytes]),
        ("beginnings of gzip", repeat("H4sI")),
        ("beginnings of gzip with a name", [0x1f, 0x8b, 8, 8, 1, 2].repeat(bytes / 6)),
        ("beginnings of zlib", [0x78, 0x9c, 0x63, 0xff].repeat(bytes / 4)),
        ("runs that may be deflate", repeat("s1CqwK3tqwK3tqwK3tqwK3t ")),
        ("tags", repeat("\u{e0041}")),
        ("zeros of an entity", repeat("&#00000000")),
        ("octal", repeat("\\4")),
        ("words apart", repeat("UHJv amVj ")),
    ]
}

/// This thread's own time: the machine has others to serve.
fn time(rules: &Outputs, text: &[u8]) -> Duration {
    let started = cpu();
    let _ = rules.matches(Place::Http, text);
    cpu() - started
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// The least of three: caches are others' too.
fn best(rules: &Outputs, text: &[u8]) -> Duration {
    (0..3).map(|_| time(rules, text)).min().unwrap()
}

#[test]
fn four_times_the_text_takes_about_four_times_as_long() {
    let rules = everything();
    // A quarter of a MiB and one: without optimisation the larger sizes take minutes, and a square shows here too.
    let pairs = hostile(32 << 10).into_iter().zip(hostile(128 << 10));
    for ((name, small), (_, large)) in pairs {
        let (small, large) = (best(&rules, &small), best(&rules, &large));
        // Sixteen times would be quadratic.
        assert!(large < small * 9 + Duration::from_millis(20), "{name}: {small:?}, then {large:?}");
    }
}

#[test]
#[ignore = "a measurement: it needs optimisation and a quiet machine"]
fn output_figures() {
    let rules = everything();
    let default = outputs("", "");
    let mut report =
        String::from("\n| text | 1 MiB | 4 MiB | ratio | default rules, 1 MiB |\n|---|---|---|---|---|\n");
    for ((name, small), (_, large)) in hostile(1 << 20).into_iter().zip(hostile(4 << 20)) {
        let (one, four) = (best(&rules, &small), best(&rules, &large));
        let ratio = four.as_secs_f64() / one.as_secs_f64();
        writeln!(report, "| {name} | {one:.1?} | {four:.1?} | {ratio:.1} | {:.1?} |", best(&default, &small))
            .unwrap();
    }
    let is_text = |path: &Path| {
        path.extension()
            .is_some_and(|kind| ["rs", "md", "toml", "json", "wit"].iter().any(|one| kind == *one))
    };
    let texts = sources().into_iter().filter(|(path, _)| is_text(path)).map(|(_, text)| text);
    let text: Vec<u8> = texts.collect::<Vec<_>>().concat().into_iter().take(1 << 20).collect();
    for bytes in [1 << 10, 16 << 10, 256 << 10] {
        let cost = |rules: &Outputs| {
            let spent: Duration = text.chunks(bytes).map(|piece| best(rules, piece)).sum();
            spent.as_secs_f64() * 1e6 / 1024.0
        };
        writeln!(
            report,
            "a MiB of this repository, {bytes} bytes at once: {:.1} µs a KiB, default rules {:.1}",
            cost(&rules),
            cost(&default)
        )
        .unwrap();
    }
    let names = ["escapes", "quoted-printable", "octal", "tags", "base64", "hexadecimal"];
    for (name, decoder) in names.into_iter().zip(views::DECODERS) {
        let mut contents = views::contents::Contents::new(usize::MAX, usize::MAX - 1);
        let started = cpu();
        let length = decoder(&text, &mut contents).map_or(0, |view| view.len());
        writeln!(
            report,
            "view {name}: {:.1} µs a KiB, {length} bytes",
            (cpu() - started).as_secs_f64() * 1e6 / 1024.0
        )
        .unwrap();
    }
    for rule in &rules.soul {
        let started = cpu();
        let _ = rule.all(&text, Place::Http);
        writeln!(
            report,
            "rule {}: {:.1} µs a KiB",
            rule.label,
            (cpu() - started).as_secs_f64() * 1e6 / 1024.0
        )
        .unwrap();
    }
    for (index, rule) in rules.soul.iter().enumerate() {
        let files = sources();
        let alarms: Vec<String> = files
            .iter()
            .filter(|(_, text)| !Outputs::only(&rules, index).matches(Place::Http, text).rules.is_empty())
            .map(|(path, _)| path.display().to_string())
            .collect();
        writeln!(report, "{}: {} of {} files: {}", rule.label, alarms.len(), files.len(), alarms.join(", "))
            .unwrap();
    }
    let numbers = (0_u64..100_000).map(|index| {
        (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 9_000_000_000_000_000) + 1_000_000_000_000_000
    });
    let taken =
        numbers.filter(|number| rules.soul[0].finds(number.to_string().as_bytes(), Place::Http)).count();
    writeln!(report, "random numbers of sixteen digits taken for a card: {taken} of 100,000").unwrap();
    println!("{report}");
}

/// This repository's own sources and documents, but for what is made to be found.
fn sources() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in [
        "host",
        "runtime",
        "docs",
        "wit",
        "skills",
        "examples",
        "tests",
        "xtask",
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "Cargo.lock",
    ] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    files
}

fn collect(path: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    let shown = path.to_string_lossy();
    if shown.contains("/target")
        || shown.contains("outputs/tests")
        || shown.ends_with("tests/outputs.rs")
        || shown.ends_with("detectors/example.rs")
    {
        return;
    }
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else if let Ok(text) = std::fs::read(path) {
        files.push((path.to_path_buf(), text));
    }
}

impl Outputs {
    /// The same with only one of its rules.
    fn only(other: &Self, index: usize) -> Self {
        let mut made = everything();
        made.soul.swap(0, index);
        made.soul.truncate(1);
        assert_eq!(made.soul[0].label, other.soul[index].label);
        made
    }
}
