//! E-mail addresses, as they stand in text: not all that RFC 5322 permits.

use super::Found;

/// Bytes of the part before the `@`, and of each label after it (RFC 5321, RFC 1035).
const LOCAL: usize = 64;
const DOMAIN: usize = 253;

/// Tells of each address.
pub(super) fn each(text: &[u8], found: &mut Found<'_>) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == b'@')) {
        let at = from + at;
        from = at + 1;
        let before = text.get(at.saturating_sub(LOCAL)..at).unwrap_or_default();
        let local = before.iter().rev().take_while(|byte| is_local(**byte)).count();
        let after = text.get(from..text.len().min(from + DOMAIN)).unwrap_or_default();
        let domain = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
            .count();
        let Some(domain) = after.get(..domain).map(|domain| domain.trim_suffix_dots()) else { continue };
        if local > 0 && is_domain(domain) {
            if !found(at - local..from + domain.len()) {
                return;
            }
            from += domain.len();
        }
    }
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

/// Two labels at least, the last of letters alone: `user@1.2` is a version.
fn is_domain(domain: &[u8]) -> bool {
    let labels: Vec<&[u8]> = domain.split(|byte| *byte == b'.').collect();
    let last_is_name = labels
        .last()
        .is_some_and(|last| last.len() >= 2 && last.len() <= 24 && last.iter().all(u8::is_ascii_alphabetic));
    labels.len() >= 2
        && last_is_name
        && labels.iter().all(|label| {
            !label.is_empty() && label.len() <= 63 && !label.starts_with(b"-") && !label.ends_with(b"-")
        })
}

/// The end of a sentence is none of the domain's.
trait Trimmed {
    fn trim_suffix_dots(&self) -> &[u8];
}

impl Trimmed for [u8] {
    fn trim_suffix_dots(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| !matches!(byte, b'.' | b'-')).map_or(0, |last| last + 1);
        self.get(..end).unwrap_or_default()
    }
}
