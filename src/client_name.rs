//! Which client a peer id belongs to, for people who look at a swarm.
//!
//! By convention (BEP 20) a peer id opens with `-XXvvvv-`: two letters for the client, four for its
//! version. Mainline writes `Mv-v-v--`. Anybody can write anything there: nothing decides by it.

use crate::request::PeerId;

/// Clients by their two letters: those in use, from BEP 20 and the clients' own sources.
const CLIENTS: &[(&[u8; 2], &str)] = &[
    (b"7T", "aTorrent"),
    (b"AZ", "Vuze"),
    (b"BC", "BitComet"),
    (b"BI", "BiglyBT"),
    (b"BT", "BitTorrent"),
    (b"DE", "Deluge"),
    (b"FD", "Free Download Manager"),
    (b"GT", "anacrolix/torrent"),
    (b"JT", "JavaTorrent"),
    (b"KT", "KTorrent"),
    (b"LT", "libtorrent"),
    (b"lt", "rTorrent"),
    (b"qB", "qBittorrent"),
    (b"rQ", "rqbit"),
    (b"SD", "Thunder"),
    (b"TL", "Tribler"),
    (b"TR", "Transmission"),
    (b"TX", "Tixati"),
    (b"UM", "uTorrent for Mac"),
    (b"UT", "uTorrent"),
    (b"UW", "uTorrent Web"),
    (b"WD", "WebTorrent Desktop"),
    (b"WW", "WebTorrent"),
    (b"XL", "Thunder"),
];

/// The client's name and version, `qBittorrent 4.5.0`, as far as the peer id tells.
#[must_use]
pub fn client_name(peer_id: &PeerId) -> Option<String> {
    match &peer_id.0 {
        [b'-', a, b, version @ .., _, _, _, _, _, _, _, _, _, _, _, _, _] => {
            let name = CLIENTS.iter().find(|(letters, _)| *letters == &[*a, *b]);
            let (_, name) = name?;
            Some(format!("{name} {}", dotted(version)))
        }
        [b'M', rest @ ..] => {
            let end = rest.windows(2).position(|pair| pair == b"--")?;
            let parts = rest.get(..end)?.split(|&byte| byte == b'-');
            let version: Option<Vec<&str>> = parts.map(|part| digits(part)).collect();
            Some(format!("BitTorrent {}", version?.join(".")))
        }
        // aria2 writes its version out and random bytes behind it.
        [b'A', b'2', b'-', rest @ ..] => {
            let parts = rest.split(|&byte| byte == b'-').take(3);
            let version: Option<Vec<&str>> = parts.map(|part| digits(part)).collect();
            Some(format!("aria2 {}", version?.join(".")))
        }
        _ => None,
    }
}

/// `4500` as `4.5.0`: a digit or letter for each part, a last 0 left out.
fn dotted(version: &[u8]) -> String {
    let clean = version.iter().take_while(|byte| byte.is_ascii_alphanumeric());
    let mut parts: Vec<String> = clean.map(|&byte| part(byte)).collect();
    if parts.len() == 4 && parts.last().is_some_and(|last| last == "0") {
        parts.pop();
    }
    parts.join(".")
}

/// The bytes as text, if they are digits.
fn digits(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// Digits count on through the letters: `A` is 10.
fn part(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' => (byte - b'A' + 10).to_string(),
        _ => char::from(byte).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_their_peer_ids() {
        for (peer_id, name) in [
            (b"-qB4500-abcdefghijkl", Some("qBittorrent 4.5.0")),
            (b"-TR3000-abcdefghijkl", Some("Transmission 3.0.0")),
            (b"-LT20A1-abcdefghijkl", Some("libtorrent 2.0.10.1")),
            (b"-UT3550-\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b", Some("uTorrent 3.5.5")),
            (b"A2-1-36-0-\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", Some("aria2 1.36.0")),
            (b"M7-11-0--abcdefghijk", Some("BitTorrent 7.11.0")),
            (b"-??0000-abcdefghijkl", None),
            (b"A2-nothing-of-this-k", None),
            (b"Mxyz--------------ab", None),
            (b"abcdefghijklmnopqrst", None),
        ] {
            assert_eq!(client_name(&PeerId(*peer_id)).as_deref(), name, "{peer_id:?}");
        }
    }
}
