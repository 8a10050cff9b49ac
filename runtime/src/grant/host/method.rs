//! The HTTP methods that an entry may name: IANA's registry without `CONNECT` and `TRACE`.
//!
//! A closed list, since a misspelled method would be parsed and never match. `CONNECT` would make a tunnel of
//! which the host sees nothing, `TRACE` reflects what the host adds to a request: neither can be granted.

use super::piece::Piece;
use crate::grant::EntryError;

const KNOWN: &[&str] = &[
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// Reads one method.
pub(super) fn parse(word: Piece<'_>) -> Result<&'static str, EntryError> {
    if let Some(known) = KNOWN.iter().find(|known| **known == word.text) {
        return Ok(known);
    }
    let upper = word.text.to_ascii_uppercase();
    if upper == "CONNECT" || upper == "TRACE" {
        return Err(word.error(format!("`{upper}` can't be granted")).hint("leave it out"));
    }
    let nearest = KNOWN
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, &upper), known))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    let error =
        word.error(format!("expected an HTTP method, found {}", crate::visible::quoted(word.text, 32)));
    Err(match nearest {
        Some((_, known)) => error.hint(format!("did you mean `{known}`? hosts are separated by commas")),
        None => error.hint(
            "an entry is `[METHOD …] [scheme://]host[:port] [(private RANGE)]`; entries are separated by commas",
        ),
    })
}
