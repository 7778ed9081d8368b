//! What a tracker answers, checked: an answer that is not one must not count as a fast one.
//!
//! Pure functions of bytes. Over HTTP a reply is read with its head, whole or in pieces; its body
//! must be strict bencode with an interval and peers. Over UDP a packet is one reply. Nothing that
//! is sent grows memory or causes a panic. A chunked body is not understood, and said to be
//! malformed: no tracker is known that sends announces so. Sources: BEP 3, 7, 15, 23, RFC 9112.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use super::tally::{Fault, Kind};
use crate::bencode::{self, Value};
use crate::limits::HTTP_HEADERS_MAX;
use crate::request::quoted;
use crate::udp::packet::{ConnectionId, Family, Peers, Reply, Transaction, parse_reply};

/// A reply as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Peers in it.
    pub peers: u32,
    /// Over HTTP: whether the tracker is about to close the connection.
    pub closes: bool,
}

/// What a packet over UDP was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// The id asked for.
    Connected(ConnectionId),
    /// The answer to an announce.
    Answer(Answer),
    /// To another request than this one: an earlier one, given up.
    Foreign,
}

/// Checks what has come of a reply over HTTP; `ended` if no more will. `None`: it is not whole yet.
pub fn check_http(bytes: &[u8], ended: bool) -> Result<Option<Answer>, Fault> {
    let cut_off = || Fault::new(Kind::Reset, format!("closed after {} bytes", bytes.len()));
    let mut headers = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if ended => return Err(cut_off()),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(format!("not HTTP: {error}: {}", quoted(bytes)))),
    };
    let header = |name: &str| {
        let named = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value.trim_ascii())
    };
    let body = bytes.get(length..).unwrap_or_default();
    let body = match header("content-length") {
        Some(text) => {
            let Some(length) = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok())
            else {
                return Err(malformed(format!("Content-Length: {}", quoted(text))));
            };
            if body.len() > length {
                return Err(malformed("more bytes than its Content-Length"));
            }
            if body.len() < length {
                return if ended { Err(cut_off()) } else { Ok(None) };
            }
            body
        }
        None if header("transfer-encoding").is_some() => {
            return Err(malformed("a Transfer-Encoding, which is not understood here"));
        }
        // It ends where the connection does.
        None if !ended => return Ok(None),
        None => body,
    };
    let status = head.code.unwrap_or_default();
    let peers = match check_body(body) {
        Err(fault) if status != 200 && fault.kind == Kind::Malformed => {
            return Err(malformed(format!("status {status}: {}", quoted(body))));
        }
        checked => checked?,
    };
    let closes = match (header("connection"), head.version) {
        _ if ended => true,
        (Some(value), _) if value.eq_ignore_ascii_case(b"close") => true,
        (Some(value), _) if value.eq_ignore_ascii_case(b"keep-alive") => false,
        (_, version) => version == Some(0),
    };
    Ok(Some(Answer { peers, closes }))
}

/// The number of peers in a bencoded answer.
fn check_body(body: &[u8]) -> Result<u32, Fault> {
    // aquatic ends its replies with an empty line, which is no harm to any client.
    let body = body.strip_suffix(b"\r\n").unwrap_or(body);
    let value = bencode::decode(body)
        .map_err(|error| malformed(format!("not bencode: {error}: {}", quoted(body))))?;
    let Value::Dict(dict) = value else {
        return Err(malformed(format!("no dictionary: {}", quoted(body))));
    };
    let (mut interval, mut peers) = (false, None);
    for entry in dict.iter() {
        match (entry.key, entry.value) {
            (b"failure reason", Value::Bytes(reason)) => {
                return Err(Fault::new(Kind::FailureReason, quoted(reason)));
            }
            (b"interval", Value::Int(1..)) => interval = true,
            (b"peers", Value::Bytes(bytes)) if bytes.len().is_multiple_of(6) => {
                peers = Some(peers.unwrap_or(0) + bytes.len() / 6);
            }
            (b"peers", Value::List(list)) => peers = Some(peers.unwrap_or(0) + list.iter().count()),
            (b"peers6", Value::Bytes(bytes)) if bytes.len().is_multiple_of(18) => {
                peers = Some(peers.unwrap_or(0) + bytes.len() / 18);
            }
            (b"interval" | b"peers" | b"peers6", _) => {
                let text = format!("{}: {}", entry.key.escape_ascii(), quoted(entry.raw));
                return Err(malformed(text));
            }
            _ => {}
        }
    }
    match peers {
        Some(peers) if interval => Ok(peers as u32),
        Some(_) => Err(malformed("no interval")),
        None => Err(malformed("no peers")),
    }
}

