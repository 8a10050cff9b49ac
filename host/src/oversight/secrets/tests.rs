//! What an operator may set, what is at rest, and what an unreadable file means.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Map, Value, json};
use soulbound_runtime::Soul;
use soulbound_runtime::grant::host::Target;
use soulbound_runtime::sandbox::{Secret, SecretRefusal, SecretSource};

use super::keyring::{Content, Keyring, Trouble};
use super::place::KeySettings;
use super::survey::{Standing, survey};
use super::*;
use crate::operator::Who;
use crate::state::StateFolder;

const HOST: &str = "https://api.example.com";

/// Of a machine without a desktop.
struct NoKeyring;

impl Keyring for NoKeyring {
    fn read(&self, _: &str) -> Result<Option<Content>, Trouble> {
        Err(Trouble::Absent("there is none".to_owned()))
    }
    fn store(&self, _: &str, _: &Content) -> Result<(), Trouble> {
        Err(Trouble::Absent("there is none".to_owned()))
    }
    fn remove(&self, _: &str) -> Result<(), Trouble> {
        Err(Trouble::Absent("there is none".to_owned()))
    }
}

struct Place {
    _folder: tempfile::TempDir,
    state: StateFolder,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    for agent in ["echo", "other"] {
        fs::create_dir_all(folder.path().join("agents").join(agent)).unwrap();
    }
    let state = StateFolder::at(folder.path().to_owned());
    Place { _folder: folder, state }
}

impl Place {
    fn store(&self) -> std::sync::Arc<SecretStore> {
        SecretStore::with(&self.state, KeySettings::default(), std::sync::Arc::new(NoKeyring))
    }

    fn set(&self, agent: &str, name: &str, value: &str) {
        let secret = Secret::new(value).unwrap();
        self.store().set(agent, name, HOST, secret, &Who::this_process()).unwrap();
    }

    fn file(&self, agent: &str) -> std::path::PathBuf {
        self.state.agent(agent).join("secrets.json")
    }
}

fn found(store: &SecretStore, agent: &str) -> Result<String, SecretRefusal> {
    store.find(agent, "TOKEN", &Target::from_url(HOST).unwrap()).map(|secret| secret.reveal().to_owned())
}

