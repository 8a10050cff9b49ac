//! What two lists of host entries permit together: exactly what both permit, no more and no less.
//!
//! It is how a SOUL.md that changed on disk narrows the trusted one. The one matcher ([`permits`]) has the last word on
//! names: which of several entries decides about a name, and so which private range is open for it, only it knows.

use std::net::IpAddr;

use ipnet::IpNet;

use super::pattern::is_below;
use super::{HostGrant, HostPattern, Target, TargetHost, entry, permits};

/// The entries that permit what both lists permit. Of lists that say the same, the first.
#[must_use]
pub fn meet(ours: &[HostGrant], theirs: &[HostGrant]) -> Vec<HostGrant> {
    if ours.iter().map(HostGrant::text).eq(theirs.iter().map(HostGrant::text)) {
        return ours.to_vec();
    }
    let mut met: Vec<HostGrant> = Vec::new();
    for own in ours {
        for other in theirs {
            let Some(pattern) = origin(own, other) else { continue };
            let found = match &pattern {
                HostPattern::Name(name) => decided(own, name, ours, theirs),
                _ => both(own, other, &pattern, shared(own, other)).into_iter().collect(),
            };
            for grant in found {
                if !met.iter().any(|known| known.text == grant.text) {
                    met.push(grant);
                }
            }
        }
    }
    let covered = |index: usize, grant: &HostGrant| {
        met.iter().enumerate().any(|(other, wider)| {
            other != index && covers(wider, grant) && !(other > index && covers(grant, wider))
        })
    };
    met.iter()
        .enumerate()
        .filter(|(index, grant)| !covered(*index, grant))
        .map(|(_, grant)| grant.clone())
        .collect()
}

/// Whether whatever `narrow` permits, `wide` does.
#[must_use]
pub fn covers(wide: &HostGrant, narrow: &HostGrant) -> bool {
    origin(wide, narrow).as_ref() == Some(&narrow.pattern)
        && narrow.methods().iter().all(|method| wide.methods().contains(method))
        && narrow.private.is_none_or(|range| wide.private.is_some_and(|wide| wide.contains(&range)))
}

/// The hosts of both entries, where scheme and port agree.
fn origin(one: &HostGrant, other: &HostGrant) -> Option<HostPattern> {
    if one.scheme != other.scheme || one.port != other.port {
        return None;
    }
    one.pattern.meet(&other.pattern)
}

/// For one name both lists' deciding entries, method by method.
fn decided(own: &HostGrant, name: &str, ours: &[HostGrant], theirs: &[HostGrant]) -> Vec<HostGrant> {
    let target = Target { scheme: own.scheme, host: TargetHost::Name(name.to_owned()), port: own.port };
    let mut pairs: Vec<(&HostGrant, &HostGrant, Vec<&'static str>)> = Vec::new();
    for method in ours.iter().flat_map(HostGrant::methods) {
        let (Ok(own), Ok(other)) = (permits(ours, method, &target), permits(theirs, method, &target)) else {
            continue;
        };
        match pairs.iter_mut().find(|(a, b, _)| std::ptr::eq(*a, own) && std::ptr::eq(*b, other)) {
            Some((_, _, methods)) if methods.contains(method) => {}
            Some((_, _, methods)) => methods.push(method),
            None => pairs.push((own, other, vec![method])),
        }
    }
    let pattern = HostPattern::Name(name.to_owned());
    pairs.into_iter().filter_map(|(own, other, methods)| both(own, other, &pattern, methods)).collect()
}

fn shared(one: &HostGrant, other: &HostGrant) -> Vec<&'static str> {
    one.methods().iter().copied().filter(|method| other.methods().contains(method)).collect()
}

