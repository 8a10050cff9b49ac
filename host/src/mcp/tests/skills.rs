//! SEP-2640: what a client reads of the skills, and that it is what was trusted.

use base64::Engine as _;
use serde_json::{Value, json};
use soulbound_runtime::skill::Digest;

use super::stage::{Http, Stage};

async fn read(http: &Http, uri: &str) -> Value {
    let reply = http.modern("resources/read", json!({"uri": uri})).await;
    reply.answer().clone()
}

#[tokio::test]
async fn each_skill_is_listed_with_its_front_matter_and_every_file_but_the_component() {
    let http = Http::new(&Stage::of(&["conformance", "probe"]));
    let discover = http.modern("server/discover", json!({})).await;
    let extension = &discover.result()["capabilities"]["extensions"]["io.modelcontextprotocol/skills"];
    assert_eq!(*extension, json!({"directoryRead": true}));
    let reply = http.modern("skills/list", json!({})).await;
    let skills = reply.result()["skills"].as_array().unwrap();
    assert_eq!(skills.len(), 2);
    let skill = &skills[0];
    assert_eq!(skill["uri"], "skill://conformance/SKILL.md");
    assert_eq!(skill["frontmatter"]["metadata"], json!({"soulbound-tests": "fixture"}));
    let files = skill["resources"].as_array().unwrap();
    let uris: Vec<&str> = files.iter().map(|file| file["uri"].as_str().unwrap()).collect();
    assert_eq!(
        uris,
        [
            "skill://conformance/SKILL.md",
            "skill://conformance/references/suite.md",
            "skill://conformance/schemas/json-schema.json",
            "skill://conformance/schemas/routed.json",
            "skill://conformance/wit/conformance.wit"
        ]
    );
    for file in files {
        let answer = read(&http, file["uri"].as_str().unwrap()).await;
        let contents = &answer["result"]["contents"][0];
        let bytes = match contents["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => {
                base64::engine::general_purpose::STANDARD.decode(contents["blob"].as_str().unwrap()).unwrap()
            }
        };
        assert_eq!(file["digest"], format!("sha256:{}", Digest::of(&bytes)));
        assert_eq!(file["size"], bytes.len());
    }
    let get = http.modern("skills/get", json!({"uri": skill["uri"]})).await;
    assert_eq!(get.result()["skill"], *skill);
}

#[tokio::test]
async fn what_is_not_a_trusted_file_cannot_be_read() {
    let http = Http::new(&Stage::of(&["conformance"]));
    for uri in [
        "skill://conformance/conformance.wasm",
        "skill://conformance/../conformance/SKILL.md",
        "skill://conformance/references/../SKILL.md",
        "skill://conformance/references",
        "skill://conformance/%53KILL.md",
        "skill://other/SKILL.md",
        "file:///etc/passwd",
        "/etc/passwd",
    ] {
        let answer = read(&http, uri).await;
        assert_eq!(answer["error"]["code"], -32_602, "{uri}: {answer}");
    }
    let get = http.modern("skills/get", json!({"uri": "skill://other/SKILL.md"})).await;
    assert_eq!(get.answer()["error"]["code"], -32_602);
}

#[tokio::test]
async fn a_directory_has_its_direct_children() {
    let http = Http::new(&Stage::of(&["conformance"]));
    let reply = http.modern("resources/directory/read", json!({"uri": "skill://conformance"})).await;
    let children: Vec<(&str, &str)> = reply.result()["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|child| (child["uri"].as_str().unwrap(), child["mimeType"].as_str().unwrap()))
        .collect();
    assert_eq!(
        children,
        [
            ("skill://conformance/SKILL.md", "text/markdown"),
            ("skill://conformance/references", "inode/directory"),
            ("skill://conformance/schemas", "inode/directory"),
            ("skill://conformance/wit", "inode/directory"),
        ]
    );
    for uri in ["skill://conformance/SKILL.md", "skill://", "skill:", "skill:/", "", "skill://conf"] {
        let reply = http.modern("resources/directory/read", json!({"uri": uri})).await;
        assert_eq!(reply.answer()["error"]["code"], -32_602, "{uri}");
    }
}
