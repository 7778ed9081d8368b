//! X-Forwarded-For: a stranger's counts for nothing, a proxy's ends at the first stranger.

use std::net::IpAddr;

use muster::http::forwarded::client_address;
use muster::subnet::{Subnet, canonical};

/// Holds what is said above of the bytes as lines of the header, split at line ends.
pub fn check(bytes: &[u8]) {
    let trusted: [Subnet; 2] = ["10.0.0.0/8", "::1"].map(|text| text.parse().expect("a subnet"));
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let stranger = IpAddr::from([203, 0, 113, 9]);
    let claimed = client_address(Some(stranger), &lines, true, &trusted);
    assert!(claimed.is_ok_and(|client| client.ip == stranger && !client.may_name_address));

    let joined = [bytes].concat().split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b',');
    for proxy in [Some(IpAddr::from([10, 0, 0, 1])), None] {
        let client = client_address(proxy, &lines, true, &trusted);
        assert_eq!(client, client_address(proxy, &[&joined], true, &trusted), "lines or commas");
        let Ok(client) = client else { continue };
        assert_eq!(client.ip, canonical(client.ip));
        // The proxy saw this one itself, whatever the lines before say.
        let seen: &[u8] = b"198.51.100.7";
        let more = [&lines[..], &[seen]].concat();
        let seen = client_address(proxy, &more, true, &trusted).expect("an address");
        assert_eq!(seen.ip, IpAddr::from([198, 51, 100, 7]));
    }
}
