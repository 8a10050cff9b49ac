//! The limit on what leaves over time, attacked by itself: everywhere else it is lifted. The skill's own where it can be used
//! up in a moment, a small one in its place otherwise.
//!
//! What counts is what arrived: bytes of heads and of content at the server, and letters of names that were looked up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use soulbound_runtime::grant::HostGrant;
use soulbound_runtime::grant::host::HostPattern;
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::{AgentIdentity, BoundSkill};

use super::attack::{Attack, Class, Contact, ProbeKind};
use super::oracle::{self, Verdict};
use super::plan::network::Open;
use super::probe::{self, Probes, Target};
use super::report::Finding;
use super::strike::Ear;
use super::stub::Traffic;

/// A limit of more bytes than this is not used up here: many small requests and names have no more than twice as many.
const MOST: u64 = 8 << 10;
/// What stands for it then.
const FEW: Rate = Rate { amount: 4 << 10, per: Duration::from_secs(3_600) };
/// Calls of each way, with so many requests at most.
const CALLS: usize = 3;
const REQUESTS: usize = 90;
/// What the host writes around content: how long it is, and where its chunks end. Nothing else is added to what was charged.
const FRAME: u64 = 64;

/// A way in which bytes leave.
struct Way {
    name: &'static str,
    what: &'static str,
    requests: Vec<Value>,
    contact: Contact,
}

/// Every way, each with a full budget.
pub(super) async fn attacks(target: &Target, probes: &Probes, identity: &AgentIdentity) -> Vec<Finding> {
    let Some((open, grant)) =
        target.entry.grant.hosts.iter().find_map(|grant| Some((Open::of(grant)?, grant)))
    else {
        return Vec::new();
    };
    let limits = &target.entry.grant.limits.egress;
    let own = limits.iter().copied().find(|rate| rate.amount <= MOST && rate.per >= Duration::from_secs(60));
    let rate = own.unwrap_or(FEW);
    let mut entry = probe::under_attack(&target.entry);
    entry.grant.limits.egress = vec![rate];
    let mut found = Vec::new();
    let mut all = ways(&open, rate.amount, grant.methods());
    all.extend(target.entry.grant.hosts.iter().find_map(names));
    for way in all {
        let attack = Attack::new(Class::Exhaustion, way.name, way.what, "fetch", Value::Null);
        let verdict = match target.runtime.bind(identity, &entry, probes.folder(ProbeKind::Http)) {
            Ok(bound) => spend(target, &bound, &way, rate).await,
            Err(error) => Verdict::Blind(error.to_string()),
        };
        found.push(Finding::of(target, &attack, verdict));
    }
    found
}

async fn spend(target: &Target, bound: &BoundSkill, way: &Way, rate: Rate) -> Verdict {
    let started = Instant::now();
    target.stub.set(&way.contact);
    let mut outcomes = Vec::new();
    for _ in 0..CALLS {
        let mut arguments = Map::new();
        arguments.insert("requests".to_owned(), json!(way.requests));
        outcomes.push(bound.call("fetch", arguments, Arc::new(Ear::default())).await);
    }
    let (bytes, framed) = arrived(&target.stub.take());
    // What came back to the budget while it was spent, and a second for the clock.
    let given_back = rate.amount * (started.elapsed().as_secs() + 1) / rate.per.as_secs().max(1);
    let most = rate.amount + given_back + framed * FRAME;
    if bytes > most {
        return Verdict::Escaped(format!("{bytes} bytes left, and {most} may"));
    }
    match oracle::ids(&outcomes) {
        ids if !ids.is_empty() => Verdict::Refused(ids),
        // More than the budget was asked for, nobody refused it, and it did not arrive.
        _ => Verdict::Blind(format!("{bytes} bytes left, and nothing was refused")),
    }
}

/// Bytes that somebody outside could read, and how many requests had content.
fn arrived(traffic: &Traffic) -> (u64, u64) {
    let requests: usize = traffic.requests.iter().map(|(head, body)| head.len() + body.len()).sum();
    // A name that a request followed stands in its head already.
    let followed = |name: &str| traffic.requests.iter().any(|(head, _)| head.contains(name));
    let asked: usize = traffic.asked.iter().filter(|name| !followed(name)).map(String::len).sum();
    let framed = traffic.requests.iter().filter(|(_, body)| !body.is_empty()).count();
    ((requests + asked) as u64, framed as u64)
}

fn ways(open: &Open, amount: u64, methods: &[&str]) -> Vec<Way> {
    let with = |key: &str, value: Value| {
        let mut request = open.request();
        if let Some(request) = request.as_object_mut() {
            request.insert(key.to_owned(), value);
        }
        request
    };
    // Twice the budget in all, so that half of it has to be refused.
    let share = usize::try_from(amount).unwrap_or(usize::MAX).saturating_mul(2) / CALLS;
    let filler = |bytes: usize| "e".repeat(bytes);
    // A head has at most a few KiB: so many of them carry it.
    let (pieces, piece) = (share.div_ceil(2_000).min(REQUESTS), share.min(2_000));
    let many = (0..REQUESTS).map(|number| with("path", json!(format!("/{number}")))).collect();
    let paths = (0..pieces).map(|_| with("path", json!(format!("/?{}", filler(piece))))).collect();
    let heads = (0..pieces).map(|_| with("headers", json!([["x-data", filler(piece)]]))).collect();
    let way = |name, what, requests| Way { name, what, requests, contact: open.contact() };
    let mut ways = vec![
        way("egress-requests", "many small requests", many),
        way("egress-paths", "long paths", paths),
        way("egress-headers", "long headers", heads),
    ];
    if let Some(method) = ["POST", "PUT", "PATCH"].into_iter().find(|method| methods.contains(method)) {
        let mut request = with("body", json!(filler(share)));
        if let Some(request) = request.as_object_mut() {
            request.insert("method".to_owned(), json!(method));
        }
        ways.push(way("egress-content", "content", vec![request]));
    }
    ways
}

/// Names below a granted suffix. None of them leads anywhere: that they are looked up is the channel.
fn names(grant: &HostGrant) -> Option<Way> {
    let HostPattern::Below(suffix) = grant.pattern() else { return None };
    let open = Open::of(grant)?;
    let name = |number| format!("{number:02}{}.{suffix}", "e".repeat(40));
    let names: Vec<String> = (0..REQUESTS).map(name).collect();
    let request = |name: &String| {
        let mut request = open.request();
        if let Some(request) = request.as_object_mut() {
            request.insert("authority".to_owned(), json!(format!("{name}:{}", open.port)));
        }
        request
    };
    let requests = names.iter().map(request).collect();
    let answers = names.iter().map(|name| (name.clone(), vec![Vec::new()])).collect();
    let contact = Contact { names, answers, ..Contact::default() };
    Some(Way { name: "egress-names", what: "names that are looked up", requests, contact })
}
