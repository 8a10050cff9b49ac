//! One call's requests: the path that every request takes, readable from top to bottom in [`Call::send`].

mod judged;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use super::attempt::Attempt;
use super::connection::{Connection, dns_error};
use super::decide::decide;
use super::masked_body::MaskedBody;
use super::pool::{Lease, Origin};
use super::request_body::{Cut, CutCell, RequestBody};
use super::response_body::ResponseBody;
use super::secrets::{self, Carried};
use super::{EgressBudget, NetworkLimits, SkillNetwork, headers, refusal};
use crate::denial::{Denial, RuleRef};
use crate::grant::address::{OwnAddresses, judge};
use crate::grant::host::{HostGrant, Target, TargetHost};
use crate::sandbox::overseer::AccessKind;
use crate::sandbox::secret::Secret;
use crate::sandbox::witness::Witness;

/// Answers of one lookup that are judged; the rest are as if they were not there.
const MOST_ANSWERS: usize = 64;
/// The longest method that is looked at, in bytes. The registry's longest has 17.
const METHOD_BYTES: usize = 32;
/// Answers that are tried.
const MOST_TRIED: usize = 4;
/// How much of an outgoing body the host takes over from the guest at once (wasmtime's default is 1 MiB).
pub(crate) const CHUNK: usize = 64 << 10;

/// The `wasi:http` of one call.
pub(crate) struct CallNetwork(Arc<Call>);

struct Call {
    skill: Arc<SkillNetwork>,
    witness: Arc<Witness>,
    egress: Option<EgressBudget>,
    requests: AtomicU64,
    open: Arc<Semaphore>,
    /// What this call's requests have carried: looked for in every answer from then on, also when it was changed meanwhile.
    sent: Mutex<Vec<Arc<Secret>>>,
}

/// A request's body before the overseer was asked.
enum Body {
    /// As the guest produces it.
    Streaming(WasiBody),
    /// All of it.
    Whole(Bytes),
}

/// What a request has left of its guest's and our timeouts.
struct Timeouts {
    connect: Instant,
    first_byte: Duration,
    between_bytes: Duration,
}

impl CallNetwork {
    /// The network of one call of a skill. `egress` is asked before bytes leave.
    pub(crate) fn new(skill: Arc<SkillNetwork>, witness: Arc<Witness>, egress: Option<EgressBudget>) -> Self {
        let open = Arc::new(Semaphore::new(skill.network.config.limits.concurrent));
        let (requests, sent) = (AtomicU64::new(0), Mutex::default());
        Self(Arc::new(Call { skill, witness, egress, requests, open, sent }))
    }

    /// Sends one request, or refuses it.
    pub(crate) fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> impl Future<Output = Result<Response<WasiBody>, Error>> + Send + use<> {
        let call = Arc::clone(&self.0);
        async move { call.send(request, options.unwrap_or_default()).await }
    }
}