/// The entry for these methods at this host, as whichever of the two it is, or as a new one on the first's line.
fn both(
    own: &HostGrant,
    other: &HostGrant,
    pattern: &HostPattern,
    methods: Vec<&'static str>,
) -> Option<HostGrant> {
    if methods.is_empty() {
        return None;
    }
    let private = own.private.zip(other.private).and_then(|(one, other)| narrower(one, other));
    let same = |grant: &&HostGrant| {
        grant.pattern == *pattern
            && grant.private == private
            && grant.methods().len() == methods.len()
            && grant.methods().iter().all(|method| methods.contains(method))
    };
    if let Some(grant) = [own, other].into_iter().find(same) {
        return Some(grant.clone());
    }
    let methods = if methods == super::DEFAULT_METHODS { Vec::new() } else { methods };
    let text = entry::canonical(&methods, own.scheme, pattern, own.port, private);
    Some(HostGrant {
        rule: own.rule.clone(),
        methods,
        scheme: own.scheme,
        pattern: pattern.clone(),
        port: own.port,
        private,
        text,
    })
}

fn narrower(one: IpNet, other: IpNet) -> Option<IpNet> {
    match () {
        () if one.contains(&other) => Some(other),
        () if other.contains(&one) => Some(one),
        () => None,
    }
}

