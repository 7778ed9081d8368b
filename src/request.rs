//! The vocabulary: what a client can ask and what it is told, whatever the protocol.
//!
//! HTTP and UDP parse their bytes into these types; the core works on nothing else, so a check made
//! here is made once. No type here knows a socket, a clock or an encoding.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits::{ANNOUNCE_JITTER_DIVISOR, NUMWANT_DEFAULT, NUMWANT_MAX, QUOTED_BYTES_MAX};

/// The SHA-1 of a torrent's info dictionary (BEP 3): what a torrent is known by. Shown as 40 hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

impl InfoHash {
    /// The hash written as 40 hex digits in either case; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &[u8]) -> Option<InfoHash> {
        let digits: &[u8; 40] = text.try_into().ok()?;
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for &digit in pair {
                *byte = *byte << 4 | char::from(digit).to_digit(16)? as u8;
            }
        }
        Some(InfoHash(bytes))
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The 20 bytes a client chose for itself (BEP 3), by convention (BEP 20) opening with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// Whether it is one of aria2's, which is met halfway in two of its ways.
    #[must_use]
    pub fn is_aria2(&self) -> bool {
        self.0.starts_with(b"A2-")
    }
}

/// What shows that two announces with one peer id come from one client: the `key` it sends with
/// each, or the source address if it sends none. Without it nobody can change or stop a peer.
///
/// The same 32-bit key gives the same proof over HTTP (as hex text) and UDP (as an integer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Proof(pub u64);

impl Proof {
    const KEY: u64 = 1 << 56;
    const SOURCE_V4: u64 = 2 << 56;
    const HASHED: u64 = 3 << 56;

    /// From the `key` parameter: up to 8 hex digits are a 32-bit number, anything else is hashed.
    #[must_use]
    pub fn from_key_text(key: &[u8]) -> Proof {
        let number = key.iter().try_fold(0_u32, |number, &digit| {
            number.checked_mul(16)?.checked_add(char::from(digit).to_digit(16)?)
        });
        match number.filter(|_| !key.is_empty()) {
            Some(number) => Proof::from_key(number),
            None => Proof::hashed(key),
        }
    }

    /// From the 32-bit key of a UDP announce (BEP 15).
    #[must_use]
    pub fn from_key(key: u32) -> Proof {
        Proof(Proof::KEY | u64::from(key))
    }

    /// From the address a request without a key came from.
    #[must_use]
    pub fn from_source(ip: IpAddr) -> Proof {
        match ip {
            IpAddr::V4(v4) => Proof(Proof::SOURCE_V4 | u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Proof::hashed(&v6.octets()),
        }
    }

    /// 56 bits of a strong hash (`SipHash`): nobody meets another's by trying.
    fn hashed(bytes: &[u8]) -> Proof {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        Proof(Proof::HASHED | hasher.finish() >> 8)
    }
}

/// Who a peer is: the same identity over IPv4 and IPv6 is one peer with two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The client's own name for itself.
    pub peer_id: PeerId,
    /// What it shows to be the one that announced before.
    pub proof: Proof,
}

/// Why a client announces (BEP 3, BEP 21). Unknown and empty events are updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The regular announce.
    Update,
    /// The first announce of a download or seed.
    Started,
    /// The client leaves the swarm.
    Stopped,
    /// The download has just become whole.
    Completed,
    /// A partial seed: not whole, and wants nothing more (BEP 21).
    Paused,
}

/// How many peers a reply may list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumWant(u16);

impl NumWant {
    /// From what the client sent: absent or negative is the default, the rest is clamped to `max`.
    #[must_use]
    pub fn from_wire(wanted: Option<i64>, max: u16) -> NumWant {
        NumWant(match wanted {
            None | Some(i64::MIN..=-1) => NUMWANT_DEFAULT.min(max),
            Some(count) => count.min(i64::from(max)) as u16,
        })
    }

    /// The count itself, 0 to [`NUMWANT_MAX`].
    #[must_use]
    pub fn count(self) -> usize {
        usize::from(self.0)
    }
}

/// Which endpoints a reply lists: those the requester surely reaches first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4, then IPv6 as far as there is room.
    V4ThenV6,
    /// IPv6, then IPv4 as far as there is room.
    V6ThenV4,
    /// IPv4 alone (BEP 15 over IPv4).
    V4,
    /// IPv6 alone (BEP 15 over IPv6).
    V6,
}

/// Seconds on the tracker's own monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u32);

