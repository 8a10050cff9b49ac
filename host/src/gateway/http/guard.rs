//! Who is talking, before what they say: `Host` and `Origin`.
//!
//! A page in a browser on this machine can send requests to loopback, also under a name of its own that it made resolve
//! here (DNS rebinding). Such a request says another host or another origin than ours, and ends here.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The names by which this listener may be addressed.
#[derive(Debug, Clone)]
pub(crate) struct OwnNames {
    port: u16,
    address: SocketAddr,
    /// `https://gate.example`: where a proxy lets people in to decide, and nowhere else.
    public: Option<String>,
}

impl OwnNames {
    /// Of a listener.
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self { port: address.port(), address, public: None }
    }

    /// The same, with the address under which a proxy forwards the links that decide about approvals.
    pub(crate) fn also(self, public: Option<&str>) -> Self {
        Self { public: public.map(str::to_owned), ..self }
    }

    /// Whether a request for a link came through the proxy: both names are the proxy's.
    fn is_public(&self, path: &str, headers: &HeaderMap) -> bool {
        let Some(public) = self.public.as_deref().filter(|_| path.starts_with("/approvals/")) else {
            return false;
        };
        let one = |name| {
            let mut all = headers.get_all(name).iter();
            all.next().filter(|_| all.next().is_none()).and_then(|one| one.to_str().ok())
        };
        let host = public.split_once("://").map(|(_, host)| host);
        one(header::HOST) == host
            && (!headers.contains_key(header::ORIGIN) || one(header::ORIGIN) == Some(public))
    }

    /// All of them, as `Host` spells them.
    pub(crate) fn all(&self) -> Vec<String> {
        let mut names = vec![self.address.to_string()];
        if self.address.ip().is_loopback() {
            names.extend(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{}", self.port)));
        }
        names
    }

    fn is_host(&self, text: &str) -> bool {
        // A bare name means port 80, on which we are only if told so.
        let with_port = text.parse::<Authority>().is_ok_and(|authority| authority.port().is_some());
        let text = if with_port { text.to_owned() } else { format!("{text}:80") };
        self.all().iter().any(|name| name.eq_ignore_ascii_case(&text))
    }

    fn is_origin(&self, text: &str) -> bool {
        text.strip_prefix("http://").is_some_and(|host| self.is_host(host))
    }

    /// Whether the request may pass.
    fn judge(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let one = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default(),
            _ => return Err((StatusCode::BAD_REQUEST, "a request names one host")),
        };
        if !self.is_host(one) {
            return Err((StatusCode::FORBIDDEN, "this is not the host that the request names"));
        }
        for origin in headers.get_all(header::ORIGIN) {
            if !origin.to_str().is_ok_and(|origin| self.is_origin(origin)) {
                return Err((StatusCode::FORBIDDEN, "pages of other origins may not speak to the gateway"));
            }
        }
        Ok(())
    }
}

/// Lets a request pass that names this listener and comes from no other page.
pub(crate) async fn own_host(State(names): State<OwnNames>, request: Request, next: Next) -> Response {
    if names.is_public(request.uri().path(), request.headers()) {
        return next.run(request).await;
    }
    match names.judge(request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, why)) => (status, why).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: &[&str], origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for host in host {
            headers.append(header::HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        OwnNames::of("127.0.0.1:7685".parse().unwrap()).judge(&headers).is_ok()
    }

    #[test]
    fn only_our_own_names_and_origins_pass() {
        for host in ["127.0.0.1:7685", "localhost:7685", "LOCALHOST:7685", "[::1]:7685"] {
            assert!(judged(&[host], None), "{host}");
            assert!(judged(&[host], Some("http://localhost:7685")), "{host}");
        }
        for host in [
            "evil.test",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:7686",
            "localhost.evil.test:7685",
            "a@localhost:7685",
            "",
        ] {
            assert!(!judged(&[host], None), "{host}");
        }
        assert!(!judged(&[], None) && !judged(&["localhost:7685", "localhost:7685"], None));
        for origin in [
            "http://evil.test",
            "null",
            "https://localhost:7685",
            "http://localhost:7685.evil.test",
            "http://localhost",
        ] {
            assert!(!judged(&["localhost:7685"], Some(origin)), "{origin}");
        }
    }
}
