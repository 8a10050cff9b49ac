//! Attacks on the network rules with this machine's own addresses: those of its interfaces, where the gateway listens, what its
//! hosts file says of granted names.
//!
//! The rule: no lookup and no request leaves. Names are answered by the run itself, and every connection that a wall lets through
//! ends at a listener of the run's own on this machine, whatever address was dialled.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use soulbound_runtime::grant::HostGrant;

use crate::redteam::attack::{Aim, Attack, Class, Contact};
use crate::redteam::plan::network::{Open, addresses, fetch, is_granted, shown};

/// The system's own list of names.
const HOSTS: &str = "/etc/hosts";

/// Ways to write the address at which a machine reaches itself.
const LOOPBACK: [&str; 10] = [
    "127.1",
    "127.0.0.2",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "localhost",
    "localhost.",
    "x.localhost",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
];

/// What is this machine's own.
pub(super) struct Machine {
    /// The addresses of its interfaces.
    pub(super) addresses: Vec<IpAddr>,
    /// Where the gateway listens when it runs.
    pub(super) gateway: SocketAddr,
    /// Names that it knows without asking anybody.
    pub(super) names: Vec<(String, IpAddr)>,
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    ///
    /// The system does not tell its interfaces.
    pub(super) fn this(gateway: SocketAddr) -> std::io::Result<Self> {
        let mut addresses: Vec<IpAddr> =
            if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect();
        addresses.sort();
        addresses.dedup();
        Ok(Self { addresses, gateway, names: names(&fs::read_to_string(HOSTS).unwrap_or_default()) })
    }

    /// Every attack on one skill's network rules. `listener` is a real one of the run's own.
    pub(super) fn attacks(&self, grants: &[HostGrant], listener: SocketAddr) -> Vec<Attack> {
        let mut all = addresses(grants, self.listening(grants, listener));
        for (number, grant) in grants.iter().enumerate() {
            let Some(open) = Open::of(grant) else { continue };
            let id = format!("live-control@{number}");
            let what = "what the grant allows, as far as the connection";
            let control = fetch(Class::Network, id, what, vec![open.request()], open.contact());
            all.push(control.aim(Aim::Control));
            if !open.named {
                continue;
            }
            let private =
                |address: &IpAddr| grant.private_range().is_some_and(|range| range.contains(address));
            for (index, address) in self.addresses.iter().enumerate().filter(|(_, address)| !private(address))
            {
                let what = format!("a granted name leads to this machine's own {address}");
                let id = format!("live-own-{index}@{number}");
                all.push(fetch(Class::Network, id, &what, vec![open.request()], led(&open.host, *address)));
            }
            let known = self.names.iter().filter(|(name, address)| {
                is_granted(std::slice::from_ref(grant), name)
                    && !private(address)
                    && !self.is_public(*address)
            });
            for (index, (name, address)) in known.enumerate() {
                let Some(open) = Open::of(grant).map(|open| Open { host: name.clone(), ..open }) else {
                    continue;
                };
                let what = format!("the hosts file of this machine leads the granted `{name}` to {address}");
                let id = format!("live-hosts-file-{index}@{number}");
                all.push(fetch(Class::Network, id, &what, vec![open.request()], led(name, *address)));
            }
        }
        all
    }

    /// Where something of this machine's could be reached, in several spellings. Of a port that some entry opens only the
    /// gateway's own listener is left, which no entry reaches.
    fn listening(&self, grants: &[HostGrant], listener: SocketAddr) -> Vec<String> {
        let own = self.addresses.iter().copied().map(shown);
        let hosts: Vec<String> = LOOPBACK.iter().map(|host| (*host).to_owned()).chain(own).collect();
        let mut all = vec![self.gateway.to_string()];
        for port in [listener.port(), self.gateway.port()] {
            if !grants.iter().any(|grant| grant.port() == port) {
                all.extend(hosts.iter().map(|host| format!("{host}:{port}")));
            }
        }
        all
    }

