//! An announce as bytes, over HTTP and over UDP, as clients send it.
//!
//! What is the same in every announce is put together once; the rest is appended to a buffer that
//! the caller reuses, so that nothing is allocated for an announce. The parameters and their order
//! are libtorrent's (qBittorrent, Deluge), which many of the clients in use share. Sources: BEP 3,
//! 15, 23, 41.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::Write as _;
use std::net::Ipv4Addr;

use super::crowd::Member;
use crate::bencode::encode_digits;
use crate::percent;
use crate::request::Event;
use crate::udp::packet::{
    Announce, ConnectionId, Options, Request, Transaction, encode_request, encode_url,
};

/// What all announces of a run have in common.
#[derive(Clone, Debug)]
pub struct Form {
    /// The tracker as a `Host` header names it.
    pub authority: String,
    /// Path and query of the announce URL.
    pub target: String,
    /// Peers wanted.
    pub numwant: u16,
    /// Whether the connection is to be kept.
    pub keep: bool,
    /// Whether each peer names [`Member::address`] as its own.
    pub names_address: bool,
}

/// Writes announces.
#[derive(Clone, Debug)]
pub struct Messages {
    form: Form,
    /// What an HTTP request opens with, up to the hash.
    head: String,
    /// What it ends with, from the wanted peers on.
    tail: String,
    /// The options behind a UDP announce.
    options: Vec<u8>,
    /// A hash or peer id, escaped.
    escaped: String,
}

impl Messages {
    /// Prepares what every announce has.
    #[must_use]
    pub fn new(form: Form) -> Messages {
        let Form { authority, target, numwant, .. } = &form;
        let mark = if target.contains('?') { '&' } else { '?' };
        let connection = if form.keep { "keep-alive" } else { "close" };
        let head = format!("GET {target}{mark}info_hash=");
        let tail = format!(
            "&numwant={numwant}&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\n\
             Host: {authority}\r\nUser-Agent: muster-bench/{}\r\nAccept-Encoding: gzip\r\n\
             Connection: {connection}\r\n\r\n",
            env!("CARGO_PKG_VERSION")
        );
        let mut options = Vec::new();
        encode_url(&mut options, target.as_bytes());
        Messages { form, head, tail, options, escaped: String::new() }
    }

    /// Appends an announce over HTTP.
    pub fn encode_http(&mut self, out: &mut Vec<u8>, member: &Member, event: Event) {
        out.extend_from_slice(self.head.as_bytes());
        self.escape(out, &member.info_hash.0);
        out.extend_from_slice(b"&peer_id=");
        self.escape(out, &member.peer_id.0);
        out.extend_from_slice(b"&port=");
        encode_digits(out, u64::from(member.port));
        out.extend_from_slice(b"&uploaded=0&downloaded=0&left=");
        encode_digits(out, member.left);
        out.extend_from_slice(b"&corrupt=0&key=");
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{:08X}", member.key);
        if event == Event::Started {
            out.extend_from_slice(b"&event=started");
        }
        if self.form.names_address {
            let _ = write!(out, "&ip={}", member.address);
        }
        out.extend_from_slice(self.tail.as_bytes());
    }

    /// Appends an announce over UDP.
    pub fn encode_udp(
        &self,
        out: &mut Vec<u8>,
        member: &Member,
        event: Event,
        (connection_id, transaction): (ConnectionId, Transaction),
    ) {
        let named = self.form.names_address;
        let announce = Announce {
            connection_id,
            transaction,
            info_hash: member.info_hash,
            peer_id: member.peer_id,
            downloaded: 0,
            left: member.left,
            uploaded: 0,
            event,
            ip: if named { member.address } else { Ipv4Addr::UNSPECIFIED },
            key: member.key,
            numwant: i32::from(self.form.numwant),
            port: member.port,
            options: Options(&self.options),
        };
        encode_request(out, &Request::Announce(announce));
    }

    fn escape(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        self.escaped.clear();
        percent::encode(bytes, &mut self.escaped);
        out.extend_from_slice(self.escaped.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{InfoHash, PeerId};

    const MEMBER: Member = Member {
        info_hash: InfoHash(*b"\x00\x01 hash of a torr%\xff~"),
        peer_id: PeerId(*b"-MU0100-abcdefghijkl"),
        key: 0x8000_002a,
        port: 6881,
        address: Ipv4Addr::new(10, 1, 2, 3),
        left: 700,
    };

    fn form(target: &str, keep: bool, names_address: bool) -> Form {
        let authority = "127.0.0.1:1".to_owned();
        Form { authority, target: target.to_owned(), numwant: 50, keep, names_address }
    }

    #[test]
    fn an_announce_over_http_is_golden() {
        let mut out = b"before".to_vec();
        let mut messages = Messages::new(form("/announce", false, false));
        messages.encode_http(&mut out, &MEMBER, Event::Update);
        let wanted = "beforeGET /announce?info_hash=%00%01%20hash%20of%20a%20torr%25%FF~\
             &peer_id=-MU0100-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=700&corrupt=0\
             &key=8000002A&numwant=50&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\
             \r\nHost: 127.0.0.1:1\r\nUser-Agent: muster-bench/0.1.0\r\nAccept-Encoding: gzip\r\n\
             Connection: close\r\n\r\n";
        assert_eq!(String::from_utf8(out).expect("text"), wanted);
    }

    #[test]
    fn a_query_of_the_url_stays_and_what_differs_is_said() {
        let mut out = Vec::new();
        let mut messages = Messages::new(form("/a?passkey=k", true, true));
        messages.encode_http(&mut out, &MEMBER, Event::Started);
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("GET /a?passkey=k&info_hash=%00"), "{text}");
        assert!(text.contains("&key=8000002A&event=started&ip=10.1.2.3&numwant=50"), "{text}");
        assert!(text.contains("\r\nConnection: keep-alive\r\n"), "{text}");
    }

    #[test]
    fn an_announce_over_udp_carries_every_field_and_the_url() {
        let mut out = Vec::new();
        let messages = Messages::new(form("/a", false, true));
        let ids = (ConnectionId(0x0102_0304_0506_0708), Transaction(9));
        messages.encode_udp(&mut out, &MEMBER, Event::Started, ids);
        let Some(Request::Announce(read)) = crate::udp::packet::parse_request(&out) else {
            panic!("{}", out.escape_ascii());
        };
        assert_eq!(read.info_hash, MEMBER.info_hash);
        assert_eq!((read.connection_id, read.transaction), ids);
        assert_eq!((read.key, read.port, read.left), (0x8000_002a, 6881, 700));
        assert_eq!((read.event, read.numwant), (Event::Started, 50));
        assert_eq!((read.ip, read.options), (MEMBER.address, Options(b"\x02\x02/a")));
    }
}
