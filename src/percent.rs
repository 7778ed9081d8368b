//! Percent encoding of binary values (RFC 3986 section 2.1), both directions.
//!
//! A client sends the 20 bytes of a hash as any mixture of raw bytes and escapes in either case.
//! Decoding writes into the caller's buffer and allocates nothing. A `+` stands for itself, as
//! everywhere but in HTML forms: as a space it would break one hash in thirteen.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;

use crate::request::quoted;

/// A `%` that two hex digits do not follow, with up to two bytes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEscape<'t>(pub &'t [u8]);

impl fmt::Display for BadEscape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a percent escape", quoted(self.0))
    }
}

/// Decodes `text` into `out` and returns the decoded length. If that is more than `out` holds,
/// `out` has the first bytes, and the length still says how many there were.
pub fn decode<'t>(text: &'t [u8], out: &mut [u8]) -> Result<usize, BadEscape<'t>> {
    let mut length = 0;
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, after) = match first {
            b'%' => hex_pair(after).ok_or_else(|| BadEscape(rest.get(..3).unwrap_or(rest)))?,
            _ => (*first, after),
        };
        if let Some(slot) = out.get_mut(length) {
            *slot = byte;
        }
        length += 1;
        rest = after;
    }
    Ok(length)
}

/// The 20 bytes of a hash or peer id that the text stands for: percent-encoded, or as the original
/// tracker and its clients write them.
///
/// They leave a literal `%` as it is. The clients escape bytes that are not printable ASCII and no
/// others; the tracker those that are no UTF-8, which are 0x80 and above, in upper case. Where
/// every escape taken as one does not make 20 bytes, only those count that the clients would have
/// written, or else only those that the tracker would.
#[must_use]
pub fn decode_twenty(text: &[u8]) -> Option<[u8; 20]> {
    let mut out = [0; 20];
    if decode(text, &mut out) == Ok(out.len()) {
        return Some(out);
    }
    let by_client = |byte: u8, _: &[u8]| !is_printable(byte);
    let is_lower = u8::is_ascii_lowercase;
    let by_tracker = |byte: u8, digits: &[u8]| byte >= 0x80 && !digits.iter().any(is_lower);
    decode_some(text, by_client).or_else(|| decode_some(text, by_tracker))
}

/// The 20 bytes that the text is if those escapes count whose byte and digits are accepted.
fn decode_some(text: &[u8], accepted: impl Fn(u8, &[u8]) -> bool) -> Option<[u8; 20]> {
    let mut out = [0; 20];
    let (mut length, mut rest) = (0, text);
    while let [first, after @ ..] = rest {
        let escaped = hex_pair(after).filter(|(byte, _)| {
            *first == b'%' && accepted(*byte, after.get(..2).unwrap_or_default())
        });
        let (byte, after) = escaped.unwrap_or((*first, after));
        *out.get_mut(length)? = byte;
        length += 1;
        rest = after;
    }
    (length == out.len()).then_some(out)
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e)
}

/// Appends `bytes` to `out`: unreserved characters as they are, the rest as upper-case escapes.
pub fn encode(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
}

/// The byte that two hex digits stand for, and what follows them.
fn hex_pair(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], rest) = text.split_first_chunk()?;
    let (high, low) = (hex_digit(high), hex_digit(low));
    (high | low < NO_DIGIT).then_some((high << 4 | low, rest))
}

fn hex_digit(digit: u8) -> u8 {
    HEX_DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT)
}

/// In place of the value of what is no hex digit.
const NO_DIGIT: u8 = 16;

