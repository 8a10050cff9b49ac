//! The Secret Service over the session's message bus: GNOME Keyring, KWallet, KeePassXC.
//!
//! By `dbus`, the binding of libdbus, which is built from its own source: three packages more in the lock file, and every
//! wait has an end. `zbus` was tried: 23 more, and serde and tokio with other features, for six calls; `rustbus`: an older
//! generation of `nix`, `syn` and `thiserror` beside ours. `secret-tool` is a program that a desktop need not have. What
//! the C of libdbus parses comes from this user's own bus. The session is `plain`: that bus is a socket of this user's own
//! processes, each of which the service would answer just as well. The rule: only a socket that is this very user's is
//! spoken to, nobody is asked to unlock anything, and every exchange ends at its deadline.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dbus::arg::{PropMap, RefArg, TypeMismatchError, Variant};
use dbus::channel::Channel;
use dbus::{Message, Path};
use zeroize::{Zeroize, Zeroizing};

use super::{Content, Trouble};

const NAME: &str = "org.freedesktop.secrets";
const PATH: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
/// How the service spells "no such object" and "no prompt is needed".
const NOTHING: &str = "/";

/// A secret as it travels: session, parameters of its encryption (none in a plain one), content, media type.
type Travelling = (Path<'static>, Vec<u8>, Vec<u8>, String);

/// A session with the service.
pub(super) struct Service {
    bus: Channel,
    until: Instant,
    session: Path<'static>,
}

impl Service {
    /// Opens one; all that is asked of it takes no longer than this.
    pub(super) fn open(patience: Duration) -> Result<Self, Trouble> {
        let until = Instant::now() + patience;
        let absent = |error: dbus::Error| {
            Trouble::Absent(format!("the session's message bus cannot be reached: {error}"))
        };
        let mut bus = Channel::open_private(&address()?).map_err(absent)?;
        bus.register().map_err(absent)?;
        let mut service = Self { bus, until, session: Path::default() };
        let asked = service.to(&Path::from(PATH), SERVICE, "OpenSession")?.append2("plain", Variant(""));
        let (_, session) =
            service.ask(asked)?.read2::<Variant<Box<dyn RefArg>>, Path<'static>>().map_err(other)?;
        service.session = session;
        Ok(service)
    }

    /// The content of the item.
    pub(super) fn read(&self, item: &str) -> Result<Option<Content>, Trouble> {
        let Some(path) = self.find(item)? else { return Ok(None) };
        self.content(&path).map(Some)
    }

    /// Makes the item in the default collection, and reads it back: a service that only says so is found out now.
    pub(super) fn store(&self, item: &str, content: &Content) -> Result<(), Trouble> {
        let asked = self.to(&Path::from(PATH), SERVICE, "ReadAlias")?.append1("default");
        let collection: Path<'static> = self.ask(asked)?.read1().map_err(other)?;
        if *collection == *NOTHING {
            return Err(Trouble::Absent("it has no default collection".to_owned()));
        }
        // Text, because not every service keeps bytes as they are.
        let mut text = STANDARD.encode(content.as_slice()).into_bytes();
        let mut properties = PropMap::new();
        let label = "soulbound: the key that seals secrets".to_owned();
        properties.insert(format!("{ITEM}.Label"), Variant(Box::new(label)));
        properties.insert(format!("{ITEM}.Attributes"), Variant(Box::new(attributes(item))));
        let secret = (self.session.clone(), Vec::<u8>::new(), text.as_slice(), "text/plain");
        let asked = self.to(&collection, COLLECTION, "CreateItem")?.append3(properties, secret, true);
        text.zeroize();
        let (path, prompt) = self.ask(asked)?.read2::<Path<'static>, Path<'static>>().map_err(other)?;
        if *prompt != *NOTHING {
            return Err(Trouble::Refused("it is locked, and asks for a person".to_owned()));
        }
        if *self.content(&path)? != **content {
            return Err(Trouble::Refused("it did not keep what it was given".to_owned()));
        }
        Ok(())
    }

    /// Takes the item away.
    pub(super) fn remove(&self, item: &str) -> Result<(), Trouble> {
        let Some(path) = self.find(item)? else { return Ok(()) };
        let prompt: Path<'static> = self.ask(self.to(&path, ITEM, "Delete")?)?.read1().map_err(other)?;
        if *prompt == *NOTHING {
            return Ok(());
        }
        Err(Trouble::Refused("it asks for a person before it lets go of the item".to_owned()))
    }

    /// Where the item is, once it is open.
    fn find(&self, item: &str) -> Result<Option<Path<'static>>, Trouble> {
        let asked = self.to(&Path::from(PATH), SERVICE, "SearchItems")?.append1(attributes(item));
        let (open, locked) =
            self.ask(asked)?.read2::<Vec<Path<'static>>, Vec<Path<'static>>>().map_err(other)?;
        match (open.into_iter().next(), locked.is_empty()) {
            (Some(path), _) => Ok(Some(path)),
            (None, true) => Ok(None),
            (None, false) => Err(Trouble::Refused("it is locked".to_owned())),
        }
    }

    fn content(&self, path: &Path<'static>) -> Result<Content, Trouble> {
        let asked = self.to(path, ITEM, "GetSecret")?.append1(self.session.clone());
        let (_, _, mut text, _): Travelling = self.ask(asked)?.read1().map_err(other)?;
        let content = STANDARD.decode(&text).map(Zeroizing::new);
        text.zeroize();
        content.map_err(|_| Trouble::Refused("its item holds something else than a key".to_owned()))
    }

    fn to(&self, path: &Path<'static>, interface: &str, method: &str) -> Result<Message, Trouble> {
        Message::new_method_call(NAME, path, interface, method)
            .map_err(|error| Trouble::Refused(format!("it cannot be asked: {error}")))
    }

    fn ask(&self, message: Message) -> Result<Message, Trouble> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.bus.send_with_reply_and_block(message, left).map_err(|error| refusal(&error))
    }
}