impl WasiHttpHooks for CallNetwork {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        headers::filter()
    }

    /// The `Host` header is written here, from the target that was matched.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<
        dyn Future<
                Output = Result<
                    (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>),
                    Error,
                >,
            > + Send,
    > {
        let response = self.send(request, options);
        // The connection's driver goes with the response's body, so there is nothing left to drive.
        let driver: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(std::future::ready(Ok(())));
        Box::new(async move { Ok((response.await?, driver)) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}

impl Call {
    async fn send(
        self: Arc<Self>,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        let (parts, body) = request.into_parts();
        self.count_request(&parts)?;
        let method = parts.method.as_str().to_owned();
        let target = self.read_target(&parts.uri, &method)?;
        let entry = self.check(&target, &method, &parts)?;
        let path = self.read_path(&parts.uri, &target, &method)?;
        self.check_length(&target, &method, &parts, &body)?;
        let slot = self.count(&target, &method)?;
        // Before anybody is asked: what could not leave anyway bothers nobody.
        self.secrets(&target, &method)?;
        let body = self.hold_back(&target, &parts, body).await?;
        let body = self.ask(&target, &method, &path, &parts.headers, body).await?;

        let attempt = Attempt::begin(Arc::clone(&self.witness), target.to_string(), method);
        let (mut request, cut) = match self.build(parts, body, &target, &path) {
            Ok(built) => built,
            Err((denial, error)) => {
                attempt.refuse(denial);
                return Err(error);
            }
        };
        let timeouts = Timeouts::of(&self.skill.network.config.limits, options);
        let found = self.resolve(&target, timeouts.connect).await?;
        let addresses = match self.judge(&target, entry, &found)? {
            Ok(addresses) => addresses,
            Err(denial) => {
                attempt.refuse(denial);
                return Err(Error::DestinationIpProhibited);
            }
        };
        // Again, and only now: waiting for a person or a lookup may have taken minutes, and the value may be another or gone.
        let carried = match self.skill.secrets.find(&self.witness, &target) {
            Ok(carried) => carried,
            Err(denial) => {
                attempt.refuse(denial);
                return Err(Error::HttpRequestDenied);
            }
        };
        attempt.allow();
        self.skill.secrets.add(&carried, request.headers_mut());
        self.remember(&carried);

        let (response, lease) = self.exchange(request, &target, &addresses, &timeouts, &cut).await?;
        if !carried.is_empty()
            && let Err(error) = secrets::check_encoding(response.headers())
        {
            self.witness.limit(refusal::encoded(&self.witness, &target));
            return Err(error);
        }
        self.receive(response, lease, slot, timeouts.between_bytes)
    }

    /// First of all: how many, refused ones too, and no method that is longer than one is. A guest may name a method of
    /// megabytes, and each record would keep it.
    fn count_request(&self, parts: &http::request::Parts) -> Result<(), Error> {
        let limits = &self.skill.network.config.limits;
        let method = parts.method.as_str();
        let long = method.len() > METHOD_BYTES;
        let method = method.get(..METHOD_BYTES.min(method.len())).unwrap_or_default();
        let shown = parts.uri.authority().map(|authority| format!("//{authority}")).unwrap_or_default();
        if self.requests.fetch_add(1, Ordering::Relaxed) >= limits.requests_per_call {
            let denial = refusal::too_many(&self.witness, "in one call", limits.requests_per_call);
            let _ = self.refuse(&shown, method, denial);
            return Err(Error::ConnectionLimitReached);
        }
        if long {
            return Err(self.refuse(&shown, method, refusal::long_method(&self.witness, METHOD_BYTES)));
        }
        Ok(())
    }

    /// Whatever is refused before the overseer was asked.
    fn refuse(&self, shown: &str, method: &str, denial: Denial) -> Error {
        self.witness.denied(AccessKind::Host, shown, method, denial);
        Error::HttpRequestDenied
    }

    fn read_target(&self, uri: &Uri, method: &str) -> Result<Target, Error> {
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        Target::from_parts(scheme, authority).map_err(|why| {
            let shown = format!("{scheme}://{authority}");
            let denial = refusal::malformed(&self.witness, &shown, self.first_rule(), why);
            self.refuse(&shown, method, denial)
        })
    }

    fn first_rule(&self) -> Option<&RuleRef> {
        self.skill.grants.first().map(HostGrant::rule)
    }

    /// The operator's ceiling, then the grant with its methods, then headers that would mean another request.
    fn check(
        &self,
        target: &Target,
        method: &str,
        parts: &http::request::Parts,
    ) -> Result<&HostGrant, Error> {
        let ceiling = &self.skill.network.config.ceiling;
        let denial = match decide(ceiling, &self.skill.grants, method, target, &self.witness) {
            Err(denial) => denial,
            Ok(entry) => match parts.headers.keys().find(|name| headers::is_forbidden(name)) {
                Some(name) => refusal::header(&self.witness, target, name),
                None => match self.skill.secrets.check(&self.witness, target, &parts.headers) {
                    Err(denial) => denial,
                    Ok(()) => return Ok(entry),
                },
            },
        };
        Err(self.refuse(&target.to_string(), method, denial))
    }

    /// A length that is not the body's would make another request of what follows.
    fn check_length(
        &self,
        target: &Target,
        method: &str,
        parts: &http::request::Parts,
        body: &WasiBody,
    ) -> Result<(), Error> {
        if headers::tells_its_length(&parts.headers, body) {
            return Ok(());
        }
        let denial = refusal::header(&self.witness, target, &header::CONTENT_LENGTH);
        let _ = self.refuse(&target.to_string(), method, denial);
        Err(Error::HttpRequestBodySize(body.size_hint().exact()))
    }

    /// The path and query, which stand in the request line as they are. An absolute URL there would address
    /// the request to another host behind the same server (GHSA-5qpp).
    fn read_path(&self, uri: &Uri, target: &Target, method: &str) -> Result<String, Error> {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{}{query}", if uri.path().is_empty() { "/" } else { uri.path() });
        if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(path);
        }
        Err(self.refuse(&target.to_string(), method, refusal::bad_path(&self.witness, target)))
    }

    fn count(&self, target: &Target, method: &str) -> Result<OwnedSemaphorePermit, Error> {
        let limits = &self.skill.network.config.limits;
        let denial = match Arc::clone(&self.open).try_acquire_owned() {
            Ok(slot) => return Ok(slot),
            Err(_) => refusal::too_many(&self.witness, "at once", limits.concurrent as u64),
        };
        let _ = self.refuse(&target.to_string(), method, denial);
        Err(Error::ConnectionLimitReached)
    }

    /// What the request would carry, as of now; kept by nobody.
    fn secrets(&self, target: &Target, method: &str) -> Result<(), Error> {
        let found = self.skill.secrets.find(&self.witness, target);
        found.map(drop).map_err(|denial| self.refuse(&target.to_string(), method, denial))
    }

    fn remember(&self, carried: &[Carried]) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for one in carried {
            if !sent.iter().any(|known| Arc::ptr_eq(known, &one.secret)) {
                sent.push(Arc::clone(&one.secret));
            }
        }
    }

    /// What is masked in an answer: all secrets of the skill, and what the call has sent.
    fn echoes(&self) -> Vec<Arc<Secret>> {
        let mut known = self.skill.secrets.known();
        known.extend(self.sent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        known
    }

    /// The request as it goes over the wire, weighed and charged. Charged before the lookup: a name carries
    /// bytes too.
    fn build(
        &self,
        parts: http::request::Parts,
        body: WasiBody,
        target: &Target,
        path: &str,
    ) -> Result<(Request<RequestBody>, CutCell), (Denial, Error)> {
        let limits = &self.skill.network.config.limits;
        let host = target.authority();
        let head =
            parts.method.as_str().len() + path.len() + host.len() + headers::bytes(&parts.headers) + 22;
        if head > limits.headers {
            let denial = refusal::too_large(&self.witness, "request head", limits.headers as u64);
            return Err((denial, Error::HttpRequestHeaderSectionSize(u32::try_from(limits.headers).ok())));
        }
        if let Some(budget) = &self.egress {
            budget(head as u64).map_err(|denial| (denial, Error::HttpRequestDenied))?;
        }
        let malformed = || (refusal::bad_path(&self.witness, target), Error::HttpRequestUriInvalid);
        let cut = CutCell::default();
        let mut request = Request::new(RequestBody {
            inner: body,
            left: limits.request_body,
            limit: limits.request_body,
            budget: self.egress.clone(),
            witness: Arc::clone(&self.witness),
            cut: Arc::clone(&cut),
        });
        *request.method_mut() = parts.method;
        *request.uri_mut() = path.parse().map_err(|_| malformed())?;
        *request.headers_mut() = parts.headers;
        let host = HeaderValue::try_from(host).map_err(|_| malformed())?;
        request.headers_mut().insert(header::HOST, host);
        Ok((request, cut))
    }

    /// The one lookup.
    async fn resolve(&self, target: &Target, deadline: Instant) -> Result<Vec<IpAddr>, Error> {
        let name = match &target.host {
            TargetHost::Address(address) => return Ok(vec![*address]),
            TargetHost::Name(name) => name.clone(),
        };
        let lookups = Arc::clone(&self.skill.lookups);
        let resolver = Arc::clone(&self.skill.network.config.resolver);
        let lookup = async move {
            let slot = lookups.acquire_owned().await.map_err(std::io::Error::other)?;
            // Detached, so that the slot stays taken until the lookup is over, even if the caller is not
            // there any more.
            let lookup = tokio::spawn(async move {
                let found = resolver.resolve(&name).await;
                drop(slot);
                found
            });
            lookup.await.map_err(std::io::Error::other)?
        };
        match timeout_at(deadline, lookup).await {
            Err(_) => Err(Error::DnsTimeout),
            Ok(Err(_)) => Err(dns_error()),
            Ok(Ok(found)) if found.is_empty() => Err(dns_error()),
            Ok(Ok(found)) => Ok(found),
        }
    }

    /// Judges every answer. One bad answer among good ones refuses all: a mixed answer is how rebinding
    /// looks.
    fn judge(
        &self,
        target: &Target,
        entry: &HostGrant,
        found: &[IpAddr],
    ) -> Result<Result<Vec<SocketAddr>, Denial>, Error> {
        let config = &self.skill.network.config;
        // Without the list of our own addresses nothing can be judged, and nothing connects.
        let own = OwnAddresses::now(&config.own_listeners).map_err(|_| Error::InternalError(None))?;
        let mut judged = Vec::with_capacity(MOST_TRIED);
        for address in found.iter().take(MOST_ANSWERS) {
            let socket = SocketAddr::new(*address, target.port);
            if let Err(why) = judge(socket, entry, &own) {
                return Ok(Err(refusal::address(&self.witness, target, entry, *address, why)));
            }
            if let Err(why) = config.ceiling.permits_address(target, *address) {
                return Ok(Err(refusal::ceiling(&self.witness, target, why)));
            }
            if judged.len() < MOST_TRIED {
                judged.push(socket);
            }
        }
        Ok(Ok(judged))
    }

    /// Sends the request over an idle connection of the same origin or a new one, and waits for the
    /// response's head.
    async fn exchange(
        &self,
        mut request: Request<RequestBody>,
        target: &Target,
        addresses: &[SocketAddr],
        timeouts: &Timeouts,
        cut: &CutCell,
    ) -> Result<(Response<Incoming>, Lease), Error> {
        loop {
            let idle = self.skill.pool.take(target, addresses).await;
            let is_reused = idle.is_some();
            let mut lease = match idle {
                Some(lease) => lease,
                None => self.connect(target, addresses, timeouts.connect).await?,
            };
            match timeout(timeouts.first_byte, lease.connection.send(request)).await {
                Err(_) => return Err(Error::ConnectionReadTimeout),
                Ok(Ok(response)) => return Ok((response, lease)),
                // The server closed the idle connection before a byte of the request was sent.
                Ok(Err((_, Some(unsent)))) if is_reused => request = unsent,
                Ok(Err((error, _))) => {
                    return Err(match cut.get() {
                        Some(Cut::TooLarge) => {
                            Error::HttpRequestBodySize(Some(self.skill.network.config.limits.request_body))
                        }
                        Some(Cut::Budget) => Error::HttpRequestDenied,
                        None => response_error(&error),
                    });
                }
            }
        }
    }

    async fn connect(
        &self,
        target: &Target,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<Lease, Error> {
        let (connection, address) =
            Connection::open(&self.skill.network, target, addresses, deadline).await?;
        let origin = Origin { target: target.clone(), address };
        Ok(Lease { connection, origin, pool: Arc::clone(&self.skill.pool) })
    }

    fn receive(
        &self,
        response: Response<Incoming>,
        lease: Lease,
        slot: OwnedSemaphorePermit,
        quiet: Duration,
    ) -> Result<Response<WasiBody>, Error> {
        // No guest can ask for an upgrade, so a server that grants one is broken or worse.
        if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::HttpUpgradeFailed);
        }
        let limit = self.skill.network.config.limits.response_body;
        if response.body().size_hint().exact().is_some_and(|length| length > limit) {
            self.witness.limit(refusal::too_large(&self.witness, "response", limit));
            return Err(Error::HttpResponseBodySize(Some(limit)));
        }
        let echoes = self.echoes();
        let (mut parts, incoming) = response.into_parts();
        secrets::mask_headers(&echoes, &mut parts.headers);
        let body = ResponseBody::new(incoming, limit, quiet, (lease, slot), Arc::clone(&self.witness));
        let body = if echoes.is_empty() {
            body.boxed_unsync()
        } else {
            MaskedBody::new(body, echoes).boxed_unsync()
        };
        Ok(Response::from_parts(parts, body))
    }
}

impl Timeouts {
    fn of(limits: &NetworkLimits, guest: RequestOptions) -> Self {
        let shorter = |own: Duration, guest: Option<Duration>| guest.map_or(own, |guest| guest.min(own));
        Self {
            connect: Instant::now() + shorter(limits.connect_timeout, guest.connect_timeout),
            first_byte: shorter(limits.first_byte_timeout, guest.first_byte_timeout),
            between_bytes: shorter(limits.first_byte_timeout, guest.between_bytes_timeout),
        }
    }
}

/// What a broken exchange is to the guest.
pub(super) fn response_error(error: &hyper::Error) -> Error {
    if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_parse() {
        Error::HttpProtocolError
    } else if error.is_incomplete_message() {
        Error::HttpResponseIncomplete
    } else {
        Error::ConnectionTerminated
    }
}
