//! Whose request it is when a reverse proxy stands between: X-Forwarded-For.
//!
//! Anyone can send the header, so it counts only from a trusted proxy, and of its entries only
//! those that trusted proxies appended: read from the right, the first address that is no trusted
//! proxy is the client; what stands left of it is the client's own claim. An entry that is no
//! address is refused, not skipped: guessing here would list one peer under another's address.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::net::IpAddr;

use crate::request::{Refused, quoted};
use crate::subnet::{self, Subnet};

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its canonical address.
    pub ip: IpAddr,
    /// Whether it may name another address for itself in `ip`, `ipv4` and `ipv6`: clients on local
    /// networks, whose address here is not their address elsewhere, and a trusted proxy that speaks
    /// for itself.
    pub may_name_address: bool,
}

/// The client behind a connection from `remote`, `None` for a Unix socket, which only a proxy on
/// this host connects to. `forwarded_for` are the X-Forwarded-For lines in order, `proxied` whether
/// any header tells of a proxy.
pub fn client_address(
    remote: Option<IpAddr>,
    forwarded_for: &[&[u8]],
    proxied: bool,
    trusted: &[Subnet],
) -> Result<Client, Refused> {
    let remote = remote.map(subnet::canonical);
    let is_trusted = |ip: IpAddr| trusted.iter().any(|subnet| subnet.contains(ip));
    if let Some(ip) = remote
        && !is_trusted(ip)
    {
        // Through a proxy on the host that nobody has configured, everybody would seem local.
        return Ok(Client { ip, may_name_address: subnet::is_local(ip) && !proxied });
    }
    let mut client = None;
    for entry in entries_from_right(forwarded_for) {
        let Some(ip) = subnet::parse_address(entry) else {
            let problem = format_args!("{} is not an address", quoted(entry));
            return Err(Refused::parameter("x-forwarded-for", problem));
        };
        client = Some(Client { ip, may_name_address: subnet::is_local(ip) });
        if !is_trusted(ip) {
            break;
        }
    }
    client.or(remote.map(|ip| Client { ip, may_name_address: !proxied })).ok_or_else(|| {
        let problem = "missing, and a Unix socket has no address of its own";
        Refused::parameter("x-forwarded-for", problem)
    })
}

/// The entries of all lines, the last first; empty ones mean nothing (RFC 9110 section 5.6.1.2).
fn entries_from_right<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = &'a [u8]> {
    lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test's address")
    }

    /// Asked with `10.0.0.0/8` and `::1` as trusted proxies.
    fn client(remote: Option<&str>, lines: &[&str]) -> Result<(String, bool), String> {
        let trusted = ["10.0.0.0/8", "::1"].map(|text| text.parse().expect("a subnet"));
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        match client_address(remote.map(ip), &lines, !lines.is_empty(), &trusted) {
            Ok(client) => Ok((client.ip.to_string(), client.may_name_address)),
            Err(refused) => Err(refused.reason),
        }
    }

    fn found(ip: &str, may_name_address: bool) -> (String, bool) {
        (ip.to_owned(), may_name_address)
    }

    #[test]
    fn a_stranger_is_known_by_its_own_address_whatever_it_sends() {
        assert_eq!(client(Some("203.0.113.9"), &[]), Ok(found("203.0.113.9", false)));
        assert_eq!(client(Some("203.0.113.9"), &["10.0.0.1"]), Ok(found("203.0.113.9", false)));
        assert_eq!(client(Some("203.0.113.9"), &["abc"]), Ok(found("203.0.113.9", false)));
        assert_eq!(client(Some("192.168.1.7"), &[]), Ok(found("192.168.1.7", true)));
        let unknown_proxy = client(Some("192.168.1.7"), &["8.8.8.8"]);
        assert_eq!(unknown_proxy, Ok(found("192.168.1.7", false)), "it may speak for anybody");
        assert_eq!(client(Some("::ffff:203.0.113.9"), &[]), Ok(found("203.0.113.9", false)));
    }

    #[test]
    fn behind_a_trusted_proxy_the_rightmost_stranger_is_the_client() {
        let proxy = Some("10.0.0.1");
        assert_eq!(client(proxy, &["198.51.100.1"]), Ok(found("198.51.100.1", false)));
        assert_eq!(client(proxy, &["1.1.1.1, 198.51.100.1"]), Ok(found("198.51.100.1", false)));
        assert_eq!(
            client(proxy, &["1.1.1.1", "198.51.100.1,10.0.0.2"]),
            Ok(found("198.51.100.1", false))
        );
        assert_eq!(client(proxy, &["abc, 198.51.100.1"]), Ok(found("198.51.100.1", false)));
        assert_eq!(client(Some("::1"), &["192.168.3.4"]), Ok(found("192.168.3.4", true)));
        assert_eq!(
            client(Some("::ffff:10.0.0.1"), &["2001:db8::1"]),
            Ok(found("2001:db8::1", false))
        );
    }

    #[test]
    fn if_every_hop_is_trusted_the_leftmost_is_the_client() {
        let lines = ["10.0.0.7, 10.0.0.8", "10.0.0.9"];
        assert_eq!(client(Some("10.0.0.1"), &lines), Ok(found("10.0.0.7", true)));
    }

    #[test]
    fn a_trusted_proxy_without_the_header_speaks_for_itself() {
        assert_eq!(client(Some("10.0.0.1"), &[]), Ok(found("10.0.0.1", true)));
        assert_eq!(client(Some("10.0.0.1"), &["", " , "]), Ok(found("10.0.0.1", false)));
        let trusted = ["203.0.113.0/24".parse().expect("a subnet")];
        let alone = client_address(Some(ip("203.0.113.1")), &[], false, &trusted);
        assert_eq!(alone, Ok(Client { ip: ip("203.0.113.1"), may_name_address: true }));
    }

    #[test]
    fn a_unix_socket_is_a_trusted_proxy_that_must_say_for_whom_it_speaks() {
        assert_eq!(client(None, &["203.0.113.9"]), Ok(found("203.0.113.9", false)));
        let wanted = "x-forwarded-for: missing, and a Unix socket has no address of its own";
        assert_eq!(client(None, &[]), Err(wanted.to_owned()));
    }

    #[test]
    fn entries_may_have_ports_brackets_and_spaces() {
        for (entry, address) in [
            (" 203.0.113.9 ", "203.0.113.9"),
            ("203.0.113.9:567", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:567", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(client(None, &[entry]), Ok(found(address, false)), "{entry:?}");
        }
    }

    #[test]
    fn an_entry_that_is_no_address_is_refused_by_name() {
        for (line, quoted) in [
            ("abc", "\"abc\""),
            ("unknown", "\"unknown\""),
            ("1.1.1.1, _hidden", "\"_hidden\""),
            ("1.2.3.4:99999", "\"1.2.3.4:99999\""),
            ("1.2.3", "\"1.2.3\""),
            ("\"::1\"", "\"\\\"::1\\\"\""),
        ] {
            let wanted = format!("x-forwarded-for: {quoted} is not an address");
            assert_eq!(client(Some("10.0.0.1"), &[line]), Err(wanted));
        }
    }

    #[test]
    fn no_mutation_makes_the_reading_panic() {
        let mut random = fastrand::Rng::with_seed(5);
        let trusted = ["10.0.0.0/8".parse().expect("a subnet")];
        for _ in 0..4000 {
            let length = random.usize(..40);
            let line: Vec<u8> = (0..length).map(|_| b"10.:,[] f\xff"[random.usize(..10)]).collect();
            let _ = client_address(None, &[&line, b"10.1.1.1"], true, &trusted);
        }
    }
}