/// How the item is found again.
fn attributes(item: &str) -> HashMap<String, String> {
    HashMap::from(
        [("application", "soulbound"), ("item", item)]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
}

fn other(error: TypeMismatchError) -> Trouble {
    Trouble::Refused(format!("it answered with something else: {error}"))
}

/// The bus that the environment names, if it is a socket of this user. The key goes to nobody else; an address that starts
/// a program, leaves the machine, or names what any user may bind is none of ours.
fn address() -> Result<String, Trouble> {
    let absent = |why: &str| Trouble::Absent(why.to_owned());
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS")
        .map_err(|_| absent("this process belongs to no session: `DBUS_SESSION_BUS_ADDRESS` is not set"))?;
    let path = address.strip_prefix("unix:path=").and_then(|rest| rest.split(',').next());
    let path = path.filter(|path| path.starts_with('/') && !path.contains(['%', ';'])).ok_or_else(|| {
        absent(
            "`DBUS_SESSION_BUS_ADDRESS` names no socket in a folder, as `unix:path=/run/user/1000/bus` does",
        )
    })?;
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.uid() == rustix::process::geteuid().as_raw() => {
            Ok(format!("unix:path={path}"))
        }
        Ok(_) => Err(absent("the session's message bus is another user's")),
        Err(error) => Err(Trouble::Absent(format!("the session's message bus is not there: {error}"))),
    }
}

/// What an error means: nobody there, or somebody who does not.
fn refusal(error: &dbus::Error) -> Trouble {
    let name = error.name().unwrap_or_default();
    let bus = name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or_default();
    if matches!(bus, "ServiceUnknown" | "NameHasNoOwner") || bus.starts_with("Spawn.") {
        return Trouble::Absent(format!("nobody on the session's message bus is a keyring ({bus})"));
    }
    Trouble::Refused(match name {
        "org.freedesktop.Secret.Error.IsLocked" => "it is locked".to_owned(),
        // What libdbus says when the time is over.
        _ if bus == "NoReply" => {
            "it did not answer in time; it may wait for a person to unlock it".to_owned()
        }
        _ => {
            let visible = |text: &str| soulbound_runtime::visible::quoted(text, 200);
            format!("it says {}: {}", visible(name), visible(error.message().unwrap_or_default()))
        }
    })
}
