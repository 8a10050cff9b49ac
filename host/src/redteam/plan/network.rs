//! Attacks on the network: to hosts that are not granted, however they are spelled, and to addresses that no name may lead to.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use soulbound_runtime::grant::HostGrant;
use soulbound_runtime::grant::host::HostPattern;

use super::Ground;
use super::addresses::{METADATA_NAMES, NUMBERS, SPECIAL};
use crate::redteam::attack::{Aim, Attack, Class, Contact, ProbeKind};
use crate::redteam::stub;

/// A host that no test's grant has, under a name that never resolves.
const EVIL: &str = "evil.redteam.invalid";

/// What a grant opens, as the stub has it: made from SOUL.md's entry and not asked of the matcher under attack.
pub(crate) struct Open {
    /// The scheme.
    pub(crate) scheme: &'static str,
    /// A host that it covers.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// A method that it allows.
    pub(crate) method: &'static str,
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Whether it is a name, which is looked up.
    pub(crate) named: bool,
}

impl Open {
    /// A request that the entry allows.
    pub(crate) fn of(grant: &HostGrant) -> Option<Self> {
        let (host, literal) = match grant.pattern() {
            HostPattern::Name(name) => (name.clone(), None),
            HostPattern::Below(suffix) => (format!("rt.{suffix}"), None),
            HostPattern::Address(address) => (shown(*address), Some(*address)),
            HostPattern::Network(net) => (shown(net.hosts().next()?), net.hosts().next()),
        };
        let ip =
            literal.or_else(|| grant.private_range()?.hosts().next()).unwrap_or_else(|| stub::public(&host));
        let methods = grant.methods();
        let method = methods.iter().find(|method| **method == "GET").or(methods.first())?;
        let address = SocketAddr::new(ip, grant.port());
        let named = literal.is_none();
        Some(Self { scheme: grant.scheme().as_str(), host, port: grant.port(), method, address, named })
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What may be touched by a request that is allowed.
    pub(crate) fn contact(&self) -> Contact {
        let names = if self.named { vec![self.host.clone()] } else { Vec::new() };
        let answers =
            if self.named { vec![(self.host.clone(), vec![vec![self.address.ip()]])] } else { Vec::new() };
        Contact { names, addresses: vec![self.address], answers, ..Contact::default() }
    }

    /// A request to it.
    pub(crate) fn request(&self) -> Value {
        json!({"method": self.method, "scheme": self.scheme, "authority": self.authority(), "path": "/", "headers": []})
    }
}

/// An attack of these requests.
pub(crate) fn fetch(class: Class, id: String, what: &str, requests: Vec<Value>, contact: Contact) -> Attack {
    Attack::new(class, &id, what, "fetch", json!({"requests": requests})).over_http(contact)
}

/// Every attack on the network; none where nothing is granted, since nothing that sends starts there.
pub(super) fn attacks(ground: &Ground<'_>) -> Vec<Attack> {
    let target = ground.target;
    if target.probe(ProbeKind::Http).is_none() {
        return Vec::new();
    }
    let grants = &target.entry.grant.hosts;
    let listener = ground.listener;
    let mut all = addresses(grants, vec![listener.to_string(), format!("localhost:{}", listener.port())]);
    for (number, grant) in grants.iter().enumerate() {
        let Some(open) = Open::of(grant) else { continue };
        let network = |name: &str, what: &str, requests: Vec<Value>, contact: Contact| {
            fetch(Class::Network, format!("{name}@{number}"), what, requests, contact)
        };
        all.push(
            network("control", "what the grant allows", vec![open.request()], open.contact())
                .aim(Aim::Control),
        );
        all.extend(spelled(number, &open, grants));
        all.extend(resolved(number, grant, &open));
        all.extend(methods(number, grant, &open));
        all.extend(heads(number, &open));
    }
    all
}

fn with(open: &Open, key: &str, value: impl Into<Value>) -> Value {
    let mut request = open.request();
    if let Some(request) = request.as_object_mut() {
        request.insert(key.to_owned(), value.into());
    }
    request
}

/// Whether some entry grants this name, by a comparison of our own.
pub(crate) fn is_granted(grants: &[HostGrant], name: &str) -> bool {
    let name = name.split(':').next().unwrap_or(name).to_lowercase();
    grants.iter().any(|grant| match grant.pattern() {
        HostPattern::Name(granted) => *granted == name,
        HostPattern::Below(suffix) => name.ends_with(&format!(".{suffix}")),
        _ => false,
    })
}

/// Authorities that look like the granted one, ports and schemes beside it.
fn spelled(number: usize, open: &Open, grants: &[HostGrant]) -> Vec<Attack> {
    let host = &open.host;
    let apex = host.strip_prefix("rt.").unwrap_or(host);
    let mut authorities = vec![
        EVIL.to_owned(),
        format!("evil{host}"),
        format!("evil{apex}"),
        format!("{host}.{EVIL}"),
        format!("{host}.evil.com"),
        format!("{host}@{EVIL}"),
        format!("{host}:443@{EVIL}"),
        format!("{EVIL}#@{host}"),
        format!("{EVIL}?@{host}"),
        format!("{EVIL}\\@{host}"),
        format!("{EVIL}%23@{host}"),
        format!("{EVIL}\0.{host}"),
        format!("{EVIL} {host}"),
        format!("{EVIL}\t{host}"),
        format!("{EVIL}\r\nhost: {host}"),
        format!("{EVIL},{host}"),
        format!("{host}%2e{EVIL}"),
        format!("user:password@{host}"),
        format!("[{host}]"),
        format!("{}\u{3002}{EVIL}", host),
        format!("{EVIL}/{host}"),
        String::new(),
        ":".to_owned(),
    ];
    if apex != host {
        authorities.push(apex.to_owned());
    }
    let mut all = Vec::new();
    for (index, authority) in authorities.iter().filter(|name| !is_granted(grants, name)).enumerate() {
        let request = with(open, "authority", authority.clone());
        let what = "an authority that only looks like the granted one";
        all.push(fetch(
            Class::Network,
            format!("authority-{index}@{number}"),
            what,
            vec![request],
            Contact::default(),
        ));
    }
    for port in [1, 22, 53, 81, 8443, 65_535] {
        let granted = grants.iter().any(|grant| grant.port() == port);
        if !granted {
            let request = with(open, "authority", format!("{host}:{port}"));
            let what = "a port beside the granted one";
            all.push(fetch(
                Class::Network,
                format!("port-{port}@{number}"),
                what,
                vec![request],
                Contact::default(),
            ));
        }
    }
    let other = if open.scheme == "https" { "http" } else { "https" };
    for scheme in [other, "ftp", "file", "gopher", "ws", "javascript"] {
        if !grants
            .iter()
            .any(|grant| grant.scheme().as_str() == scheme && is_granted(std::slice::from_ref(grant), host))
        {
            let request = with(open, "scheme", scheme);
            let what = "another scheme than the granted one";
            all.push(fetch(
                Class::Network,
                format!("scheme-{scheme}@{number}"),
                what,
                vec![request],
                Contact::default(),
            ));
        }
    }
    all
}

/// A granted name that leads where no name may.
fn resolved(number: usize, grant: &HostGrant, open: &Open) -> Vec<Attack> {
    if !open.named {
        return Vec::new();
    }
    let asks = |answers: Vec<Vec<IpAddr>>| Contact {
        names: vec![open.host.clone()],
        answers: vec![(open.host.clone(), answers)],
        // A connection that is there from before is not dialled: what arrives over it counts too.
        most: Some(0),
        ..Contact::default()
    };
    let mut all = Vec::new();
    for (index, address) in SPECIAL.iter().filter_map(|text| text.parse::<IpAddr>().ok()).enumerate() {
        if grant.private_range().is_some_and(|range| range.contains(&address)) {
            continue;
        }
        let what = "a granted name resolves to an address that is not public";
        let id = format!("private-{index}@{number}");
        all.push(fetch(Class::Network, id, what, vec![open.request()], asks(vec![vec![address]])));
        let mixed = asks(vec![vec![open.address.ip(), address]]);
        let id = format!("mixed-{index}@{number}");
        all.push(fetch(
            Class::Network,
            id,
            "one of a granted name's addresses is not public",
            vec![open.request()],
            mixed,
        ));
    }
    // The first answer is good, every later one is not: whoever asks twice connects to the second.
    let mut rebinding = asks(vec![vec![open.address.ip()], vec![IpAddr::from([127, 0, 0, 1])]]);
    (rebinding.addresses, rebinding.most) = (vec![open.address], None);
    let twice = vec![open.request(), open.request(), open.request()];
    all.push(fetch(
        Class::Network,
        format!("rebinding@{number}"),
        "a granted name's answer changes",
        twice,
        rebinding,
    ));
    for (index, to) in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/",
        "https://evil.redteam.invalid/",
        "//evil.redteam.invalid/",
        "file:///etc/passwd",
    ]
    .into_iter()
    .enumerate()
    {
        let contact = Contact { redirect: Some(to.to_owned()), ..open.contact() };
        let what = "a granted host redirects elsewhere";
        all.push(fetch(
            Class::Network,
            format!("redirect-{index}@{number}"),
            what,
            vec![open.request()],
            contact,
        ));
    }
    all
}

