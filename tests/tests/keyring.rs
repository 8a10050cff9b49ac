//! The key that seals secrets in a Secret Service: the real binary, a real message bus, and a service that the test rules.
//!
//! Without `dbus-daemon` there is no bus to do this on: NOT RUN, and said so.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dbus::arg::{PropMap, RefArg, Variant};
use dbus::channel::Channel;
use dbus::{Message, Path as Object};
use soulbound_tests::gateway::{ECHO, add_folder};
use soulbound_tests::{Agent, Ended, trusted};

const ITEM: &str = "/org/freedesktop/secrets/collection/login/1";

/// A bus of the test's own; it ends with this.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    /// `None`, and why is said, where this machine has no program for one.
    fn start(folder: &Path) -> Option<Self> {
        let socket = folder.join("bus");
        let settings = folder.join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            socket.display()
        );
        fs::write(&settings, text).unwrap();
        let mut started = Command::new("dbus-daemon");
        started.arg(format!("--config-file={}", settings.display())).args(["--nofork", "--print-address"]);
        let Ok(mut daemon) = started.stdout(Stdio::piped()).spawn() else {
            eprintln!("NOT RUN: this machine has no `dbus-daemon`");
            return None;
        };
        // It says where it listens once it does.
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:path="), "{line}");
        Some(Self { daemon, address: line.trim().to_owned() })
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// A keyring with one collection, which keeps what it is given in memory.
struct Service {
    ends: Arc<AtomicBool>,
    is_silent: Arc<AtomicBool>,
    is_locked: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    fn start(address: &str) -> Self {
        let flag = || Arc::new(AtomicBool::new(false));
        let (ends, is_silent, is_locked) = (flag(), flag(), flag());
        let flags = [&ends, &is_silent, &is_locked].map(Arc::clone);
        let address = address.to_owned();
        let (ready, is_ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            let [ends, is_silent, is_locked] = flags;
            let mut bus = Channel::open_private(&address).unwrap();
            bus.register().unwrap();
            let daemon = "org.freedesktop.DBus";
            let name =
                Message::new_method_call(daemon, "/org/freedesktop/DBus", daemon, "RequestName").unwrap();
            let name = name.append2("org.freedesktop.secrets", 0_u32);
            bus.send_with_reply_and_block(name, Duration::from_secs(20)).unwrap();
            ready.send(()).unwrap();
            let mut kept: Option<(HashMap<String, String>, Vec<u8>)> = None;
            while !ends.load(Ordering::Acquire) {
                let Ok(said) = bus.blocking_pop_message(Duration::from_millis(20)) else { return };
                let Some(message) = said else { continue };
                let is_call = message.msg_type() == dbus::MessageType::MethodCall;
                if is_call && !is_silent.load(Ordering::Acquire) {
                    let answer = answer(&message, &mut kept, is_locked.load(Ordering::Acquire));
                    bus.send(answer).unwrap();
                }
            }
        });
        is_ready.recv().unwrap();
        Self { ends, is_silent, is_locked, thread: Some(thread) }
    }

    fn end(mut self) {
        self.ends.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn answer(
    message: &Message,
    kept: &mut Option<(HashMap<String, String>, Vec<u8>)>,
    is_locked: bool,
) -> Message {
    let (nothing, item) = (Object::from("/"), Object::from(ITEM));
    let reply = message.method_return();
    match &*message.member().unwrap() {
        "OpenSession" => {
            let (kind, _) = message.read2::<&str, Variant<Box<dyn RefArg>>>().unwrap();
            assert_eq!(kind, "plain");
            reply.append2(Variant(""), Object::from("/session/1"))
        }
        "ReadAlias" => reply.append1(Object::from("/org/freedesktop/secrets/collection/login")),
        "SearchItems" => {
            let wanted: HashMap<String, String> = message.read1().unwrap();
            let found: Vec<Object<'_>> =
                kept.iter().filter(|(attributes, _)| *attributes == wanted).map(|_| item.clone()).collect();
            if is_locked {
                reply.append2(Vec::<Object<'_>>::new(), found)
            } else {
                reply.append2(found, Vec::<Object<'_>>::new())
            }
        }
        "CreateItem" => {
            type Given<'a> = (PropMap, (Object<'a>, Vec<u8>, Vec<u8>, String));
            let (properties, (_, _, content, _)): Given<'_> = message.read2().unwrap();
            let attributes = &properties.get("org.freedesktop.Secret.Item.Attributes").unwrap().0;
            let mut texts = attributes.as_iter().unwrap().map(|text| text.as_str().unwrap().to_owned());
            let mut read = HashMap::new();
            while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
                read.insert(name, value);
            }
            *kept = Some((read, content));
            reply.append2(item, nothing)
        }
        "GetSecret" => {
            let (_, content) = kept.as_ref().unwrap();
            reply.append1((Object::from("/session/1"), Vec::<u8>::new(), content.clone(), "text/plain"))
        }
        "Delete" => {
            *kept = None;
            reply.append1(nothing)
        }
        other => panic!("nobody should ask for `{other}`"),
    }
}

