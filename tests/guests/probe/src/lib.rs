//! `probe`: does what it is told, however bad. `wit/probe.wit` is the documentation of each tool.
//!
//! One file a kind of trouble. The rule: nothing is checked or softened here; whatever stops a tool must be
//! the host.

mod attempt;
mod bindings;
mod end;
mod file;
mod output;
mod plan;
mod surroundings;
mod use_up;

use bindings::{Attempt, Colour, Ending, Everything, FileStep, Guest, Rights, Shape, Stream};

struct Probe;

/// A tool that gives back what it is given.
macro_rules! echo {
    ($($name:ident: $value:ty),* $(,)?) => {
        $(fn $name(value: $value) -> $value {
            value
        })*
    };
}

impl Guest for Probe {
    fn spin() {
        use_up::spin();
    }
    fn sleep(milliseconds: u64) {
        use_up::sleep(milliseconds);
    }
    fn recurse() -> u64 {
        use_up::recurse(0)
    }
    fn recurse_large() -> u64 {
        use_up::recurse_large(0)
    }
    fn grow(mib: u32) -> Option<u32> {
        use_up::grow(mib)
    }
    fn alloc_touch(mib: u32) -> u64 {
        use_up::alloc_touch(mib)
    }
    fn handles(count: u32) -> u32 {
        use_up::handles(count)
    }
    fn random(bytes: u64) -> u64 {
        wasip2::random::random::get_random_bytes(bytes).len() as u64
    }
    fn insecure_random(bytes: u64) -> u64 {
        wasip2::random::insecure::get_insecure_random_bytes(bytes).len() as u64
    }
    fn poll_many(count: u32) {
        use_up::poll_many(count);
    }

    fn print(bytes: u64, to: Stream) {
        output::print(bytes, to);
    }
    fn print_singly(count: u32) {
        output::print_singly(count);
    }
    fn print_text(text: String, to: Stream) {
        output::write(to, text.as_bytes());
    }
    fn print_lines(count: u32) {
        output::print_lines(count);
    }
    fn log_flood(count: u32) {
        output::log_flood(count);
    }
    fn log_text(text: String) {
        output::log_text(&text);
    }
    fn progress_flood(count: u64) {
        output::progress_flood(count);
    }
    fn big_result(bytes: u32) -> String {
        "x".repeat(bytes as usize)
    }
    fn big_list(count: u32) -> Vec<String> {
        vec!["8 bytes.".to_owned(); count as usize]
    }

    fn exit(code: u8) {
        std::process::exit(i32::from(code));
    }
    fn panic(message: String) {
        end::panic(&message);
    }
    fn fail(message: String) -> Result<(), String> {
        Err(message)
    }
    fn nothing() {}

    fn env() -> Vec<(String, String)> {
        std::env::vars().collect()
    }
    fn args() -> Vec<String> {
        std::env::args().collect()
    }
    fn now() -> u64 {
        surroundings::now()
    }
    fn who() -> (String, String, String) {
        surroundings::who()
    }
    fn granted() -> Vec<String> {
        surroundings::granted()
    }
    fn calls() -> u32 {
        surroundings::calls()
    }

    fn read(path: String) -> Result<String, String> {
        file::read(&path)
    }
    fn write(path: String, text: String) -> Result<(), String> {
        file::write(&path, &text)
    }
    fn create(path: String, text: String) -> Result<(), String> {
        file::create(&path, &text)
    }
    fn append(path: String, text: String) -> Result<(), String> {
        file::append(&path, &text)
    }
    fn fill(path: String, bytes: u64) -> u64 {
        file::fill(&path, bytes)
    }
    fn set_size(path: String, bytes: u64) -> Result<(), String> {
        file::set_size(&path, bytes)
    }
    fn make_many(path: String, count: u32) -> u32 {
        file::make_many(&path, count)
    }
    fn open_many(path: String, count: u32) -> u32 {
        file::open_many(&path, count)
    }
    fn list(path: String) -> Result<Vec<String>, String> {
        file::list(&path)
    }
    fn stat(path: String) -> Result<String, String> {
        file::stat(&path)
    }
    fn rename(source: String, destination: String) -> Result<(), String> {
        file::rename(&source, &destination)
    }
    fn symlink(target: String, path: String) -> Result<(), String> {
        file::symlink(&target, &path)
    }
    fn link(existing: String, path: String) -> Result<(), String> {
        file::link(&existing, &path)
    }
    fn remove(path: String) -> Result<(), String> {
        file::remove(&path)
    }
    fn rmdir(path: String) -> Result<(), String> {
        file::rmdir(&path)
    }
    fn mkdir(path: String) -> Result<(), String> {
        file::mkdir(&path)
    }

    fn leave_open(path: String, text: String, ends: Ending) -> String {
        let written = file::leave_open(&path, &text);
        match ends {
            Ending::Returns => written,
            Ending::Panics => end::panic("after a write"),
            Ending::Spins => use_up::spin(),
        }
    }
    fn copy_and_remove(source: String, destination: String) -> Result<(), String> {
        file::copy_and_remove(&source, &destination)
    }
    fn file_plan(steps: Vec<FileStep>) -> Vec<String> {
        plan::take(steps)
    }

    fn attempt_at(attempt: Attempt) -> Result<String, String> {
        attempt::attempt(attempt).map_err(attempt::name_of)
    }
    fn preopens() -> Vec<String> {
        attempt::preopens()
    }

    echo! {
        echo: Everything,
        echo_bool: bool,
        echo_u8: u8,
        echo_s8: i8,
        echo_u16: u16,
        echo_s16: i16,
        echo_u32: u32,
        echo_s32: i32,
        echo_u64: u64,
        echo_s64: i64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,
        echo_bytes: Vec<u8>,
        echo_list: Vec<u32>,
        echo_tuple: (u32, String, bool),
        echo_option: Option<String>,
        echo_nested: Option<Option<u32>>,
        echo_shape: Shape,
        echo_colour: Colour,
        echo_rights: Rights,
        echo_outcomes: Vec<Result<u32, String>>,
        echo_result: Result<u32, String>,
    }
    fn echo_many(first: u32, second: Option<u32>, third: String, fourth: Option<bool>) -> String {
        format!("{first} {second:?} {third} {fourth:?}")
    }
    fn odd_floats() -> Vec<f64> {
        vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
    }
    fn large_numbers() -> (u64, i64) {
        (u64::MAX, i64::MIN)
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(Probe with_types_in crate::bindings);
    use super::Probe;
}
