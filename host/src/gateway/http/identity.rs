//! Whose request it is: the bearer token that it presents.

use axum::http::{HeaderMap, header};

/// The token that a request presents: exactly one `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_and_nothing_else_is_a_token() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(with(&["Bearer abc"]), Some("abc".to_owned()));
        assert_eq!(with(&["bearer abc"]), Some("abc".to_owned()));
        for wrong in [&[][..], &["abc"], &["Basic abc"], &["Bearer abc", "Bearer abc"]] {
            assert_eq!(with(wrong), None, "{wrong:?}");
        }
    }
}
