//! What a tracker is asked, as the query of a URL or as a packet.
//!
//! The parameters of an announce go out in the order in which BEP 3 lists them, hashes and peer ids
//! escaped byte by byte. Sources: BEP 3, 7, 15, 21 (`paused`), 23 (`compact`), 48 (scrape).

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use crate::percent;
use crate::request::{Event, InfoHash, PeerId};
use crate::udp::packet::{self, ConnectionId, Options, Transaction};

/// An announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Who we say we are.
    pub peer_id: PeerId,
    /// Where we say we listen.
    pub port: u16,
    /// Bytes we say we sent.
    pub uploaded: u64,
    /// Bytes we say we received.
    pub downloaded: u64,
    /// Bytes we say we lack.
    pub left: u64,
    /// Why we announce.
    pub event: Event,
    /// How many peers we want; `None` leaves it to the tracker.
    pub numwant: Option<u32>,
    /// What shows that a later announce is ours.
    pub key: u32,
    /// The address to list instead of the one the tracker sees.
    pub ip: Option<IpAddr>,
    /// Whether peers may come as bytes (BEP 23), not as dictionaries with their ids. HTTP only.
    pub compact: bool,
}

/// The name of an event in a URL; an update has none.
#[must_use]
pub fn event_name(event: Event) -> Option<&'static str> {
    match event {
        Event::Update => None,
        Event::Started => Some("started"),
        Event::Stopped => Some("stopped"),
        Event::Completed => Some("completed"),
        Event::Paused => Some("paused"),
    }
}

impl Announce {
    /// As the query of an announce URL, without the `?`.
    #[must_use]
    pub fn query(&self) -> String {
        let mut query = String::from("info_hash=");
        percent::encode(&self.info_hash.0, &mut query);
        query.push_str("&peer_id=");
        percent::encode(&self.peer_id.0, &mut query);
        // A write to a String cannot fail, here and below.
        if let Some(ip) = self.ip {
            let _ = write!(query, "&ip={ip}");
        }
        let _ = write!(
            query,
            "&port={}&uploaded={}&downloaded={}&left={}",
            self.port, self.uploaded, self.downloaded, self.left
        );
        if let Some(event) = event_name(self.event) {
            let _ = write!(query, "&event={event}");
        }
        if let Some(numwant) = self.numwant {
            let _ = write!(query, "&numwant={numwant}");
        }
        let _ = write!(query, "&key={:08x}&compact={}", self.key, u8::from(self.compact));
        query
    }

    /// As a packet, with the options that stand behind it.
    #[must_use]
    pub fn packet(&self, id: ConnectionId, transaction: Transaction, options: &[u8]) -> Vec<u8> {
        let ip = match self.ip {
            Some(IpAddr::V4(v4)) => v4,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let wanted = self.numwant.map(|count| i32::try_from(count).unwrap_or(i32::MAX));
        let announce = packet::Announce {
            connection_id: id,
            transaction,
            info_hash: self.info_hash,
            peer_id: self.peer_id,
            downloaded: self.downloaded,
            left: self.left,
            uploaded: self.uploaded,
            event: self.event,
            ip,
            key: self.key,
            numwant: wanted.unwrap_or(-1),
            port: self.port,
            options: Options(options),
        };
        let mut bytes = Vec::new();
        packet::encode_request(&mut bytes, &packet::Request::Announce(announce));
        bytes
    }
}

/// A scrape as the query of a scrape URL; empty for one of everything.
#[must_use]
pub fn scrape_query(hashes: &[InfoHash]) -> String {
    let mut query = String::new();
    for hash in hashes {
        query.push_str(if query.is_empty() { "info_hash=" } else { "&info_hash=" });
        percent::encode(&hash.0, &mut query);
    }
    query
}

/// A scrape as a packet.
#[must_use]
pub fn scrape_packet(hashes: &[InfoHash], id: ConnectionId, transaction: Transaction) -> Vec<u8> {
    let hashes: Vec<[u8; 20]> = hashes.iter().map(|hash| hash.0).collect();
    let scrape = packet::Scrape { connection_id: id, transaction, hashes: &hashes };
    let mut bytes = Vec::new();
    packet::encode_request(&mut bytes, &packet::Request::Scrape(scrape));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHash =
        InfoHash(*b"\xd1\x10\x1a\x2b\x9d \x28\x11\xa0^\x8cW\xc5W\xa2\x0b\xf9t\xdc\x8a");

    /// Every field with a value of its own.
    const ANNOUNCE: Announce = Announce {
        info_hash: HASH,
        peer_id: PeerId(*b"-MU0100-\x00\xffbcdefghijk"),
        port: 6881,
        uploaded: 11,
        downloaded: 22,
        left: 33,
        event: Event::Started,
        numwant: Some(44),
        key: 0xc0_ffee,
        ip: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9))),
        compact: true,
    };

    #[test]
    fn an_announce_is_golden_as_a_query() {
        let hash = "%D1%10%1A%2B%9D%20%28%11%A0%5E%8CW%C5W%A2%0B%F9t%DC%8A";
        assert_eq!(
            ANNOUNCE.query(),
            format!(
                "info_hash={hash}&peer_id=-MU0100-%00%FFbcdefghijk&ip=10.0.0.9&port=6881\
                 &uploaded=11&downloaded=22&left=33&event=started&numwant=44&key=00c0ffee&compact=1"
            )
        );
        let plain =
            Announce { event: Event::Update, numwant: None, ip: None, compact: false, ..ANNOUNCE };
        assert_eq!(
            plain.query(),
            format!(
                "info_hash={hash}&peer_id=-MU0100-%00%FFbcdefghijk&port=6881&uploaded=11\
                 &downloaded=22&left=33&key=00c0ffee&compact=0"
            )
        );
    }

    #[test]
    fn an_announce_is_golden_as_a_packet() {
        let bytes = ANNOUNCE.packet(ConnectionId(0x0102), Transaction(0x0304), b"\x02\x02/x");
        let wanted = [
            &b"\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x01\x00\x00\x03\x04"[..],
            &HASH.0,
            b"-MU0100-\x00\xffbcdefghijk",
            b"\x00\x00\x00\x00\x00\x00\x00\x16\x00\x00\x00\x00\x00\x00\x00\x21",
            b"\x00\x00\x00\x00\x00\x00\x00\x0b\x00\x00\x00\x02\x0a\x00\x00\x09",
            b"\x00\xc0\xff\xee\x00\x00\x00\x2c\x1a\xe1\x02\x02/x",
        ];
        assert_eq!(bytes, wanted.concat());
        let default = Announce { numwant: None, ..ANNOUNCE };
        let bytes = default.packet(ConnectionId(0), Transaction(0), b"");
        assert_eq!(bytes[92..96], [0xff; 4], "numwant is -1, the tracker's default");
    }

    #[test]
    fn a_scrape_is_golden_in_both_forms() {
        let other = InfoHash([b'a'; 20]);
        assert_eq!(
            scrape_query(&[HASH, other]),
            "info_hash=%D1%10%1A%2B%9D%20%28%11%A0%5E%8CW%C5W%A2%0B%F9t%DC%8A\
             &info_hash=aaaaaaaaaaaaaaaaaaaa"
        );
        assert_eq!(scrape_query(&[]), "");
        let head = b"\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x02\x00\x00\x03\x04";
        assert_eq!(
            scrape_packet(&[other], ConnectionId(0x0102), Transaction(0x0304)),
            [&head[..], &[b'a'; 20]].concat()
        );
    }
}
