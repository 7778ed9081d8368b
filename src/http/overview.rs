//! `/stats`: every torrent with its metadata, counts and peers, as JSON for people and programs.
//!
//! The operator's page is an object of torrents by info hash in hex, in order, each a superset of
//! what the original tracker shows. It is written while the torrents are looked at one after the
//! other, a few thousand peers under one lock; what announces change meanwhile shows or does not.
//! Others get [`encode_totals`].

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{self, Write as _};

use serde_json::json;

use crate::bencode::encode_bytes;
use crate::client_name::client_name;
use crate::percent;
use crate::request::{InfoHash, Seconds, split_endpoint4, split_endpoint6};
use crate::stats::Snapshot;
use crate::tracker::{Peer, TorrentSummary, Totals, Tracker};

use super::query::Listing;
use super::reply::encode_counts_of_file;
use super::stream::ReplyStream;

/// Streams the torrents that `listing` asks for. `unix_now` is the same moment as `now`, in seconds
/// since 1970 UTC.
pub fn stream_torrents(
    tracker: &Tracker,
    listing: &Listing,
    (now, unix_now): (Seconds, u64),
    reply: &mut ReplyStream<'_>,
) -> io::Result<()> {
    let hashes = match listing.info_hash {
        Some(hash) => vec![hash],
        None => tracker.info_hashes(),
    };
    reply.begin("application/json")?;
    reply.body().extend_from_slice(b"{");
    let mut separator = "\n";
    let mut peers = Vec::new();
    for hash in hashes.iter().skip(listing.offset).take(listing.limit) {
        let Some(torrent) = tracker.summary(hash) else { continue };
        let out = reply.body();
        out.extend_from_slice(separator.as_bytes());
        separator = ",\n";
        encode_summary(out, &torrent);
        let mut sums = Sums::default();
        let mut from = Some(0);
        let mut between = "\n";
        while let Some(at) = from {
            from = tracker.copy_peers(hash, at, &mut peers);
            for peer in &peers {
                sums.add(peer);
                if listing.peers {
                    reply.body().extend_from_slice(between.as_bytes());
                    between = ",\n";
                    let last_seen = unix_now.saturating_sub(u64::from(now.since(peer.last_seen)));
                    encode_peer(reply.body(), peer, last_seen);
                    reply.advance()?;
                }
            }
        }
        encode_counts(reply.body(), &torrent, &sums);
        reply.advance()?;
    }
    reply.body().extend_from_slice(b"\n}\n");
    reply.end()
}

/// What all of a torrent's peers report together.
#[derive(Debug, Default)]
struct Sums {
    uploaded: u64,
    downloaded: u64,
}

impl Sums {
    fn add(&mut self, peer: &Peer) {
        self.uploaded = self.uploaded.saturating_add(peer.uploaded);
        self.downloaded = self.downloaded.saturating_add(peer.downloaded);
    }
}

/// The torrent up to the beginning of its peers.
fn encode_summary(out: &mut Vec<u8>, torrent: &TorrentSummary) {
    let registered = torrent.registration.is_some();
    let info = torrent.registration.clone().unwrap_or_default();
    let hash = torrent.info_hash;
    let texts = [info.name, info.comment, info.created_by].map(serde_json::Value::String);
    let [name, comment, created_by] = texts;
    // A Vec takes everything.
    let _ = write!(
        out,
        "\"{hash}\": {{\"info_hash\": \"{hash}\", \"registered\": {registered}, \"name\": {name}, \
         \"size\": {}, \"piece_length\": {}, \"creation_date\": {}, \"comment\": {comment}, \
         \"created_by\": {created_by},\n \"peers\": [",
        info.size, info.piece_length, info.creation_date,
    );
}

/// The torrent behind its peers.
fn encode_counts(out: &mut Vec<u8>, torrent: &TorrentSummary, sums: &Sums) {
    let counts = torrent.counts;
    // `downloaded` is bytes here, as in the original tracker; finished downloads are `completed`.
    let _ = write!(
        out,
        "],\n \"stats\": {{\"complete\": {}, \"incomplete\": {}, \"downloaders\": {}, \
         \"completed\": {}, \"peers\": {}, \"downloaded\": {}, \"uploaded\": {}}}}}",
        counts.complete,
        counts.incomplete,
        counts.downloaders,
        counts.downloaded,
        counts.complete + counts.incomplete,
        sums.downloaded,
        sums.uploaded,
    );
}

