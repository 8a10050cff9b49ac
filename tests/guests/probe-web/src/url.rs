//! A URL cut into its parts. The rule: no part is judged or put right, so that the host gets it as it was
//! written.

use crate::send::Parts;

/// Scheme, authority and the rest of `url`.
pub(crate) fn parts(url: &str) -> Parts {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_owned()), rest),
        None => (None, url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = if path.is_empty() { "/" } else { path };
    Parts { scheme, authority: Some(authority.to_owned()), path: Some(path.to_owned()) }
}
