//! Info hashes as people and programs write them: hex, base32, and the original tracker's text.
//!
//! The original tracker and its `add_torrent_info.py` handle the 20 bytes as text in which
//! printable bytes stand for themselves and all others as `%XX`. The percent sign itself is
//! printable and stands for itself too, so `%80` can be one byte or three: the reading that gives
//! 20 bytes is the right one.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use crate::percent;
use crate::request::InfoHash;

/// The hash that a text means: 40 hex digits, 32 of base32 (RFC 4648, as in magnet links, BEP 9),
/// or 20 bytes of which any may be written as `%XX`; characters beyond ASCII count as their UTF-8
/// bytes.
#[must_use]
pub fn parse_info_hash(text: &str) -> Option<InfoHash> {
    let bytes = text.as_bytes();
    InfoHash::from_hex(bytes)
        .or_else(|| parse_base32(bytes))
        .or_else(|| percent::decode_twenty(bytes).map(InfoHash))
}

fn parse_base32(text: &[u8]) -> Option<InfoHash> {
    let digits: &[u8; 32] = text.try_into().ok()?;
    let mut hash = [0; 20];
    for (five, eight) in hash.chunks_exact_mut(5).zip(digits.chunks_exact(8)) {
        let mut bits = 0u64;
        for digit in eight {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a',
                b'2'..=b'7' => digit - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        let [_, _, _, bytes @ ..] = bits.to_be_bytes();
        five.copy_from_slice(&bytes);
    }
    Some(InfoHash(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHash =
        InfoHash(*b"\xd1\x10\x1a\x2b\x9d \x28\x11\xa0^\x8cW\xc5W\xa2\x0b\xf9t\xdc\x8a");

    #[test]
    fn hex_base32_and_escaped_text_are_the_same_hash() {
        for text in [
            "d1101a2b9d202811a05e8c57c557a20bf974dc8a",
            "D1101A2B9D202811A05E8C57C557A20BF974DC8A",
            "2EIBUK45EAUBDIC6RRL4KV5CBP4XJXEK",
            "2eibuk45eaubdic6rrl4kv5cbp4xjxek",
            "%D1%10%1A%2B%9D%20%28%11%A0%5E%8C%57%C5%57%A2%0B%F9%74%DC%8A",
            "%D1%10%1A+%9D (%11%A0^%8CW%C5W%A2%0B%F9t%DC%8A",
        ] {
            assert_eq!(parse_info_hash(text), Some(HASH), "{text}");
        }
    }

    #[test]
    fn a_percent_sign_may_stand_for_itself() {
        // The byte 0x25 in front of "41", which no escape of a printable byte would be.
        let text = "%41aaaaaaaaaaaaaaaaa";
        assert_eq!(parse_info_hash(text), Some(InfoHash(*b"%41aaaaaaaaaaaaaaaaa")));
        let text = "%41aaaaaaaaaaaaaaaaaaa";
        assert_eq!(parse_info_hash(text), Some(InfoHash(*b"Aaaaaaaaaaaaaaaaaaaa")));
        // Nobody escapes in lower case and leaves a percent sign as it is.
        let text = "%aaaaaaaaaaaaaaaaaa%";
        assert_eq!(parse_info_hash(text), Some(InfoHash(*b"%aaaaaaaaaaaaaaaaaa%")));
        let text = "%AAaaaaaaaaaaaaaaaa%";
        assert_eq!(parse_info_hash(text), None, "%AA is one byte: 18 in all");
    }

    #[test]
    fn characters_beyond_ascii_are_their_utf8_bytes() {
        let text = "\u{e9}aaaaaaaaaaaaaaaaaa";
        assert_eq!(parse_info_hash(text), Some(InfoHash(*b"\xc3\xa9aaaaaaaaaaaaaaaaaa")));
    }

    #[test]
    fn anything_else_is_no_hash() {
        for text in ["", "abc", "2EIBUK45EAUBDIC6RRL4KV5CBP4XJXE1", "aaaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(parse_info_hash(text), None, "{text}");
        }
        let damaged = "\u{fffd}".repeat(20);
        assert_eq!(parse_info_hash(&damaged), None, "bytes lost to replacement characters");
    }
}
