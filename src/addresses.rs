//! The addresses of this host, as its operator could give them to somebody else.
//!
//! [`announce_urls`] answers "what do I paste into my client?": it asks the system for the
//! addresses of its interfaces once and orders them, so that two starts print the same. It does not
//! find a public address behind a NAT: only somebody outside could tell.

use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::subnet::{canonical, is_local};

/// The announce URLs of a tracker that serves HTTP and UDP on these addresses, each once: for an
/// unspecified address one for every address of the host (`[::]` stands for IPv4 too), for any
/// other just its own. Where both are served the one for UDP follows the one for HTTP.
#[must_use]
pub fn announce_urls(http: &[SocketAddr], udp: &[SocketAddr]) -> Vec<String> {
    urls(http, udp, &host_addresses())
}

/// The addresses of all interfaces that are up; none if the system does not tell.
#[must_use]
pub fn host_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let up = interfaces.filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP));
    up.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    })
    .collect()
}

fn urls(http: &[SocketAddr], udp: &[SocketAddr], host: &[IpAddr]) -> Vec<String> {
    let [http, udp] = [http, udp].map(|listening| endpoints(listening, host));
    let mut urls = Vec::new();
    for endpoint in &http {
        urls.push(format!("http://{endpoint}/announce"));
        if udp.contains(endpoint) {
            urls.push(format!("udp://{endpoint}/announce"));
        }
    }
    let alone = udp.iter().filter(|endpoint| !http.contains(endpoint));
    urls.extend(alone.map(|endpoint| format!("udp://{endpoint}/announce")));
    urls
}

/// Where clients could reach what listens on these addresses, each once.
fn endpoints(listening: &[SocketAddr], host: &[IpAddr]) -> Vec<SocketAddr> {
    let mut endpoints = Vec::new();
    for &socket in listening {
        let ip = canonical(socket.ip());
        let ips = if ip.is_unspecified() { announced(ip, host) } else { vec![ip] };
        for ip in ips {
            let endpoint = SocketAddr::new(ip, socket.port());
            if !endpoints.contains(&endpoint) {
                endpoints.push(endpoint);
            }
        }
    }
    endpoints
}

/// What a client could be given for an unspecified address: IPv4 first, public before private. A
/// loopback address helps only on this host and comes only if there is no other; so does an IPv4
/// link-local one. An IPv6 link-local address never comes: it means nothing without a zone, which a
/// URL cannot carry to another host.
fn announced(unspecified: IpAddr, host: &[IpAddr]) -> Vec<IpAddr> {
    let usable = |ip: &&IpAddr| {
        let family = unspecified.is_ipv6() || ip.is_ipv4();
        let zoned = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        family && !zoned && !ip.is_unspecified() && !ip.is_multicast()
    };
    let mut ranked: Vec<_> = host.iter().filter(usable).map(|ip| (rank(*ip), *ip)).collect();
    ranked.sort_unstable();
    ranked.dedup();
    let best = ranked.first().map(|((last_resort, _, _), _)| *last_resort);
    let chosen = ranked.into_iter().filter(|((last_resort, _, _), _)| Some(*last_resort) == best);
    chosen.map(|(_, ip)| ip).collect()
}

/// What an address is sorted by: how much of a last resort it is, then IPv6, then not public.
fn rank(ip: IpAddr) -> (u8, bool, bool) {
    let link_local = matches!(ip, IpAddr::V4(v4) if v4.is_link_local());
    let last_resort = if ip.is_loopback() { 2 } else { u8::from(link_local) };
    (last_resort, ip.is_ipv6(), is_local(ip) || is_shared(ip))
}

