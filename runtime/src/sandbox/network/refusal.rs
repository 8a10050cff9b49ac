//! The sentences of the network's denials: who may not reach what, by which line, and how to ask why.
//!
//! The first line goes to the model, so it holds what the model chose, quoted and cut, and never an address
//! that a name resolved to: that would map the operator's network for it. A hint never proposes to grant what
//! was chosen at run time.

use std::net::IpAddr;

use crate::denial::{Denial, DenialId, RuleRef};
use crate::grant::SecretGrant;
use crate::grant::address::AddressRefusal;
use crate::grant::host::{CeilingRefusal, HostGrant, HostRefusal, MalformedTarget, Target};
use crate::sandbox::secret::SecretRefusal;
use crate::sandbox::witness::Witness;
use crate::visible;

/// The import through which every request comes.
const IMPORTED: &str = "wasi:http/outgoing-handler@0.2";

pub(super) fn malformed(
    witness: &Witness,
    shown: &str,
    rule: Option<&RuleRef>,
    why: MalformedTarget,
) -> Denial {
    with_rule(may_not(witness, DenialId::HostMalformed, shown, &format!(": {why}")), rule)
}

pub(super) fn bad_path(witness: &Witness, target: &Target) -> Denial {
    let why = ": a path starts with `/` and holds no spaces, control characters or others outside ASCII";
    may_not(witness, DenialId::HostMalformed, &target.to_string(), why)
}

pub(super) fn header(witness: &Witness, target: &Target, name: &http::HeaderName) -> Denial {
    let why = format!(" with a header of its own for {}", visible::quoted(name.as_str(), 40));
    may_not(witness, DenialId::HostHeader, &target.to_string(), &why)
}

/// The command of the hint holds only what an operator trusted: names of SOUL.md.
pub(super) fn no_secret(
    witness: &Witness,
    target: &Target,
    grant: &SecretGrant,
    (agent, why): (&str, Option<SecretRefusal>),
) -> Denial {
    let (name, origin) = (&grant.name, grant.origin());
    let set = format!("soulbound secrets set {name} --agent {agent} --for {origin}");
    let (id, why, hint) = match why {
        None => (
            DenialId::SecretMissing,
            format!(": a call on a SOUL.md has no secrets, and this would carry `{name}`"),
            format!("add the agent (`soulbound agents add`), and call `{agent}` through the gateway"),
        ),
        Some(SecretRefusal::NotSet) => (
            DenialId::SecretMissing,
            format!(" without the secret `{name}`, which the operator has not set"),
            set,
        ),
        Some(SecretRefusal::OtherOrigin(other)) => (
            DenialId::SecretHost,
            format!(": the secret `{name}` is for {origin} in SOUL.md and for {other} by the operator"),
            format!("correct SOUL.md, or: {set}"),
        ),
        Some(SecretRefusal::Unreadable(why)) => {
            (DenialId::SecretUnreadable, format!(": the operator's secret `{name}` cannot be read"), why)
        }
    };
    may_not(witness, id, &target.to_string(), &why).rule(grant.rule.clone()).hint(hint)
}

pub(super) fn secret_header(witness: &Witness, target: &Target, grant: &SecretGrant) -> Denial {
    let why =
        format!(" with a header `{}` of its own: there it carries the secret `{}`", grant.header, grant.name);
    may_not(witness, DenialId::SecretHeader, &target.to_string(), &why).rule(grant.rule.clone())
}

pub(super) fn encoded(witness: &Witness, target: &Target) -> Denial {
    let message = format!(
        "skill `{}` may not read an encoded answer of {}, which was sent a secret",
        witness.skill,
        visible::quoted_target(&target.to_string())
    );
    Denial::new(DenialId::SecretEncoded, message).imported(IMPORTED)
}

pub(super) fn ceiling(witness: &Witness, target: &Target, refusal: CeilingRefusal<'_>) -> Denial {
    let why = ": the operator's ceiling does not allow it";
    let denial = may_not(witness, DenialId::HostCeiling, &target.to_string(), why);
    match refusal {
        CeilingRefusal::Denied(rule) => denial.rule(rule.clone()),
        CeilingRefusal::NotAllowed => denial.hint("no entry of `allow_hosts` in gateway.toml covers it"),
    }
}

