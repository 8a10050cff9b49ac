//! Trust from inside: what the gateway asks before each call, and what it may not be told by a folder.

use std::fs;
use std::path::PathBuf;

use soulbound_runtime::Soul;
use soulbound_runtime::sandbox::files::{BoundFiles, OpenRules};
use soulbound_runtime::skill::{Digest, Origin, SkillFolder, SkillSources};

use super::act::{Act, Asks, Done, act};
use super::manifest::{Manifest, TrustedSkill};
use super::registry::Condition;
use super::{Registry, Standing, Trusted};
use crate::operator::Who;
use crate::state::StateFolder;

const SOUL: &str = "## Identity\n- Name: Echo\n## Skills\n- s: Try\n  - read: ./docs\n";

/// A state folder and an agent's folder, with a skill that is a component's header and nothing more.
struct House {
    place: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let house = Self { place: tempfile::tempdir().unwrap() };
        for folder in ["agent/docs", "agent/other", "agent/skills/s", "state"] {
            fs::create_dir_all(house.place.path().join(folder)).unwrap();
        }
        house.write("SOUL.md", SOUL);
        house.write("skills/s/SKILL.md", "---\nname: s\ndescription: A skill.\n---\n");
        fs::write(house.folder().join("skills/s/s.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
        house
    }

    fn folder(&self) -> PathBuf {
        fs::canonicalize(self.place.path().join("agent")).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.folder().join(path), text).unwrap();
    }

    fn state(&self) -> StateFolder {
        StateFolder::at(self.place.path().join("state"))
    }

    fn registry(&self) -> Registry {
        Registry::open(&self.state())
    }

    fn sources(&self) -> SkillSources {
        SkillSources::new().with(Origin::Agent, self.folder().join("skills"))
    }

    /// Stores what is in the folder, as a candidate would.
    fn stored(&self) -> Digest {
        let registry = self.registry();
        let bytes = fs::read(self.folder().join("SOUL.md")).unwrap();
        let soul = Soul::parse("SOUL.md", &bytes).unwrap();
        let skill = SkillFolder::read(&self.folder().join("skills/s")).unwrap();
        let directories = &soul.skill("s").unwrap().grant.directories;
        let opened = BoundFiles::open(directories, &self.folder(), &OpenRules::default()).unwrap().opened();
        let skills = vec![TrustedSkill::of("s", Origin::Agent, &skill, &opened)];
        registry.store().put(&bytes).unwrap();
        for (_, bytes) in skill.files() {
            registry.store().put(bytes).unwrap();
        }
        let manifest = Manifest::new(soul.id(), Digest::of(&bytes), skills);
        registry.store().put(&manifest.bytes().unwrap()).unwrap()
    }

    fn act(&self, what: Act) -> anyhow::Result<Done> {
        let who = Who { uid: 1, user: None, pid: 1, tty: None };
        act(&self.state(), what, who, Asks { redteam: false })
    }

    fn added(self) -> Self {
        let manifest = self.stored();
        self.act(Act::Add { folder: self.folder(), manifest }).unwrap();
        self
    }

    fn trusted(&self) -> Trusted {
        self.registry().load("echo").unwrap().trusted
    }

    fn standing(&self) -> Standing {
        Standing::of(&self.trusted(), &self.sources(), &OpenRules::default())
    }
}

