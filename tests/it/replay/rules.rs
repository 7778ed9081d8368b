//! The rules that follow from what clients send, one test each.
//!
//! A tracker that breaks one of these locks the users of some client out, or makes it call again
//! and again. Who a peer is stands in `identity`. Sources: BEP 3, 7, 23 and 31, and the clients'
//! own.

use std::net::SocketAddr;

use crate::answer::{announced, failed, scraped};
use crate::connection::{announce, get_and_close, hash, peer, percent, scrape};
use crate::harness::Server;

/// A swarm of this many leechers at 127.0.0.1:6000 and up.
fn swarm(count: u8) -> Server {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    for number in 0..count {
        let port = 6000 + u16::from(number);
        let reply = connection.get(announce(&hash(1), &peer(number), port, 1, "&numwant=0"));
        assert_eq!(announced(&reply).incomplete, i64::from(number) + 1);
    }
    server
}

#[test]
fn numwant_absent_or_negative_is_fifty_and_zero_is_none() {
    let server = swarm(210);
    for (numwant, expected) in [
        ("", 50),
        ("&numwant=-1", 50),
        ("&numwant=", 50),
        ("&numwant=0", 0),
        ("&numwant=1", 1),
        ("&numwant=200", 200),
        ("&numwant=1000", 200),
        ("&numwant=99999999999999999999", 200),
    ] {
        let answer = announced(&server.get(announce(&hash(1), &peer(255), 7000, 1, numwant)));
        assert_eq!(answer.peers.len(), expected, "{numwant:?}");
    }
}

#[test]
fn a_sample_is_random_and_never_the_requester() {
    let server = swarm(120);
    let target = announce(&hash(1), &peer(0), 6000, 1, "&numwant=50");
    let mut seen: Vec<SocketAddr> = Vec::new();
    for _ in 0..40 {
        let answer = announced(&server.get(&target));
        assert!(answer.peers.iter().all(|peer| peer.port() != 6000), "{:?}", answer.peers);
        seen.extend(answer.peers);
    }
    seen.sort_unstable();
    seen.dedup();
    // 40 samples of 50 from 119: that one is never chosen happens once in 10^9 runs.
    assert_eq!(seen.len(), 119, "each of the others comes up");
}

#[test]
fn a_seeder_is_told_of_leechers_only() {
    let server = Server::start(&[]);
    for number in 1..=3 {
        server.get(announce(&hash(1), &peer(number), 6000 + u16::from(number), 0, ""));
    }
    server.get(announce(&hash(1), &peer(4), 6004, 1, ""));
    let seeder = announced(&server.get(announce(&hash(1), &peer(5), 6005, 0, "")));
    assert_eq!(ports(&seeder.peers), [6004]);
    let leecher = announced(&server.get(announce(&hash(1), &peer(6), 6006, 1, "")));
    assert_eq!(ports(&leecher.peers), [6001, 6002, 6003, 6004, 6005]);
}

fn ports(peers: &[SocketAddr]) -> Vec<u16> {
    peers.iter().map(SocketAddr::port).collect()
}

#[test]
fn a_peer_on_port_zero_is_counted_and_not_listed() {
    let server = Server::start(&[]);
    server.get(announce(&hash(1), &peer(1), 0, 0, ""));
    let answer = announced(&server.get(announce(&hash(1), &peer(2), 0, 1, "")));
    assert_eq!((answer.counts(), answer.peers), ((1, 1, 0), vec![]), "two that nobody can reach");
}

#[test]
fn a_port_out_of_range_is_counted_and_not_listed_and_its_owner_is_told() {
    let server = Server::start(&[]);
    let target = announce(&hash(1), &peer(1), 1, 1, "").replace("port=1&", "port=65536&");
    let reply = server.get(target);
    assert_eq!(announced(&reply).counts(), (0, 1, 0));
    let warning = "15:warning message62:port: 65536 is out of range, so you are counted";
    assert!(reply.text().contains(warning), "{}", reply.text());
    let other = announced(&server.get(announce(&hash(1), &peer(2), 6882, 1, "")));
    assert_eq!((other.counts(), other.peers), ((0, 2, 0), vec![]));
}

#[test]
fn unknown_empty_repeated_and_valueless_parameters_are_ignored() {
    let server = Server::start(&[]);
    let plain = announce(&hash(1), &peer(1), 6881, 1, "&key=ABCD");
    for more in [
        "&foo=bar&corrupt=0&redundant=1&hide=1&azver=3",
        "&&&",
        "&=&=x&novalue&numwant=&event=&trackerid=",
        "&event=unheard-of",
        "&trackerid=a=b==c",
        "&ip=&ipv4=&ipv6=",
        "&ip=not-resolved.example&ipv6=nonsense",
        "&uploaded=99999999999999999999",
        "#fragment",
    ] {
        let answer = announced(&server.get(format!("{plain}{more}")));
        assert_eq!(answer.counts(), (0, 1, 0), "{more}");
    }
    // The first info_hash of an announce counts.
    let two = format!("{plain}&info_hash={}", percent(&hash(2)));
    assert_eq!(announced(&server.get(two)).counts(), (0, 1, 0));
    assert_eq!(scraped(&server.get(scrape(&[hash(2)])), &hash(2)).incomplete, 0);
}