fn run(agent: &Agent, bus: Option<&Bus>, words: &[&str]) -> Ended {
    let program = agent.program().words(words).input("sk-live-0123456789abcdef");
    match bus {
        Some(bus) => program.variable("DBUS_SESSION_BUS_ADDRESS", &bus.address),
        None => program,
    }
    .run()
}

#[test]
fn the_key_lives_in_the_keyring_and_one_that_is_gone_locked_or_silent_is_not_replaced() {
    let agent = trusted::added();
    let Some(bus) = Bus::start(&agent.home()) else { return };
    let service = Service::start(&bus.address);
    let set = |name| ["secrets", "set", name, "--agent", ECHO, "--for", "https://api.example.com"];
    let listed = ["secrets", "list", "--json"];
    let (key, record) =
        (agent.state().join("keys/secrets.key"), agent.state().join("keys/secrets.keyring.json"));

    run(&agent, Some(&bus), &set("TOKEN")).ends(0).complains("is in the system's keyring");
    assert!(!key.exists());
    assert_eq!(fs::metadata(&record).unwrap().permissions().mode() & 0o777, 0o600);
    let rows = run(&agent, Some(&bus), &listed).ends(0).json();
    assert_eq!(rows.pointer("/key").unwrap(), "keyring");
    assert_eq!(rows.pointer("/secrets/0/name").unwrap(), "TOKEN");
    let doctor = run(&agent, Some(&bus), &["doctor"]);
    assert!(doctor.said().contains("system's keyring"), "{}", doctor.said());

    // Locked, with a key planted where the file would be.
    fs::write(&key, [7_u8; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    service.is_locked.store(true, Ordering::Release);
    run(&agent, Some(&bus), &listed).ends(2).complains("it is locked");
    run(&agent, Some(&bus), &set("OTHER")).ends(2).complains("it is locked");
    fs::remove_file(&key).unwrap();
    service.is_locked.store(false, Ordering::Release);

    // Silent: an end within seconds, and no key.
    service.is_silent.store(true, Ordering::Release);
    run(&agent, Some(&bus), &set("OTHER")).ends(2).complains("did not answer");
    service.is_silent.store(false, Ordering::Release);

    // Gone: no session at all.
    run(&agent, None, &listed).ends(2).complains("belongs to no session");
    run(&agent, None, &set("OTHER")).ends(2).complains("is not to be had");
    assert!(!key.exists());

    run(&agent, Some(&bus), &["secrets", "move-key", "--to", "file"]).ends(0);
    assert!(key.exists() && !record.exists());
    assert_eq!(run(&agent, None, &listed).ends(0).json().pointer("/key").unwrap(), "file");
    run(&agent, Some(&bus), &["secrets", "move-key", "--to", "keyring"]).ends(0);
    assert!(!key.exists() && record.exists());
    run(&agent, Some(&bus), &listed).ends(0);

    service.end();
    run(&agent, Some(&bus), &listed).ends(2).complains("nobody on the session's message bus is a keyring");
    assert!(!key.exists());
}

#[test]
fn a_key_that_somebody_put_in_the_place_of_the_one_that_sealed_seals_nothing_of_another_agent() {
    let agent = trusted::added();
    let soul = fs::read_to_string(agent.soul()).unwrap().replace("Name: Echo", "Name: Other");
    let folder = agent.outside("other");
    std::process::Command::new("cp").arg("-r").arg(agent.folder()).arg(&folder).status().unwrap();
    fs::write(folder.join("SOUL.md"), soul).unwrap();
    add_folder(&agent, &folder);

    let set = |id| {
        run(&agent, None, &["secrets", "set", "TOKEN", "--agent", id, "--for", "https://api.example.com"])
    };
    let (key, other) =
        (agent.state().join("keys/secrets.key"), agent.state().join("agents/other/secrets.json"));
    set(ECHO).ends(0);
    let own = fs::read(&key).unwrap();
    fs::write(&key, [7_u8; 32]).unwrap();
    set("other").ends(2).complains("another key");
    assert!(!other.exists());
    // Nor a fresh one, where it is gone.
    fs::remove_file(&key).unwrap();
    set("other").ends(2).complains("the key that sealed");
    assert!(!other.exists() && !key.exists());
    fs::write(&key, own).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    set("other").ends(0);
}
