//! Connection ids: what shows that a client receives what is sent to its address.
//!
//! An id is a keyed hash of the client's IP address and the time, so nothing is remembered of it.
//! Time counts in buckets of [`UDP_ID_BUCKET_SECONDS`]; an id holds in its own bucket and the next,
//! 5 to 10 minutes, where BEP 15 asks for 2 at the least and some clients keep theirs for 5. It
//! holds in the bucket before its own too, which comes up only when the time has been set back.
//!
//! Pure functions of the address, the time and the key. Who keeps the key (`udp::key_file`) keeps
//! the ids across a restart; who knows it can announce for any address.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;
use std::net::IpAddr;

use crate::limits::UDP_ID_BUCKET_SECONDS;
use crate::siphash::siphash_2_4;

use super::packet::ConnectionId;

/// What ids are made with. Shown to nobody: its `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The id for a client at this canonical address and Unix time, in seconds.
    #[must_use]
    pub fn issue(&self, ip: IpAddr, unix_seconds: u64) -> ConnectionId {
        self.id_of(ip, bucket_of(unix_seconds))
    }

    /// Whether the id was issued to this canonical address and is not too old.
    #[must_use]
    pub fn verify(&self, id: ConnectionId, ip: IpAddr, unix_seconds: u64) -> bool {
        let now = bucket_of(unix_seconds);
        let buckets = [now, now.wrapping_sub(1), now.wrapping_add(1)];
        buckets.into_iter().any(|bucket| self.id_of(ip, bucket) == id)
    }

    fn id_of(&self, ip: IpAddr, bucket: u64) -> ConnectionId {
        // IPv4 in its mapped form, which no canonical IPv6 address has.
        let ip = match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mut message = [0; 24];
        let (address, time) = message.split_at_mut(16);
        address.copy_from_slice(&ip.octets());
        time.copy_from_slice(&bucket.to_be_bytes());
        ConnectionId(siphash_2_4(&self.0, &message))
    }
}

fn bucket_of(unix_seconds: u64) -> u64 {
    unix_seconds / UDP_ID_BUCKET_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key(*b"0123456789abcdef");
    /// The first second of a bucket.
    const NOON: u64 = 1_800_000_000 / UDP_ID_BUCKET_SECONDS * UDP_ID_BUCKET_SECONDS;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test's address")
    }

    /// Ids are kept by clients across an update of the tracker: these values never change. Made
    /// with Python: SipHash-2-4 of the 16 bytes of the address and the bucket as 8 bytes.
    #[test]
    fn ids_are_golden() {
        for (address, seconds, wanted) in GOLDEN {
            let id = KEY.issue(ip(address), seconds);
            assert_eq!(format!("{:016x}", id.0), wanted, "{address} at {seconds}");
        }
    }

    const GOLDEN: [(&str, u64, &str); 4] = [
        ("192.0.2.1", 0, "611e5ec10e407cc8"),
        ("192.0.2.1", 1_800_000_299, "5c9b0ecd1009099b"),
        ("192.0.2.2", 1_800_000_299, "7c1d69e9925b6153"),
        ("2001:db8::1", 1_800_000_300, "a6225627a60e1d0f"),
    ];

    #[test]
    fn an_id_holds_for_five_minutes_at_the_least_and_ten_at_the_most() {
        let client = ip("2001:db8::1");
        for (issued, last) in [(NOON, NOON + 599), (NOON + 299, NOON + 599)] {
            let id = KEY.issue(client, issued);
            for held in [issued, issued + 1, issued + 300, last] {
                assert!(KEY.verify(id, client, held), "issued {issued}, shown {held}");
            }
            for late in [last + 1, last + 300, last + 3600, u64::MAX, 0] {
                assert!(!KEY.verify(id, client, late), "issued {issued}, shown {late}");
            }
        }
    }

    #[test]
    fn an_id_survives_a_clock_that_was_set_back_a_little() {
        let client = ip("192.0.2.1");
        let id = KEY.issue(client, NOON);
        assert!(KEY.verify(id, client, NOON - 1));
        assert!(KEY.verify(id, client, NOON - 300));
        assert!(!KEY.verify(id, client, NOON - 301), "by more than a bucket is too much");
    }

    #[test]
    fn an_id_of_another_address_or_another_key_is_foreign() {
        let id = KEY.issue(ip("192.0.2.1"), NOON);
        for other in ["192.0.2.2", "193.0.2.1", "::", "::c000:201", "2001:db8::1"] {
            assert!(!KEY.verify(id, ip(other), NOON), "{other}");
        }
        for bit in 0..64 {
            let forged = ConnectionId(id.0 ^ 1 << bit);
            assert!(!KEY.verify(forged, ip("192.0.2.1"), NOON), "bit {bit}");
        }
        for byte in 0..16 {
            let mut other = KEY;
            other.0[byte] ^= 0x80;
            assert!(!other.verify(id, ip("192.0.2.1"), NOON), "byte {byte} of the key");
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert_eq!(format!("{KEY:?}"), "Key(..)");
    }
}
