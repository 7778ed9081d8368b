//! The UDP tracker protocol as bytes: requests and replies, parsed and encoded, in both families.
//!
//! Pure functions of bytes. All integers are big-endian. A request is read as far as it is
//! understood: bytes behind it are tolerated, an unknown event is an update, an option of an
//! unknown type is skipped by its length. What is no request at all is `None`, and nobody is told.
//! The server needs half of what stands here; clients, tests and load generators need the other.
//!
//! Sources: BEP 15 (the packets), BEP 41 (the options of an announce), libtorrent's
//! `tracker_event.hpp` (event 4, paused, which BEP 21 defines for HTTP alone).

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::net::Ipv4Addr;

use crate::limits::{UDP_SCRAPE_HASHES_MAX, UDP_URL_BYTES_MAX};
use crate::request::{Endpoint4, Endpoint6, Event, InfoHash, PeerId, SwarmCounts};

/// What a connect request opens with instead of a connection id (BEP 15).
const PROTOCOL_ID: u64 = 0x0000_0417_2710_1980;

/// The actions of requests and replies (BEP 15).
mod action {
    pub const CONNECT: u32 = 0;
    pub const ANNOUNCE: u32 = 1;
    pub const SCRAPE: u32 = 2;
    pub const ERROR: u32 = 3;
}

/// The events of an announce (BEP 15; 4 is libtorrent's).
const EVENTS: [Event; 5] =
    [Event::Update, Event::Completed, Event::Started, Event::Stopped, Event::Paused];

/// The types of options behind an announce (BEP 41).
mod option {
    pub const END: u8 = 0;
    pub const NOP: u8 = 1;
    pub const URL_DATA: u8 = 2;
}

/// The shortest request with a connection id: a scrape of one torrent (BEP 15).
pub const SHORTEST_WITH_ID_BYTES: usize = 36;
/// An error without its message (BEP 15).
pub const ERROR_HEAD_BYTES: usize = 8;
/// A reply to an announce without its peers (BEP 15).
pub const ANNOUNCED_HEAD_BYTES: usize = 20;
/// A reply to a scrape without its torrents (BEP 15).
pub const SCRAPED_HEAD_BYTES: usize = 8;
/// One torrent in a reply to a scrape (BEP 15).
pub const SCRAPED_TORRENT_BYTES: usize = 12;

/// What a client chose to know the reply by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction(pub u32);

/// What a client was given when it connected, and shows with every other request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// What a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// It asks for a connection id.
    Connect(Transaction),
    /// It announces itself.
    Announce(Announce<'a>),
    /// It asks what swarms hold.
    Scrape(Scrape<'a>),
}

/// An announce as it stands in the packet; nothing of it is believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce<'a> {
    /// See [`ConnectionId`].
    pub connection_id: ConnectionId,
    /// See [`Transaction`].
    pub transaction: Transaction,
    /// The torrent.
    pub info_hash: InfoHash,
    /// The client's own name for itself.
    pub peer_id: PeerId,
    /// Bytes received since `started`.
    pub downloaded: u64,
    /// Bytes the client still lacks.
    pub left: u64,
    /// Bytes sent since `started`.
    pub uploaded: u64,
    /// Why it announces.
    pub event: Event,
    /// The address to list instead of the packet's source; unspecified if there is none. 32 bits
    /// over IPv6 too, where it has no use.
    pub ip: Ipv4Addr,
    /// What the client shows to be the one that announced before.
    pub key: u32,
    /// Peers wanted; -1 is the tracker's default.
    pub numwant: i32,
    /// Where the client listens.
    pub port: u16,
    /// What stands behind the announce.
    pub options: Options<'a>,
}

/// A scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrape<'a> {
    /// See [`ConnectionId`].
    pub connection_id: ConnectionId,
    /// See [`Transaction`].
    pub transaction: Transaction,
    /// The torrents, at least one and at most [`UDP_SCRAPE_HASHES_MAX`], as they were asked for.
    pub hashes: &'a [[u8; 20]],
}

/// The options behind an announce, unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a>(pub &'a [u8]);

