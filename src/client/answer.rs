//! What a tracker's reply says: bencode or a packet, read as far as it makes sense.
//!
//! Whatever makes no sense is left out and told as a fault, so that a person sees both what came
//! and what is wrong with it; [`super::faults`] judges what was read. What is no bencode at all is
//! an error. Sources: BEP 3, 7, 15, 23, 24, 31, 48.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::net::{IpAddr, SocketAddr};

use super::faults::Faults;
use crate::bencode::json::{compact, each_endpoint, ip};
use crate::bencode::{Dict, Value, decode_tolerant};
use crate::printable::printable;
use crate::request::{InfoHash, PeerId, quoted, split_endpoint4, split_endpoint6};
use crate::udp::packet::{Announced as AnnouncedPacket, Peers};

/// What a tracker has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has taken the announce.
    Announced(Announced),
    /// It tells what swarms hold.
    Scraped(Vec<Scraped>),
    /// It has refused, in words that only show.
    Refused(Refusal),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, as [`printable`] shows it.
    pub reason: String,
    /// When to try again: `never`, or `5 min` (BEP 31).
    pub retry_in: Option<String>,
}

/// The answer to an announce. Numbers stand as they came, negative ones too; seconds are seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// When to announce again.
    pub interval: Option<i64>,
    /// When to announce again at the earliest.
    pub min_interval: Option<i64>,
    /// Seeders.
    pub complete: Option<i64>,
    /// Leechers.
    pub incomplete: Option<i64>,
    /// Downloads that became whole.
    pub downloaded: Option<i64>,
    /// The address the tracker saw (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// What a person should know although all went well.
    pub warning: Option<String>,
    /// Where the others are.
    pub peers: Vec<Peer>,
}

/// A peer of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address; a name where the tracker lists one, as [`printable`] shows it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The client's own name for itself, where it is told.
    pub id: Option<PeerId>,
}

/// A torrent of a scrape. Numbers stand as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scraped {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Seeders.
    pub complete: Option<i64>,
    /// Leechers.
    pub incomplete: Option<i64>,
    /// Downloads that became whole.
    pub downloaded: Option<i64>,
    /// Its name, where the tracker knows one.
    pub name: Option<String>,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        Peer { host: address.ip().to_string(), port: address.port(), id: None }
    }
}

/// What the reply to an announce over HTTP says; an error if it is no bencoded dictionary. Peers in
/// dictionaries have ids unless the request has `no_peer_id=1`: then none are due.
pub fn parse_announced(body: &[u8], ids_due: bool, faults: &mut Faults) -> Result<Answer, String> {
    let dict = parse_dict(body, faults)?;
    if let Some(refusal) = parse_refusal(dict, faults) {
        return Ok(Answer::Refused(refusal));
    }
    let mut announced = Announced {
        interval: int(dict, b"interval", faults),
        min_interval: int(dict, b"min interval", faults),
        complete: int(dict, b"complete", faults),
        incomplete: int(dict, b"incomplete", faults),
        downloaded: int(dict, b"downloaded", faults),
        external_ip: None,
        warning: words(dict, b"warning message", faults),
        peers: Vec::new(),
    };
    if announced.interval.is_none() && dict.get(b"interval").is_none() {
        faults.add("no interval: clients do not know when to announce again (BEP 3)");
    }
    if let Some(bytes) = bytes(dict, b"external ip", faults) {
        announced.external_ip = ip(bytes);
        if announced.external_ip.is_none() {
            faults.add(format!("external ip: {} bytes, expected 4 or 16 (BEP 24)", bytes.len()));
        }
    }
    match dict.get(b"peers").map(|entry| entry.value) {
        None => faults
            .add("no peers: must be there even if empty (BEP 3); rTorrent takes it for an error"),
        Some(Value::Bytes(bytes)) => {
            push_compact(&mut announced.peers, "peers", bytes, split_endpoint4, faults);
        }
        Some(Value::List(list)) => {
            for (number, value) in list.iter().enumerate() {
                announced.peers.extend(parse_peer(number + 1, &value, ids_due, faults));
            }
        }
        Some(other) => faults.add(wrong_type("peers", &other, "a string or a list")),
    }
    if let Some(bytes) = bytes(dict, b"peers6", faults) {
        push_compact(&mut announced.peers, "peers6", bytes, split_endpoint6, faults);
    }
    Ok(Answer::Announced(announced))
}

