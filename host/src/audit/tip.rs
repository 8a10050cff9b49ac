//! The tip: how far a trail has come, kept apart from it. A chain alone cannot see that its end was cut off.
//!
//! Two of them. `audit.tip` is overwritten in place with every record: two slots in turn, each closed by a MAC, so that a
//! torn one is recognised and the one before it stands. `audit.tip.sig` is signed, which takes longer than a record may,
//! and so follows a little later; anybody with the public key can check it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use soulbound_runtime::skill::Digest;

use super::canonical;
use super::error::AuditError;
use super::folder::{self, Access};
use super::hex::Hex;
use super::keys::Keys;
use crate::clock::Moment;
use crate::durable;

/// The name of the slots' file.
pub(super) const SLOTS: &str = "audit.tip";
/// The name of the signed tip's file.
pub(super) const SIGNED: &str = "audit.tip.sig";
/// seq (8), boot (8), hash (32), MAC (32), each slot in a block of its own size.
const SLOT: usize = 80;
const STRIDE: u64 = 128;

/// The last record of a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tip {
    /// Its number; 0 when there is none.
    pub(crate) seq: u64,
    /// Its hash.
    pub(crate) hash: Hex,
}

impl Tip {
    /// Of a trail without records.
    pub(crate) const START: Self = Self { seq: 0, hash: Hex::ZERO };
}

/// The slots, open for writing.
pub(super) struct Slots {
    file: File,
    boot: [u8; 8],
}

/// What the slots said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The newer of the two.
    pub(super) tip: Tip,
    /// Whether the machine was started again since: a power failure can lose what was not yet on the disk.
    pub(super) rebooted: bool,
}

impl Slots {
    /// Opens the file and makes it if there is none.
    pub(super) fn open(folder: &Path) -> Result<Self, AuditError> {
        let file = folder::open_or_make(&folder.join(SLOTS), Access::InPlace)?;
        Ok(Self { file, boot: boot() })
    }

    /// Overwrites the older slot.
    pub(super) fn write(&self, tip: Tip, keys: &Keys) -> std::io::Result<()> {
        let mut slot = [0; SLOT];
        let mut rest = slot.as_mut_slice();
        for part in [tip.seq.to_be_bytes().as_slice(), &self.boot, &tip.hash.bytes()] {
            rest = put(rest, part);
        }
        let sealed = slot.get(..SLOT - 32).unwrap_or_default();
        let seal = keys.slot(sealed).bytes();
        put(slot.get_mut(SLOT - 32..).unwrap_or_default(), &seal);
        self.file.write_all_at(&slot, (tip.seq % 2) * STRIDE)
    }
}

fn put<'a>(into: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let (head, rest) = into.split_at_mut_checked(bytes.len()).unwrap_or_default();
    head.copy_from_slice(bytes);
    rest
}

/// Reads the slots of a folder; `None` when there are none, or none that the key closed.
pub(super) fn read(folder: &Path, keys: &Keys) -> Result<Option<Found>, AuditError> {
    let path = folder.join(SLOTS);
    let Some(file) = folder::open(&path, Access::Read)? else { return Ok(None) };
    let here = boot();
    let slots = [0, STRIDE].into_iter().filter_map(|offset| {
        let mut slot = [0; SLOT];
        file.read_exact_at(&mut slot, offset).ok()?;
        let (sealed, seal) = slot.split_at_checked(SLOT - 32)?;
        if keys.slot(sealed).bytes() != seal {
            return None;
        }
        let (seq, rest) = sealed.split_first_chunk::<8>()?;
        let (boot, hash) = rest.split_first_chunk::<8>()?;
        let tip = Tip { seq: u64::from_be_bytes(*seq), hash: Hex::of(hash.try_into().ok()?) };
        Some(Found { tip, rebooted: *boot != here })
    });
    Ok(slots.max_by_key(|found| found.tip.seq))
}

/// Which start of the machine this is.
fn boot() -> [u8; 8] {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let Digest(digest) = Digest::of(&id);
    digest.first_chunk().copied().unwrap_or_default()
}

/// A tip with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedTip {
    pub(super) agent: String,
    pub(super) tip: Tip,
    pub(super) time: String,
    signature: Vec<u8>,
}