impl<'a> Options<'a> {
    /// The path and query of the announce URL: the data of all `URLData` options one after another
    /// (BEP 41), copied into `buffer`. Empty if there is none; `None` if it is longer than the
    /// buffer.
    #[must_use]
    pub fn url<'b>(&self, buffer: &'b mut [u8; UDP_URL_BYTES_MAX]) -> Option<&'b [u8]> {
        let mut length = 0;
        for data in self.url_data() {
            let end = length + data.len();
            buffer.get_mut(length..end)?.copy_from_slice(data);
            length = end;
        }
        buffer.get(..length)
    }

    /// The data of each `URLData` option, up to the end of the options or to one that is cut off.
    fn url_data(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            loop {
                let (&kind, behind) = rest.split_first()?;
                match kind {
                    option::END => return None,
                    option::NOP => rest = behind,
                    _ => {
                        let (&length, behind) = behind.split_first()?;
                        let (data, behind) = behind.split_at_checked(usize::from(length))?;
                        rest = behind;
                        if kind == option::URL_DATA {
                            return Some(data);
                        }
                    }
                }
            }
        })
    }
}

/// What a tracker sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The answer to a connect request.
    Connected(Transaction, ConnectionId),
    /// The answer to an announce.
    Announced(Transaction, Announced<'a>),
    /// The answer to a scrape: the torrents in the order in which they were asked for.
    Scraped(Transaction, &'a [[u8; SCRAPED_TORRENT_BYTES]]),
    /// A refusal, in words.
    Error(Transaction, &'a [u8]),
}

/// What an announce is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// Seconds until the next announce.
    pub interval: u32,
    /// Peers that lack something.
    pub leechers: u32,
    /// Peers that lack nothing.
    pub seeders: u32,
    /// Where the others are.
    pub peers: Peers<'a>,
}

/// Peers, all of the family over which the request came (BEP 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers<'a> {
    /// 6 bytes each.
    V4(&'a [Endpoint4]),
    /// 18 bytes each.
    V6(&'a [Endpoint6]),
}

/// The address family of a packet, which it does not say itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Reads the fields of a packet one after another.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(field)
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes().map(|field| u16::from_be_bytes(*field))
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(|field| u32::from_be_bytes(*field))
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(|field| u64::from_be_bytes(*field))
    }
}

// -- what a tracker reads and writes --------------------------------------------------------------

/// Reads what a client has sent; `None` if it is no request, or cut off within its fixed part.
#[must_use]
pub fn parse_request(packet: &[u8]) -> Option<Request<'_>> {
    let mut fields = Fields(packet);
    let first = fields.u64()?;
    let action = fields.u32()?;
    let transaction = Transaction(fields.u32()?);
    match action {
        action::CONNECT => (first == PROTOCOL_ID).then_some(Request::Connect(transaction)),
        action::ANNOUNCE => parse_announce(ConnectionId(first), transaction, fields),
        action::SCRAPE => {
            let (hashes, _) = fields.0.as_chunks();
            let hashes = hashes.get(..UDP_SCRAPE_HASHES_MAX).unwrap_or(hashes);
            let scrape = Scrape { connection_id: ConnectionId(first), transaction, hashes };
            (!hashes.is_empty()).then_some(Request::Scrape(scrape))
        }
        _ => None,
    }
}

fn parse_announce(
    connection_id: ConnectionId,
    transaction: Transaction,
    mut fields: Fields<'_>,
) -> Option<Request<'_>> {
    Some(Request::Announce(Announce {
        connection_id,
        transaction,
        info_hash: InfoHash(*fields.bytes()?),
        peer_id: PeerId(*fields.bytes()?),
        downloaded: fields.u64()?,
        left: fields.u64()?,
        uploaded: fields.u64()?,
        event: EVENTS.get(fields.u32()? as usize).copied().unwrap_or(Event::Update),
        ip: Ipv4Addr::from(*fields.bytes()?),
        key: fields.u32()?,
        numwant: i32::from_be_bytes(*fields.bytes()?),
        port: fields.u16()?,
        options: Options(fields.0),
    }))
}

/// Writes the answer to a connect request: 16 bytes, as many as the request has at the least.
pub fn encode_connected(out: &mut Vec<u8>, transaction: Transaction, id: ConnectionId) {
    encode_head(out, action::CONNECT, transaction);
    out.extend_from_slice(&id.0.to_be_bytes());
}