impl Seconds {
    /// Seconds that have passed since an earlier moment, 0 if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Seconds) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The announce interval and up to a sixteenth more, in seconds, so that clients do not call in
/// step.
#[must_use]
pub fn with_jitter(interval: u32, random: &mut fastrand::Rng) -> u32 {
    interval + random.u32(0..=interval / ANNOUNCE_JITTER_DIVISOR)
}

/// One announce, parsed and checked, over whichever protocol it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceRequest {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Who announces.
    pub identity: Identity,
    /// The IPv4 address to list, if the announce gives one.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address to list, if the announce gives one; never IPv4-mapped.
    pub v6: Option<Ipv6Addr>,
    /// Where the client listens, in either family; 0 is counted but not listed.
    pub port: u16,
    /// Bytes sent since `started`.
    pub uploaded: u64,
    /// Bytes received since `started`.
    pub downloaded: u64,
    /// Bytes the client still lacks; 0 is a seeder.
    pub left: u64,
    /// Why it announces.
    pub event: Event,
    /// How many peers it wants.
    pub numwant: NumWant,
    /// Which endpoints it wants.
    pub families: Families,
    /// Whether the reply names the peers' ids (BEP 3 dictionaries without `no_peer_id`).
    pub peer_ids: bool,
    /// The address that answers for a torrent which this brings up; `None`, as parsed, where no
    /// bound applies.
    pub sender: Option<IpAddr>,
}

impl AnnounceRequest {
    /// Whether its sender has everything, or all it wants (BEP 21).
    #[must_use]
    pub fn wants_nothing(&self) -> bool {
        self.left == 0 || self.event == Event::Paused
    }

    /// Whether this may be a leecher that does not know yet what it lacks.
    ///
    /// aria2 (1.36) announces a magnet link with `left=0` until it has fetched the metadata, for
    /// which it needs a seeder. It is told of them, as nobody else who has everything is; a magnet
    /// link of other clients comes with a `left` above 0.
    #[must_use]
    pub fn may_lack_metadata(&self) -> bool {
        self.identity.peer_id.is_aria2()
            && self.left == 0
            && self.uploaded == 0
            && self.downloaded == 0
    }
}

/// What a swarm holds (BEP 48, BEP 21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwarmCounts {
    /// Seeders.
    pub complete: u32,
    /// Leechers, partial seeds among them.
    pub incomplete: u32,
    /// Downloads that became whole, over all time.
    pub downloaded: u32,
    /// Leechers that are downloading: `incomplete` without the partial seeds.
    pub downloaders: u32,
}

/// An IPv4 endpoint as the wire has it: address and port, big-endian (BEP 23).
pub type Endpoint4 = [u8; 6];
/// An IPv6 endpoint as the wire has it: address and port, big-endian (BEP 7).
pub type Endpoint6 = [u8; 18];

/// Puts an IPv4 endpoint together.
#[must_use]
pub fn endpoint4(ip: Ipv4Addr, port: u16) -> Endpoint4 {
    let ([a, b, c, d], [high, low]) = (ip.octets(), port.to_be_bytes());
    [a, b, c, d, high, low]
}

/// Puts an IPv6 endpoint together.
#[must_use]
pub fn endpoint6(ip: Ipv6Addr, port: u16) -> Endpoint6 {
    let mut endpoint = [0; 18];
    endpoint[..16].copy_from_slice(&ip.octets());
    endpoint[16..].copy_from_slice(&port.to_be_bytes());
    endpoint
}

/// Takes an IPv4 endpoint apart.
#[must_use]
pub fn split_endpoint4([a, b, c, d, high, low]: Endpoint4) -> (Ipv4Addr, u16) {
    (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

/// Takes an IPv6 endpoint apart.
#[must_use]
pub fn split_endpoint6(endpoint: Endpoint6) -> (Ipv6Addr, u16) {
    let [ip @ .., high, low] = endpoint;
    (Ipv6Addr::from(ip), u16::from_be_bytes([high, low]))
}

/// The peers of one reply: filled under a shard's lock, encoded after it is released, used again
/// for the next. Room for [`NUMWANT_MAX`] peers from the start, so it never grows.
#[derive(Debug)]
pub struct PeerBuf {
    /// IPv4 endpoints.
    pub v4: Vec<Endpoint4>,
    /// IPv6 endpoints.
    pub v6: Vec<Endpoint6>,
    /// With `peer_ids`: the ids of the peers in `v4`, then of those in `v6`.
    pub ids: Vec<PeerId>,
    /// Chooses the sample.
    pub random: fastrand::Rng,
}

impl PeerBuf {
    /// An empty buffer with its own source of randomness.
    #[must_use]
    pub fn new() -> PeerBuf {
        let room = usize::from(NUMWANT_MAX);
        PeerBuf {
            v4: Vec::with_capacity(room),
            v6: Vec::with_capacity(room),
            ids: Vec::with_capacity(room),
            random: fastrand::Rng::new(),
        }
    }

    /// Forgets the peers of the last reply.
    pub fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
        self.ids.clear();
    }
}

impl Default for PeerBuf {
    fn default() -> Self {
        PeerBuf::new()
    }
}

/// When a refused client should come back (BEP 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request will be refused again, for ever.
    Never,
    /// It may go better in so many minutes.
    Minutes(u32),
}