/// What each byte stands for as a hex digit. A table, since digits and letters come in no order
/// that a processor could foresee: where they are told apart by comparisons, an announce's hash and
/// peer id take 590 cycles, and 240 so.
const HEX_DIGITS: [u8; 256] = {
    let mut values = [0; 256];
    let mut rest: &mut [u8] = &mut values;
    let mut digit = 0_u8;
    while let [value, after @ ..] = rest {
        *value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => NO_DIGIT,
        };
        digit = digit.wrapping_add(1);
        rest = after;
    }
    values
};

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Vec<u8> {
        let mut out = [0xaa; 64];
        let length = decode(text, &mut out).expect("well-formed escapes");
        out[..length].to_vec()
    }

    #[test]
    fn escapes_in_any_case_raw_bytes_and_plus_are_decoded() {
        assert_eq!(decoded(b"%D1%10%1a%2B%9d"), b"\xd1\x10\x1a\x2b\x9d");
        assert_eq!(decoded(b"%aB%Ab"), b"\xab\xab", "mixed case");
        assert_eq!(decoded(b"a+b"), b"a+b", "a plus is 0x2B");
        assert_eq!(decoded(b"\xff\x80~%00"), b"\xff\x80~\x00", "raw bytes");
        assert_eq!(decoded(b"%2541"), b"%41", "decoded once");
        assert_eq!(decoded(b""), b"");
    }

    #[test]
    fn the_decoded_length_is_told_even_if_it_does_not_fit() {
        let mut out = [0; 3];
        assert_eq!(decode(b"%41%42%43%44e", &mut out), Ok(5));
        assert_eq!(&out, b"ABC");
    }

    #[test]
    fn a_malformed_escape_is_quoted() {
        for (text, wanted) in [
            ("ab%", r#""%" is not a percent escape"#),
            ("ab%1", r#""%1" is not a percent escape"#),
            ("%1gzz", r#""%1g" is not a percent escape"#),
            ("%g1", r#""%g1" is not a percent escape"#),
            ("%+1", r#""%+1" is not a percent escape"#),
            ("%%41", r#""%%4" is not a percent escape"#),
        ] {
            let error = decode(text.as_bytes(), &mut [0; 8]).expect_err(text);
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn twenty_bytes_are_recovered_from_what_the_original_tracker_wrote() {
        let twenty = |text: &str| decode_twenty(text.as_bytes());
        assert_eq!(twenty("%D1%10abcdefghijklmnopqr"), Some(*b"\xd1\x10abcdefghijklmnopqr"));
        assert_eq!(twenty("abcdefghijklmnopqrst"), Some(*b"abcdefghijklmnopqrst"));
        // Bytes that happened to be UTF-8 stand as the character they make.
        assert_eq!(twenty("\u{e9}abcdefghijklmnopqr"), Some(*b"\xc3\xa9abcdefghijklmnopqr"));
        // A literal percent sign, with and without hex digits behind it.
        assert_eq!(twenty("%%FFabcdefghijklmnopqr"), Some(*b"%\xffabcdefghijklmnopqr"));
        assert_eq!(twenty("%41%FFabcdefghijklmnop"), Some(*b"%41\xffabcdefghijklmnop"));
        // One before digits that are no printable byte's, which the tracker would not have escaped.
        assert_eq!(twenty("%0F%FFabcdefghijklmnop"), Some(*b"%0F\xffabcdefghijklmnop"));
        assert_eq!(twenty("%ff%FFabcdefghijklmnop"), Some(*b"%ff\xffabcdefghijklmnop"));
        // As an escape of its own it is read as everybody writes it.
        assert_eq!(twenty("%25%FFabcdefghijklmnopqr"), Some(*b"%\xffabcdefghijklmnopqr"));
        for lost in ["", "abc", "abcdefghijklmnopqrstu", "%FF%FFabcdefghijklmnopqrs"] {
            assert_eq!(twenty(lost), None, "{lost}");
        }
    }

    #[test]
    fn only_unreserved_characters_are_encoded_as_themselves() {
        let mut out = String::new();
        encode(b"-TR4060-az_.~\x00\x7f\xff +/%", &mut out);
        assert_eq!(out, "-TR4060-az_.~%00%7F%FF%20%2B%2F%25");
    }

    #[test]
    fn every_byte_comes_back_from_its_encoding() {
        for byte in 0..=255 {
            let mut text = String::new();
            encode(&[byte], &mut text);
            assert_eq!(decoded(text.as_bytes()), [byte]);
        }
    }

    #[test]
    fn no_mutation_of_escapes_makes_decoding_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..4000 {
            let length = random.usize(..24);
            let text: Vec<u8> = (0..length).map(|_| b"%%%0aF\xff+"[random.usize(..8)]).collect();
            let mut out = [0; 8];
            if let Ok(decoded) = decode(&text, &mut out) {
                assert!(decoded <= text.len());
            }
        }
    }
}
