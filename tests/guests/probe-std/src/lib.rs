//! `probe-std`: an ordinary Rust program's files, inside the sandbox. The test runs the same `plan.rs` outside, and compares.

mod bindings;
mod plan;

use std::path::Path;

use bindings::Guest;

struct Probe;

impl Guest for Probe {
    fn take(below: String, plan: Vec<String>) -> Vec<String> {
        plan::take(Path::new(&below), &plan)
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(Probe with_types_in crate::bindings);
    use super::Probe;
}
