//! The overseer's place in a request: nothing leaves before it answers, and what it saw is what leaves.

use http::HeaderValue;
use wasmtime_wasi_http::{Error, WasiBody};

use super::super::spool::{SpoolFault, spool, whole};
use super::super::{headers, refusal};
use super::{Body, Call};
use crate::grant::host::Target;
use crate::sandbox::overseer::{Carrier, Content, Effect, Permit};

impl Call {
    /// The whole body, if the overseer inspects such requests. Nothing of it leaves before it answers.
    pub(super) async fn hold_back(
        &self,
        target: &Target,
        parts: &http::request::Parts,
        body: WasiBody,
    ) -> Result<Body, Error> {
        let method = parts.method.as_str();
        let Some(cap) = self.witness.inspects(Carrier::Request { method }) else {
            return Ok(Body::Streaming(body));
        };
        let refused = |denial| Err(self.refuse(&target.to_string(), method, denial));
        // Shown lossily, two such values would look the same to whoever judges.
        if let Some(name) = headers::no_text(&parts.headers) {
            return refused(refusal::header(&self.witness, target, name));
        }
        let most = cap.min(self.skill.network.config.limits.request_body);
        match spool(body, &parts.headers, most).await {
            Ok(bytes) => Ok(Body::Whole(bytes)),
            Err(SpoolFault::Broken(error)) => Err(error),
            Err(SpoolFault::TooLarge) => refused(refusal::not_judged(&self.witness, target, most)),
        }
    }

    /// Asks the overseer; the answer is the body that may leave.
    pub(super) async fn ask(
        &self,
        target: &Target,
        method: &str,
        path: &str,
        headers: &http::HeaderMap,
        body: Body,
    ) -> Result<WasiBody, Error> {
        let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let own = headers.iter().map(|(name, value)| (name.as_str().to_owned(), shown(value)));
        let effect = Effect::Request {
            method: method.to_owned(),
            url: format!("{}{path}", target.origin()),
            headers: own.chain(self.skill.secrets.shown(target)).collect(),
            body: match &body {
                Body::Whole(bytes) => Some(Content(bytes.clone())),
                Body::Streaming(_) => None,
            },
        };
        let permit = self.witness.before_effect(&effect).await;
        match (permit.map_err(|denial| self.refuse(&target.to_string(), method, denial))?, body) {
            (_, Body::Streaming(body)) => Ok(body),
            (Permit::Unchanged, Body::Whole(bytes)) => Ok(whole(bytes)),
            (Permit::Masked(content), Body::Whole(_)) => Ok(whole(content.0)),
        }
    }
}