impl SignedTip {
    /// Signs a trail's tip.
    pub(super) fn sign(agent: &str, tip: Tip, keys: &Keys) -> Self {
        let time = Moment::now().to_string();
        let signature = keys.sign(message(agent, tip, &time).as_bytes());
        Self { agent: agent.to_owned(), tip, time, signature }
    }

    /// Replaces the folder's signed tip. Not waited for: the slots are ahead of it anyway.
    pub(super) fn write(&self, folder: &Path, keys: &Keys) -> anyhow::Result<()> {
        let value = json!({"agent": self.agent, "hash": self.tip.hash, "public_key": keys.public(), "seq": self.tip.seq,
            "signature": STANDARD.encode(&self.signature), "time": self.time});
        durable::replace_lightly(&folder.join(SIGNED), format!("{value:#}\n").as_bytes())
    }

    /// Whether this trail's key signed exactly this.
    pub(super) fn holds(&self, agent: &str, keys: &Keys) -> bool {
        self.agent == agent && keys.signed(message(agent, self.tip, &self.time).as_bytes(), &self.signature)
    }

    /// Reads the folder's signed tip: `Ok(None)` when there is none, `Err` with its path when it cannot be understood.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, PathBuf> {
        use std::io::Read;
        let path = folder.join(SIGNED);
        let Ok(file) = folder::open(&path, Access::Read) else { return Err(path) };
        let Some(file) = file else { return Ok(None) };
        let mut text = String::new();
        if file.take(4 << 10).read_to_string(&mut text).is_err() {
            return Err(path);
        }
        Self::parse(&text).map(Some).ok_or(path)
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = text.parse().ok()?;
        let string = |name: &str| value.get(name)?.as_str();
        Some(Self {
            agent: string("agent")?.to_owned(),
            tip: Tip { seq: value.get("seq")?.as_u64()?, hash: Hex::parse(string("hash")?)? },
            time: string("time")?.to_owned(),
            signature: STANDARD.decode(string("signature")?).ok()?,
        })
    }
}

fn message(agent: &str, tip: Tip, time: &str) -> String {
    canonical::text(&json!({"agent": agent, "hash": tip.hash, "seq": tip.seq, "time": time}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(seq: u64) -> Tip {
        Tip { seq, hash: Hex::of(&[seq as u8; 32]) }
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before_it() {
        let state = tempfile::tempdir().unwrap();
        let keys = Keys::open(state.path()).unwrap();
        assert_eq!(read(state.path(), &keys).unwrap(), None);
        let slots = Slots::open(state.path()).unwrap();
        assert_eq!(read(state.path(), &keys).unwrap(), None);
        for seq in 1..=4 {
            slots.write(tip(seq), &keys).unwrap();
            assert_eq!(read(state.path(), &keys).unwrap(), Some(Found { tip: tip(seq), rebooted: false }));
        }
        let whole = std::fs::read(state.path().join(SLOTS)).unwrap();
        for byte in 0..SLOT {
            let mut torn = whole.clone();
            torn[byte] ^= 1;
            std::fs::write(state.path().join(SLOTS), &torn).unwrap();
            assert_eq!(read(state.path(), &keys).unwrap().unwrap().tip, tip(3), "byte {byte}");
        }
    }

    #[test]
    fn a_signed_tip_is_for_one_trail_one_record_and_one_key() {
        let state = tempfile::tempdir().unwrap();
        let keys = Keys::open(state.path()).unwrap();
        SignedTip::sign("echo", tip(7), &keys).write(state.path(), &keys).unwrap();
        let signed = SignedTip::read(state.path()).unwrap().unwrap();
        assert!(signed.holds("echo", &keys));
        assert!(!signed.holds("guardian", &keys));
        assert!(!SignedTip { tip: tip(8), ..signed.clone() }.holds("echo", &keys));
        assert!(
            !SignedTip { time: "2026-11-21T00:00:00.000Z".to_owned(), ..signed.clone() }.holds("echo", &keys)
        );
        let other = tempfile::tempdir().unwrap();
        assert!(!signed.holds("echo", &Keys::open(other.path()).unwrap()));
    }
}
