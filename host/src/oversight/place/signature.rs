//! How a receiver tells that a document is this gateway's and new: `Soulbound-Signature: t=SECONDS,v1=HEX`, where HEX is
//! HMAC-SHA256 over `SECONDS.BODY` with the secret that both know.
//!
//! The time is in what is signed, so that a copy sent again later is told by its age.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Secret;

/// The header's name, lower case as it goes over the wire.
pub(crate) const HEADER: &str = "soulbound-signature";

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    crate::clock::Moment::now().seconds()
}

/// The header's value.
pub(crate) fn sign(secret: &Secret, seconds: u64, body: &[u8]) -> String {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_any_other_program_computes() {
        // printf '1732190000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let signed = sign(&Secret::new("0123456789abcdef".to_owned()), 1_732_190_000, b"{\"a\":1}");
        assert_eq!(
            signed,
            "t=1732190000,v1=b9cea313e3e2aff287d0b153390535df3f87fcf44c698ed5c05a88cd7d1309c3"
        );
        assert_ne!(signed, sign(&Secret::new("0123456789abcdee".to_owned()), 1_732_190_000, b"{\"a\":1}"));
        assert_ne!(signed, sign(&Secret::new("0123456789abcdef".to_owned()), 1_732_190_000, b"{\"a\":2}"));
    }
}