/// Checks a packet against the transaction it should belong to.
pub fn check_udp(packet: &[u8], family: Family, asked: Transaction) -> Result<Packet, Fault> {
    let Some(reply) = parse_reply(packet, family) else {
        return Err(malformed(format!("no reply: {}", quoted(packet))));
    };
    let (Reply::Connected(transaction, _)
    | Reply::Announced(transaction, _)
    | Reply::Scraped(transaction, _)
    | Reply::Error(transaction, _)) = reply;
    if transaction != asked {
        return Ok(Packet::Foreign);
    }
    match reply {
        Reply::Connected(_, id) => Ok(Packet::Connected(id)),
        Reply::Announced(_, announced) if announced.interval == 0 => Err(malformed("interval 0")),
        Reply::Announced(_, announced) => {
            let (peers, size) = match announced.peers {
                Peers::V4(peers) => (peers.len(), 6),
                Peers::V6(peers) => (peers.len(), 18),
            };
            if packet.len() != crate::udp::packet::ANNOUNCED_HEAD_BYTES + peers * size {
                return Err(malformed(format!("a peer cut off: {} bytes", packet.len())));
            }
            Ok(Packet::Answer(Answer { peers: peers as u32, closes: false }))
        }
        Reply::Error(_, message) => Err(Fault::new(Kind::FailureReason, quoted(message))),
        Reply::Scraped(..) => Err(malformed("the reply to a scrape")),
    }
}

