//! Packets of the UDP tracker protocol: what is understood is written down as it came.

use muster::limits::{UDP_SCRAPE_HASHES_MAX, UDP_URL_BYTES_MAX};
use muster::request::SwarmCounts;
use muster::udp::packet::{
    Family, Options, Reply, Request, encode_announced, encode_connected, encode_error,
    encode_request, encode_scraped, encode_url, parse_reply, parse_request, parse_scraped,
};

/// Where the event of an announce stands (BEP 15): unknown ones are read as 0.
const EVENT: std::ops::Range<usize> = 80..84;

/// A peer over IPv6, the largest part of a list (BEP 15).
const PEER_V6_BYTES: usize = 18;

/// Holds what is said above, of requests and of replies in both families.
pub fn check(packet: &[u8]) {
    check_request(packet);
    for family in [Family::V4, Family::V6] {
        check_reply(packet, family);
    }
    check_url(packet);
}

fn check_request(packet: &[u8]) {
    let Some(request) = parse_request(packet) else { return };
    let mut again = Vec::new();
    encode_request(&mut again, &request);
    assert_eq!(parse_request(&again), Some(request));
    let mut came = packet[..again.len()].to_vec();
    match request {
        Request::Connect(_) => {}
        Request::Announce(_) => {
            assert_eq!(again.len(), packet.len(), "an announce keeps its options");
            came[EVENT].copy_from_slice(&again[EVENT]);
        }
        Request::Scrape(scrape) => {
            assert!((1..=UDP_SCRAPE_HASHES_MAX).contains(&scrape.hashes.len()));
        }
    }
    assert_eq!(again, came);
}

fn check_reply(packet: &[u8], family: Family) {
    let Some(reply) = parse_reply(packet, family) else { return };
    let mut again = Vec::new();
    match reply {
        Reply::Connected(transaction, id) => encode_connected(&mut again, transaction, id),
        Reply::Announced(transaction, announced) => {
            encode_announced(&mut again, transaction, &announced);
        }
        Reply::Scraped(transaction, torrents) => {
            let counts = torrents.iter().map(|torrent| {
                let [complete, downloaded, incomplete] = parse_scraped(torrent);
                SwarmCounts { complete, incomplete, downloaded, downloaders: 0 }
            });
            encode_scraped(&mut again, transaction, counts);
        }
        Reply::Error(transaction, text) => encode_error(&mut again, transaction, text),
    }
    assert_eq!(again, packet[..again.len()]);
    let left_out = packet.len() - again.len();
    let connected = matches!(reply, Reply::Connected(..));
    assert!(connected || left_out < PEER_V6_BYTES, "only a peer that is cut off is left out");
}

/// The options of BEP 41: read from the packet as they are, and a URL through all of them.
fn check_url(packet: &[u8]) {
    let mut buffer = [0; UDP_URL_BYTES_MAX];
    let Some(url) = Options(packet).url(&mut buffer) else { return };
    let mut options = Vec::new();
    encode_url(&mut options, url);
    assert_eq!(Options(&options).url(&mut [0; UDP_URL_BYTES_MAX]), Some(url));
}
