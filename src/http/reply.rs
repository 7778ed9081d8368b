//! Answers to announces and scrapes as bytes: bencode for clients, JSON for people.
//!
//! Each encoder appends one body to a buffer that the caller reuses; the bencoded ones allocate
//! nothing else. Keys are sorted. `peers` is there even if empty: rTorrent takes its absence for an
//! error. Sources: BEP 3, 7 (`peers6`), 21 (`downloaders`), 23 (compact), 24 (`external ip`), 31
//! (`retry in`), 48 (scrape). Status lines and headers are `http::head`'s.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::Write as _;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::bencode::{DictEncoder, encode_bytes, encode_end, encode_int, encode_list_begin};
use crate::limits::{HTTP_REPLY_BYTES_MAX, HTTP_REPLY_FRAME_BYTES};
use crate::percent;
use crate::request::{
    InfoHash, PeerBuf, PeerId, Refused, Retry, SwarmCounts, split_endpoint4, split_endpoint6,
};

/// The form in which a client wants its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerForm {
    /// Strings of 6 bytes a peer in `peers` (BEP 23), of 18 in `peers6` (BEP 7).
    Compact,
    /// A list of dictionaries (BEP 3), both families in `peers`.
    Dictionaries {
        /// Whether they name the peers' ids: not with `no_peer_id=1`.
        ids: bool,
    },
}

/// What an announce is answered.
#[derive(Clone, Copy, Debug)]
pub struct Announced<'a> {
    /// What the swarm holds.
    pub counts: SwarmCounts,
    /// Seconds until the client is to announce again.
    pub interval: u32,
    /// Seconds in which it must not.
    pub min_interval: u32,
    /// The address the request came from (BEP 24), canonical.
    pub external_ip: IpAddr,
    /// The chosen peers.
    pub peers: &'a PeerBuf,
    /// What a person should know although the announce went well.
    pub warning: Option<&'a str>,
}

/// Appends the bencoded answer to an announce.
pub fn encode_announce(out: &mut Vec<u8>, announced: &Announced<'_>, form: PeerForm) {
    let Announced { counts, peers, .. } = announced;
    let mut dict = DictEncoder::begin(out);
    encode_int(dict.key(b"complete"), i64::from(counts.complete));
    encode_int(dict.key(b"downloaded"), i64::from(counts.downloaded));
    let external_ip = dict.key(b"external ip");
    match announced.external_ip {
        IpAddr::V4(v4) => encode_bytes(external_ip, &v4.octets()),
        IpAddr::V6(v6) => encode_bytes(external_ip, &v6.octets()),
    }
    encode_int(dict.key(b"incomplete"), i64::from(counts.incomplete));
    encode_int(dict.key(b"interval"), i64::from(announced.interval));
    encode_int(dict.key(b"min interval"), i64::from(announced.min_interval));
    match form {
        PeerForm::Compact => {
            encode_bytes(dict.key(b"peers"), peers.v4.as_flattened());
            if !peers.v6.is_empty() {
                encode_bytes(dict.key(b"peers6"), peers.v6.as_flattened());
            }
        }
        PeerForm::Dictionaries { ids } => encode_peer_list(dict.key(b"peers"), peers, ids),
    }
    if let Some(warning) = announced.warning {
        encode_bytes(dict.key(b"warning message"), warning.as_bytes());
    }
    dict.end();
}

/// The peers as BEP 3 has them, IPv4 first.
fn encode_peer_list(out: &mut Vec<u8>, peers: &PeerBuf, ids: bool) {
    encode_list_begin(out);
    for (ip, port, id) in each_peer(peers) {
        let mut dict = DictEncoder::begin(out);
        encode_ip_text(dict.key(b"ip"), ip);
        if let Some(id) = id.filter(|_| ids) {
            encode_bytes(dict.key(b"peer id"), &id.0);
        }
        encode_int(dict.key(b"port"), i64::from(port));
        dict.end();
    }
    encode_end(out);
}

/// Address, port and, where known, id of each peer.
fn each_peer(peers: &PeerBuf) -> impl Iterator<Item = (IpAddr, u16, Option<PeerId>)> {
    let v4 = peers.v4.iter().copied().map(split_endpoint4).map(|(ip, port)| (ip.into(), port));
    let v6 = peers.v6.iter().copied().map(split_endpoint6).map(|(ip, port)| (ip.into(), port));
    let ids = peers.ids.iter().copied().map(Some).chain(std::iter::repeat(None));
    v4.chain(v6).zip(ids).map(|((ip, port), id)| (ip, port, id))
}

/// The address as text in a byte string, whose length stands before it: written aside first.
fn encode_ip_text(out: &mut Vec<u8>, ip: IpAddr) {
    let mut text = [0; 45];
    let mut room = &mut text[..];
    // No address is longer than the 39 bytes of a full IPv6 one, so this cannot fail.
    let _ = write!(room, "{ip}");
    let length = 45 - room.len();
    encode_bytes(out, text.get(..length).unwrap_or_default());
}