pub(super) fn not_granted(
    witness: &Witness,
    target: &Target,
    method: &str,
    refusal: HostRefusal<'_>,
) -> Denial {
    let shown = target.to_string();
    match refusal {
        HostRefusal::NotGranted { nearest } => {
            let denial = may_not(witness, DenialId::HostNotGranted, &shown, "");
            with_hint(with_rule(denial, nearest.map(HostGrant::rule)), witness, target, None)
        }
        HostRefusal::Method { entry } => {
            let message = format!(
                "skill `{}` may not send {} to {}",
                witness.skill,
                visible::quoted(method, 20),
                visible::quoted_target(&shown)
            );
            let denial =
                Denial::new(DenialId::HostMethod, message).imported(IMPORTED).rule(entry.rule().clone());
            with_hint(denial, witness, target, Some(method))
        }
        HostRefusal::Metadata(owner) => {
            let why = format!(": a metadata service ({owner})");
            may_not(witness, DenialId::HostPrivateAddress, &shown, &why).hint("soulbound explain metadata")
        }
    }
}

pub(super) fn address(
    witness: &Witness,
    target: &Target,
    entry: &HostGrant,
    found: IpAddr,
    refusal: AddressRefusal,
) -> Denial {
    let hint = match refusal {
        AddressRefusal::Metadata(_) => format!("it leads to {found}; see `soulbound explain metadata`"),
        _ => format!("it leads to {found}; see `soulbound explain host.private-address`"),
    };
    may_not(witness, DenialId::HostPrivateAddress, &target.to_string(), &format!(": it leads to {refusal}"))
        .rule(entry.rule().clone())
        .hint(hint)
}

pub(super) fn too_many(witness: &Witness, what: &str, most: u64) -> Denial {
    Denial::new(
        DenialId::LimitRequests,
        format!("skill `{}` may make at most {most} requests {what}", witness.skill),
    )
    .imported(IMPORTED)
}

pub(super) fn long_method(witness: &Witness, most: usize) -> Denial {
    let message = format!("skill `{}` may not send a method of more than {most} characters", witness.skill);
    Denial::new(DenialId::HostMethod, message).imported(IMPORTED)
}

pub(super) fn too_large(witness: &Witness, what: &str, limit: u64) -> Denial {
    Denial::new(
        DenialId::LimitBody,
        format!("skill `{}` had a {what} of more than {limit} bytes", witness.skill),
    )
    .imported(IMPORTED)
}

pub(super) fn not_judged(witness: &Witness, target: &Target, most: u64) -> Denial {
    let message = format!(
        "skill `{}` may not send more than {most} bytes to {}: a body is judged as a whole",
        witness.skill,
        visible::quoted_target(&target.to_string())
    );
    Denial::new(DenialId::EffectTooLarge, message).imported(IMPORTED)
}

fn may_not(witness: &Witness, id: DenialId, shown: &str, why: &str) -> Denial {
    let message = format!("skill `{}` may not reach {}{why}", witness.skill, visible::quoted_target(shown));
    Denial::new(id, message).imported(IMPORTED)
}

fn with_rule(denial: Denial, rule: Option<&RuleRef>) -> Denial {
    match rule {
        Some(rule) => denial.rule(rule.clone()),
        None => denial,
    }
}

/// The command that explains the refusal, only if nothing in it needs quoting: what a guest chose must not
/// become part of a line that somebody pastes into a shell.
fn with_hint(denial: Denial, witness: &Witness, target: &Target, method: Option<&str>) -> Denial {
    let url = target.origin();
    let plain = |text: &str| {
        !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/._[]-".contains(&byte))
    };
    if !plain(&url) || !plain(&witness.agent) || !plain(&witness.skill) || !method.is_none_or(plain) {
        return denial;
    }
    let method = method.map(|method| format!(" --method {method}")).unwrap_or_default();
    denial.hint(format!("soulbound why {} {} --host {url}{method}", witness.agent, witness.skill))
}