/// Writes the answer to an announce.
pub fn encode_announced(out: &mut Vec<u8>, transaction: Transaction, announced: &Announced<'_>) {
    encode_head(out, action::ANNOUNCE, transaction);
    for number in [announced.interval, announced.leechers, announced.seeders] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(match announced.peers {
        Peers::V4(endpoints) => endpoints.as_flattened(),
        Peers::V6(endpoints) => endpoints.as_flattened(),
    });
}

/// Writes the answer to a scrape: the torrents in the order in which they were asked for.
pub fn encode_scraped(
    out: &mut Vec<u8>,
    transaction: Transaction,
    torrents: impl Iterator<Item = SwarmCounts>,
) {
    encode_head(out, action::SCRAPE, transaction);
    for counts in torrents {
        for number in [counts.complete, counts.downloaded, counts.incomplete] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Writes a refusal.
pub fn encode_error(out: &mut Vec<u8>, transaction: Transaction, message: &[u8]) {
    encode_head(out, action::ERROR, transaction);
    out.extend_from_slice(message);
}

fn encode_head(out: &mut Vec<u8>, action: u32, transaction: Transaction) {
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.0.to_be_bytes());
}

// -- what a client writes and reads ---------------------------------------------------------------

/// Writes a request.
pub fn encode_request(out: &mut Vec<u8>, request: &Request<'_>) {
    match request {
        Request::Connect(transaction) => {
            out.extend_from_slice(&PROTOCOL_ID.to_be_bytes());
            encode_head(out, action::CONNECT, *transaction);
        }
        Request::Announce(announce) => encode_announce(out, announce),
        Request::Scrape(scrape) => {
            out.extend_from_slice(&scrape.connection_id.0.to_be_bytes());
            encode_head(out, action::SCRAPE, scrape.transaction);
            out.extend_from_slice(scrape.hashes.as_flattened());
        }
    }
}

fn encode_announce(out: &mut Vec<u8>, announce: &Announce<'_>) {
    out.extend_from_slice(&announce.connection_id.0.to_be_bytes());
    encode_head(out, action::ANNOUNCE, announce.transaction);
    out.extend_from_slice(&announce.info_hash.0);
    out.extend_from_slice(&announce.peer_id.0);
    for number in [announce.downloaded, announce.left, announce.uploaded] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let event = EVENTS.iter().position(|event| *event == announce.event).unwrap_or(0);
    out.extend_from_slice(&(event as u32).to_be_bytes());
    out.extend_from_slice(&announce.ip.octets());
    out.extend_from_slice(&announce.key.to_be_bytes());
    out.extend_from_slice(&announce.numwant.to_be_bytes());
    out.extend_from_slice(&announce.port.to_be_bytes());
    out.extend_from_slice(announce.options.0);
}

/// Writes the path and query of an announce URL as `URLData` options, 255 bytes in each (BEP 41).
pub fn encode_url(out: &mut Vec<u8>, url: &[u8]) {
    for data in url.chunks(usize::from(u8::MAX)) {
        out.extend_from_slice(&[option::URL_DATA, data.len() as u8]);
        out.extend_from_slice(data);
    }
}

/// Reads what a tracker has sent; `None` if it is no reply. A peer or torrent that is cut off is
/// left out.
#[must_use]
pub fn parse_reply(packet: &[u8], family: Family) -> Option<Reply<'_>> {
    let mut fields = Fields(packet);
    let action = fields.u32()?;
    let transaction = Transaction(fields.u32()?);
    Some(match action {
        action::CONNECT => Reply::Connected(transaction, ConnectionId(fields.u64()?)),
        action::ANNOUNCE => Reply::Announced(
            transaction,
            Announced {
                interval: fields.u32()?,
                leechers: fields.u32()?,
                seeders: fields.u32()?,
                peers: match family {
                    Family::V4 => Peers::V4(fields.0.as_chunks().0),
                    Family::V6 => Peers::V6(fields.0.as_chunks().0),
                },
            },
        ),
        action::SCRAPE => Reply::Scraped(transaction, fields.0.as_chunks().0),
        action::ERROR => Reply::Error(transaction, fields.0),
        _ => return None,
    })
}

/// One torrent of a reply to a scrape: seeders, completed downloads, leechers.
#[must_use]
pub fn parse_scraped(torrent: &[u8; SCRAPED_TORRENT_BYTES]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *torrent;
    [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests;