/// The standing once its stamps are old enough to tell.
fn settled(house: &House) -> Standing {
    loop {
        let standing = house.standing();
        if standing.is_current() {
            return standing;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_skill_s_bytes_come_from_the_store_whatever_the_folder_holds() {
    let house = House::new().added();
    let (trusted, store) = (house.trusted(), house.registry().store().clone());
    fs::remove_dir_all(house.folder().join("skills")).unwrap();
    let skill = trusted.skill(&store, "s").unwrap();
    assert_eq!(skill.component, b"\0asm\x0d\0\x01\0");
    assert_eq!(skill.files().len(), 2);
    assert!(trusted.skill(&store, "t").is_err());
    let file = trusted.manifest.skills[0].files[0].digest;
    let path = house.place.path().join("state/store/sha256").join(file.to_string());
    fs::write(path, "altered").unwrap();
    assert!(trusted.skill(&store, "s").unwrap_err().to_string().contains("SKILL.md"));
}

#[test]
fn a_directory_swapped_after_the_look_is_refused_when_it_is_bound() {
    let house = House::new().added();
    let trusted = house.trusted();
    let standing = house.standing();
    let grants = standing.effective.unwrap().skill("s").unwrap().grant.directories.clone();
    let open = || BoundFiles::open(&grants, &house.folder(), &OpenRules::default()).unwrap().opened();
    assert!(trusted.admits("s", &open()).is_ok());
    fs::rename(house.folder().join("docs"), house.folder().join("old")).unwrap();
    fs::rename(house.folder().join("other"), house.folder().join("docs")).unwrap();
    let denial = trusted.admits("s", &open()).unwrap_err();
    assert_eq!(denial.id.as_str(), "path.moved");
    assert!(trusted.admits("t", &open()).is_err(), "another skill's trust is none");
}

/// What is done to a folder, and how.
type Touch = (&'static str, fn(&House));

#[test]
fn every_touch_is_noticed_before_the_next_call() {
    let touches: [Touch; 6] = [
        ("SOUL.md", |house| house.write("SOUL.md", &SOUL.replace("docs", "other"))),
        ("a skill's file", |house| house.write("skills/s/SKILL.md", "other")),
        ("a new file", |house| house.write("skills/s/new", "new")),
        ("the skill's folder", |house| {
            fs::rename(house.folder().join("skills/s"), house.folder().join("skills/t")).unwrap();
        }),
        ("all skills", |house| fs::rename(house.folder().join("skills"), house.folder().join("x")).unwrap()),
        ("a granted directory", |house| {
            fs::rename(house.folder().join("docs"), house.folder().join("old")).unwrap();
            fs::create_dir(house.folder().join("docs")).unwrap();
        }),
    ];
    for (what, touch) in touches {
        let house = House::new().added();
        let standing = settled(&house);
        assert!(standing.is_soul_current() && standing.is_as_trusted());
        fs::write(house.folder().join("docs/new"), "what a skill writes is no touch").unwrap();
        assert!(standing.is_current());
        touch(&house);
        assert!(!standing.is_current(), "{what}");
        assert_eq!(standing.is_soul_current(), what != "SOUL.md", "{what}");
        let (trusted, sources, rules) = (house.trusted(), house.sources(), OpenRules::default());
        let again = standing.again(&trusted, &sources, &rules);
        assert_eq!(again.changes, Standing::of(&trusted, &sources, &rules).changes, "{what}");
        assert!(!again.is_as_trusted(), "{what}");
    }
}

#[test]
fn a_skill_that_is_kept_elsewhere_is_watched_there() {
    let house = House::new();
    let elsewhere = house.place.path().join("elsewhere");
    fs::rename(house.folder().join("skills/s"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, house.folder().join("skills/s")).unwrap();
    let house = house.added();
    let standing = settled(&house);
    fs::write(elsewhere.join("new"), "new").unwrap();
    assert!(!standing.is_current());
    assert_eq!(house.standing().changes.len(), 1);
}

#[test]
fn an_act_verifies_that_all_bytes_are_there_and_are_this_agent_s() {
    let house = House::new();
    let manifest = house.stored();
    let folder = house.folder();
    let path = |digest: Digest| house.place.path().join("state/store/sha256").join(digest.to_string());
    let component = path(Digest::of(b"\0asm\x0d\0\x01\0"));
    let kept = fs::read(&component).unwrap();
    for bad in [None, Some(b"altered")] {
        match bad {
            None => fs::remove_file(&component).unwrap(),
            Some(bytes) => fs::write(&component, bytes).unwrap(),
        }
        assert!(house.act(Act::Add { folder: folder.clone(), manifest }).is_err());
        assert_eq!(house.registry().condition("echo"), Condition::Unknown);
    }
    fs::write(&component, kept).unwrap();
    assert!(house.act(Act::Add { folder: folder.clone(), manifest: Digest::of(b"nothing") }).is_err());
    house.act(Act::Add { folder: folder.clone(), manifest }).unwrap();
    house.write("SOUL.md", &SOUL.replace("Echo", "Other"));
    let others = house.stored();
    let error = house.act(Act::Trust { id: "echo".into(), manifest: others }).unwrap_err();
    assert!(error.to_string().contains("agent `other`"), "{error}");
    assert_eq!(house.trusted().digest, manifest);
}

#[test]
fn an_act_is_one_line_of_json_both_ways() {
    let acts = [
        Act::Add { folder: "/a".into(), manifest: Digest([1; 32]) },
        Act::Trust { id: "echo".into(), manifest: Digest([2; 32]) },
        Act::Rollback { id: "echo".into(), to: None },
        Act::Rollback { id: "echo".into(), to: Some(Digest([3; 32])) },
        Act::Enable { id: "echo".into() },
        Act::Disable { id: "echo".into() },
        Act::Remove { id: "echo".into() },
    ];
    for act in acts {
        let line = serde_json::to_string(&act).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Act>(&line).unwrap(), act);
    }
    assert!(serde_json::from_str::<Act>("{\"act\":\"enable\",\"id\":\"a\",\"more\":1}").is_err());
}
