//! Secrets, attacked by themselves: everywhere else they are left out. The host adds one to what goes to a granted origin, and
//! the skill must neither hold it, nor see it in an answer, nor have it sent elsewhere.
//!
//! The skill's own `secrets` line where it has one, one of ours for its first named HTTPS host otherwise. The value is a
//! canary, and the vault gives it for every origin: the runtime's own judgement is the only wall.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use soulbound_runtime::grant::host::{HostPattern, Target as Origin};
use soulbound_runtime::grant::{HostGrant, SecretGrant};
use soulbound_runtime::sandbox::{
    AgentIdentity, BoundSkill, Ending, Outcome, Secret, SecretRefusal, SecretSource,
};

use super::attack::{Attack, Class, Contact, ProbeKind};
use super::canary::{Canary, Search, Seed};
use super::oracle::{self, Verdict};
use super::plan::network::Open;
use super::probe::{self, Probes, Target};
use super::report::Finding;
use super::strike::Ear;
use super::stub::Traffic;
use super::stub::echo::Echo;

/// What stands for a skill's own secret.
const OURS: &str = "RT_SECRET";
/// A host beside the one that gets the secret.
const BESIDE: &str = "https://beside.example.net";

/// Gives the one value for whatever is asked.
pub(super) struct Vault(Arc<Secret>);

impl Vault {
    /// With the canary that belongs to this seed.
    pub(super) fn of(seed: Seed) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(Secret::new(&value(seed))?)))
    }
}

impl SecretSource for Vault {
    fn find(&self, _: &str, _: &str, _: &Origin) -> Result<Arc<Secret>, SecretRefusal> {
        Ok(Arc::clone(&self.0))
    }
}

fn value(seed: Seed) -> String {
    seed.text("secret")
}

/// What is attacked: a probe with a secret for one origin and a host beside it.
struct Stage<'a> {
    target: &'a Target,
    bound: BoundSkill,
    open: Open,
    beside: Open,
    header: String,
    search: Search,
}

/// Every attack on a secret of this skill's; none where nothing of it could carry one.
pub(super) async fn attacks(
    target: &Target,
    probes: &Probes,
    identity: &AgentIdentity,
    seed: Seed,
) -> Vec<Finding> {
    let Some(grant) = granted(target) else { return Vec::new() };
    let is_ours = target.entry.grant.secrets.is_empty();
    let stage = match Stage::set(target, probes, identity, grant, seed) {
        Ok(stage) => stage,
        Err(why) => {
            let attack = attack("secret-control", "a request that carries a secret");
            return vec![Finding::of(target, &attack, Verdict::Blind(why.to_string()))];
        }
    };
    let mut found = vec![stage.control().await];
    for echo in Echo::SEEN {
        let what = "a granted host writes the secret into its answer";
        found.push(stage.echoed(&format!("secret-echo-{}", echo.name()), what, echo).await);
    }
    if !is_ours {
        found.push(stage.unseen().await);
    }
    found.extend(stage.elsewhere().await);
    found.extend(stage.within().await);
    found
}

/// The secret's line: the skill's first, or one of ours.
fn granted(target: &Target) -> Option<SecretGrant> {
    if let Some(own) = target.entry.grant.secrets.first() {
        return Some(own.clone());
    }
    let hosts = target.entry.grant.hosts.iter();
    let host =
        hosts.filter(|host| host.scheme().as_str() == "https").find_map(|host| match host.pattern() {
            HostPattern::Name(name) => Some(format!("{name}:{}", host.port())),
            _ => None,
        })?;
    let line = format!("{OURS} for https://{host} as header Authorization: Bearer {{}}");
    SecretGrant::parse(&line, probe::rule(&target.entry)).ok()
}

fn attack(id: &str, what: &str) -> Attack {
    Attack::new(Class::Exfiltration, id, what, "fetch", Value::Null)
}

