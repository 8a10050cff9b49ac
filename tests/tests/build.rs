//! What is compiled in, and what is not: features are additive, so any dependency could switch one on for us; and a lint
//! can be switched off in any file.

use std::process::Command;

use soulbound_tests::agent::tree;
use soulbound_tests::root;

/// The features of every package that the program is built from, as `name vX.Y.Z (…) feature,feature`.
fn packages() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "soulbound",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--locked",
            "--offline",
        ])
        .args(["--format", "{p} {f}"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn features<'a>(packages: &'a [String], name: &str) -> Vec<&'a str> {
    let line = packages.iter().find(|line| line.starts_with(&format!("{name} v"))).unwrap();
    line.rsplit(' ').next().unwrap().split(',').collect()
}

#[test]
fn no_part_of_the_engine_that_we_do_not_use_is_compiled_in() {
    let packages = packages();
    for absent in
        ["gc", "gc-drc", "gc-null", "threads", "wat", "cache", "stack-switching", "debug", "winch", "default"]
    {
        assert!(!features(&packages, "wasmtime").contains(&absent), "wasmtime/{absent}");
    }
    for absent in ["p0", "p1", "p3", "default"] {
        assert!(!features(&packages, "wasmtime-wasi").contains(&absent), "wasmtime-wasi/{absent}");
    }
    // The one that would send requests past every check of ours, and resolve names a second time.
    for absent in ["default-send-request", "p3", "default"] {
        assert!(!features(&packages, "wasmtime-wasi-http").contains(&absent), "wasmtime-wasi-http/{absent}");
    }
}

#[test]
fn the_engine_is_of_the_long_term_line() {
    let packages = packages();
    for name in ["wasmtime", "wasmtime-wasi", "wasmtime-wasi-http"] {
        assert!(packages.iter().any(|line| line.starts_with(&format!("{name} v48.0."))), "{name}");
    }
}

/// `forbid` cannot be taken back further down, and the compiler holds it; what it does not see is whether it stands there.
#[test]
fn nothing_of_ours_is_unsafe_but_the_one_load_of_compiled_code() {
    for crate_root in ["host/src/main.rs", "tests/src/lib.rs", "xtask/src/main.rs"] {
        let text = std::fs::read_to_string(root().join(crate_root)).unwrap();
        assert!(text.lines().any(|line| line == "#![forbid(unsafe_code)]"), "{crate_root}");
    }
    let lints = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(
        lints.contains("members = [\"runtime\", \"host\", \"tests\", \"xtask\"]"),
        "is the new one safe?"
    );
    assert!(lints.lines().any(|line| line == "unsafe_code = \"deny\""));
    let runtime = std::fs::read_to_string(root().join("runtime/Cargo.toml")).unwrap();
    assert!(runtime.ends_with("[lints]\nworkspace = true\n"));
    let sources = tree(&root().join("runtime"));
    let named = sources.iter().filter(|(_, text)| text.contains("unsafe_code"));
    let exceptions: Vec<_> =
        named.map(|(path, text)| (path.as_path(), text.matches("unsafe_code").count())).collect();
    // The second is a test: a process that tries the system calls which the walls around the compiling child refuse.
    let (load, walls) = (root().join("runtime/src/compile.rs"), root().join("runtime/src/confine/tests.rs"));
    assert_eq!(exceptions, [(load.as_path(), 1), (walls.as_path(), 1)]);
}
