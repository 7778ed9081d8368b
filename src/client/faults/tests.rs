//! One reply for each fault, and one without any.

use super::*;
use crate::client::answer::Peer;

fn peer(host: &str, port: u16) -> Peer {
    Peer { host: host.to_owned(), port, id: None }
}

fn good() -> Announced {
    Announced {
        interval: Some(900),
        min_interval: Some(60),
        complete: Some(0),
        peers: vec![peer("10.0.0.1", 6881), peer("10.0.0.1", 6882)],
        ..Announced::default()
    }
}

fn faults_of(told: &Announced) -> Vec<String> {
    let asked = Asked {
        own: vec!["10.0.0.9".parse().expect("an address")],
        port: 50_000,
        peer_id: PeerId([b'x'; 20]),
        numwant: Some(2),
        stopped: false,
    };
    let mut faults = Faults::default();
    judge_announced(told, &asked, &mut faults);
    faults.lines()
}

#[test]
fn a_good_announce_has_no_fault() {
    assert_eq!(faults_of(&good()), [""; 0]);
    let bounds = Announced { interval: Some(10), min_interval: Some(10), ..good() };
    assert_eq!(faults_of(&bounds), [""; 0]);
    let bounds = Announced { interval: Some(86_400), min_interval: Some(0), ..good() };
    assert_eq!(faults_of(&bounds), [""; 0]);
}

#[test]
fn each_fault_of_numbers_is_told() {
    for (told, fault) in [
        (
            Announced { interval: Some(0), min_interval: None, ..good() },
            "interval 0: not a time to wait",
        ),
        (
            Announced { interval: Some(-1), min_interval: None, ..good() },
            "interval -1: not a time to wait",
        ),
        (
            Announced { interval: Some(9), min_interval: None, ..good() },
            "interval 9 s: so short that clients ignore it",
        ),
        (
            Announced { interval: Some(86_401), ..good() },
            "interval 86401 s is more than a day: clients stay unknown",
        ),
        (
            Announced { min_interval: Some(901), ..good() },
            "min interval 901 s is more than the interval",
        ),
        (Announced { min_interval: Some(-1), ..good() }, "min interval -1: not a time to wait"),
        (Announced { complete: Some(-1), ..good() }, "complete is -1: less than nothing"),
        (Announced { incomplete: Some(-2), ..good() }, "incomplete is -2: less than nothing"),
        (Announced { downloaded: Some(-3), ..good() }, "downloaded is -3: less than nothing"),
    ] {
        assert_eq!(faults_of(&told), [fault]);
    }
}

#[test]
fn each_fault_of_peers_is_told() {
    let one = |peer: Peer| Announced { peers: vec![peer], ..good() };
    let own = "is our own address: nobody is a peer to itself";
    for (told, fault) in [
        (
            Announced { peers: ["1", "2", "3"].map(|host| peer(host, 1)).to_vec(), ..good() },
            "3 peers, numwant was 2 (BEP 3)".to_owned(),
        ),
        (
            one(peer("10.0.0.1", 0)),
            "10.0.0.1 is listed with port 0, where nobody can reach it".to_owned(),
        ),
        (one(peer("10.0.0.9", 50_000)), format!("10.0.0.9 port 50000 {own}")),
        (
            Announced {
                external_ip: Some("192.0.2.1".parse().expect("an address")),
                ..one(peer("192.0.2.1", 50_000))
            },
            format!("192.0.2.1 port 50000 {own}"),
        ),
        (
            one(Peer { id: Some(PeerId([b'x'; 20])), ..peer("192.0.2.1", 7) }),
            format!("192.0.2.1 port 7 {own}"),
        ),
        (one(peer("0.0.0.0", 1)), "0.0.0.0 is no address of a peer".to_owned()),
        (one(peer("ff02::1", 1)), "ff02::1 is no address of a peer".to_owned()),
        (
            one(peer("::ffff:10.0.0.1", 1)),
            "::ffff:10.0.0.1 is an IPv4 address, which belongs into peers".to_owned(),
        ),
        (
            Announced { peers: vec![peer("10.0.0.1", 1), peer("10.0.0.1", 1)], ..good() },
            "10.0.0.1 port 1 is listed twice".to_owned(),
        ),
    ] {
        assert_eq!(faults_of(&told), [fault]);
    }
    for other in [peer("10.0.0.9", 50_001), peer("10.0.0.8", 50_000)] {
        assert_eq!(faults_of(&one(other)), [""; 0], "somebody else");
    }
}

#[test]
fn a_head_that_clients_stumble_over_is_told() {
    let faults_of = |status, headers: &[(&str, &'static [u8])], of_everything| {
        let mut faults = Faults::default();
        let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        judge_head(status, header, of_everything, &mut faults);
        faults.lines()
    };
    assert_eq!(faults_of(200, &[("content-length", b"1")], false), [""; 0]);
    assert_eq!(faults_of(200, &[("transfer-encoding", b"identity")], false), [""; 0]);
    let coded = faults_of(200, &[("transfer-encoding", b"gzip, Chunked")], false);
    assert_eq!(coded.len(), 1, "{coded:?}");
    assert_eq!(
        faults_of(
            404,
            &[("transfer-encoding", b"chunked"), ("content-encoding", b"gz\x07")],
            false
        ),
        [
            "HTTP status 404: clients ignore the body of all but 200",
            "the reply is chunked, which small clients cannot read; say Content-Length",
            "the reply is compressed (gz\\x07) though nobody asked for it",
        ]
    );
    assert_eq!(faults_of(200, &[("transfer-encoding", b"chunked")], true), [""; 0]);
}

#[test]
fn a_scrape_of_what_was_not_asked_for_and_negative_counts_are_told() {
    let file = |byte, complete| Scraped {
        info_hash: InfoHash([byte; 20]),
        complete: Some(complete),
        incomplete: Some(0),
        downloaded: Some(0),
        name: None,
    };
    let told = [file(1, 0), file(2, -1)];
    let mut faults = Faults::default();
    judge_scraped(&told, &[InfoHash([1; 20])], &mut faults);
    assert_eq!(
        faults.lines(),
        [
            "0202020202020202020202020202020202020202 is told, and was not asked for",
            "0202020202020202020202020202020202020202: complete is -1: less than nothing",
        ]
    );
    let mut faults = Faults::default();
    judge_scraped(&told[..1], &[], &mut faults);
    assert_eq!(faults.lines(), [""; 0], "all were asked for");
}

#[test]
fn faults_stand_once_and_are_bounded() {
    let mut faults = Faults::default();
    for number in 0..CLIENT_FAULTS_MAX + 3 {
        faults.add(format!("fault {number}"));
        faults.add("fault 0");
    }
    let lines = faults.lines();
    assert_eq!(lines.len(), CLIENT_FAULTS_MAX + 1);
    assert_eq!(lines.last().map(String::as_str), Some("and 3 more"));
}