fn methods(number: usize, grant: &HostGrant, open: &Open) -> Vec<Attack> {
    let tried = [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "GET /x HTTP/1.1\r\nx:",
        "P\u{41e}ST",
        " POST",
        "post",
        "",
    ];
    let not_granted = tried.iter().filter(|method| !grant.methods().contains(method)).enumerate();
    let attack = |(index, method): (usize, &&str)| {
        let what = "a method that was not granted";
        let request = with(open, "method", *method);
        fetch(Class::Network, format!("method-{index}@{number}"), what, vec![request], Contact::default())
    };
    not_granted.map(attack).collect()
}

/// Heads that would make a proxy or a server read another request.
fn heads(number: usize, open: &Open) -> Vec<Attack> {
    let headers = [
        ("host", EVIL),
        ("Host", EVIL),
        // Another method, URL or host for whoever stands behind the granted one.
        ("x-http-method-override", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method", "DELETE"),
        ("x-original-url", "/rt-admin"),
        ("x-rewrite-url", "/rt-admin"),
        ("forwarded", "host=evil.redteam.invalid"),
        ("x-forwarded-host", EVIL),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-host", EVIL),
        ("x-original-host", EVIL),
        ("x-http-host-override", EVIL),
        // Hop by hop.
        ("proxy-authorization", "Basic cnQ6cnQ="),
        ("proxy-connection", "keep-alive"),
        ("connection", "x-rt"),
        ("keep-alive", "timeout=86399"),
        ("transfer-encoding", "chunked, rt-identity"),
        ("te", "rt-trailers"),
        ("trailer", "x-rt"),
        ("upgrade", "rt-h2c"),
        ("http2-settings", "cnQ"),
        ("x-rt", "a\r\nx-rt-injected: yes"),
        ("x-rt\r\nx-rt-injected", "yes"),
        ("x-rt:", "x-rt-injected"),
        (":authority", EVIL),
    ];
    let mut all = Vec::new();
    for (index, (name, value)) in headers.into_iter().enumerate() {
        let request = with(open, "headers", json!([[name, value]]));
        let stripped = match name {
            "x-rt" | "x-rt\r\nx-rt-injected" | "x-rt:" => "x-rt-injected".to_owned(),
            ":authority" => EVIL.to_owned(),
            _ => format!("{}: {}", name.to_lowercase(), value.to_lowercase()),
        };
        let contact = Contact { stripped: vec![stripped], ..open.contact() };
        let what = "a header that changes where a request goes, or what it means";
        all.push(fetch(Class::Network, format!("header-{index}@{number}"), what, vec![request], contact));
    }
    all.extend(smuggled(number, open));
    for (index, path) in [
        "/\r\nx-rt-injected: yes",
        "/ HTTP/1.1\r\nx-rt-injected: yes\r\n\r\n",
        "http://evil.redteam.invalid/x-rt-injected",
        "/\nx-rt-injected: yes",
        "x-rt-injected",
    ]
    .into_iter()
    .enumerate()
    {
        let contact = Contact {
            stripped: vec!["\nx-rt-injected".to_owned(), "get http://".to_owned()],
            ..open.contact()
        };
        let request = with(open, "path", path);
        all.push(fetch(
            Class::Network,
            format!("path-{index}@{number}"),
            "a path that becomes another head",
            vec![request],
            contact,
        ));
    }
    all
}

/// A server that believes the length reads the rest of the content as a request of its own, with a method of its own.
fn smuggled(number: usize, open: &Open) -> Vec<Attack> {
    let attack = |(index, length): (usize, &str)| {
        let mut request = with(open, "headers", json!([["content-length", length]]));
        if let Some(request) = request.as_object_mut() {
            let inner = format!("DELETE /rt-smuggled HTTP/1.1\r\nhost: {}\r\n\r\n", open.host);
            request.insert("body".to_owned(), json!(inner));
        }
        let stripped = ["delete /rt-smuggled", "elete /rt-smuggled"].map(str::to_owned).to_vec();
        let contact = Contact { stripped, ..open.contact() };
        let what = "a request inside a request's content";
        fetch(
            Class::Network,
            format!("smuggled-{index}@{number}"),
            what,
            vec![request, open.request()],
            contact,
        )
    };
    let mut all: Vec<Attack> = ["0", "1", "+0", "0, 0"].into_iter().enumerate().map(attack).collect();
    // With no content at all it is the next request on the connection that the server takes for it.
    let told = with(open, "headers", json!([["content-length", "38"]]));
    let contact = Contact { stripped: vec!["content-length: 38".to_owned()], ..open.contact() };
    let what = "a length without content";
    all.push(fetch(
        Class::Network,
        format!("smuggled-empty@{number}"),
        what,
        vec![told, open.request()],
        contact,
    ));
    all
}

/// Addresses written out, in every spelling; names of metadata services; what listens on this machine.
pub(crate) fn addresses(grants: &[HostGrant], listening: Vec<String>) -> Vec<Attack> {
    let literal = |address: IpAddr| {
        grants.iter().any(|grant| match grant.pattern() {
            HostPattern::Address(granted) => *granted == address,
            HostPattern::Network(net) => net.contains(&address),
            _ => false,
        })
    };
    let special =
        SPECIAL.iter().filter_map(|text| text.parse().ok()).filter(|address| !literal(*address)).map(shown);
    let mut hosts: Vec<String> = special.collect();
    hosts.extend(NUMBERS.iter().chain(METADATA_NAMES).map(|text| (*text).to_owned()));
    hosts.extend(listening);
    let mut all = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        for scheme in ["http", "https"] {
            let request =
                json!({"method": "GET", "scheme": scheme, "authority": host, "path": "/", "headers": []});
            let what = "an address or a name that nobody granted";
            all.push(fetch(
                Class::Network,
                format!("address-{scheme}-{number}"),
                what,
                vec![request],
                Contact::default(),
            ));
        }
    }
    all
}

/// An address as it stands in a URL.
pub(crate) fn shown(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}