#[test]
fn the_operator_names_one_host_as_soul_md_does() {
    for (host, origin) in [
        ("https://api.example.com", "https://api.example.com"),
        ("https://API.example.com./", "https://api.example.com"),
        ("https://api.example.com:443", "https://api.example.com"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://[2606:2800::1]", "https://[2606:2800::1]"),
    ] {
        assert_eq!(checked("TOKEN", host).unwrap(), ("TOKEN".to_owned(), origin.to_owned()), "{host}");
    }
    for (name, host) in [
        ("TOKEN", "api.example.com"),
        ("TOKEN", "http://api.example.com"),
        ("TOKEN", "https://*.example.com"),
        ("TOKEN", "https://93.184.0.0/16"),
        ("TOKEN", "https://api.example.com/v1"),
        ("TOKEN", "https://api.example.com as header A: {}"),
        ("TOKEN for https://evil.example.com", HOST),
        ("TO-KEN", HOST),
        ("", HOST),
    ] {
        assert!(checked(name, host).is_err(), "{name} {host}");
    }
}

#[test]
fn what_is_set_is_there_for_every_store_at_once_and_what_is_removed_is_gone() {
    let place = place();
    let running = place.store();
    assert_eq!(found(&running, "echo"), Err(SecretRefusal::NotSet));
    place.set("echo", "TOKEN", "first-value");
    assert_eq!(found(&running, "echo").unwrap(), "first-value");
    place.set("echo", "TOKEN", "second-value");
    assert_eq!(found(&running, "echo").unwrap(), "second-value");
    place.store().remove("echo", "TOKEN").unwrap();
    assert_eq!(found(&running, "echo"), Err(SecretRefusal::NotSet));
    assert!(!place.file("echo").exists());
}

#[test]
fn a_seal_holds_one_agent_and_no_two_are_alike() {
    let place = place();
    place.set("echo", "TOKEN", "same-value");
    place.set("other", "TOKEN", "same-value");
    let texts = ["echo", "other"].map(|agent| fs::read_to_string(place.file(agent)).unwrap());
    let part = |text: &str, name: &str| {
        serde_json::from_str::<Value>(text).unwrap()["secrets"][0][name].as_str().unwrap().to_owned()
    };
    for name in ["nonce", "sealed"] {
        assert_ne!(part(&texts[0], name), part(&texts[1], name), "{name}");
    }
    // The whole file, and then its entries in a file of the other's.
    fs::write(place.file("other"), &texts[0]).unwrap();
    assert!(matches!(found(&place.store(), "other"), Err(SecretRefusal::Unreadable(_))));
    fs::write(place.file("other"), texts[0].replace("\"agent\": \"echo\"", "\"agent\": \"other\"")).unwrap();
    assert!(matches!(found(&place.store(), "other"), Err(SecretRefusal::Unreadable(_))));
    let mode = fs::metadata(place.file("echo")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_value_that_was_changed_is_masked_for_a_while_and_arguments_are_withheld_when_nobody_can_tell() {
    let place = place();
    place.set("echo", "TOKEN", "first-value");
    let secrets = AgentSecrets::of("echo", place.store());
    assert_eq!(secrets.text("a first-value b"), format!("a {} b", "*".repeat(11)));
    place.set("echo", "TOKEN", "second-value");
    assert_eq!(secrets.text("first-value second-value"), format!("{} {}", "*".repeat(11), "*".repeat(12)));
    let arguments: Map<String, Value> = serde_json::from_value(json!({"a": {"b": "xfirst-value"}})).unwrap();
    let shown = secrets.members(&arguments).into_owned();
    assert_eq!(Value::Object(shown), json!({"a": {"b": format!("x{}", "*".repeat(11))}}));

    fs::write(place.file("echo"), "broken").unwrap();
    assert_eq!(secrets.members(&arguments).keys().collect::<Vec<_>>(), ["withheld"]);
    let nobody = AgentSecrets::of("other", place.store());
    assert!(matches!(nobody.members(&arguments), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn a_link_or_a_file_of_others_is_no_store() {
    let place = place();
    place.set("echo", "TOKEN", "first-value");
    std::os::unix::fs::symlink(place.file("echo"), place.file("other")).unwrap();
    assert!(matches!(found(&place.store(), "other"), Err(SecretRefusal::Unreadable(_))));
    let key = place.state.path().join("keys/secrets.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let store = place.store();
    assert!(matches!(found(&store, "echo"), Err(SecretRefusal::Unreadable(_))));
    // Once the stamp of the file is older than a tick of its clock, and counts: the key is put right, the file is the same.
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(matches!(found(&store, "echo"), Err(SecretRefusal::Unreadable(_))));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(found(&store, "echo").unwrap(), "first-value");
}

#[test]
fn how_secrets_stand_to_soul_md_is_told_and_no_value() {
    let place = place();
    for name in ["TOKEN", "OLD", "MOVED"] {
        place.set("echo", name, "some-value");
    }
    let soul = [
        "# Agent",
        "## Identity",
        "- Name: Echo",
        "## Skills",
        "- browser: Ask",
        "  - secrets: TOKEN for https://api.example.com as header Authorization: Bearer {}, MOVED for \
         https://new.example.com as header X-Key: {}, NEXT for https://next.example.com as header X-Next: {}",
    ]
    .join("\n");
    let soul = Soul::parse("SOUL.md", soul.as_bytes()).unwrap();
    let rows = survey(&place.store(), "echo", Some(&soul)).unwrap();
    let standings: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.soul.clone())).collect();
    assert_eq!(
        standings,
        [
            ("MOVED", Standing::OtherHost(vec!["https://new.example.com".to_owned()])),
            ("NEXT", Standing::NotSet),
            ("OLD", Standing::NotNamed),
            ("TOKEN", Standing::Named),
        ]
    );
    let problems: Vec<_> =
        rows.iter().filter_map(survey::Row::problem).map(|(what, fix)| format!("{what}\n  {fix}")).collect();
    insta::assert_snapshot!(problems.join("\n"));
    assert!(!format!("{rows:?}").contains("some-value"));
}
