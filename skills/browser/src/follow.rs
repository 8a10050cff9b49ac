//! Redirects. The rule: each is a new request that the host judges anew, and none leads from `https` to
//! `http`.

use url::Url;
use wasip2::http::types::Method;

use crate::bindings::{Failure, FailureKind};
use crate::request::{Exchange, ask, parse};

/// The most redirects that are followed.
const MOST_REDIRECTS: usize = 5;

/// GETs `url` and what it redirects to; the last URL and its answer.
pub(crate) fn get(url: &str, accept: &str) -> Result<(Url, Exchange), Failure> {
    let mut url = parse(url)?;
    for _ in 0..=MOST_REDIRECTS {
        let exchange = ask(&Method::Get, &url, accept)?;
        match redirect(&url, exchange.status, exchange.header("location"))? {
            Some(next) => url = next,
            None => return Ok((url, exchange)),
        }
    }
    Err(Failure::new(
        FailureKind::Redirect,
        format!("more than {MOST_REDIRECTS} redirects, the last to {url}"),
    ))
}

/// Where an answer sends its asker, if it does.
fn redirect(from: &Url, status: u16, location: Option<&str>) -> Result<Option<Url>, Failure> {
    let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, location) else {
        return Ok(None);
    };
    let refused = |what: &str| {
        let shown = granted::quoted(location);
        Failure::new(FailureKind::Redirect, format!("{from} redirects to {shown}, {what}"))
    };
    let to = from.join(location).map_err(|_| refused("which is no URL"))?;
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(refused("which is not secure"));
    }
    parse(to.as_str()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(from: &str, status: u16, location: &str) -> Result<Option<String>, FailureKind> {
        redirect(&Url::parse(from).unwrap(), status, Some(location))
            .map(|url| url.map(String::from))
            .map_err(|failure| failure.kind)
    }

    #[test]
    fn a_redirect_is_joined_to_where_it_came_from() {
        assert_eq!(to("https://a.example/x/y", 302, "../z?q"), Ok(Some("https://a.example/z?q".into())));
        assert_eq!(to("https://a.example/x", 301, "//b.example/"), Ok(Some("https://b.example/".into())));
        assert_eq!(
            to("http://a.example/x", 308, "https://a.example/x"),
            Ok(Some("https://a.example/x".into()))
        );
    }

    #[test]
    fn a_redirect_out_of_https_is_refused() {
        assert_eq!(to("https://a.example/x", 302, "http://a.example/x"), Err(FailureKind::Redirect));
    }

    #[test]
    fn a_redirect_to_another_scheme_or_a_user_is_refused() {
        assert_eq!(to("http://a.example/x", 302, "file:///etc/passwd"), Err(FailureKind::InvalidUrl));
        assert_eq!(
            to("http://a.example/x", 302, "http://a.example@b.example/"),
            Err(FailureKind::InvalidUrl)
        );
    }

    #[test]
    fn other_statuses_redirect_nowhere() {
        assert_eq!(to("https://a.example/x", 304, "/y"), Ok(None));
        assert_eq!(to("https://a.example/x", 200, "/y"), Ok(None));
    }
}
