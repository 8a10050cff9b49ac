//! Private keys: the blocks of RFC 7468, OpenSSH, PGP and SSH2 with something between their lines, PuTTY's and age's files,
//! and what such a block holds where its lines were left out.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Found, constant};

/// Where one begins. A block's line alone is documentation; a body has to follow.
static BEGIN: LazyLock<Regex> = LazyLock::new(|| {
    constant(r"-{4,5}\x20?BEGIN\x20[A-Z0-9\x20]{0,40}PRIVATE\x20KEY(?:\x20BLOCK)?\x20?-{4,5}")
});
/// Where the block ends.
static END: LazyLock<Regex> =
    LazyLock::new(|| constant(r"-{4,5}\x20?END\x20[A-Z0-9\x20]{0,40}KEY(?:\x20BLOCK)?\x20?-{4,5}"));
/// What a body is made of: much of it soon, or a little before the last line.
static BODY: LazyLock<Regex> = LazyLock::new(|| constant("[A-Za-z0-9+/]{32}"));
static LITTLE: LazyLock<Regex> = LazyLock::new(|| constant("[A-Za-z0-9+/]{6}"));
/// Keys that are told by themselves: files with a head of their own, and the first bytes of a key, in base64 and as they are
/// (PKCS #8 of RSA, EC P-256 and Ed25519, PKCS #1, OpenSSH).
static BARE: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"PuTTY-User-Key-File-[23]:\x20
        | AGE-SECRET-KEY-1[A-Z0-9]{58}
        | MII[A-Za-z0-9+/]{3}IBADANBgkqhkiG9w0BAQEFAASC[A-Za-z0-9+/]{20,}={0,2}
        | MII[A-Za-z0-9+/]{3}IBAAK[BC][A-Za-z0-9+/]{40,}={0,2}
        | MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg[A-Za-z0-9+/]{20,}={0,2}
        | MC4CAQAwBQYDK2VwBCIEI[A-Za-z0-9+/]{42,44}={0,2}
        | b3BlbnNzaC1rZXktdjEAAAAA[A-Za-z0-9+/]{20,}={0,2}
        | openssh-key-v1\x00\x00\x00\x00
        | \x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82
        | \x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20",
    )
});
/// How far behind the first line a body begins, in bytes: `Proc-Type` and `Version` lines may stand between.
const BEGINS_WITHIN: usize = 300;
/// The longest block, in bytes: an RSA key of 16,384 bits has 13 KiB.
const LONGEST: usize = 64 << 10;

/// Tells of each key, blocks from their first line to their last.
pub(super) fn each(text: &[u8], found: &mut Found<'_>) {
    let next_bare = |from| BARE.find_at(text, from).map(|one| one.range());
    // Each kind is looked for again only behind its last match: one pass through the text for each.
    let (mut block, mut bare) = (next_block(text, 0), next_bare(0));
    loop {
        let next = match (&block, &bare) {
            (Some(block), Some(bare)) if bare.start < block.start => bare.clone(),
            (Some(block), _) => block.clone(),
            (None, Some(bare)) => bare.clone(),
            (None, None) => return,
        };
        let from = next.end;
        if !found(next) {
            return;
        }
        if block.as_ref().is_some_and(|block| block.start < from) {
            block = next_block(text, from);
        }
        if bare.as_ref().is_some_and(|bare| bare.start < from) {
            bare = next_bare(from);
        }
    }
}

fn next_block(text: &[u8], mut from: usize) -> Option<Range<usize>> {
    while let Some(begin) = BEGIN.find_at(text, from) {
        from = begin.end();
        let soon = text.get(from..text.len().min(from + BEGINS_WITHIN)).unwrap_or_default();
        if !BODY.is_match(soon) {
            // A short key, or one that a test made up: then its last line is near.
            match END.find(soon) {
                Some(end) if LITTLE.is_match(soon.get(..end.start()).unwrap_or_default()) => {}
                _ => continue,
            }
        }
        let rest = text.get(from..text.len().min(from + LONGEST)).unwrap_or_default();
        // Without its last line, all that follows is taken for the key.
        let end = END.find(rest).map_or(from + rest.len(), |end| from + end.end());
        return Some(begin.start()..end);
    }
    None
}
