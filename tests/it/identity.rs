//! Who a peer is, seen from outside: nobody changes or stops a peer without its identity.
//!
//! An identity is a peer id with the `key` its client sends, or with its source address if it sends
//! none. All addresses here are this host's own, 127.0.0.0/8.

use crate::answer::{Announced, Scraped, announced, scraped};
use crate::connection::{announce, hash, peer, scrape};
use crate::harness::Server;

/// Announces to the one torrent of a test from a source address.
fn tell(server: &Server, source: &str, id: u8, port: u16, left: u64, more: &str) -> Announced {
    announced(&server.get_from(source, announce(&hash(1), &peer(id), port, left, more)))
}

fn counts(server: &Server) -> Scraped {
    scraped(&server.get(scrape(&[hash(1)])), &hash(1))
}

fn shown(answer: &Announced) -> Vec<String> {
    answer.peers.iter().map(std::net::SocketAddr::to_string).collect()
}

const STOPPED: &str = "&event=stopped";

#[test]
fn nobody_stops_a_peer_without_its_key() {
    let server = Server::start(&[]);
    tell(&server, "127.0.0.5", 1, 6881, 0, "&key=A1B2C3D4&event=started");
    for (source, key) in [
        ("127.0.0.6", ""),
        ("127.0.0.6", "&key=A1B2C3D5"),
        ("127.0.0.6", "&key="),
        // Even from its own address, which it may share with others.
        ("127.0.0.5", ""),
        ("127.0.0.5", "&key=A1B2C3D5"),
    ] {
        tell(&server, source, 1, 6881, 0, &format!("{key}{STOPPED}"));
        assert_eq!(counts(&server).complete, 1, "stopped from {source} with {key:?}");
    }
    let leecher = tell(&server, "127.0.0.7", 2, 6882, 1, "");
    assert_eq!(shown(&leecher), ["127.0.0.5:6881"], "and it is listed as ever");
    // With the key from anywhere: the client's address has changed.
    tell(&server, "127.0.0.6", 1, 6881, 0, &format!("&key=a1b2c3d4{STOPPED}"));
    assert_eq!(counts(&server).complete, 0);
}

#[test]
fn nobody_stops_a_peer_without_a_key_from_another_address() {
    let server = Server::start(&[]);
    tell(&server, "127.0.0.5", 1, 6881, 0, "&event=started");
    tell(&server, "127.0.0.6", 1, 6881, 0, STOPPED);
    tell(&server, "127.0.0.5", 1, 6881, 0, &format!("&key=1234{STOPPED}"));
    assert_eq!(counts(&server).complete, 1);
    tell(&server, "127.0.0.5", 1, 6881, 0, STOPPED);
    assert_eq!(counts(&server).complete, 0);
}

#[test]
fn nobody_changes_a_peer_without_its_key() {
    let server = Server::start(&[]);
    tell(&server, "127.0.0.5", 1, 6881, 0, "&key=A1B2C3D4&event=started");
    // The same peer id with another key is another peer.
    tell(&server, "127.0.0.6", 1, 6999, 1, "&key=FFFF&event=started");
    let leecher = tell(&server, "127.0.0.7", 2, 6882, 1, "");
    assert_eq!(leecher.counts(), (1, 2, 0));
    assert_eq!(shown(&leecher), ["127.0.0.5:6881", "127.0.0.6:6999"]);
}

#[test]
fn a_restarted_client_replaces_its_ghost() {
    let server = Server::start(&[]);
    // Its process was killed: there was no `stopped`, and the new one has a new id and key.
    for (id, key) in [(1, "&key=1"), (2, "&key=2"), (3, "")] {
        let answer = tell(&server, "127.0.0.5", id, 6881, 1, &format!("{key}&event=started"));
        assert_eq!((answer.counts(), shown(&answer)), ((0, 1, 0), vec![]), "peer {id}");
    }
    // Another port on the same address is another client.
    let other = tell(&server, "127.0.0.5", 4, 6882, 1, "&key=4");
    assert_eq!((other.counts(), shown(&other)), ((0, 2, 0), vec!["127.0.0.5:6881".to_owned()]));
}

#[test]
fn a_peer_that_moves_to_another_port_is_one_peer() {
    let server = Server::start(&[]);
    tell(&server, "127.0.0.5", 1, 6881, 1, "&key=1&event=started");
    let moved = tell(&server, "127.0.0.5", 1, 6999, 1, "&key=1");
    assert_eq!(moved.counts(), (0, 1, 0));
    let other = tell(&server, "127.0.0.6", 2, 6882, 1, "");
    assert_eq!(shown(&other), ["127.0.0.5:6999"]);
}

#[test]
fn a_download_is_counted_once_for_each_identity() {
    let server = Server::start(&[]);
    tell(&server, "127.0.0.5", 1, 6881, 1, "&key=1&event=started");
    for _ in 0..3 {
        let done = tell(&server, "127.0.0.5", 1, 6881, 0, "&key=1&event=completed");
        assert_eq!(done.counts(), (1, 0, 1));
    }
    let done = tell(&server, "127.0.0.6", 2, 6882, 0, "&key=2&event=completed");
    assert_eq!(done.counts(), (2, 0, 2));
    // Who was whole from the start has downloaded nothing.
    let seed = tell(&server, "127.0.0.7", 3, 6883, 0, "&key=3&event=started");
    assert_eq!(seed.counts(), (3, 0, 2));
    tell(&server, "127.0.0.5", 1, 6881, 0, &format!("&key=1{STOPPED}"));
    assert_eq!(counts(&server).downloaded, 2, "downloads outlive their peers");
}

#[test]
fn a_paused_peer_is_a_leecher_and_no_downloader() {
    let server = Server::start(&[]);
    tell(&server, "127.0.0.5", 1, 6881, 7, "&key=1&event=paused");
    tell(&server, "127.0.0.6", 2, 6882, 7, "&key=2&event=started");
    let both = Scraped { complete: 0, downloaded: 0, incomplete: 2, downloaders: 1 };
    assert_eq!(counts(&server), both);
    tell(&server, "127.0.0.6", 2, 6882, 7, "&key=2&event=paused");
    assert_eq!(counts(&server), Scraped { downloaders: 0, ..both });
    // It goes on after all.
    tell(&server, "127.0.0.5", 1, 6881, 7, "&key=1");
    assert_eq!(counts(&server), both);
}

#[test]
fn a_stop_of_nobody_succeeds_and_adds_nobody() {
    let server = Server::start(&[]);
    for _ in 0..2 {
        let answer = tell(&server, "127.0.0.5", 1, 6881, 0, STOPPED);
        assert_eq!((answer.counts(), shown(&answer)), ((0, 0, 0), vec![]));
    }
    assert_eq!(counts(&server), Scraped::default());
}
