//! What a keyring may do, and that no key is made or taken in the place of one that is in it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use soulbound_runtime::sandbox::Secret;

use super::super::SecretStore;
use super::super::keyring::Content;
use super::*;
use crate::operator::Who;
use crate::state::StateFolder;

/// A keyring that does as the test says.
#[derive(Default)]
struct Stub {
    items: Mutex<HashMap<String, Content>>,
    trouble: Mutex<Option<Trouble>>,
    asked: AtomicUsize,
}

impl Stub {
    fn answers(&self) -> Result<(), Trouble> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        lock(&self.trouble).clone().map_or(Ok(()), Err)
    }

    fn has(&self, trouble: Option<Trouble>) {
        *lock(&self.trouble) = trouble;
    }
}

impl Keyring for Stub {
    fn read(&self, item: &str) -> Result<Option<Content>, Trouble> {
        self.answers()?;
        Ok(lock(&self.items).get(item).cloned())
    }

    fn store(&self, item: &str, content: &Content) -> Result<(), Trouble> {
        self.answers()?;
        lock(&self.items).insert(item.to_owned(), content.clone());
        Ok(())
    }

    fn remove(&self, item: &str) -> Result<(), Trouble> {
        self.answers()?;
        lock(&self.items).remove(item);
        Ok(())
    }
}

struct Stage {
    _folder: tempfile::TempDir,
    state: StateFolder,
    keyring: Arc<Stub>,
}

fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    for agent in ["echo", "other"] {
        fs::create_dir_all(folder.path().join("agents").join(agent)).unwrap();
    }
    Stage { state: StateFolder::at(folder.path().to_owned()), _folder: folder, keyring: Arc::default() }
}

impl Stage {
    /// Another process, under this setting.
    fn store(&self, keyring: KeyringUse) -> Arc<SecretStore> {
        let settings = KeySettings { key_file: None, keyring };
        SecretStore::with(&self.state, settings, Arc::clone(&self.keyring) as _)
    }

    fn set(&self, agent: &str, keyring: KeyringUse) -> Result<()> {
        let secret = Secret::new("some-value").unwrap();
        self.store(keyring).set(agent, "TOKEN", "https://api.example.com", secret, &Who::this_process())
    }

    /// What reading says, to another process.
    fn why(&self, keyring: KeyringUse) -> String {
        self.store(keyring).stored("echo").unwrap_err().to_string()
    }

    fn opens(&self, keyring: KeyringUse) -> bool {
        self.store(keyring).stored("echo").unwrap().len() == 1
    }

    fn own(&self) -> PathBuf {
        self.state.path().join("keys/secrets.key")
    }
}

/// Puts a key into the state folder that anybody may have made.
fn plant(stage: &Stage) {
    durable::replace(&stage.own(), &[7; 32]).unwrap();
}

#[test]
fn where_a_keyring_answers_the_key_is_there_and_no_byte_of_it_in_the_state_folder() {
    let stage = stage();
    stage.set("echo", KeyringUse::Auto).unwrap();
    assert!(stage.opens(KeyringUse::Auto));
    assert!(!stage.own().exists());
    let key = lock(&stage.keyring.items).values().next().unwrap().clone();
    let record = fs::read(stage.state.path().join("keys/secrets.keyring.json")).unwrap();
    assert!(!record.windows(4).any(|part| key.windows(4).any(|of_key| of_key == part)));
}

#[test]
fn a_keyring_that_cannot_give_the_key_leads_to_no_other_key() {
    let stage = stage();
    stage.set("echo", KeyringUse::Auto).unwrap();
    plant(&stage);
    let absent = Trouble::Absent("nobody there".to_owned());
    let locked = Trouble::Refused("it is locked".to_owned());
    for (trouble, says) in [(absent, "nobody there"), (locked, "it is locked")] {
        stage.keyring.has(Some(trouble));
        assert!(stage.why(KeyringUse::Auto).contains(says), "{}", stage.why(KeyringUse::Auto));
        // Also for an agent that has nothing yet.
        assert!(stage.set("other", KeyringUse::Auto).is_err());
    }
    stage.keyring.has(None);
    assert!(stage.opens(KeyringUse::Auto));
    lock(&stage.keyring.items).values_mut().for_each(|key| *key = Zeroizing::new(vec![8; 32]));
    assert!(stage.why(KeyringUse::Auto).contains("holds another key"));
    lock(&stage.keyring.items).clear();
    assert!(stage.why(KeyringUse::Auto).contains("does not have it any more"));
    assert!(stage.set("other", KeyringUse::Auto).is_err());
    assert!(!stage.state.agent("other").join("secrets.json").exists());
}

