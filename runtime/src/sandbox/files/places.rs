//! Where no granted directory may be: the system's own, the program's state, an agent's skills, a home.
//!
//! The rule: places are compared by real path, in both directions. A grant that holds a place reaches it just as one
//! that lies in it does.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, PROC_SUPER_MAGIC};

use super::bind::{Complaint, OpenRules};
use super::names;
use super::resolve::{BoundGrant, Identity};
use super::walk::{Ended, walk};
use crate::grant::DirectoryMode;

/// So many entries are looked at for a SOUL.md. One that lies beyond is still never writable (`path.protected`).
const LOOKED_AT: usize = 20_000;

/// `SYSFS_MAGIC` of the kernel's `magic.h`.
const SYSFS_MAGIC: rustix::fs::FsWord = 0x6265_6572;

/// Whether one path is the other, or holds it.
pub(super) fn touch(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Judges where an opened directory is. `folder` is the SOUL.md's, its real path.
pub(super) fn judge(bound: &BoundGrant, folder: &Path, rules: &OpenRules) -> Result<(), Complaint> {
    system(bound)?;
    if let Some(state) = &rules.state_folder
        && touches_place(bound, state)
    {
        let hint = "grant a directory that neither holds the state folder nor lies in it";
        return Err(complaint(bound, "touches the program's state folder", hint));
    }
    for denied in &rules.deny {
        if touches_place(bound, denied) {
            let what = format!("touches `{}`, which the operator denies", denied.display());
            return Err(complaint(bound, &what, "ask the operator; SOUL.md cannot lift a ceiling"));
        }
    }
    if bound.grant.mode == DirectoryMode::Read {
        return Ok(());
    }
    souls(bound, folder)?;
    skills(bound, folder)?;
    programs(bound, rules)
}

fn system(bound: &BoundGrant) -> Result<(), Complaint> {
    let hint = "grant the directory that the skill's documents are in";
    if bound.real == Path::new("/") {
        return Err(complaint(bound, "is the whole machine", hint));
    }
    let magic = rustix::fs::fstatfs(&*bound.handle).map(|system| system.f_type);
    let mounted = matches!(magic, Ok(PROC_SUPER_MAGIC | SYSFS_MAGIC));
    if mounted || ["/proc", "/sys", "/dev"].iter().any(|place| bound.real.starts_with(place)) {
        return Err(complaint(bound, "belongs to the kernel", hint));
    }
    Ok(())
}

/// A skill that could write an agent's skills could replace itself.
fn skills(bound: &BoundGrant, folder: &Path) -> Result<(), Complaint> {
    let own = folder.join("skills");
    let another = bound.real.ancestors().any(|path| {
        let named = path.file_name().is_some_and(|name| names::is_skills(name.as_encoded_bytes()));
        named && path.with_file_name(names::SOUL).symlink_metadata().is_ok()
    });
    if another || touch(&bound.real, &own) {
        let hint = "grant a directory beside `skills`, such as `./workspace`";
        return Err(complaint(bound, "reaches an agent's `skills` folder", hint));
    }
    Ok(())
}

/// A skill that could write a SOUL.md could grant itself anything.
fn souls(bound: &BoundGrant, folder: &Path) -> Result<(), Complaint> {
    let refused = || {
        let hint = "grant a directory below it that holds none, such as `./workspace`";
        complaint(bound, "holds a SOUL.md", hint)
    };
    if folder.starts_with(&bound.real) {
        return Err(refused());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let failed = |error| complaint(bound, &format!("can't be listed: {error}"), "change its permissions");
    let opened = rustix::fs::openat(&*bound.handle, ".", flags, Mode::empty()).map_err(failed)?;
    let soul = names::folded(names::SOUL);
    let ended = walk(&opened, LOOKED_AT, |name, _| {
        if names::folded(&name.to_string_lossy()) == soul {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    match ended {
        Ok(Ended::Stopped(())) => Err(refused()),
        // What this user may not list it may not write either; the rest is judged at every write.
        _ => Ok(()),
    }
}

/// What the system runs, and what tells it what to run: a file in `/etc/cron.d` needs no execute bit to be run.
const SYSTEM: &[&str] =
    &["/etc", "/boot", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/run/systemd", "/var/spool"];

fn touches_system(bound: &BoundGrant, place: &Path) -> bool {
    let place = real(place);
    bound.real.starts_with(&place) || place.starts_with(&bound.real)
}

/// Homes hold what logins run, `$PATH` what everybody runs.
fn programs(bound: &BoundGrant, rules: &OpenRules) -> Result<(), Complaint> {
    let hint = "grant a directory below it that is for this purpose alone";
    let home = Path::new("/home");
    let mut homes = vec![home.to_owned(), PathBuf::from("/root")];
    homes.extend(rules.home.iter().filter(|home| home.as_path() != Path::new("/")).cloned());
    if bound.real.parent() == Some(home) || homes.iter().any(|home| is_or_holds(bound, home)) {
        return Err(complaint(bound, "is or holds a home directory", hint));
    }
    if let Some(place) = SYSTEM.iter().find(|place| touches_system(bound, Path::new(place))) {
        return Err(complaint(
            bound,
            &format!("is, holds or lies in `{place}`, which the system runs by"),
            hint,
        ));
    }
    match rules.path.iter().find(|place| place.is_absolute() && is_or_holds(bound, place)) {
        Some(place) => {
            let what = format!("is or holds `{}`, which is on `$PATH`", place.display());
            Err(complaint(bound, &what, hint))
        }
        None => Ok(()),
    }
}

fn touches_place(bound: &BoundGrant, place: &Path) -> bool {
    touch(&bound.real, &real(place)) || is_same(bound, place)
}

fn is_or_holds(bound: &BoundGrant, place: &Path) -> bool {
    real(place).starts_with(&bound.real) || is_same(bound, place)
}

/// The same directory under another path, as a bind mount makes it.
fn is_same(bound: &BoundGrant, place: &Path) -> bool {
    rustix::fs::statat(CWD, place, AtFlags::empty()).is_ok_and(|stat| Identity::of(&stat) == bound.identity)
}

/// Where a place really is; one that does not exist (yet) is where its nearest existing ancestor says.
fn real(place: &Path) -> PathBuf {
    let found = place.ancestors().find_map(|known| {
        let real = std::fs::canonicalize(known).ok()?;
        Some(real.join(place.strip_prefix(known).ok()?))
    });
    found.unwrap_or_else(|| place.to_owned())
}

fn complaint(bound: &BoundGrant, what: &str, hint: &str) -> Complaint {
    let path = &bound.grant.path;
    let key = bound.grant.mode.key();
    (format!("directory `{path}` {what}, so it can't be granted with `{key}`"), hint.to_owned())
}
