//! IP addresses as the tracker sees them: canonical, and grouped into subnets.
//!
//! A peer that reaches an IPv6 listener over IPv4 shows up as `::ffff:a.b.c.d`; everything past the
//! edge works on [`canonical`] addresses, in which that form does not exist.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The address with an IPv4-mapped IPv6 address turned into the IPv4 address it stands for.
#[must_use]
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// The canonical address in text from the network, in the forms that BEP 7 and X-Forwarded-For
/// have: `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]`, `[::1]:567`. A port is read and dropped.
#[must_use]
pub fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let ip = match bare {
        Some(v6) => v6.parse().map(IpAddr::V6).ok(),
        None => text.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())),
    };
    ip.map(canonical)
}

/// Loopback, private and link-local networks: RFC 1918, RFC 4193, RFC 3927, RFC 4291.
pub const LOCAL_NETWORKS: [Subnet; 8] = [
    Subnet::v4([127, 0, 0, 0], 8),
    Subnet::v4([10, 0, 0, 0], 8),
    Subnet::v4([172, 16, 0, 0], 12),
    Subnet::v4([192, 168, 0, 0], 16),
    Subnet::v4([169, 254, 0, 0], 16),
    Subnet::v6(Ipv6Addr::LOCALHOST, 128),
    Subnet::v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    Subnet::v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
];

/// Whether the address is of one of [`LOCAL_NETWORKS`].
#[must_use]
pub fn is_local(ip: IpAddr) -> bool {
    LOCAL_NETWORKS.iter().any(|network| network.contains(ip))
}

/// Whether another client could connect to the address: not unspecified, multicast or broadcast.
#[must_use]
pub fn is_reachable(ip: IpAddr) -> bool {
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// What one user has at the least: an IPv4 address, or the /64 of an IPv6 address, in which a host
/// takes as many addresses as it likes (RFC 4291 section 2.5.1).
#[must_use]
pub fn user_network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// A range of addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3): `10.0.0.0/8`, `::1`.
/// Bits beyond the prefix are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

impl Subnet {
    const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Subnet {
        Subnet { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(address: Ipv6Addr, prefix: u8) -> Subnet {
        Subnet { address: IpAddr::V6(address), prefix }
    }

    /// Whether a canonical address lies within.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?}: expected an address or subnet such as 10.0.0.0/8 or ::1");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|&p| p <= bits).ok_or_else(wrong)?,
            None => bits,
        };
        Ok(Subnet { address, prefix })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == bits {
            return write!(f, "{}", self.address);
        }
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test's address")
    }

    #[test]
    fn a_subnet_contains_what_shares_its_prefix() {
        let cases = [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.168.1.77/24", "192.168.1.1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::/0", "ffff::", true),
        ];
        for (subnet, address, contained) in cases {
            let subnet: Subnet = subnet.parse().expect(subnet);
            assert_eq!(subnet.contains(ip(address)), contained, "{subnet} {address}");
        }
    }

    #[test]
    fn a_malformed_subnet_is_named_in_the_error() {
        for text in
            ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "example.org", "1.2.3.4/-1"]
        {
            let error = text.parse::<Subnet>().expect_err(text);
            let wanted =
                format!("{text:?}: expected an address or subnet such as 10.0.0.0/8 or ::1");
            assert_eq!(error, wanted);
        }
    }

    #[test]
    fn addresses_from_the_network_are_read_with_or_without_a_port() {
        for (text, wanted) in [
            ("1.2.3.4", Some("1.2.3.4")),
            ("1.2.3.4:567", Some("1.2.3.4")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("[::1]:567", Some("::1")),
            ("::ffff:1.2.3.4", Some("1.2.3.4")),
            ("[::ffff:1.2.3.4]:567", Some("1.2.3.4")),
            ("", None),
            ("[1.2.3.4]", None),
            ("1.2.3.4:", None),
            ("1.2.3.4:65536", None),
            (" ::1", None),
            ("example.org", None),
        ] {
            assert_eq!(parse_address(text.as_bytes()), wanted.map(ip), "{text:?}");
        }
        assert_eq!(parse_address(b"\xff"), None);
    }

    #[test]
    fn one_user_is_an_ipv4_address_or_a_slash_64() {
        assert_eq!(user_network(ip("192.0.2.7")), ip("192.0.2.7"));
        assert_eq!(user_network(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
    }

    #[test]
    fn local_and_reachable_addresses_are_told_apart() {
        for (address, local, reachable) in [
            ("127.0.0.1", true, true),
            ("192.168.0.1", true, true),
            ("172.31.255.255", true, true),
            ("192.169.0.1", false, true),
            ("11.0.0.1", false, true),
            ("128.0.0.1", false, true),
            ("::2", false, true),
            ("fec0::1", false, true),
            ("fdff::1", true, true),
            ("172.32.0.1", false, true),
            ("169.254.1.1", true, true),
            ("fd00::1", true, true),
            ("fe80::1", true, true),
            ("2001:db8::1", false, true),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("ff02::1", false, false),
        ] {
            assert_eq!(
                (is_local(ip(address)), is_reachable(ip(address))),
                (local, reachable),
                "{address}"
            );
        }
    }
}
