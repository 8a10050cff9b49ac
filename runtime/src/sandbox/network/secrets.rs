//! Secrets on the way out: which requests carry which, and what that means for the rest of the request and its answer.
//!
//! They are added after the overseer was asked, which hears only their names, and to requests for the very origin that
//! SOUL.md and the operator both name, over TLS. Each request is matched anew, so one that a guest makes because of a
//! redirect carries nothing to another host. The guest cannot set such a header there itself: what the host adds is never
//! mixed with what the guest wrote. A secret's bytes are not charged to the skill's egress: they are the operator's, and
//! what is left of a budget would tell how long they are.
//!
//! Connections of a skill are kept for later requests to the same origin. All of those carry the secret or none is sent, so
//! nothing is mixed that way either.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use wasmtime_wasi_http::Error;

use super::{headers, refusal};
use crate::denial::Denial;
use crate::grant::SecretGrant;
use crate::grant::host::Target;
use crate::sandbox::secret::{Masking, Secret, SecretRefusal, SecretSource};
use crate::sandbox::witness::Witness;

/// The secrets of one bound skill.
#[derive(Default)]
pub(crate) struct SkillSecrets {
    agent: String,
    grants: Vec<SecretGrant>,
    source: Option<Arc<dyn SecretSource>>,
}

/// A header that the host adds.
pub(super) struct Carried {
    name: String,
    header: HeaderName,
    value: HeaderValue,
    pub(super) secret: Arc<Secret>,
}

impl SkillSecrets {
    /// Of this agent's skill. Without a source, every request that would carry one is refused.
    pub(crate) fn new(agent: &str, grants: &[SecretGrant], source: Option<Arc<dyn SecretSource>>) -> Self {
        Self { agent: agent.to_owned(), grants: grants.to_vec(), source }
    }

    fn of(&self, target: &Target) -> impl Iterator<Item = &SecretGrant> {
        self.grants.iter().filter(move |grant| grant.is_for(target))
    }

    /// A header of the guest's own that is a secret's there, in whatever spelling a server takes for it.
    pub(super) fn check(&self, witness: &Witness, target: &Target, sent: &HeaderMap) -> Result<(), Denial> {
        let is_set = |grant: &&SecretGrant| {
            let own = grant.header.replace('_', "-");
            sent.keys().any(|name| headers::folded(name) == own)
        };
        match self.of(target).find(is_set) {
            Some(grant) => Err(refusal::secret_header(witness, target, grant)),
            None => Ok(()),
        }
    }

    /// What an overseer is shown of what will be added: header and name. No guest can write such a header itself there.
    pub(super) fn shown(&self, target: &Target) -> impl Iterator<Item = (String, String)> {
        self.of(target).map(|grant| {
            (grant.header.clone(), grant.template.replacen("{}", &format!("[secret {}]", grant.name), 1))
        })
    }

    /// The values as they are now. One that is missing refuses the request: it never leaves without.
    pub(super) fn find(&self, witness: &Witness, target: &Target) -> Result<Vec<Carried>, Denial> {
        let carried = |grant: &SecretGrant| {
            let refuse = |why| refusal::no_secret(witness, target, grant, (&self.agent, why));
            let source = self.source.as_ref().ok_or_else(|| refuse(None))?;
            let secret = source.find(&self.agent, &grant.name, target).map_err(|why| refuse(Some(why)))?;
            let text = zeroize::Zeroizing::new(grant.template.replacen("{}", secret.reveal(), 1));
            let header = HeaderName::try_from(&grant.header);
            let (Ok(header), Ok(mut value)) = (header, HeaderValue::try_from(text.as_str())) else {
                let why = "its value does not fit into a header; set it again".to_owned();
                return Err(refuse(Some(SecretRefusal::Unreadable(why))));
            };
            // Nothing that shows headers shows this one.
            value.set_sensitive(true);
            Ok(Carried { name: grant.name.clone(), header, value, secret })
        };
        self.of(target).map(carried).collect()
    }

    /// Adds them, and asks for an answer in which an echo can be seen: the whole of it, as it is.
    pub(super) fn add(&self, carried: &[Carried], headers: &mut HeaderMap) {
        if carried.is_empty() {
            return;
        }
        headers.remove(header::RANGE);
        headers.remove(header::IF_RANGE);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for one in carried {
            headers.insert(one.header.clone(), one.value.clone());
            if let Some(source) = &self.source {
                source.used(&self.agent, &one.name);
            }
        }
    }

    /// All values of the skill's that can be had, for masking.
    pub(super) fn known(&self) -> Vec<Arc<Secret>> {
        let find = |grant: &SecretGrant| {
            let target = Target::from_url(&grant.origin()).ok()?;
            self.source.as_ref()?.find(&self.agent, &grant.name, &target).ok()
        };
        self.grants.iter().filter_map(find).collect()
    }
}

/// Refuses an answer to such a request that is encoded although nobody asked for it.
pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), Error> {
    let plain = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .all(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    if plain(header::CONTENT_ENCODING, "identity") && plain(header::TRANSFER_ENCODING, "chunked") {
        return Ok(());
    }
    Err(Error::HttpResponseContentCoding(None))
}

/// Masks echoes in an answer's headers. One whose very name is an echo is left out.
pub(super) fn mask_headers(secrets: &[Arc<Secret>], headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in names {
        if crate::sandbox::secret::hides(secrets, name.as_str()) {
            headers.remove(&name);
        }
    }
    for value in headers.values_mut() {
        let mut masking = Masking::of(secrets.to_vec());
        let masked = [masking.push(value.as_bytes()), masking.finish()].concat();
        if masked != value.as_bytes()
            && let Ok(masked) = HeaderValue::from_bytes(&masked)
        {
            *value = masked;
        }
    }
}

impl fmt::Debug for SkillSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.grants.iter().map(|grant| grant.name.as_str()).collect();
        formatter.debug_struct("SkillSecrets").field("names", &names).finish_non_exhaustive()
    }
}