#[test]
fn a_planted_key_seals_nothing_even_where_the_record_was_taken_away() {
    let stage = stage();
    stage.set("echo", KeyringUse::Auto).unwrap();
    fs::remove_file(stage.state.path().join("keys/secrets.keyring.json")).unwrap();
    assert!(stage.why(KeyringUse::Auto).contains("is gone"));
    assert!(stage.set("other", KeyringUse::Auto).is_err());
    plant(&stage);
    assert!(stage.why(KeyringUse::Auto).contains("sealed with another key"));
    let refused = stage.set("other", KeyringUse::Auto).unwrap_err().to_string();
    assert!(refused.contains("sealed with another key"), "{refused}");
}

#[test]
fn only_a_keyring_that_is_not_there_leads_to_a_file_and_never_where_one_is_required() {
    let absent = || Some(Trouble::Absent("nobody there".to_owned()));
    let refused = || Some(Trouble::Refused("it is locked".to_owned()));
    for (keyring, trouble, is_set) in [
        (KeyringUse::Auto, absent(), true),
        (KeyringUse::Auto, refused(), false),
        (KeyringUse::Required, absent(), false),
        (KeyringUse::Required, refused(), false),
        (KeyringUse::Off, refused(), true),
    ] {
        let stage = stage();
        stage.keyring.has(trouble);
        assert_eq!(stage.set("echo", keyring).is_ok(), is_set, "{keyring:?}");
        assert_eq!(stage.own().exists(), is_set, "{keyring:?}");
    }
}

#[test]
fn a_key_that_moves_stays_the_same_and_goes_only_where_the_settings_let_it() {
    let stage = stage();
    stage.set("echo", KeyringUse::Off).unwrap();
    assert!(stage.why(KeyringUse::Required).contains("move-key --to keyring"));
    assert!(stage.store(KeyringUse::Off).move_key(Destination::Keyring).is_err());
    stage.keyring.has(Some(Trouble::Refused("it is locked".to_owned())));
    assert!(stage.store(KeyringUse::Auto).move_key(Destination::Keyring).is_err());
    assert!(stage.opens(KeyringUse::Auto));

    stage.keyring.has(None);
    stage.store(KeyringUse::Auto).move_key(Destination::Keyring).unwrap();
    assert!(!stage.own().exists());
    assert!(stage.opens(KeyringUse::Required));
    assert!(stage.why(KeyringUse::Off).contains("move-key --to file"));

    plant(&stage);
    let place = stage.store(KeyringUse::Auto).key_place().unwrap();
    assert_eq!(place, Some(Place::Keyring { leftover: true }));
    stage.store(KeyringUse::Auto).move_key(Destination::Keyring).unwrap();
    assert!(!stage.own().exists());

    assert!(stage.store(KeyringUse::Required).move_key(Destination::File).is_err());
    stage.store(KeyringUse::Off).move_key(Destination::File).unwrap();
    assert!(stage.opens(KeyringUse::Off));
    assert!(lock(&stage.keyring.items).is_empty());
}

#[test]
fn a_keyring_that_does_not_answer_is_not_asked_for_each_request() {
    let stage = stage();
    stage.set("echo", KeyringUse::Auto).unwrap();
    stage.keyring.has(Some(Trouble::Refused("it did not answer".to_owned())));
    let running = stage.store(KeyringUse::Auto);
    let before = stage.keyring.asked.load(Ordering::Relaxed);
    for _ in 0..50 {
        assert!(running.stored("echo").is_err());
    }
    // One every ten seconds; a slow machine may take some for fifty looks.
    assert!(stage.keyring.asked.load(Ordering::Relaxed) - before < 10);
}