/// Whether an address is a provider's, behind its NAT: 100.64.0.0/10 (RFC 6598).
#[must_use]
pub fn is_shared(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls_of(listening: &[&str], host: &[&str]) -> Vec<String> {
        let listening: Vec<SocketAddr> =
            listening.iter().map(|text| text.parse().expect("an address and port")).collect();
        let host: Vec<IpAddr> = host.iter().map(|text| text.parse().expect("an address")).collect();
        urls(&listening, &[], &host)
    }

    /// An ordinary host: loopback, a LAN, a public address in either family.
    const HOST: [&str; 9] = [
        "127.0.0.1",
        "::1",
        "fe80::1",
        "fd00::5",
        "2001:db8::1",
        "192.168.1.5",
        "100.64.0.9",
        "169.254.7.7",
        "203.0.113.9",
    ];

    #[test]
    fn all_addresses_are_those_of_the_host_the_most_useful_first() {
        let wanted = [
            "http://203.0.113.9:6969/announce",
            "http://100.64.0.9:6969/announce",
            "http://192.168.1.5:6969/announce",
            "http://[2001:db8::1]:6969/announce",
            "http://[fd00::5]:6969/announce",
        ];
        assert_eq!(urls_of(&["[::]:6969"], &HOST), wanted, "IPv6 and IPv4 on one socket");
        assert_eq!(urls_of(&["0.0.0.0:6969"], &HOST), wanted[..3], "IPv4 alone");
        assert_eq!(urls_of(&["0.0.0.0:6969", "[::]:6969"], &HOST), wanted, "each once");
        let mut backwards = HOST;
        backwards.reverse();
        assert_eq!(urls_of(&["[::]:6969"], &backwards), wanted, "whatever the system's order");
    }

    #[test]
    fn a_specific_address_is_just_that() {
        let listening = ["127.0.0.1:80", "[2001:db8::7]:8080", "[::ffff:192.0.2.1]:1"];
        let wanted = [
            "http://127.0.0.1:80/announce",
            "http://[2001:db8::7]:8080/announce",
            "http://192.0.2.1:1/announce",
        ];
        assert_eq!(urls_of(&listening, &HOST), wanted);
    }

    #[test]
    fn where_both_are_served_the_url_for_udp_follows_the_one_for_http() {
        let [all, one, other]: [SocketAddr; 3] = ["[::]:7", "192.0.2.1:7", "192.0.2.1:8"]
            .map(|text| text.parse().expect("an address and port"));
        let host: [IpAddr; 2] =
            ["203.0.113.9", "192.0.2.1"].map(|text| text.parse().expect("an address"));
        let wanted = [
            "http://192.0.2.1:7/announce",
            "udp://192.0.2.1:7/announce",
            "http://203.0.113.9:7/announce",
            "udp://203.0.113.9:7/announce",
        ];
        assert_eq!(urls(&[all], &[all], &host), wanted);
        let wanted =
            ["http://192.0.2.1:7/announce", "http://203.0.113.9:7/announce", "udp://192.0.2.1:8"];
        let found = urls(&[all], &[other], &host);
        assert_eq!(found.len(), 3);
        assert!(found.iter().zip(wanted).all(|(found, wanted)| found.starts_with(wanted)));
        assert_eq!(urls(&[], &[one], &host), ["udp://192.0.2.1:7/announce"]);
    }

    #[test]
    fn loopback_and_link_local_come_only_when_nothing_else_is_there() {
        for (listening, host, wanted) in [
            (
                "[::]:1",
                ["127.0.0.1", "::1"],
                &["http://127.0.0.1:1/announce", "http://[::1]:1/announce"][..],
            ),
            ("0.0.0.0:1", ["127.0.0.1", "2001:db8::1"], &["http://127.0.0.1:1/announce"]),
            ("[::]:1", ["127.0.0.1", "2001:db8::1"], &["http://[2001:db8::1]:1/announce"]),
            ("[::]:1", ["127.0.0.1", "169.254.1.1"], &["http://169.254.1.1:1/announce"]),
            ("[::]:1", ["127.0.0.1", "fe80::1"], &["http://127.0.0.1:1/announce"]),
            ("[::]:1", ["fe80::1", "fe80::2"], &[]),
        ] {
            assert_eq!(urls_of(&[listening], &host), wanted, "{listening} {host:?}");
        }
    }

    #[test]
    fn this_host_has_an_address() {
        let host = host_addresses();
        assert!(host.iter().any(IpAddr::is_ipv4), "{host:?}");
        let urls = announce_urls(&["[::]:6969".parse().expect("an address")], &[]);
        assert!(!urls.is_empty(), "{host:?}");
    }
}