impl HostPattern {
    /// The hosts that both cover.
    fn meet(&self, other: &Self) -> Option<Self> {
        let address = |address: &IpAddr, pattern: &Self| {
            pattern.covers(&TargetHost::Address(*address)).then_some(Self::Address(*address))
        };
        match (self, other) {
            (Self::Name(name), pattern) | (pattern, Self::Name(name)) => {
                pattern.covers(&TargetHost::Name(name.clone())).then(|| Self::Name(name.clone()))
            }
            (Self::Address(own), pattern) | (pattern, Self::Address(own)) => address(own, pattern),
            (Self::Below(one), Self::Below(other)) => {
                let narrow = if one == other || is_below(one, other) { one } else { other };
                let wide = if std::ptr::eq(narrow, one) { other } else { one };
                (narrow == wide || is_below(narrow, wide)).then(|| Self::Below(narrow.clone()))
            }
            (Self::Network(one), Self::Network(other)) => narrower(*one, *other).map(Self::Network),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::denial::RuleRef;

    fn grants(entries: &[String]) -> Vec<HostGrant> {
        let rule = |text: &str| RuleRef { file: "SOUL.md".into(), line: 1, column: 1, text: text.into() };
        entries.iter().filter_map(|entry| HostGrant::parse(entry, rule(entry)).ok()).collect()
    }

    fn texts(grants: &[HostGrant]) -> Vec<&str> {
        grants.iter().map(HostGrant::text).collect()
    }

    #[test]
    fn what_both_permit_is_written_as_an_entry() {
        for (one, other, both) in [
            ("*.x.org", "a.x.org", &["https://a.x.org"][..]),
            ("*.x.org", "x.org", &[]),
            ("*.x.org", "*.b.x.org", &["https://*.b.x.org"]),
            ("GET POST a.org", "POST PUT a.org", &["POST https://a.org"]),
            ("GET HEAD POST a.org", "a.org", &["https://a.org"]),
            ("a.org", "http://a.org", &[]),
            ("a.org", "a.org:8443", &[]),
            ("1.1.0.0/16", "1.1.1.1", &["https://1.1.1.1"]),
            ("1.1.0.0/16", "1.1.1.0/24", &["https://1.1.1.0/24"]),
            (
                "a.org (private 10.0.0.0/8)",
                "a.org (private 10.2.0.0/16)",
                &["https://a.org (private 10.2.0.0/16)"],
            ),
            ("a.org (private 10.0.0.0/8)", "a.org", &["https://a.org"]),
            ("a.org (private 10.0.0.0/8)", "a.org (private 192.168.0.0/16)", &["https://a.org"]),
            ("a.org (private 10.0.0.0/8)", "*.org.x.io", &[]),
        ] {
            let (one, other) = (grants(&[one.into()]), grants(&[other.into()]));
            assert_eq!(texts(&meet(&one, &other)), both);
            assert_eq!(texts(&meet(&other, &one)), both);
        }
    }

    fn entry() -> impl Strategy<Value = String> {
        let methods = prop::sample::subsequence(vec!["GET", "HEAD", "POST", "PUT"], 0..4);
        let host = prop::sample::select(vec![
            "a.org",
            "b.a.org",
            "c.b.a.org",
            "*.a.org",
            "*.b.a.org",
            "http://a.org",
            "a.org:81",
            "1.1.1.1",
            "1.1.1.0/24",
            "1.1.0.0/16",
            "10.0.0.1 (private 10.0.0.0/8)",
            "10.0.0.1 (private 10.0.0.0/24)",
            "10.0.0.0/24 (private 10.0.0.0/8)",
            "a.org (private 10.0.0.0/8)",
            "a.org (private 10.2.0.0/16)",
            "b.a.org (private 10.2.0.0/16)",
            "a.org (private 192.168.0.0/16)",
            "[2606:4700::1]",
            "[2606:4700::/32]",
        ]);
        (methods, host).prop_map(|(methods, host)| [methods.join(" "), host.to_owned()].join(" "))
    }

    fn target() -> impl Strategy<Value = (String, &'static str)> {
        let host = prop::sample::select(vec![
            "a.org",
            "b.a.org",
            "c.b.a.org",
            "d.c.b.a.org",
            "xa.org",
            "1.1.1.1",
            "1.1.2.2",
            "10.0.0.1",
            "10.0.0.9",
            "10.9.0.1",
            "[2606:4700::1]",
            "[2606:4700::2]",
        ]);
        let scheme = prop::sample::select(vec!["https://", "http://"]);
        let port = prop::sample::select(vec!["", ":81"]);
        let method = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE"]);
        (scheme, host, port, method)
            .prop_map(|(scheme, host, port, method)| (format!("{scheme}{host}{port}/"), method))
    }

    /// What a request may come to: nothing, or the public internet and a range beside it. A literal leads to itself
    /// alone, so of the range counts only whether it is in.
    fn outcome(list: &[HostGrant], method: &str, target: &Target) -> Option<Option<IpNet>> {
        let range = permits(list, method, target).ok()?.private;
        Some(match &target.host {
            TargetHost::Name(_) => range,
            TargetHost::Address(address) => {
                range.filter(|range| range.contains(address)).map(|_| IpNet::from(*address))
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_request_is_permitted_exactly_when_both_permit_it(
            one in prop::collection::vec(entry(), 0..5),
            other in prop::collection::vec(entry(), 0..5),
            requests in prop::collection::vec(target(), 8),
        ) {
            let (one, other) = (grants(&one), grants(&other));
            let met = meet(&one, &other);
            for (url, method) in requests {
                let target = Target::from_url(&url).unwrap();
                let expected = outcome(&one, method, &target).zip(outcome(&other, method, &target))
                    .map(|(one, other)| one.zip(other).and_then(|(one, other)| narrower(one, other)));
                let found = outcome(&met, method, &target);
                prop_assert_eq!(found, expected, "{:?} of {:?} and {:?}: {:?}", (url, method), one, other, met);
            }
        }

        #[test]
        fn entries_meet_themselves_as_they_are(list in prop::collection::vec(entry(), 0..5)) {
            let list = grants(&list);
            prop_assert_eq!(&meet(&list, &list), &list);
        }

        #[test]
        fn what_is_met_is_covered_by_an_entry_of_each(
            one in prop::collection::vec(entry(), 0..4),
            other in prop::collection::vec(entry(), 0..4),
        ) {
            let (one, other) = (grants(&one), grants(&other));
            for grant in meet(&one, &other) {
                prop_assert!(one.iter().any(|wide| covers(wide, &grant)) && other.iter().any(|wide| covers(wide, &grant)), "{}", grant);
                // What is shown is what would be read.
                let read = grants(&[grant.to_string()]);
                prop_assert_eq!(texts(&read), [grant.text()]);
            }
        }
    }
}