/// What the reply to a scrape over HTTP says; an error if it is no bencoded dictionary.
pub fn parse_scraped(body: &[u8], faults: &mut Faults) -> Result<Answer, String> {
    let dict = parse_dict(body, faults)?;
    if let Some(refusal) = parse_refusal(dict, faults) {
        return Ok(Answer::Refused(refusal));
    }
    let mut scraped = Vec::new();
    match dict.get(b"files").map(|entry| entry.value) {
        None => faults.add("no files: a scrape is a dictionary in files (BEP 48)"),
        Some(Value::Dict(files)) => {
            for file in files.iter() {
                let Ok(hash) = file.key.try_into().map(InfoHash) else {
                    let key = quoted(file.key);
                    faults.add(format!("files: {key} is not a hash of 20 bytes (BEP 48)"));
                    continue;
                };
                let Value::Dict(counts) = file.value else {
                    faults.add(wrong_type(&format!("files: {hash}"), &file.value, "a dictionary"));
                    continue;
                };
                scraped.push(Scraped {
                    info_hash: hash,
                    complete: needed_int(counts, b"complete", faults),
                    incomplete: needed_int(counts, b"incomplete", faults),
                    downloaded: needed_int(counts, b"downloaded", faults),
                    name: words(counts, b"name", faults),
                });
            }
        }
        Some(other) => faults.add(wrong_type("files", &other, "a dictionary")),
    }
    Ok(Answer::Scraped(scraped))
}

/// What the reply to an announce over UDP says.
#[must_use]
pub fn from_packet(packet: &AnnouncedPacket<'_>) -> Announced {
    let peers = match packet.peers {
        Peers::V4(peers) => each_endpoint(peers, split_endpoint4),
        Peers::V6(peers) => each_endpoint(peers, split_endpoint6),
    };
    Announced {
        interval: Some(signed(packet.interval)),
        complete: Some(signed(packet.seeders)),
        incomplete: Some(signed(packet.leechers)),
        peers: peers.into_iter().map(Peer::from).collect(),
        ..Announced::default()
    }
}

/// A number of a packet as clients read it: a -1 is no four thousand million.
#[must_use]
pub fn signed(number: u32) -> i64 {
    number.cast_signed().into()
}

/// The dictionary that a reply is.
fn parse_dict<'a>(body: &'a [u8], faults: &mut Faults) -> Result<Dict<'a>, String> {
    if body.is_empty() {
        return Err("an empty reply".to_owned());
    }
    let (value, told) = decode_tolerant(body).map_err(|error| {
        format!("the reply is not bencode: {error}; it begins {}", quoted(body))
    })?;
    for error in told {
        faults.add(format!("{error} (BEP 3)"));
    }
    match value {
        Value::Dict(dict) => Ok(dict),
        other => Err(format!("the reply is {}, not a dictionary", kind(&other))),
    }
}