impl<'a> Stage<'a> {
    fn set(
        target: &'a Target,
        probes: &Probes,
        identity: &AgentIdentity,
        grant: SecretGrant,
        seed: Seed,
    ) -> Result<Self> {
        let rule = probe::rule(&target.entry);
        let mut entry = probe::under_attack(&target.entry);
        let beside = HostGrant::parse(BESIDE, rule).map_err(|error| anyhow::anyhow!("{}", error.message))?;
        let origin = Origin::from_url(&grant.origin())?;
        let is_its = |host: &&HostGrant| {
            host.scheme().as_str() == "https"
                && host.port() == origin.port
                && host.pattern().covers(&origin.host)
        };
        let its = entry.grant.hosts.iter().find(is_its).context("no host of the skill's is the secret's")?;
        let mut open = match its.pattern() {
            HostPattern::Name(_) => Open::of(its),
            _ => Open::of(&grant.host),
        };
        // The secret's line says no method.
        if let (Some(open), Some(its)) = (open.as_mut(), Open::of(its)) {
            open.method = its.method;
        }
        let open = open.context("the secret's host has no address")?;
        let other = Open::of(&beside).context("no host beside")?;
        let header = grant.header.clone();
        entry.grant.hosts.push(beside);
        entry.grant.secrets = vec![grant];
        let bound = target.runtime.bind(identity, &entry, probes.folder(ProbeKind::Http))?;
        let canary =
            Canary { name: "that the host adds".to_owned(), text: value(seed), path: "/secret".into() };
        Ok(Self { target, bound, open, beside: other, header, search: Search::new(vec![canary])? })
    }

    /// Sends, and gives back what came of it and what the network saw.
    async fn send(&self, requests: Value, contact: &Contact) -> (Outcome, Traffic) {
        self.target.stub.set(contact);
        let outcome = self.call("fetch", json!({"requests": requests})).await;
        (outcome, self.target.stub.take())
    }

    async fn call(&self, tool: &str, arguments: Value) -> Outcome {
        let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap_or_default();
        self.bound.call(tool, arguments, Arc::new(Ear::default())).await
    }

    /// What a skill got to see of it.
    fn judged(&self, id: &str, what: &str, outcome: &Outcome) -> Finding {
        let ids = oracle::ids(std::slice::from_ref(outcome));
        let verdict = match self.search.found(&oracle::told(outcome)) {
            Some(_) => Verdict::Escaped("the secret that the host adds came back".to_owned()),
            None if ids.is_empty() => Verdict::NoEffect,
            None => Verdict::Refused(ids),
        };
        Finding::of(self.target, &attack(id, what), verdict)
    }

    /// It arrives where it is for, or nothing that comes after means anything.
    async fn control(&self) -> Finding {
        let (outcome, traffic) = self.send(json!([self.open.request()]), &self.open.contact()).await;
        let arrived = self.search.found(&traffic.text()).is_some();
        let verdict = match arrived {
            true => Verdict::Allowed,
            false => Verdict::Blind(format!("the secret did not arrive: {}", oracle::told(&outcome))),
        };
        Finding::of(self.target, &attack("secret-control", "a request that carries a secret"), verdict)
    }

    async fn echoed(&self, id: &str, what: &str, echo: Echo) -> Finding {
        let contact = Contact { echo: Some(echo), ..self.open.contact() };
        let (outcome, _) = self.send(json!([self.open.request()]), &contact).await;
        let mut finding = self.judged(id, what, &outcome);
        if echo == Echo::Gzip && is_answered(&outcome) {
            let why = "a compressed answer came back, in which nobody saw the secret";
            finding.verdict = Verdict::Escaped(why.to_owned());
        }
        finding
    }

    /// A dress in which nobody promises to see it: that the granted host may give it away so is the grant's doing.
    async fn unseen(&self) -> Finding {
        let what = "a granted host writes the secret so that nobody sees it";
        let mut finding = self.echoed("secret-echo-reversed", what, Echo::Reversed).await;
        if matches!(finding.verdict, Verdict::Escaped(_)) {
            let host = &self.open.host;
            finding.verdict =
                Verdict::Residual(format!("a secret that {host} was sent and disguises comes back"));
        }
        finding
    }

