//! Every address there is against the IANA special-purpose registries, transcribed here a second time, as text and with
//! arithmetic of its own.
//!
//! Both sides are unions of prefixes, so a verdict can only change at the edge of a block of either. Whoever asks at the first
//! and last address of every block of both, and one before and one after, has asked about all 2^32 (and all 2^128).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::{AddressClass, special};

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, every row, in its order.
const REGISTRY_V4: &[&str] = &[
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
];

/// What a skill does not reach either and stands in a registry of its own: multicast.
const BESIDE_V4: &[&str] = &["224.0.0.0/4"];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>, every row, in its order.
const REGISTRY_V6: &[&str] = &[
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
];

/// RFC 4291, and the registry of the whole space: global unicast is `2000::/3`, and nothing else of IPv6 is.
const BESIDE_V6: &[&str] = &["::/3", "4000::/2", "8000::/1"];

const PRIVATE: &[&str] = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// First and last address of a block, as numbers.
fn range(block: &str) -> (u128, u128) {
    let (address, prefix) = block.split_once('/').unwrap();
    let (first, width) = match address.parse().unwrap() {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let free = width - prefix.parse::<u32>().unwrap();
    let hosts = if free == 128 { u128::MAX } else { (1 << free) - 1 };
    assert_eq!(first & hosts, 0, "{block} is no block");
    (first, first | hosts)
}

fn is_in(number: u128, blocks: &[&str]) -> bool {
    blocks.iter().map(|block| range(block)).any(|(first, last)| (first..=last).contains(&number))
}

/// One before the first, the first, the last and one after the last of every block of both tables, and both ends of all.
fn edges(registries: [&[&str]; 2], ours: &[special::SpecialBlock], end: u128) -> BTreeSet<u128> {
    let theirs = registries.concat().into_iter().map(str::to_owned);
    theirs
        .chain(ours.iter().map(|block| block.net.to_string()))
        .map(|block| range(&block))
        .flat_map(|(first, last)| [first.saturating_sub(1), first, last, last.saturating_add(1)])
        .chain([0, end])
        .map(|number| number.min(end))
        .collect()
}

fn edges_v4() -> BTreeSet<u32> {
    edges([REGISTRY_V4, BESIDE_V4], special::V4, u32::MAX.into())
        .into_iter()
        .map(|number| u32::try_from(number).unwrap())
        .collect()
}

/// The verdict of the registry on one IPv4 address, against ours.
fn agrees_v4(bits: u32) {
    let (address, number) = (Ipv4Addr::from(bits), u128::from(bits));
    let class = AddressClass::of(address.into());
    let special = is_in(number, REGISTRY_V4) || is_in(number, BESIDE_V4);
    assert_eq!(class.is_public(), !special, "{address}: {class}");
    assert_eq!(class.is_private(), is_in(number, PRIVATE), "{address}: {class}");
    assert_eq!(class.is_loopback(), is_in(number, &["127.0.0.0/8"]), "{address}: {class}");
}

#[test]
fn all_of_ipv4_agrees_with_the_registry() {
    let edges = edges_v4();
    assert!(edges.len() > 70, "{}", edges.len());
    edges.into_iter().for_each(agrees_v4);
    // Should either side ever stop being a union of these blocks: one address in each 65,521 as well.
    (0..=u32::MAX).step_by(65_521).for_each(agrees_v4);
}

/// The same without the argument: each of the 2^32. Minutes of computing, so it is asked for:
/// `CARGO_PROFILE_TEST_OPT_LEVEL=3 cargo test -p soulbound-runtime --lib four_billion -- --ignored`
#[test]
#[ignore = "takes minutes"]
fn each_of_the_four_billion_addresses_agrees_with_the_registry() {
    let ranges = |blocks: &[&str]| -> Vec<(u128, u128)> { blocks.iter().map(|block| range(block)).collect() };
    let special = ranges(&[REGISTRY_V4, BESIDE_V4].concat());
    let (private, loopback) = (ranges(PRIVATE), ranges(&["127.0.0.0/8"]));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (special, private, loopback) = (&special, &private, &loopback);
            scope.spawn(move || {
                for bits in (u32::try_from(thread).unwrap()..=u32::MAX).step_by(threads) {
                    let (number, class) = (u128::from(bits), AddressClass::of(Ipv4Addr::from(bits).into()));
                    let is_in = |ranges: &[(u128, u128)]| {
                        ranges.iter().any(|(first, last)| (first..=last).contains(&&number))
                    };
                    let verdicts = (class.is_public(), class.is_private(), class.is_loopback());
                    let expected = (!is_in(special), is_in(private), is_in(loopback));
                    assert_eq!(verdicts, expected, "{}", Ipv4Addr::from(bits));
                }
            });
        }
    });
}

#[test]
fn all_of_ipv6_agrees_with_the_registry() {
    let edges = edges([REGISTRY_V6, BESIDE_V6], special::V6, u128::MAX);
    assert!(edges.len() > 60, "{}", edges.len());
    for number in edges {
        let address = Ipv6Addr::from(number);
        let class = AddressClass::of(address.into());
        let special = is_in(number, REGISTRY_V6) || is_in(number, BESIDE_V6);
        assert_eq!(class.is_public(), !special, "{address}: {class}");
        assert_eq!(class.is_private(), is_in(number, &["fc00::/7"]), "{address}: {class}");
        assert_eq!(class.is_loopback(), number == 1, "{address}: {class}");
    }
}

/// A prefix under which an IPv4 address can stand: what we call it, the block, how far to the left the address stands, and
/// whether its bits are flipped.
const EMBEDDINGS: &[(&str, &str, u32, bool)] = &[
    ("compatible", "::/96", 0, false),
    ("mapped", "::ffff:0:0/96", 0, false),
    ("translated", "::ffff:0:0:0/96", 0, false),
    ("NAT64", "64:ff9b::/96", 0, false),
    ("local NAT64", "64:ff9b:1::/48", 0, false),
    ("6to4", "2002::/16", 80, false),
    ("Teredo", "2001::/32", 0, true),
];

#[test]
fn every_edge_of_ipv4_is_found_inside_every_form_that_carries_it() {
    for (form, block, shift, flipped) in EMBEDDINGS {
        let (first, _) = range(block);
        for bits in edges_v4() {
            // `::` and `::1` are themselves.
            if *form == "compatible" && bits <= 1 {
                continue;
            }
            let carried = u128::from(if *flipped { !bits } else { bits });
            let address = Ipv6Addr::from(first | carried << shift);
            let expected = AddressClass::Embedded { how: form, inner: bits.into() };
            assert_eq!(AddressClass::of(address.into()), expected, "{address}");
        }
    }
}

#[test]
fn a_form_that_carries_an_ipv4_address_ends_where_its_prefix_does() {
    let form = |number: u128| match AddressClass::of(Ipv6Addr::from(number).into()) {
        AddressClass::Embedded { how, .. } => Some(how),
        AddressClass::Public | AddressClass::Special(_) => None,
    };
    for (name, block, ..) in EMBEDDINGS {
        let (first, last) = range(block);
        // `::` again.
        assert_eq!(form(first), (first > 0).then_some(*name), "{block}");
        assert_eq!(form(last), Some(*name), "{block}");
        assert_ne!(form(last + 1), Some(*name), "after {block}");
        assert_ne!(first.checked_sub(1).and_then(form), Some(*name), "before {block}");
    }
}
