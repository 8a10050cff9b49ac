//! scratch
use crate::compile::Compiler;
use crate::sandbox::overseer::Unattended;
use crate::sandbox::runtime::*;
use crate::skill::SkillFolder;
use crate::soul::SkillEntry;
use std::sync::Arc;

#[test]
fn scratch() {
    let rt = Runtime::new(RuntimeConfig::new(Compiler::in_process_for_trusted_components())).unwrap();
    let corpus: serde_json::Value = serde_json::from_slice(&std::fs::read("/work/shared/corpora/exhaust.json").unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for case in corpus["cases"].as_array().unwrap() {
        let Some(wat) = case["wat"].as_str() else { continue };
        let path = dir.path().join("x.wasm");
        std::fs::write(&path, wat::parse_str(wat).unwrap()).unwrap();
        let folder = SkillFolder::read_bare(&path).unwrap();
        let agent = AgentIdentity { id: "a".into(), named: "a".into(), folder: dir.path().into() };
        let mut entry = SkillEntry { name: "x".into(), ..Default::default() };
        entry.grant.limits.memory = Some(64 << 20);
        entry.grant.limits.time = Some(std::time::Duration::from_secs(1));
        let bound = match rt.bind(&agent, &entry, &folder) { Ok(b) => b, Err(e) => { println!("{} {} BIND {e}", case["id"], case["expect"]); continue } };
        let mut args = serde_json::Map::new();
        if case["call"] == "string" { args.insert("s".into(), "hello".into()); }
        let io = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let out = io.block_on(bound.call("run", args, Arc::new(Unattended)));
        println!("{} {} {:?} {:?}", case["id"], case["expect"], out.duration, out.ending);
    }
}