fn malformed(text: impl Into<String>) -> Fault {
    Fault::new(Kind::Malformed, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "d8:intervali900e5:peers12:AAAAaaBBBBbb6:peers618:CCCCCCCCCCCCCCCCcce";

    fn reply(head: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    }

    #[test]
    fn a_whole_reply_is_an_answer_and_no_part_of_it_is() {
        let whole = reply("X: y\r\n", BODY);
        let answer = Answer { peers: 3, closes: false };
        assert_eq!(check_http(&whole, false), Ok(Some(answer)));
        for length in 0..whole.len() {
            assert_eq!(check_http(&whole[..length], false), Ok(None), "{length} bytes");
            let text = format!("closed after {length} bytes");
            assert_eq!(check_http(&whole[..length], true), Err(Fault::new(Kind::Reset, text)));
        }
    }

    #[test]
    fn whether_the_tracker_closes_is_what_it_says_or_its_version_means() {
        for (head, wanted) in [("", false), ("connection: Close\r\n", true)] {
            let checked = check_http(&reply(head, BODY), false);
            assert_eq!(checked, Ok(Some(Answer { peers: 3, closes: wanted })), "{head}");
        }
        for (head, wanted) in [("", true), ("Connection: Keep-Alive\r\n", false)] {
            let text = String::from_utf8(reply(head, BODY)).expect("text").replace("/1.1", "/1.0");
            let checked = check_http(text.as_bytes(), false);
            assert_eq!(checked, Ok(Some(Answer { peers: 3, closes: wanted })), "{head}");
        }
        let bare = format!("HTTP/1.1 200 OK\r\n\r\n{BODY}");
        assert_eq!(check_http(bare.as_bytes(), false), Ok(None));
        assert_eq!(check_http(bare.as_bytes(), true), Ok(Some(Answer { peers: 3, closes: true })));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let not_found = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno".to_vec();
        let mut longer = reply("", BODY);
        longer.push(b'x');
        for (bytes, kind, text) in [
            (reply("", "d14:failure reason4:why?e"), Kind::FailureReason, "\"why?\""),
            (reply("", "5:peers"), Kind::Malformed, "no dictionary: \"5:peers\""),
            (reply("", "d8:intervali900e5:peers5:AAAAae"), Kind::Malformed, "peers: \"5:AAAAa\""),
            (reply("", "d8:intervali0e5:peers0:e"), Kind::Malformed, "interval: \"i0e\""),
            (reply("", "d5:peers0:e"), Kind::Malformed, "no interval"),
            (reply("", "d8:intervali900ee"), Kind::Malformed, "no peers"),
            (
                reply("", "<html>"),
                Kind::Malformed,
                "not bencode: byte 0: no value begins with '<': \"<html>\"",
            ),
            (not_found, Kind::Malformed, "status 404: \"no\""),
            (longer, Kind::Malformed, "more bytes than its Content-Length"),
            (reply("Content-Length: x\r\n", ""), Kind::Malformed, "Content-Length: \"x\""),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
                Kind::Malformed,
                "a Transfer-Encoding, which is not understood here",
            ),
            (b"SSH-2.0".to_vec(), Kind::Malformed, "not HTTP: invalid HTTP version: \"SSH-2.0\""),
        ] {
            assert_eq!(check_http(&bytes, false), Err(Fault::new(kind, text)));
        }
    }

    #[test]
    fn a_line_end_behind_the_answer_is_let_pass_and_nothing_else_is() {
        let answer = Answer { peers: 3, closes: false };
        assert_eq!(check_http(&reply("", &format!("{BODY}\r\n")), false), Ok(Some(answer)));
        assert!(check_http(&reply("", &format!("{BODY}\n")), false).is_err());
    }

    #[test]
    fn a_refusal_with_another_status_is_a_refusal() {
        let bytes = b"HTTP/1.1 400 Bad\r\nContent-Length: 25\r\n\r\nd14:failure reason4:why?e";
        let wanted = Fault::new(Kind::FailureReason, "\"why?\"");
        assert_eq!(check_http(bytes, false), Err(wanted));
    }

    #[test]
    fn a_packet_is_an_answer_to_its_own_transaction_alone() {
        let mut packet = b"\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x03\x84".to_vec();
        packet.extend_from_slice(b"\x00\x00\x00\x01\x00\x00\x00\x02AAAAaaBBBBbbCCCCcc");
        let check = |packet: &[u8], family, transaction| {
            check_udp(packet, family, Transaction(transaction))
        };
        let answer = |peers| Ok(Packet::Answer(Answer { peers, closes: false }));
        assert_eq!(check(&packet, Family::V4, 7), answer(3));
        assert_eq!(check(&packet, Family::V6, 7), answer(1));
        assert_eq!(check(&packet, Family::V4, 8), Ok(Packet::Foreign));
        let cut = check(&packet[..37], Family::V4, 7);
        assert_eq!(cut, Err(Fault::new(Kind::Malformed, "a peer cut off: 37 bytes")));
        packet[10..12].copy_from_slice(&[0, 0]);
        let idle = check(&packet, Family::V4, 7);
        assert_eq!(idle, Err(Fault::new(Kind::Malformed, "interval 0")));
        let refused = check(b"\x00\x00\x00\x03\x00\x00\x00\x07why?", Family::V4, 7);
        assert_eq!(refused, Err(Fault::new(Kind::FailureReason, "\"why?\"")));
        let id = check(
            b"\x00\x00\x00\x00\x00\x00\x00\x07\x01\x02\x03\x04\x05\x06\x07\x08",
            Family::V4,
            7,
        );
        assert_eq!(id, Ok(Packet::Connected(ConnectionId(0x0102_0304_0506_0708))));
        let none = check(b"\x00\x00\x00\x09", Family::V4, 7);
        let text = "no reply: \"\\x00\\x00\\x00\\t\"";
        assert_eq!(none, Err(Fault::new(Kind::Malformed, text)));
    }
}