#[test]
fn escapes_in_either_case_and_a_plus_are_the_same_bytes() {
    let server = Server::start(&[]);
    let more = "port=6881&uploaded=0&downloaded=0&left=1&compact=1&key=1";
    let id = "peer_id=-MU0100-abcdefghijkl";
    for hash in [
        "%ab%cd+%2f+Muster_Muster.~",
        "%AB%CD+%2F+Muster_Muster.~",
        "%aB%Cd%2b%2F%2BMuster_Muster.~",
        "%ab%cd+/+%4d%75%73%74%65%72%5FMuster.%7e",
    ] {
        let reply = server.get(format!("/announce?info_hash={hash}&{id}&{more}"));
        assert_eq!(announced(&reply).counts(), (0, 1, 0), "{hash}");
    }
    let reply = server.get(scrape(&[*b"\xab\xcd+/+Muster_Muster.~"]));
    assert_eq!(scraped(&reply, b"\xab\xcd+/+Muster_Muster.~").incomplete, 1);
}

#[test]
fn a_failure_tells_the_interval_too() {
    let server = Server::start(&[]);
    let reply = server.get("/announce?info_hash=%01%02");
    let answer = failed(&reply);
    assert_eq!(answer.reason, "info_hash: 2 bytes, expected 20");
    let expected = format!(
        "d14:failure reason31:info_hash: 2 bytes, expected 208:intervali{}e8:retry in5:nevere",
        answer.interval
    );
    assert_eq!(reply.text(), expected);
}

#[test]
fn announce_addresses_are_believed_from_this_host_and_not_through_a_proxy() {
    let server = Server::start(&["--trusted-proxies", "127.0.0.2"]);
    let mut number = 0;
    // The address that others are told for a peer that claims one, behind the proxy or not.
    let mut listed = |claim: &str, forwarded: &str| {
        number += 1;
        let torrent = hash(number);
        let target = announce(&torrent, &peer(1), 6881, 1, claim);
        let request = String::from_utf8(get_and_close(target)).expect("a target in ASCII");
        let mut connection = server.connect_from("127.0.0.2");
        connection.send(request.replace("\r\n\r\n", &format!("\r\n{forwarded}\r\n")));
        connection.reply();
        let other = announced(&server.get(announce(&torrent, &peer(2), 6882, 1, "")));
        other.peers.iter().map(SocketAddr::to_string).collect::<Vec<String>>().join(" ")
    };
    let forwarded = "X-Forwarded-For: 203.0.113.7\r\n";
    assert_eq!(listed("", ""), "127.0.0.2:6881");
    assert_eq!(listed("&ip=192.0.2.5", ""), "192.0.2.5:6881");
    assert_eq!(listed("&ipv4=192.0.2.5", ""), "192.0.2.5:6881");
    assert_eq!(listed("&ip=2001:db8::5", ""), "127.0.0.2:6881 [2001:db8::5]:6881");
    assert_eq!(listed("&ipv6=2001:db8::5", ""), "127.0.0.2:6881 [2001:db8::5]:6881");
    assert_eq!(listed("", forwarded), "203.0.113.7:6881");
    assert_eq!(listed("&ip=192.0.2.5", forwarded), "203.0.113.7:6881", "a stranger's claim");
    assert_eq!(listed("&ipv6=2001:db8::5", forwarded), "203.0.113.7:6881");
    // A client of the proxy's own network is believed again.
    let near = "X-Forwarded-For: 192.168.7.7\r\n";
    assert_eq!(listed("&ip=192.0.2.5", near), "192.0.2.5:6881");
}

#[test]
fn clients_are_told_to_call_at_different_times_before_they_would_expire() {
    let server = Server::start(&[]);
    let mut intervals: Vec<i64> = (1..=64)
        .map(|number| {
            let target = announce(&hash(1), &peer(number), 6881, 1, "");
            announced(&server.get(target)).interval
        })
        .collect();
    intervals.sort_unstable();
    assert!(intervals[0] >= 900 && intervals[63] <= 956, "{intervals:?}");
    // Each of 57 values is as likely as any other: fewer than 16 of 64 would be one in 10^20.
    intervals.dedup();
    assert!(intervals.len() >= 16, "{intervals:?}");
}

#[test]
fn behind_a_proxy_that_nobody_has_configured_nobody_names_an_address() {
    let server = Server::start(&[]);
    for (number, header) in [(1, "X-Forwarded-For: 198.51.100.7"), (2, "Via: 1.1 nginx")] {
        let torrent = hash(number);
        let target = announce(&torrent, &peer(1), 6881, 1, "&ip=203.0.113.99");
        let request = String::from_utf8(get_and_close(target)).expect("a target in ASCII");
        let mut connection = server.connect();
        connection.send(request.replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n")));
        connection.reply();
        let other = announced(&server.get(announce(&torrent, &peer(2), 6882, 1, "")));
        let listed: Vec<String> = other.peers.iter().map(SocketAddr::to_string).collect();
        assert_eq!(listed, ["127.0.0.1:6881"], "{header}");
    }
    server.wait_for_log("is not in trusted-proxies");
}
