//! Bencode as JSON for people: what is text stands as text, addresses and hashes as such.
//!
//! JSON has no bytes, so a key tells what a string is: compact `peers` (BEP 23) and `peers6`
//! (BEP 7), `external ip` (BEP 24), the hashes under `files` (BEP 48), peer ids. Any other that is
//! no plain text is `hex:` and its digits; text that begins so is written in hex too, so that
//! nothing reads in two ways. It is written as it is read from the bytes: of a value with millions
//! of others in it, no copy is made. A key that stands twice does so here too.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::Value;
use crate::percent;
use crate::printable::printable;
use crate::request::{split_endpoint4, split_endpoint6};

/// What stands before the digits of a string that is no text.
const HEX_MARK: &str = "hex:";

/// A value that serializes as the JSON which shows it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    key: &'a [u8],
    value: Value<'a>,
}

impl<'a> Shown<'a> {
    /// A value that no key stands before.
    #[must_use]
    pub fn alone(value: Value<'a>) -> Shown<'a> {
        Shown { key: b"", value }
    }

    /// The bytes that a key stands for.
    #[must_use]
    pub fn bytes_of(key: &'a [u8], bytes: &'a [u8]) -> Shown<'a> {
        Shown { key, value: Value::Bytes(bytes) }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Int(number) => json.serialize_i64(number),
            Value::Bytes(bytes) => serialize_bytes(self.key, bytes, json),
            Value::List(list) => json.collect_seq(list.iter().map(Shown::alone)),
            Value::Dict(dict) => {
                let mut map = json.serialize_map(None)?;
                for entry in dict.iter() {
                    let hash = self.key == b"files" && entry.key.len() == 20;
                    let value = Shown { key: entry.key, value: entry.value };
                    if hash {
                        map.serialize_entry(&Hex(entry.key), &value)?;
                    } else {
                        map.serialize_entry(&Text(entry.key), &value)?;
                    }
                }
                map.end()
            }
        }
    }
}

/// The bytes that a key stands for: a string, or a list of addresses.
fn serialize_bytes<S: Serializer>(key: &[u8], bytes: &[u8], json: S) -> Result<S::Ok, S::Error> {
    match key {
        b"peers" if bytes.len().is_multiple_of(6) => {
            let (each, _) = bytes.as_chunks();
            json.collect_seq(each.iter().map(|one| SocketAddr::from(split_endpoint4(*one))))
        }
        b"peers6" if bytes.len().is_multiple_of(18) => {
            let (each, _) = bytes.as_chunks();
            json.collect_seq(each.iter().map(|one| SocketAddr::from(split_endpoint6(*one))))
        }
        b"external ip" | b"yourip" => match ip(bytes) {
            Some(ip) => json.collect_str(&ip),
            None => Text(bytes).serialize(json),
        },
        b"peer id" | b"peer_id" => {
            let mut text = String::new();
            percent::encode(bytes, &mut text);
            json.serialize_str(&text)
        }
        b"info_hash" | b"info hash" | b"pieces" | b"pieces root" => Hex(bytes).serialize(json),
        _ => Text(bytes).serialize(json),
    }
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
struct Text<'a>(&'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0).ok().filter(|text| is_plain(text)) {
            Some(text) => json.serialize_str(text),
            None => json.collect_str(&format_args!("{HEX_MARK}{}", Hex(self.0))),
        }
    }
}

/// Whether a text only shows, and does not look like the hex of another. A character at a time,
/// since escaped it may be six times as long.
fn is_plain(text: &str) -> bool {
    let only_shows = |(at, character): (usize, char)| {
        matches!(character, '\n' | '\r' | '\t' | '\\' | '"' | '\'')
            || character.escape_debug().len() == 1
            // A mark shows with the character that it stands on.
            || (at > 0 && {
                let pair = format!("a{character}");
                printable(pair.as_bytes()) == pair
            })
    };
    !text.starts_with(HEX_MARK) && text.char_indices().all(only_shows)
}

/// Two digits a byte.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::bencode::decode;

    fn shown(bytes: &[u8]) -> Json {
        let value = Shown::alone(decode(bytes).expect("well-formed"));
        serde_json::to_value(value).expect("nothing in it fails")
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
            (b"4:'a\"b", json!("'a\"b")),
            ("3:e\u{301}".as_bytes(), json!("e\u{301}")),
            ("2:\u{301}".as_bytes(), json!("hex:cc81")),
            (b"6:hex:ff", json!("hex:6865783a6666")),
            (b"d1:\xffi1ee", json!({ "hex:ff": 1 })),
            (b"li1el0:ee", json!([1, [""]])),
        ] {
            assert_eq!(shown(bytes), wanted, "{}", bytes.escape_ascii());
        }
    }
}
