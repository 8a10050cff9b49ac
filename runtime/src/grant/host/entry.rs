//! Reading one `hosts` entry: its methods, its origin, its private range, in this order and each at most
//! once.

use std::fmt::Write as _;

use ipnet::IpNet;

use super::piece::Piece;
use super::{HostGrant, HostPattern, Scheme, method, policy, syntax};
use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::visible;

/// A longer entry than any that makes sense: a name is at most 253 octets.
const MOST_BYTES: usize = 1_024;

/// Reads one entry.
pub(super) fn parse(entry: &str, rule: RuleRef) -> Result<HostGrant, EntryError> {
    if entry.len() > MOST_BYTES {
        return Err(EntryError::whole(entry, "a host entry longer than 1,024 bytes"));
    }
    if let Some((at, character)) = entry.char_indices().find(|(_, c)| *c != '\t' && visible::is_invisible(*c))
    {
        let message = format!("an invisible character, U+{:04X}", u32::from(character));
        return Err(EntryError::at(at..at + character.len_utf8(), message).hint("delete it"));
    }
    let whole = Piece::whole(entry).trim();
    let (main, private) = match whole.split_once("(") {
        Some((main, range)) => (main, Some(private_range(range)?)),
        None => (whole, None),
    };
    let mut words = main.words();
    let Some(host) = words.pop() else {
        return Err(
            EntryError::whole(entry, "an entry without a host").hint("such as `https://api.example.com`")
        );
    };
    let mut methods = Vec::with_capacity(words.len());
    for word in words {
        let method = method::parse(word)?;
        if methods.contains(&method) {
            return Err(word.error(format!("`{method}` stands twice")).hint("leave one out"));
        }
        methods.push(method);
    }
    let origin = syntax::origin(host)?;
    policy::check(host, &origin.pattern, private)?;
    let scheme = origin.scheme.unwrap_or(Scheme::Https);
    let port = origin.port.unwrap_or(scheme.default_port());
    let range = private.map(|(_, range)| range);
    let text = canonical(&methods, scheme, &origin.pattern, port, range);
    Ok(HostGrant { rule, methods, scheme, pattern: origin.pattern, port, private: range, text })
}

fn private_range(after: Piece<'_>) -> Result<(Piece<'_>, IpNet), EntryError> {
    let usage = "an entry may end in `(private 10.2.0.0/16)` and in nothing else";
    let Some(inside) = after.strip_suffix(")") else {
        return Err(after.error("`(` without `)` at the end of the entry").hint(usage));
    };
    match inside.words().as_slice() {
        [word, range] if word.text == "private" => {
            let net = syntax::network(*range)?;
            policy::check_range(*range, &net)?;
            Ok((*range, net))
        }
        _ => Err(inside.error("expected `private` and a range between the parentheses").hint(usage)),
    }
}

pub(super) fn canonical(
    methods: &[&'static str],
    scheme: Scheme,
    pattern: &HostPattern,
    port: u16,
    private: Option<IpNet>,
) -> String {
    let mut text = String::new();
    for method in methods {
        text.push_str(method);
        text.push(' ');
    }
    let _ = write!(text, "{}://{pattern}", scheme.as_str());
    if port != scheme.default_port() {
        let _ = write!(text, ":{port}");
    }
    if let Some(range) = private {
        let _ = write!(text, " (private {range})");
    }
    text
}
