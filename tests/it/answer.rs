//! What a reply's body says, read strictly: canonical bencode, keys sorted, nothing left over.
//!
//! Each function panics with the whole reply if it is not of its kind, so a test reads as what it
//! expects. The decoder is muster's own, whose golden vectors stand beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use muster::bencode::{Dict, Value, decode};

use crate::connection::Reply;

/// The answer to an announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Seconds until the next announce.
    pub interval: i64,
    /// Seconds until the next announce on a person's request.
    pub min_interval: i64,
    /// Seeders.
    pub complete: i64,
    /// Leechers.
    pub incomplete: i64,
    /// Downloads that became whole.
    pub downloaded: i64,
    /// Where the request came from, as the tracker sees it (BEP 24).
    pub external_ip: IpAddr,
    /// The endpoints in `peers` and `peers6`, sorted.
    pub peers: Vec<SocketAddr>,
}

impl Announced {
    /// The counts a client shows: seeders, leechers, completed downloads.
    pub fn counts(&self) -> (i64, i64, i64) {
        (self.complete, self.incomplete, self.downloaded)
    }
}

/// One torrent in the answer to a scrape (BEP 48).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scraped {
    /// Seeders.
    pub complete: i64,
    /// Downloads that became whole.
    pub downloaded: i64,
    /// Leechers, partial seeds among them.
    pub incomplete: i64,
    /// Leechers without the partial seeds (BEP 21).
    pub downloaders: i64,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What was wrong.
    pub reason: String,
    /// Seconds until the next announce.
    pub interval: i64,
    /// `retry in` of BEP 31: minutes, or `never`.
    pub retry: String,
}

/// A peer in a dictionary (BEP 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id; `None` with `no_peer_id`.
    pub id: Option<Vec<u8>>,
    /// Its address.
    pub address: SocketAddr,
}

/// The answer to an announce that asked for compact peers (BEP 23, BEP 7).
pub fn announced(reply: &Reply) -> Announced {
    let answer = dictionary(reply);
    assert!(answer.get(b"failure reason").is_none(), "refused: {}", reply.text());
    let mut peers = endpoints4(bytes(answer, "peers"));
    if answer.get(b"peers6").is_some() {
        peers.extend(endpoints6(bytes(answer, "peers6")));
    }
    peers.sort_unstable();
    Announced {
        interval: integer(answer, "interval"),
        min_interval: integer(answer, "min interval"),
        complete: integer(answer, "complete"),
        incomplete: integer(answer, "incomplete"),
        downloaded: integer(answer, "downloaded"),
        external_ip: match bytes(answer, "external ip") {
            &[a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
            long => Ipv6Addr::from(<[u8; 16]>::try_from(long).expect("4 or 16 bytes")).into(),
        },
        peers,
    }
}

/// The peers of an answer that lists them in dictionaries, in the reply's order.
pub fn listed(reply: &Reply) -> Vec<Listed> {
    let Some(Value::List(peers)) = dictionary(reply).get(b"peers").map(|entry| entry.value) else {
        panic!("no list of peers: {}", reply.text());
    };
    let one = |peer| {
        let Value::Dict(peer) = peer else { panic!("not a dictionary: {}", reply.text()) };
        let ip = std::str::from_utf8(bytes(peer, "ip")).expect("an address is text");
        let ip: IpAddr = ip.parse().expect("an address");
        let port = u16::try_from(integer(peer, "port")).expect("a port");
        let id = peer.get(b"peer id").map(|_| bytes(peer, "peer id").to_vec());
        Listed { id, address: SocketAddr::new(ip, port) }
    };
    peers.iter().map(one).collect()
}

/// The torrents in the answer to a scrape, by hash, in the reply's order.
pub fn scraped_all(reply: &Reply) -> Vec<([u8; 20], Scraped)> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    scraped_of(&reply.body)
}

/// Likewise, in a body.
pub fn scraped_of(body: &[u8]) -> Vec<([u8; 20], Scraped)> {
    let text = body.escape_ascii();
    let Ok(Value::Dict(all)) = decode(body) else { panic!("not a dictionary: {text}") };
    let Some(Value::Dict(files)) = all.get(b"files").map(|entry| entry.value) else {
        panic!("no files: {text}");
    };
    let one = |entry: muster::bencode::Entry<'_>| {
        let Value::Dict(file) = entry.value else { panic!("not counts: {text}") };
        let counts = Scraped {
            complete: integer(file, "complete"),
            downloaded: integer(file, "downloaded"),
            incomplete: integer(file, "incomplete"),
            downloaders: integer(file, "downloaders"),
        };
        (entry.key.try_into().expect("a hash of 20 bytes"), counts)
    };
    files.iter().map(one).collect()
}

/// The one torrent in the answer to a scrape of this hash.
pub fn scraped(reply: &Reply, hash: &[u8; 20]) -> Scraped {
    let all = scraped_all(reply);
    match all.as_slice() {
        [(found, counts)] if found == hash => *counts,
        _ => panic!("not the torrent asked for: {all:?}"),
    }
}

/// A refusal. It is HTTP 200 like every answer: clients read no other status.
pub fn failed(reply: &Reply) -> Failed {
    let answer = dictionary(reply);
    let retry = match answer.get(b"retry in").map(|entry| entry.value) {
        Some(Value::Int(minutes)) => minutes.to_string(),
        Some(Value::Bytes(never)) => String::from_utf8_lossy(never).into_owned(),
        _ => panic!("no retry in: {}", reply.text()),
    };
    Failed {
        reason: String::from_utf8_lossy(bytes(answer, "failure reason")).into_owned(),
        interval: integer(answer, "interval"),
        retry,
    }
}

fn dictionary(reply: &Reply) -> Dict<'_> {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("text/plain"), "{reply:?}");
    match decode(&reply.body) {
        Ok(Value::Dict(dictionary)) => dictionary,
        other => panic!("{other:?} in \"{}\"", reply.body.escape_ascii()),
    }
}

fn integer(dictionary: Dict<'_>, key: &str) -> i64 {
    match dictionary.get(key.as_bytes()).map(|entry| entry.value) {
        Some(Value::Int(integer)) => integer,
        other => panic!("{key} is {other:?} in \"{}\"", dictionary.raw.escape_ascii()),
    }
}

fn bytes<'a>(dictionary: Dict<'a>, key: &str) -> &'a [u8] {
    match dictionary.get(key.as_bytes()).map(|entry| entry.value) {
        Some(Value::Bytes(bytes)) => bytes,
        other => panic!("{key} is {other:?} in \"{}\"", dictionary.raw.escape_ascii()),
    }
}

fn endpoints4(compact: &[u8]) -> Vec<SocketAddr> {
    assert_eq!(compact.len() % 6, 0, "peers: {} bytes", compact.len());
    let one = |endpoint: &[u8]| {
        let [a, b, c, d, high, low] = endpoint.try_into().expect("six at a time");
        (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()
    };
    compact.chunks(6).map(one).collect()
}

fn endpoints6(compact: &[u8]) -> Vec<SocketAddr> {
    assert_eq!(compact.len() % 18, 0, "peers6: {} bytes", compact.len());
    let one = |endpoint: &[u8]| {
        let (ip, port) = endpoint.split_at(16);
        let ip: [u8; 16] = ip.try_into().expect("sixteen of eighteen");
        let port: [u8; 2] = port.try_into().expect("the other two");
        (Ipv6Addr::from(ip), u16::from_be_bytes(port)).into()
    };
    compact.chunks(18).map(one).collect()
}