    /// To a host that the skill may ask too, by itself and by a redirect; and by another scheme and port.
    async fn elsewhere(&self) -> Vec<Finding> {
        let with = |open: &Open, headers: Value| {
            let mut request = open.request();
            if let Some(request) = request.as_object_mut() {
                request.insert("headers".to_owned(), headers);
            }
            request
        };
        let redirected = Contact {
            redirect: Some(format!("https://{}/", self.beside.host)),
            ..merged(&self.open, &self.beside)
        };
        let placeholder = json!([[self.header, "Bearer {}"]]);
        let tried = [
            (
                "secret-beside",
                "another granted host is asked",
                json!([self.beside.request()]),
                self.beside.contact(),
            ),
            (
                "secret-redirect",
                "the secret's host redirects to another granted host",
                json!([self.open.request(), self.beside.request()]),
                redirected,
            ),
            (
                "secret-template",
                "a header of the guest's own asks for the secret",
                json!([with(&self.beside, placeholder)]),
                self.beside.contact(),
            ),
            (
                "secret-host-header",
                "another granted host is asked in the name of the secret's",
                json!([with(&self.beside, json!([["host", self.open.host]]))]),
                self.beside.contact(),
            ),
        ];
        let mut found = Vec::new();
        for (id, what, requests, contact) in tried {
            let (outcome, traffic) = self.send(requests, &contact).await;
            let to_it = |head: &str| head.to_lowercase().contains(&format!("host: {}", self.open.host));
            let mut elsewhere = traffic.requests.iter().filter(|(head, _)| !to_it(head));
            let mut finding = self.judged(id, what, &outcome);
            if elsewhere.any(|(head, body)| self.search.found(&format!("{head}\n{body}")).is_some()) {
                finding.verdict = Verdict::Escaped("the secret was sent to another host".to_owned());
            }
            found.push(finding);
        }
        found
    }

    /// Where the skill runs: its environment, its arguments, its memory of an earlier call.
    async fn within(&self) -> Vec<Finding> {
        let outcome = self.call("surroundings", json!({})).await;
        let what = "everything that the skill sees of where it runs";
        vec![self.judged("secret-surroundings", what, &outcome)]
    }
}

/// Whether the skill got an answer.
fn is_answered(outcome: &Outcome) -> bool {
    matches!(&outcome.ending, Ending::Returned(value) if value.pointer("/0/ok").is_some())
}

fn merged(one: &Open, other: &Open) -> Contact {
    let (mut all, other) = (one.contact(), other.contact());
    all.names.extend(other.names);
    all.addresses.extend(other.addresses);
    all.answers.extend(other.answers);
    all
}

/// What a skill sees of its surroundings is what `env` says and the one virtual root, and nothing of the host's own.
pub(super) async fn surroundings(target: &Target) -> Finding {
    let what = "the skill looks at its environment, its arguments and what it was given";
    let attack = Attack::new(Class::Exfiltration, "surroundings", what, "surroundings", Value::Null);
    let Some(bound) = target.probe(ProbeKind::Files) else {
        return Finding::of(target, &attack, Verdict::NoEffect);
    };
    let outcome = bound.call("surroundings", Map::new(), Arc::new(Ear::default())).await;
    let granted = target.entry.grant.environment.iter();
    let mut expected: Vec<String> = granted.map(|one| format!("{}={}", one.name, one.value)).collect();
    expected.push("directory /".to_owned());
    let verdict = match &outcome.ending {
        Ending::Returned(Value::Array(seen)) => {
            let seen = seen.iter().filter_map(Value::as_str);
            match seen.into_iter().find(|one| !expected.iter().any(|known| known == one)) {
                Some(more) => Verdict::Escaped(format!("the skill sees `{more}`")),
                None => Verdict::NoEffect,
            }
        }
        _ => Verdict::Blind(oracle::told(&outcome)),
    };
    Finding::of(target, &attack, verdict)
}
