//! Bencode as JSON for people: what is text stands as text, addresses and hashes as such.
//!
//! JSON has no bytes, so a key tells what a string is: compact `peers` (BEP 23) and `peers6`
//! (BEP 7), `external ip` (BEP 24), the hashes under `files` (BEP 48), peer ids. Any other that is
//! no plain text is `hex:` and its digits; text that begins so is written in hex too, so that
//! nothing reads in two ways. Of a key that stands twice the last one is shown.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value as Json};

use super::Value;
use crate::percent;
use crate::printable::printable;
use crate::request::{split_endpoint4, split_endpoint6};

/// What stands before the digits of a string that is no text.
const HEX_MARK: &str = "hex:";

/// The value as JSON.
#[must_use]
pub fn to_json(value: &Value<'_>) -> Json {
    keyed(b"", value)
}

/// The value of a key as JSON.
fn keyed(key: &[u8], value: &Value<'_>) -> Json {
    match value {
        Value::Int(number) => (*number).into(),
        Value::Bytes(bytes) => bytes_to_json(key, bytes),
        Value::List(list) => list.iter().map(|value| keyed(b"", &value)).collect(),
        Value::Dict(dict) => {
            let entries = dict.iter().map(|entry| {
                let name = match entry.key.len() {
                    20 if key == b"files" => hex(entry.key),
                    _ => text(entry.key),
                };
                (name, keyed(entry.key, &entry.value))
            });
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// The bytes that a key stands for as JSON: a string, or a list of addresses.
#[must_use]
pub fn bytes_to_json(key: &[u8], bytes: &[u8]) -> Json {
    let endpoints = |endpoints: Option<Vec<SocketAddr>>| {
        endpoints.map(|all| all.iter().map(SocketAddr::to_string).collect())
    };
    let meant = match key {
        b"peers" => endpoints(compact(bytes, split_endpoint4)),
        b"peers6" => endpoints(compact(bytes, split_endpoint6)),
        b"external ip" | b"yourip" => ip(bytes).map(|ip| ip.to_string().into()),
        b"peer id" | b"peer_id" => {
            let mut text = String::new();
            percent::encode(bytes, &mut text);
            Some(text.into())
        }
        b"info_hash" | b"info hash" | b"pieces" | b"pieces root" => Some(hex(bytes).into()),
        _ => None,
    };
    meant.unwrap_or_else(|| text(bytes).into())
}

/// The endpoints of a compact list; `None` if one is cut off.
#[must_use]
pub fn compact<const N: usize, Ip: Into<IpAddr>>(
    bytes: &[u8],
    split: fn([u8; N]) -> (Ip, u16),
) -> Option<Vec<SocketAddr>> {
    let (whole, rest) = bytes.as_chunks();
    rest.is_empty().then(|| each_endpoint(whole, split))
}

/// The endpoints as addresses.
#[must_use]
pub fn each_endpoint<const N: usize, Ip: Into<IpAddr>>(
    endpoints: &[[u8; N]],
    split: fn([u8; N]) -> (Ip, u16),
) -> Vec<SocketAddr> {
    endpoints.iter().map(|endpoint| SocketAddr::from(split(*endpoint))).collect()
}

/// The address in 4 or 16 bytes (BEP 24).
#[must_use]
pub fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// The bytes themselves if they are text that only shows, line ends and tabs included; else hex.
fn text(bytes: &[u8]) -> String {
    let plain = |text: &&str| {
        let shown = text.replace(['\n', '\r', '\t', '\\'], "");
        printable(shown.as_bytes()) == shown && !text.starts_with(HEX_MARK)
    };
    match std::str::from_utf8(bytes).ok().filter(plain) {
        Some(text) => text.to_owned(),
        None => format!("{HEX_MARK}{}", hex(bytes)),
    }
}

/// Two digits a byte.
fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A write to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bencode::decode;

    fn shown(bytes: &[u8]) -> Json {
        to_json(&decode(bytes).expect("well-formed"))
    }

    #[test]
    fn a_reply_to_an_announce_shows_its_addresses() {
        let reply = b"d8:completei2e11:external ip4:\x7f\x00\x00\x0110:incompletei-1e\
                      8:intervali900e5:peers12:\x7f\x00\x00\x01\x1a\xe1\x0a\x00\x00\x02\x00\x50\
                      6:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\
                      \x1a\xe2e";
        let wanted = json!({
            "complete": 2,
            "external ip": "127.0.0.1",
            "incomplete": -1,
            "interval": 900,
            "peers": ["127.0.0.1:6881", "10.0.0.2:80"],
            "peers6": ["[2001:db8::1]:6882"],
        });
        assert_eq!(shown(reply), wanted);
        assert_eq!(shown(b"d5:peers0:e"), json!({ "peers": [] }));
        assert_eq!(shown(b"d5:peers3:abce"), json!({ "peers": "abc" }), "not compact peers");
    }

    #[test]
    fn peers_of_dictionaries_show_their_ids_escaped() {
        let reply = b"d5:peersld2:ip9:127.0.0.17:peer id20:-TR2940-\x00\xff\"bcdefghij4:porti1eeee";
        let peer = json!({ "ip": "127.0.0.1", "peer id": "-TR2940-%00%FF%22bcdefghij", "port": 1 });
        assert_eq!(shown(reply), json!({ "peers": [peer] }));
    }

    #[test]
    fn the_hashes_of_a_scrape_are_hex() {
        let reply =
            b"d5:filesd20:\xd1\x10\x1a\x2b\x9d \x28\x11\xa0^\x8cW\xc5W\xa2\x0b\xf9t\xdc\x8a\
                      d8:completei1eeee";
        let hash = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";
        assert_eq!(shown(reply), json!({ "files": { hash: { "complete": 1 } } }));
    }

    #[test]
    fn what_is_no_plain_text_is_marked_hex_and_nothing_reads_in_two_ways() {
        for (bytes, wanted) in [
            (&b"5:plain"[..], json!("plain")),
            (b"4:a\nb\t", json!("a\nb\t")),
            (b"2:\xc3\xa9", json!("\u{e9}")),
            (b"1:\xff", json!("hex:ff")),
            (b"2:a\x1b", json!("hex:611b")),
            (b"4:a\\x1", json!("a\\x1")),
            ("4:a\u{202e}".as_bytes(), json!("hex:61e280ae")),
            (b"6:hex:ff", json!("hex:6865783a6666")),
            (b"d1:\xffi1ee", json!({ "hex:ff": 1 })),
            (b"li1el0:ee", json!([1, [""]])),
        ] {
            assert_eq!(shown(bytes), wanted, "{}", bytes.escape_ascii());
        }
    }
}
