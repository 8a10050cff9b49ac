//! A component's bytes, or a `wit/` beside one, into `soulbound inspect`: the function that the compiling child runs, here
//! without a child around it.

use std::path::Path;
use std::sync::LazyLock;

use soulbound_runtime::compile::Compiler;
use soulbound_runtime::skill::{FolderFile, SkillFolder, Standing, imports};

/// What stands beside a text of WIT.
static PLAIN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let text = r#"(component
        (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
        (core instance $i (instantiate $m))
        (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;
    wat::parse_str(text).expect("a component of our own")
});

/// Inspects the bytes as a component, or as the WIT of one.
pub fn run(bytes: &[u8]) {
    let file = |path: &str, bytes: &[u8]| FolderFile { path: path.to_owned(), bytes: bytes.to_vec() };
    let mut files = vec![file("SKILL.md", b"---\nname: probe\ndescription: x\n---\n")];
    if bytes.starts_with(b"\0asm") {
        files.push(file("probe.wasm", bytes));
    } else {
        files.extend([file("probe.wasm", &PLAIN), file("wit/world.wit", bytes)]);
    }
    let Ok(folder) = SkillFolder::from_files(Path::new("/skills/probe"), files) else { return };
    let compiler = Compiler::in_process_for_trusted_components();
    let inspection = match compiler.inspect(&folder) {
        Ok(inspection) => inspection,
        Err(error) => return assert!(!error.to_string().chars().any(|c| c == '\u{1b}')),
    };
    for import in &inspection.imports {
        let standing = imports::judge(import, None).standing;
        assert_ne!(standing, Standing::Granted, "`{}` is granted without a grant", import.interface);
    }
    for tool in &inspection.tools {
        assert!(!tool.name.is_empty() && tool.description.len() <= 1_024);
        assert_eq!(tool.input_schema["type"], "object", "`{}`", tool.name);
    }
}
