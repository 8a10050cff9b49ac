//! Cloud metadata services: the addresses and names at which a machine in a cloud is handed its own
//! credentials.
//!
//! One GET to any of them is a stolen identity, so no entry of any SOUL.md opens them, not even by name or
//! literally. Some lie in private or even public space, where no general rule would catch them: hence a
//! table, with whose each is, which `soulbound explain metadata` prints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::AddressClass;

/// One address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataAddress {
    /// Where it is.
    pub address: IpAddr,
    /// Whose service answers there.
    pub owner: &'static str,
}

/// One name; the names below it count too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataName {
    /// Lower case, without a trailing dot.
    pub name: &'static str,
    /// Whose service it is.
    pub owner: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, owner: &'static str) -> MetadataAddress {
    MetadataAddress { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), owner }
}

const fn v6(a: u16, b: u16, g: u16, h: u16, owner: &'static str) -> MetadataAddress {
    MetadataAddress { address: IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, g, h)), owner }
}

/// The addresses.
pub const ADDRESSES: &[MetadataAddress] = &[
    v4(169, 254, 169, 254, "AWS, Google Cloud, Azure, DigitalOcean, Oracle, OpenStack, Hetzner and others"),
    v4(169, 254, 170, 2, "AWS ECS task credentials"),
    v4(169, 254, 170, 23, "AWS EKS pod identity"),
    v4(169, 254, 169, 123, "AWS time service"),
    v4(169, 254, 169, 253, "AWS DNS resolver"),
    v4(169, 254, 0, 23, "Tencent Cloud"),
    v4(169, 254, 42, 42, "Scaleway"),
    v4(100, 100, 100, 200, "Alibaba Cloud"),
    v4(192, 0, 0, 192, "Oracle Cloud (classic)"),
    v4(168, 63, 129, 16, "Azure WireServer"),
    v6(0xfd00, 0xec2, 0, 0x254, "AWS"),
    v6(0xfd00, 0xec2, 0, 0x23, "AWS EKS pod identity"),
    v6(0xfd00, 0xec2, 0, 0x123, "AWS time service"),
    v6(0xfd00, 0xec2, 0, 0x253, "AWS DNS resolver"),
    v6(0xfd20, 0xce, 0, 0x254, "Google Cloud"),
    v6(0xfd00, 0x42, 0, 0x42, "Scaleway"),
    v6(0xfe80, 0, 0xa9fe, 0xa9fe, "OpenStack"),
];

/// The names.
pub const NAMES: &[MetadataName] = &[
    MetadataName { name: "metadata.google.internal", owner: "Google Cloud" },
    MetadataName { name: "metadata.goog", owner: "Google Cloud" },
    MetadataName { name: "metadata", owner: "Google Cloud and others, through a search domain" },
    MetadataName { name: "instance-data", owner: "AWS, through a search domain" },
    MetadataName { name: "instance-data.ec2.internal", owner: "AWS" },
    MetadataName { name: "metadata.azure.internal", owner: "Azure" },
    MetadataName { name: "metadata.azure.com", owner: "Azure" },
    MetadataName { name: "metadata.tencentyun.com", owner: "Tencent Cloud" },
    MetadataName { name: "metadata.platformequinix.com", owner: "Equinix Metal" },
    MetadataName { name: "metadata.packet.net", owner: "Equinix Metal" },
    MetadataName { name: "api.metadata.cloud.ibm.com", owner: "IBM Cloud" },
    MetadataName { name: "rancher-metadata", owner: "Rancher" },
];

/// Whose metadata service answers at this address, in any IPv6 spelling of it too.
#[must_use]
pub fn owner_of_address(address: IpAddr) -> Option<&'static str> {
    let inner = match AddressClass::of(address) {
        AddressClass::Embedded { inner, .. } => IpAddr::V4(inner),
        _ => address,
    };
    ADDRESSES.iter().find(|row| row.address == inner || row.address == address).map(|row| row.owner)
}

/// Whose metadata service has this name, or a name above it. The name is lower case, without a trailing dot.
#[must_use]
pub fn owner_of_name(name: &str) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|row| name.strip_suffix(row.name).is_some_and(|head| head.is_empty() || head.ends_with('.')))
        .map(|row| row.owner)
}