    /// By the blocks that every operator knows, and this machine's own: no list of the runtime's.
    fn is_public(&self, address: IpAddr) -> bool {
        let special = match address {
            IpAddr::V4(address) => {
                let shared =
                    u32::from(address) >> 22 == u32::from(std::net::Ipv4Addr::new(100, 64, 0, 0)) >> 22;
                address.is_private()
                    || address.is_loopback()
                    || address.is_link_local()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_broadcast()
                    || shared
            }
            IpAddr::V6(address) => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        };
        !special && !self.addresses.contains(&address)
    }
}

/// A name that may be looked up, and leads where no connection may go.
fn led(name: &str, address: IpAddr) -> Contact {
    Contact {
        names: vec![name.to_owned()],
        answers: vec![(name.to_owned(), vec![vec![address]])],
        ..Contact::default()
    }
}

/// The names of a hosts file, lower case, each with its addresses.
fn names(text: &str) -> Vec<(String, IpAddr)> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        let named =
            address.map(|address| words.map(|name| (name.to_lowercase(), address)).collect::<Vec<_>>());
        named.unwrap_or_default()
    };
    lines.flat_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use soulbound_runtime::Soul;

    use super::*;

    fn machine() -> Machine {
        Machine {
            addresses: vec!["127.0.0.1".parse().unwrap(), "198.51.100.7".parse().unwrap()],
            gateway: "127.0.0.1:7685".parse().unwrap(),
            names: names(
                "127.0.0.1 localhost\n# 10.1.1.1 no.example.com\n10.9.8.7\tWiki.Example.com wiki # here\n93.184.1.1 www.example.com\n10.2.0.1 intra.example.com\nbroken\n",
            ),
        }
    }

    fn planned(hosts: &str) -> Vec<Attack> {
        let text =
            format!("# A\n## Identity\n- Name: Echo\n## Skills\n- sender: Sends\n  - hosts: {hosts}\n");
        let soul = Soul::parse("SOUL.md", text.as_bytes()).unwrap();
        let entry = soul.skill("sender").unwrap();
        machine().attacks(&entry.grant.hosts, "127.0.0.1:4000".parse().unwrap())
    }

    #[test]
    fn a_granted_name_that_the_hosts_file_leads_inside_is_tried_and_a_public_or_opened_one_is_not() {
        let all = planned("`https://*.example.com`, https://intra.example.com (private 10.2.0.0/16)");
        let said: Vec<&str> = all
            .iter()
            .filter(|attack| attack.id.contains("hosts-file"))
            .map(|attack| attack.what.as_str())
            .collect();
        assert_eq!(
            said,
            [
                "the hosts file of this machine leads the granted `wiki.example.com` to 10.9.8.7",
                "the hosts file of this machine leads the granted `intra.example.com` to 10.2.0.1"
            ],
            "the wildcard opens no private range, the other entry does"
        );
        let own = all.iter().filter(|attack| attack.id.contains("live-own")).count();
        assert_eq!(own, 4);
    }

    proptest! {
        #[test]
        fn a_hosts_file_of_anything_gives_names_and_what_is_written_for_a_name_is_found(
            around in "[ -~\t\n]{0,200}", name in "[a-zA-Z][a-zA-Z0-9.-]{0,20}", address: IpAddr
        ) {
            let found = names(&format!("{around}\n{address}\t{name} # {name}x\n{around}"));
            prop_assert!(found.contains(&(name.to_lowercase(), address)));
            for (name, _) in found {
                let plain = !name.is_empty() && !name.contains([' ', '\t', '\n', '#']);
                prop_assert!(plain && name == name.to_lowercase());
            }
        }
    }

    /// Nothing may be reached but by the controls, and they are what the entries open.
    #[test]
    fn no_attack_is_allowed_an_address() {
        for attack in planned("https://api.example.com, http://127.0.0.1:7685") {
            assert!(attack.only_looks());
            assert_eq!(attack.contact.addresses.is_empty(), attack.aim == Aim::Nothing, "{}", attack.id);
        }
    }
}