/// The refusal in a reply, if it is one.
fn parse_refusal(dict: Dict<'_>, faults: &mut Faults) -> Option<Refusal> {
    let entry = dict.get(b"failure reason")?;
    let reason = match entry.value {
        Value::Bytes(reason) => {
            if reason.is_empty() {
                faults.add("failure reason: empty, so that nobody learns why");
            }
            printable(reason)
        }
        other => {
            faults.add(wrong_type("failure reason", &other, "a string"));
            "no reason that can be read".to_owned()
        }
    };
    for key in ["peers", "peers6", "files"] {
        if dict.get(key.as_bytes()).is_some() {
            faults.add(format!("failure reason and {key} together: clients see the failure alone"));
        }
    }
    let retry_in = match dict.get(b"retry in").map(|entry| entry.value) {
        None => None,
        Some(Value::Bytes(b"never")) => Some("never".to_owned()),
        Some(Value::Int(minutes @ 1..)) => Some(format!("{minutes} min")),
        Some(_) => {
            faults.add("retry in: neither never nor minutes above 0 (BEP 31)");
            None
        }
    };
    Some(Refusal { reason, retry_in })
}

/// A peer as BEP 3 has it.
fn parse_peer(
    number: usize,
    value: &Value<'_>,
    ids_due: bool,
    faults: &mut Faults,
) -> Option<Peer> {
    let Value::Dict(peer) = value else {
        faults.add(wrong_type(&format!("peers: number {number}"), value, "a dictionary"));
        return None;
    };
    let host = words(*peer, b"ip", faults);
    let port = int(*peer, b"port", faults);
    let (Some(host), Some(port)) = (host, port) else {
        faults.add(format!("peers: number {number} has no ip or no port (BEP 3)"));
        return None;
    };
    let Ok(port) = u16::try_from(port) else {
        faults.add(format!("peers: number {number} has port {port}, expected 1 to 65535"));
        return None;
    };
    if ids_due && peer.get(b"peer id").is_none() {
        faults.add("peers without a peer id, though no_peer_id=1 was not asked (BEP 3)");
    }
    let id = match bytes(*peer, b"peer id", faults) {
        None => None,
        Some(id) => {
            let id = id.try_into().ok().map(PeerId);
            if id.is_none() {
                faults.add(format!("peers: number {number} has a peer id not of 20 bytes (BEP 3)"));
            }
            id
        }
    };
    Some(Peer { host, port, id })
}

/// Adds the peers of a compact list; none of one that is cut off, since nobody knows where.
fn push_compact<const N: usize, Ip: Into<IpAddr>>(
    peers: &mut Vec<Peer>,
    key: &str,
    bytes: &[u8],
    split: fn([u8; N]) -> (Ip, u16),
    faults: &mut Faults,
) {
    let found = compact(bytes, split);
    if found.is_none() {
        let length = bytes.len();
        faults.add(format!("{key}: {length} bytes, not a multiple of {N} (BEP 23, BEP 7)"));
    }
    peers.extend(found.into_iter().flatten().map(Peer::from));
}

fn int(dict: Dict<'_>, key: &[u8], faults: &mut Faults) -> Option<i64> {
    match dict.get(key)?.value {
        Value::Int(value) => Some(value),
        other => {
            faults.add(wrong_type(&printable(key), &other, "an integer"));
            None
        }
    }
}

fn needed_int(dict: Dict<'_>, key: &[u8], faults: &mut Faults) -> Option<i64> {
    if dict.get(key).is_none() {
        faults.add(format!("files: a torrent without {} (BEP 48)", printable(key)));
    }
    int(dict, key, faults)
}

fn bytes<'a>(dict: Dict<'a>, key: &[u8], faults: &mut Faults) -> Option<&'a [u8]> {
    match dict.get(key)?.value {
        Value::Bytes(value) => Some(value),
        other => {
            faults.add(wrong_type(&printable(key), &other, "a string"));
            None
        }
    }
}

fn words(dict: Dict<'_>, key: &[u8], faults: &mut Faults) -> Option<String> {
    bytes(dict, key, faults).map(printable)
}

fn wrong_type(what: &str, value: &Value<'_>, expected: &str) -> String {
    format!("{what}: {}, expected {expected}", kind(value))
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Int(_) => "an integer",
        Value::Bytes(_) => "a string",
        Value::List(_) => "a list",
        Value::Dict(_) => "a dictionary",
    }
}

#[cfg(test)]
mod tests;
