//! An attack as a value: what a probe is told to do, and what of it the grant allows. The plan lives on this side; the probe
//! only obeys.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::stub::echo::Echo;

/// The classes of attacks, as a reviewer counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// Out of the granted directories.
    Paths,
    /// Out of the granted hosts.
    Network,
    /// More than a limit allows.
    Exhaustion,
    /// What was never granted to anybody: other skills, other components, other agents.
    Authority,
    /// Data that leaves by a way that is open.
    Exfiltration,
    /// Records and screens that say what did not happen.
    Audit,
    /// What an injected model would call.
    Model,
}

impl Class {
    /// In the order of a report.
    pub(crate) const ALL: [Self; 7] = [
        Self::Paths,
        Self::Network,
        Self::Exhaustion,
        Self::Authority,
        Self::Exfiltration,
        Self::Audit,
        Self::Model,
    ];

    /// The word that people read.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Paths => "paths",
            Self::Network => "network",
            Self::Exhaustion => "exhaustion",
            Self::Authority => "authority",
            Self::Exfiltration => "exfiltration",
            Self::Audit => "audit",
            Self::Model => "model",
        }
    }

    /// That of the attack with this id; none for what is no id.
    pub(crate) fn of(id: &str) -> Option<Self> {
        let (word, rest) = id.split_once('.')?;
        Self::ALL.into_iter().find(|class| class.word() == word && !rest.is_empty())
    }

    /// OWASP's agentic risks (ASI) and MITRE ATLAS' techniques (AML).
    pub(crate) fn tags(self) -> &'static [&'static str] {
        match self {
            Self::Paths => &["ASI02", "ASI05", "AML.T0053"],
            Self::Network => &["ASI02", "AML.T0053", "AML.T0086"],
            Self::Exhaustion => &["ASI08", "AML.T0053"],
            Self::Authority => &["ASI03", "ASI04", "ASI10", "AML.T0081", "AML.T0104"],
            Self::Exfiltration => &["ASI02", "ASI07", "AML.T0086", "AML.T0098"],
            Self::Audit => &["ASI09", "AML.T0053"],
            Self::Model => &["ASI01", "ASI02", "AML.T0051", "AML.T0053", "AML.T0101"],
        }
    }
}

/// Which probe carries it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ProbeKind {
    /// Without requests: it starts under any grant.
    Files,
    /// With requests: it starts where hosts are granted.
    Http,
}

/// What of an attack is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aim {
    /// No effect at all.
    Nothing,
    /// The grant allows it. If it fails, the probe is blind, and what it did not see proves nothing.
    Control,
    /// The grant allows it, and a reviewer should know: the words say what goes where.
    Residual(String),
    /// It may get so much of something and no more.
    AtMost(Amount),
}

/// A bounded amount, and where it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Amount {
    /// What is counted.
    pub(crate) of: Counted,
    /// The most, tolerance included.
    pub(crate) most: u64,
}

/// Where an amount is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// The number that the probe returned.
    Returned,
    /// Bytes of the result.
    Result,
    /// Bytes of the log that was kept.
    Log,
    /// How many of the calls went through.
    Calls,
}

/// What of the network an attack may touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contact {
    /// Names that may be looked up.
    pub(crate) names: Vec<String>,
    /// Addresses to which a connection may be made.
    pub(crate) addresses: Vec<SocketAddr>,
    /// What the resolver answers for a name: one list after the other, the last again and again.
    pub(crate) answers: Vec<(String, Vec<Vec<IpAddr>>)>,
    /// The most requests that may arrive.
    pub(crate) most: Option<u64>,
    /// Where the server redirects to.
    pub(crate) redirect: Option<String>,
    /// How the server writes what it was sent into its answer.
    pub(crate) echo: Option<Echo>,
    /// Texts that must not be in the head of a request that arrives, lower case.
    pub(crate) stripped: Vec<String>,
}

/// One attack.
#[derive(Debug, Clone)]
pub(crate) struct Attack {
    /// Stable within a class: `paths.dotdot-3`.
    pub(crate) id: String,
    /// Its class.
    pub(crate) class: Class,
    /// What it does, in one line.
    pub(crate) what: String,
    /// Who does it.
    pub(crate) probe: ProbeKind,
    /// The probe's tool.
    pub(crate) tool: &'static str,
    /// And its arguments.
    pub(crate) arguments: Map<String, Value>,
    /// How often it is called.
    pub(crate) times: u32,
    /// What of it is allowed.
    pub(crate) aim: Aim,
    /// What of the network it may touch.
    pub(crate) contact: Contact,
    /// A name below a granted directory that the host flips between a file and a way out while the attack runs.
    pub(crate) race: Option<PathBuf>,
    /// What it is after on this very machine, where that is no copy.
    pub(crate) real: Option<PathBuf>,
}

/// Acts that change nothing and read nothing of a file, whatever a path turns out to lead to.
const LOOKS: [&str; 2] = ["look", "stat"];

impl Attack {
    /// An attack that may have no effect.
    pub(crate) fn new(
        class: Class,
        id: &str,
        what: impl Into<String>,
        tool: &'static str,
        arguments: Value,
    ) -> Self {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        Self {
            id: format!("{}.{id}", class.word()),
            class,
            what: what.into(),
            probe: ProbeKind::Files,
            tool,
            arguments,
            times: 1,
            aim: Aim::Nothing,
            contact: Contact::default(),
            race: None,
            real: None,
        }
    }

    /// Whether it only looks at files. Requests end at the stub network's server, whatever they ask for.
    pub(crate) fn only_looks(&self) -> bool {
        let looks =
            |step: &Value| step.get("act").and_then(Value::as_str).is_some_and(|act| LOOKS.contains(&act));
        match self.tool {
            "files" => {
                self.arguments.get("steps").and_then(Value::as_array).is_some_and(|all| all.iter().all(looks))
            }
            tool => tool == "fetch",
        }
    }

    /// An attack on files, of one step.
    pub(crate) fn file(class: Class, id: &str, what: impl Into<String>, step: Value) -> Self {
        Self::new(class, id, what, "files", json!({"steps": [step]}))
    }

    /// After this, which is no copy.
    pub(crate) fn after(mut self, real: PathBuf) -> Self {
        self.real = Some(real);
        self
    }

    /// With another aim.
    pub(crate) fn aim(mut self, aim: Aim) -> Self {
        self.aim = aim;
        self
    }

    /// By the probe that sends requests.
    pub(crate) fn over_http(mut self, contact: Contact) -> Self {
        self.probe = ProbeKind::Http;
        self.contact = contact;
        self
    }
}