fn encode_peer(out: &mut Vec<u8>, peer: &Peer, last_seen: u64) {
    let mut id = String::new();
    percent::encode(&peer.identity.peer_id.0, &mut id);
    let state = match (peer.is_seeder(), peer.is_partial_seed()) {
        (true, _) => "seeder",
        (_, true) => "partial seed",
        _ => "leecher",
    };
    let client = client_name(&peer.identity.peer_id).unwrap_or_default();
    let _ = write!(out, "  {{\"peer_id\": \"{id}\", \"client\": \"{client}\", ");
    encode_endpoints(out, peer);
    let _ = write!(
        out,
        "\"state\": \"{state}\", \"is_seeder\": {}, \"uploaded\": {}, \"downloaded\": {}, \
         \"left\": {}, \"last_seen\": {last_seen}}}",
        peer.is_seeder(),
        peer.uploaded,
        peer.downloaded,
        peer.left,
    );
}

/// The first endpoint as `ip` and `port`, a second one as `ip6` and `port6`; a peer that is not
/// listed has the port 0.
fn encode_endpoints(out: &mut Vec<u8>, peer: &Peer) {
    let v4 = peer.v4.map(split_endpoint4);
    let v6 = peer.v6.map(split_endpoint6);
    let _ = match (v4, v6) {
        (Some((ip, port)), None) => write!(out, "\"ip\": \"{ip}\", \"port\": {port}, "),
        (None, Some((ip, port))) => write!(out, "\"ip\": \"{ip}\", \"port\": {port}, "),
        (Some((ip, port)), Some((ip6, port6))) => write!(
            out,
            "\"ip\": \"{ip}\", \"port\": {port}, \"ip6\": \"{ip6}\", \"port6\": {port6}, "
        ),
        (None, None) => write!(out, "\"ip\": \"\", \"port\": 0, "),
    };
}

/// A scrape of everything, file by file, as bencode (BEP 48) or as JSON for people.
#[derive(Debug)]
pub struct FilesEncoder {
    json: bool,
    separator: &'static str,
}

impl FilesEncoder {
    /// Begins the answer.
    pub fn begin(out: &mut Vec<u8>, json: bool) -> FilesEncoder {
        out.extend_from_slice(if json { b"{\"files\": {" } else { b"d5:filesd" });
        FilesEncoder { json, separator: "\n" }
    }

    /// Adds a torrent; they come in the order of their hashes.
    pub fn add(&mut self, out: &mut Vec<u8>, torrent: &TorrentSummary) {
        let counts = torrent.counts;
        if self.json {
            let name = torrent.registration.as_ref().map_or("", |info| &info.name);
            // A Vec takes everything.
            let _ = write!(
                out,
                "{}\"{}\": {{\"complete\": {}, \"downloaded\": {}, \"downloaders\": {}, \
                 \"incomplete\": {}, \"name\": {}}}",
                self.separator,
                torrent.info_hash,
                counts.complete,
                counts.downloaded,
                counts.downloaders,
                counts.incomplete,
                json!(name),
            );
            self.separator = ",\n";
        } else {
            encode_bytes(out, &torrent.info_hash.0);
            encode_counts_of_file(out, counts);
        }
    }

    /// Ends the answer.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.json { b"\n}}\n" } else { b"ee" });
    }
}

/// What everybody may know: how much is tracked and may be, and what has happened since the start.
pub fn encode_totals(out: &mut Vec<u8>, tracker: &Tracker, stats: &Snapshot) {
    let Totals { torrents, peers, seeders } = tracker.totals();
    let limits = tracker.limits();
    let mut all = json!({
        "torrents": torrents,
        "peers": peers,
        "seeders": seeders,
        "leechers": peers.saturating_sub(seeders),
        "max_torrents": limits.torrents_max,
        "max_torrents_per_ip": limits.torrents_per_ip_max,
        "max_peers": limits.peers_max,
    });
    if let Some(all) = all.as_object_mut() {
        all.extend(stats.iter().map(|(name, count)| (name.to_owned(), count.into())));
    }
    let _ = writeln!(out, "{all:#}");
}

/// The answer about a hash that is not tracked, with the one that may have been meant.
#[must_use]
pub fn not_tracked(tracker: &Tracker, info_hash: &InfoHash) -> serde_json::Value {
    let similar = tracker.similar(info_hash).map(|hash| hash.to_string());
    json!({ "error": format!("info_hash: {info_hash} is not tracked"), "similar": similar })
}
