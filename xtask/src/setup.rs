//! What a fresh machine lacks: the WebAssembly target. Found, or added, or said how to get.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The target that guests are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// A cargo of the same toolchain, without settings of the surroundings that would change what guests are.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Makes sure that the WebAssembly target is there. Does nothing when it is.
pub(crate) fn wasm_target() -> Result<()> {
    if target_installed()? {
        return Ok(());
    }
    say(&format!("the target {TARGET} is missing; running `rustup target add {TARGET}`"));
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    match added {
        Ok(status) if status.success() && target_installed()? => Ok(()),
        Ok(status) => bail!(
            "`rustup target add {TARGET}` ended with {status}\n  hint: run it yourself when the network is there; without rustup, \
             install your distribution's Rust standard library for {TARGET}"
        ),
        Err(error) => bail!(
            "`rustup` does not start ({error}) and rustc has no {TARGET}\n  hint: install rustup (https://rustup.rs), or your \
             distribution's Rust standard library for {TARGET}"
        ),
    }
}

fn target_installed() -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root())
        .output()
        .context("`rustc` does not start; install Rust 1.95 or newer (https://rustup.rs)")?;
    let folder = String::from_utf8_lossy(&output.stdout);
    let mut entries = match std::fs::read_dir(folder.trim()) {
        Ok(entries) => entries,
        Err(_) => return Ok(false),
    };
    Ok(output.status.success()
        && entries
            .any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))))
}

/// One line of progress.
pub(crate) fn say(text: &str) {
    eprintln!("==> {text}");
}

/// Runs a command and fails with its name if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("{shown} does not start"))?;
    if status.success() { Ok(()) } else { bail!("{shown} ended with {status}") }
}
