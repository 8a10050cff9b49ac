//! Tokens of clouds and services, by the prefixes that they document so that they can be found. Where a token has a
//! checksum (GitHub's and npm's CRC-32), or a structure (a JWT's header), it has to be right: `ghp_xxxxxxxx…` is a placeholder.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::bytes::Regex;

use super::{Found, constant};

/// Those that begin with something fixed.
static PREFIXED: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r#"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b
        | secret_?access_?key["']?[\x20\t]{0,3}[:=][\x20\t]{0,3}["']?[A-Za-z0-9/+]{40}\b
        | SECRET_?ACCESS_?KEY["']?[\x20\t]{0,3}[:=][\x20\t]{0,3}["']?[A-Za-z0-9/+]{40}\b
        | SecretAccessKey["']?[\x20\t]{0,3}[:=][\x20\t]{0,3}["']?[A-Za-z0-9/+]{40}\b
        | \bAIza[0-9A-Za-z_-]{35}
        | \bGOCSPX-[0-9A-Za-z_-]{28}
        | \bya29\.[0-9A-Za-z_-]{20,}
        | \bAccountKey=[A-Za-z0-9+/]{86}==
        | [?&]sig=[A-Za-z0-9%+/]{43,90}(?:%3D|%3d|=)
        | \b(?:ghp|gho|ghu|ghs|ghr|npm)_[A-Za-z0-9]{36}\b
        | \bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b
        | \bglpat-[A-Za-z0-9_-]{20}
        | \bxox[abeoprs]-[0-9]{1,14}-(?:[0-9]{8,14}-){0,3}[A-Za-z0-9]{20,}
        | \bxapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,14}-[a-f0-9]{32,}
        | hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,}
        | \b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}
        | \bwhsec_[A-Za-z0-9+/]{32,}
        | \bsk-(?:[A-Za-z0-9]{1,10}-)?[A-Za-z0-9_-]{16,100}T3BlbkFJ[A-Za-z0-9_-]{16,}
        | \bsk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{32,}
        | \bsk-or-v1-[a-f0-9]{64}
        | \bgsk_[A-Za-z0-9]{52}
        | \bhf_[A-Za-z]{34}\b
        | \bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}
        | \bdo[oprt]_v1_[a-f0-9]{64}
        | \bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}
        | \bdckr_[a-z]{3}_[A-Za-z0-9_-]{27}
        | \bcio[A-Za-z0-9]{32}\b
        | \bsoulbound-(?:operator|agent-[a-z0-9-]{1,64})-[A-Za-z0-9_-]{43}
        | \bhv[sb]\.[A-Za-z0-9_-]{24,}
        | \beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}"#,
    )
});
/// Those that are told by their middle: an Entra application's secret, a Telegram bot's token.
static INNER: LazyLock<Regex> = LazyLock::new(|| {
    constant(r"\b[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34} | \b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b")
});

/// Tells of each token.
pub(super) fn each(text: &[u8], found: &mut Found<'_>) {
    for expression in [&PREFIXED, &INNER] {
        let tokens = expression.find_iter(text).map(|one| one.range());
        for token in tokens.filter(|range| is_well_formed(text.get(Range::clone(range)).unwrap_or_default()))
        {
            if !found(token) {
                return;
            }
        }
    }
}

fn is_well_formed(token: &[u8]) -> bool {
    match token {
        [b'g', b'h', _, b'_', rest @ ..] | [b'n', b'p', b'm', b'_', rest @ ..] => has_checksum(rest),
        [b'e', b'y', b'J', ..] => is_jwt(token),
        // Words make no key: `ciowhateverfollowsinasinglelongword`.
        [b'c', b'i', b'o', rest @ ..] => {
            rest.iter().any(u8::is_ascii_digit) && rest.iter().any(u8::is_ascii_uppercase)
        }
        _ => true,
    }
}

/// Thirty random characters and their CRC-32 in base 62 (GitHub, "Behind GitHub's new authentication token formats", 2021).
fn has_checksum(rest: &[u8]) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((random, checksum)) = rest.split_at_checked(30) else { return false };
    let told = checksum.iter().try_fold(0_u64, |number, byte| {
        let digit = DIGITS.iter().position(|digit| digit == byte)?;
        Some(number * 62 + digit as u64)
    });
    told == Some(u64::from(crc32fast::hash(random)))
}

/// A first part that is JSON and names an algorithm (RFC 7515).
fn is_jwt(token: &[u8]) -> bool {
    let header = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let Ok(header) = URL_SAFE_NO_PAD.decode(header) else { return false };
    serde_json::from_slice::<serde_json::Value>(&header).is_ok_and(|header| header.get("alg").is_some())
}
