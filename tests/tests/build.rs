//! What is compiled in, and what is not: features are additive, so any dependency could switch one on for us.

use std::process::Command;

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