/// What it is that makes a request refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is wrong.
    Request,
    /// The tracker is full.
    Full,
    /// Its address has brought up as many torrents as one may.
    Share,
    /// Its address asks more often than one may.
    Rate,
}

/// A request that cannot be served: the only error that reaches the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was wrong, for the person behind the client: names the parameter and quotes its value.
    pub reason: String,
    /// When to try again.
    pub retry: Retry,
    /// What it is that makes it refused.
    pub fault: Fault,
}

impl Refused {
    /// A parameter that makes the request senseless: `info_hash: 19 bytes, expected 20`.
    #[must_use]
    pub fn parameter(name: &str, problem: impl fmt::Display) -> Refused {
        Refused { reason: format!("{name}: {problem}"), retry: Retry::Never, fault: Fault::Request }
    }
}

/// Bytes from the network as they may stand in an error text: printable, in quotes, at most
/// [`QUOTED_BYTES_MAX`] of them.
#[must_use]
pub fn quoted(bytes: &[u8]) -> String {
    let cut = bytes.get(..QUOTED_BYTES_MAX).unwrap_or(bytes);
    let dots = if cut.len() < bytes.len() { "..." } else { "" };
    format!("\"{}{dots}\"", cut.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_hex_digits_in_either_case_are_a_hash() {
        let hash =
            InfoHash::from_hex(b"00112233445566778899aAbBcCdDeEfF01234567").expect("40 digits");
        assert_eq!(hash.to_string(), "00112233445566778899aabbccddeeff01234567");
        for wrong in [
            "",
            "00112233445566778899aAbBcCdDeEfF0123456",
            "g0112233445566778899aabbccddeeff01234567",
        ] {
            assert_eq!(InfoHash::from_hex(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_is_the_same_proof_as_text_and_as_a_number() {
        assert_eq!(Proof::from_key_text(b"00C0FFEE"), Proof::from_key(0x00c0_ffee));
        assert_eq!(Proof::from_key_text(b"c0ffee"), Proof::from_key(0x00c0_ffee));
        // aria2 sends eight raw bytes.
        assert_ne!(
            Proof::from_key_text(b"\xff\x00ABCDEF"),
            Proof::from_key_text(b"\xff\x00ABCDEG")
        );
        assert_ne!(Proof::from_key_text(b"+1"), Proof::from_key(1), "a sign is no hex digit");
    }

    #[test]
    fn proofs_of_different_kinds_never_meet() {
        let kinds = [
            Proof::from_key(0x7f00_0001),
            Proof::from_source(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Proof::from_source(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        for (i, a) in kinds.iter().enumerate() {
            assert!(kinds.iter().skip(i + 1).all(|b| a.0 >> 56 != b.0 >> 56), "{kinds:x?}");
        }
    }

    #[test]
    fn numwant_is_the_default_when_absent_or_negative_and_clamped_above() {
        for (wire, max, wanted) in [
            (None, 200, 50),
            (Some(-1), 200, 50),
            (Some(i64::MIN), 200, 50),
            (Some(0), 200, 0),
            (Some(7), 200, 7),
            (Some(i64::MAX), 200, 200),
            (None, 30, 30),
        ] {
            assert_eq!(NumWant::from_wire(wire, max).count(), wanted, "{wire:?} {max}");
        }
    }

    #[test]
    fn quoted_values_are_printable_and_cut() {
        assert_eq!(quoted(b"a\"\x00\xff"), r#""a\"\x00\xff""#);
        assert_eq!(quoted(&[b'x'; 41]), format!("\"{}...\"", "x".repeat(40)));
    }
}
