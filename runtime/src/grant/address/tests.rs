//! The classification against cases by hand, and against the standard library's own idea of the same ranges.

mod registry;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::denial::RuleRef;
use crate::grant::HostGrant;

fn class(text: &str) -> String {
    AddressClass::of(text.parse().unwrap()).to_string()
}

fn entry(text: &str) -> HostGrant {
    let rule = RuleRef { file: "SOUL.md".into(), line: 1, column: 1, text: String::new() };
    HostGrant::parse(text, rule).unwrap()
}

fn judged(address: &str, entry_text: &str) -> Result<(), AddressRefusal> {
    let own = OwnAddresses::of(
        vec!["198.51.99.7".parse().unwrap(), "10.9.9.9".parse().unwrap(), "127.0.0.1".parse().unwrap()],
        vec!["0.0.0.0:7685".parse().unwrap(), "127.0.0.1:7700".parse().unwrap()],
    );
    let address: IpAddr = address.parse().unwrap();
    let entry = entry(entry_text);
    judge(SocketAddr::new(address, entry.port()), &entry, &own)
}

#[test]
fn every_kind_of_address_is_told_from_the_public_ones() {
    for public in [
        "93.184.216.34",
        "1.1.1.1",
        "223.255.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "2606:2800::1",
        "2a00::1",
    ] {
        assert_eq!(class(public), "public", "{public}");
    }
    for (address, name) in [
        ("0.0.0.0", "unspecified (RFC 1122)"),
        ("0.1.2.3", "this-network (RFC 791)"),
        ("10.255.255.255", "private (RFC 1918)"),
        ("100.64.0.1", "shared (carrier NAT) (RFC 6598)"),
        ("100.127.255.255", "shared (carrier NAT) (RFC 6598)"),
        ("127.255.255.255", "loopback (RFC 1122)"),
        ("169.254.1.1", "link-local (RFC 3927)"),
        ("172.31.255.255", "private (RFC 1918)"),
        ("192.0.0.8", "IETF protocol (RFC 6890)"),
        ("192.0.2.1", "documentation (RFC 5737)"),
        ("192.88.99.1", "6to4 relay (RFC 7526)"),
        ("198.19.255.255", "benchmarking (RFC 2544)"),
        ("224.0.0.1", "multicast (RFC 5771)"),
        ("240.0.0.1", "reserved (RFC 1112)"),
        ("255.255.255.255", "broadcast (RFC 919)"),
        ("::", "unspecified (RFC 4291)"),
        ("::1", "loopback (RFC 4291)"),
        ("fd00::1", "unique-local (RFC 4193)"),
        ("fe80::1", "link-local (RFC 4291)"),
        ("fec0::1", "site-local (RFC 3879)"),
        ("ff02::1", "multicast (RFC 4291)"),
        ("100::1", "discard (RFC 6666)"),
        ("2001:db8::1", "documentation (RFC 3849)"),
        ("2001:20::1", "IETF protocol (RFC 2928)"),
        ("3fff::1", "documentation (RFC 9637)"),
        ("5f00::1", "SRv6 identifier (RFC 9602)"),
        ("4000::1", "unallocated (RFC 4291)"),
        ("::ffff:127.0.0.1", "mapped spelling of a loopback (RFC 1122) IPv4 address"),
        ("::ffff:93.184.216.34", "mapped spelling of a public IPv4 address"),
        ("::ffff:0:10.0.0.1", "translated spelling of a private (RFC 1918) IPv4 address"),
        ("::127.0.0.1", "compatible spelling of a loopback (RFC 1122) IPv4 address"),
        ("64:ff9b::a9fe:a9fe", "NAT64 spelling of a link-local (RFC 3927) IPv4 address"),
        ("64:ff9b:1::1", "local NAT64 spelling of a this-network (RFC 791) IPv4 address"),
        ("2002:7f00:1::", "6to4 spelling of a loopback (RFC 1122) IPv4 address"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", "Teredo spelling of a private (RFC 1918) IPv4 address"),
        ("2606:2800::5efe:127.0.0.1", "ISATAP spelling of a loopback (RFC 1122) IPv4 address"),
        ("2606:2800::200:5efe:8.8.8.8", "ISATAP spelling of a public IPv4 address"),
    ] {
        assert_eq!(class(address), name, "{address}");
    }
}

#[test]
fn an_entry_leads_where_it_says_and_nowhere_else() {
    let name = "https://api.example.com";
    let private = "https://api.example.com (private 10.2.0.0/16)";
    assert_eq!(judged("93.184.216.34", name), Ok(()));
    assert_eq!(judged("93.184.216.34", private), Ok(()));
    assert_eq!(judged("10.2.3.4", private), Ok(()));
    assert!(matches!(judged("10.3.0.1", private), Err(AddressRefusal::NotPublic(_))));
    assert!(matches!(judged("10.2.3.4", name), Err(AddressRefusal::NotPublic(_))));
    assert!(matches!(judged("::ffff:10.2.3.4", private), Err(AddressRefusal::NotPublic(_))));
    assert_eq!(judged("127.0.0.1", private), Err(AddressRefusal::ThisMachine));
    assert_eq!(judged("127.0.0.1", "http://127.0.0.1:18080"), Ok(()));
    assert_eq!(judged("127.0.0.2", "http://127.0.0.1:18080"), Err(AddressRefusal::ThisMachine));
    assert_eq!(judged("::1", "http://[::1]:18080"), Ok(()));
}

#[test]
fn every_address_of_this_machine_counts_as_loopback() {
    assert_eq!(judged("198.51.99.7", "api.example.com"), Err(AddressRefusal::ThisMachine));
    assert_eq!(judged("198.51.99.7", "198.51.99.7"), Ok(()));
    assert_eq!(judged("198.51.99.7", "198.51.99.0/24"), Err(AddressRefusal::ThisMachine));
    assert_eq!(judged("10.9.9.9", "api.example.com (private 10.0.0.0/8)"), Err(AddressRefusal::ThisMachine));
    assert_eq!(judged("10.9.9.9", "10.9.9.9 (private 10.0.0.0/8)"), Ok(()));
}

#[test]
fn the_gateways_own_listeners_are_never_reached() {
    assert_eq!(judged("127.0.0.1", "http://127.0.0.1:7685"), Err(AddressRefusal::OwnListener));
    assert_eq!(judged("127.8.8.8", "http://127.8.8.8:7685"), Err(AddressRefusal::OwnListener));
    assert_eq!(judged("198.51.99.7", "http://198.51.99.7:7685"), Err(AddressRefusal::OwnListener));
    assert_eq!(judged("127.0.0.1", "http://127.0.0.1:7700"), Err(AddressRefusal::OwnListener));
    assert_eq!(judged("127.0.0.2", "http://127.0.0.2:7700"), Ok(()));
}

#[test]
fn metadata_is_never_reached_whatever_the_entry_opens() {
    let open = "https://api.example.com (private fc00::/7)";
    for row in metadata::ADDRESSES {
        assert!(
            matches!(judged(&row.address.to_string(), open), Err(AddressRefusal::Metadata(_))),
            "{row:?}"
        );
        if let IpAddr::V4(address) = row.address {
            let mapped = address.to_ipv6_mapped().to_string();
            assert!(matches!(judged(&mapped, open), Err(AddressRefusal::Metadata(_))), "{row:?}");
        }
    }
    assert_eq!(metadata::owner_of_name("x.metadata.google.internal"), Some("Google Cloud"));
    assert_eq!(metadata::owner_of_name("notmetadata.goog"), None);
}

#[test]
fn the_machines_own_addresses_can_be_listed() {
    let own = OwnAddresses::now(&[]).unwrap();
    assert!(own.holds(IpAddr::V4(Ipv4Addr::LOCALHOST)));
}

/// What the standard library knows of IPv4; it has no opinion on the rest of the table.
fn std_says_special(address: Ipv4Addr) -> bool {
    address.is_unspecified()
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || address.octets()[0] == 0
        || address.octets()[0] >= 240
}

proptest! {
    #[test]
    fn what_the_standard_library_calls_special_is_never_public(bits: u32) {
        let address = Ipv4Addr::from(bits);
        let class = AddressClass::of(IpAddr::V4(address));
        if std_says_special(address) {
            prop_assert!(!class.is_public());
        }
        prop_assert_eq!(class.is_private(), address.is_private());
        prop_assert_eq!(class.is_loopback(), address.is_loopback());
    }

    #[test]
    fn nothing_outside_global_unicast_is_public(bits: u128) {
        let address = Ipv6Addr::from(bits);
        let class = AddressClass::of(IpAddr::V6(address));
        if class.is_public() {
            prop_assert_eq!(address.segments()[0] >> 13, 1);
            prop_assert!(address.to_ipv4().is_none());
        }
        if address.is_unique_local() {
            let inside = matches!(class, AddressClass::Embedded { .. });
            prop_assert!(class.is_private() || inside);
        }
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_one_is_found_and_never_public(bits: u32, prefix in 0x2600_u16..0x2a00) {
        let inner = Ipv4Addr::from(bits);
        let [a, b, c, d] = inner.octets().map(u128::from);
        let low = (a << 24) | (b << 16) | (c << 8) | d;
        for (how, outer) in [
            ("mapped", (0xffff << 32) | low),
            ("NAT64", (0x64_ff9b_u128 << 96) | low),
            ("6to4", (0x2002_u128 << 112) | (low << 80) | 1),
            ("ISATAP", (u128::from(prefix) << 112) | (0x5efe << 32) | low),
            ("Teredo", (0x2001_u128 << 112) | (low ^ 0xffff_ffff)),
        ] {
            let class = AddressClass::of(IpAddr::V6(Ipv6Addr::from(outer)));
            prop_assert_eq!(class, AddressClass::Embedded { how, inner });
        }
    }
}