/// Appends the bencoded answer to a scrape (BEP 48). `files` are sorted by hash and unique.
pub fn encode_scrape(out: &mut Vec<u8>, files: impl IntoIterator<Item = (InfoHash, SwarmCounts)>) {
    let mut dict = DictEncoder::begin(out);
    let mut entries = DictEncoder::begin(dict.key(b"files"));
    for (info_hash, counts) in files {
        encode_counts_of_file(entries.key(&info_hash.0), counts);
    }
    entries.end();
    dict.end();
}

/// Appends what a scrape says of one file.
pub fn encode_counts_of_file(out: &mut Vec<u8>, counts: SwarmCounts) {
    let mut entry = DictEncoder::begin(out);
    encode_int(entry.key(b"complete"), i64::from(counts.complete));
    encode_int(entry.key(b"downloaded"), i64::from(counts.downloaded));
    encode_int(entry.key(b"downloaders"), i64::from(counts.downloaders));
    encode_int(entry.key(b"incomplete"), i64::from(counts.incomplete));
    entry.end();
}

/// Appends the bencoded refusal of an announce or a scrape. `interval` in seconds, since
/// libtorrent, Transmission and rTorrent wait by it after a failure too.
pub fn encode_refusal(out: &mut Vec<u8>, refused: &Refused, interval: u32) {
    let mut dict = DictEncoder::begin(out);
    encode_bytes(dict.key(b"failure reason"), refused.reason.as_bytes());
    encode_int(dict.key(b"interval"), i64::from(interval));
    let retry = dict.key(b"retry in");
    match refused.retry {
        Retry::Never => encode_bytes(retry, b"never"),
        Retry::Minutes(minutes) => encode_int(retry, i64::from(minutes)),
    }
    dict.end();
}

/// Appends the answer to an announce as JSON for people: the same keys, addresses as text.
pub fn encode_announce_json(out: &mut Vec<u8>, announced: &Announced<'_>) {
    let peers: Vec<Value> = each_peer(announced.peers)
        .map(|(ip, port, id)| {
            let mut peer = Map::new();
            peer.insert("ip".to_owned(), ip.to_string().into());
            if let Some(id) = id {
                let mut text = String::new();
                percent::encode(&id.0, &mut text);
                peer.insert("peer id".to_owned(), text.into());
            }
            peer.insert("port".to_owned(), port.into());
            peer.into()
        })
        .collect();
    let mut answer = json!({
        "complete": announced.counts.complete,
        "downloaded": announced.counts.downloaded,
        "external ip": announced.external_ip.to_string(),
        "incomplete": announced.counts.incomplete,
        "interval": announced.interval,
        "min interval": announced.min_interval,
        "peers": peers,
    });
    if let (Some(warning), Some(answer)) = (announced.warning, answer.as_object_mut()) {
        answer.insert("warning message".to_owned(), warning.into());
    }
    encode_json(out, &answer);
}

/// A torrent in a scrape as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scraped {
    /// The hash that was asked for.
    pub info_hash: InfoHash,
    /// What its swarm holds; all zeros if it is not tracked.
    pub counts: SwarmCounts,
    /// Its name, if it is registered; else empty.
    pub name: String,
    /// If it is not tracked: the one that is, and may have been meant.
    pub similar: Option<InfoHash>,
}

/// Appends the answer to a scrape as JSON for people, hashes as 40 hex digits. Of what does not fit
/// in [`HTTP_REPLY_BYTES_MAX`] it only says how many there are.
pub fn encode_scrape_json(out: &mut Vec<u8>, files: impl IntoIterator<Item = Scraped>) {
    let mut room = HTTP_REPLY_BYTES_MAX - HTTP_REPLY_FRAME_BYTES;
    let mut shown = Map::new();
    let mut left_out = 0;
    for file in files {
        if left_out > 0 {
            left_out += 1;
            continue;
        }
        let mut entry = json!({
            "complete": file.counts.complete,
            "downloaded": file.counts.downloaded,
            "downloaders": file.counts.downloaders,
            "incomplete": file.counts.incomplete,
            "name": file.name,
        });
        if let (Some(similar), Some(entry)) = (file.similar, entry.as_object_mut()) {
            entry.insert("similar".to_owned(), similar.to_string().into());
        }
        // Each of its lines is indented by 4 there, and the hash with what is around it takes 46.
        let text = format!("{entry:#}");
        match room.checked_sub(text.len() + 4 * text.lines().count() + 46) {
            Some(rest) => {
                room = rest;
                shown.insert(file.info_hash.to_string(), entry);
            }
            None => left_out += 1,
        }
    }
    let mut answer = json!({ "files": shown });
    if let (1.., Some(answer)) = (left_out, answer.as_object_mut()) {
        answer.insert("left out".to_owned(), left_out.into());
    }
    encode_json(out, &answer);
}

/// Appends the refusal of an announce or a scrape as JSON for people.
pub fn encode_refusal_json(out: &mut Vec<u8>, refused: &Refused, interval: u32) {
    let retry = match refused.retry {
        Retry::Never => Value::from("never"),
        Retry::Minutes(minutes) => minutes.into(),
    };
    let answer =
        json!({ "failure reason": refused.reason, "interval": interval, "retry in": retry });
    encode_json(out, &answer);
}

/// Indented and with a line end, as it appears in a terminal.
fn encode_json(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(format!("{value:#}\n").as_bytes());
}

#[cfg(test)]
mod tests;
