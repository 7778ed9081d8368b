//! Golden packets of trackers and what is made of them; every prefix of them.

use super::*;
use crate::client::answer::{Announced, Peer};

/// An answer to an announce: action 1 (0), transaction (4), interval 900 (8), leechers 2 (12),
/// seeders 3 (16), 10.0.0.1 port 6881 (20), 10.0.0.2 port 80 (26).
const ANNOUNCED: &[u8] = b"\0\0\0\x01\x11\x22\x33\x44\0\0\x03\x84\0\0\0\x02\0\0\0\x03\
    \x0a\0\0\x01\x1a\xe1\x0a\0\0\x02\0\x50";

/// An answer to a scrape: action 2 (0), transaction (4), seeders 5 (8), downloads 6 (12), leechers
/// 7 (16).
const SCRAPED: &[u8] = b"\0\0\0\x02\x11\x22\x33\x44\0\0\0\x05\0\0\0\x06\0\0\0\x07";

const HASH: InfoHash = InfoHash([1; 20]);

#[test]
fn a_golden_answer_to_an_announce_is_read_field_by_field() {
    let mut faults = Faults::default();
    let peer = |host: &str, port| Peer { host: host.to_owned(), port, id: None };
    let wanted = Announced {
        interval: Some(900),
        complete: Some(3),
        incomplete: Some(2),
        peers: vec![peer("10.0.0.1", 6881), peer("10.0.0.2", 80)],
        ..Announced::default()
    };
    let read = read_announced_packet(ANNOUNCED, Family::V4, &mut faults);
    assert_eq!((read, faults.lines()), (Ok(Answer::Announced(wanted.clone())), vec![]));

    // Over IPv6 the same twelve bytes are less than one peer.
    let read = read_announced_packet(ANNOUNCED, Family::V6, &mut faults);
    let nobody = Announced { peers: vec![], ..wanted };
    assert_eq!(read, Ok(Answer::Announced(nobody)));
    assert_eq!(faults.lines(), ["12 bytes behind the last whole peer (BEP 15)"]);
}

#[test]
fn a_golden_answer_to_a_scrape_is_read_field_by_field() {
    let scraped = |packet: &[u8], hashes: &[InfoHash]| {
        let mut faults = Faults::default();
        (read_scraped_packet(packet, hashes, &mut faults), faults.lines())
    };
    let file = Scraped {
        info_hash: HASH,
        complete: Some(5),
        incomplete: Some(7),
        downloaded: Some(6),
        name: None,
    };
    let wanted = Ok(Answer::Scraped(vec![file]));
    assert_eq!(scraped(SCRAPED, &[HASH]), (wanted.clone(), vec![]));
    let fewer = vec!["torrents told: 1, asked for: 2 (BEP 15)".to_owned()];
    assert_eq!(scraped(SCRAPED, &[HASH, InfoHash([2; 20])]), (wanted.clone(), fewer));
    let longer = [SCRAPED, b"abc"].concat();
    let rest = vec!["3 bytes behind the last whole torrent (BEP 15)".to_owned()];
    assert_eq!(scraped(&longer, &[HASH]), (wanted, rest));
}

#[test]
fn an_answer_that_ends_within_its_head_is_told_by_its_action() {
    for length in [8, 19] {
        let cut = &ANNOUNCED[..length];
        let text = format!(
            "an announce reply of {length} bytes, at least 20 are due (BEP 15); opentracker sends \
             8 for a torrent that it does not allow"
        );
        assert_eq!(read_announced_packet(cut, Family::V6, &mut Faults::default()), Err(text));
    }
    let text = "a packet of 8 bytes that answers something else: \
                \"\\x00\\x00\\x00\\x02\\x11\\\"3D\"";
    let other = read_announced_packet(&SCRAPED[..8], Family::V4, &mut Faults::default());
    assert_eq!(other, Err(text.to_owned()));
}

#[test]
fn numbers_of_a_packet_are_less_than_nothing_where_their_first_bit_is_set() {
    let packet = [&ANNOUNCED[..8], &[0xff; 12]].concat();
    let Ok(Answer::Announced(told)) =
        read_announced_packet(&packet, Family::V4, &mut Faults::default())
    else {
        panic!("it is an answer");
    };
    assert_eq!([told.interval, told.incomplete, told.complete], [Some(-1); 3]);
    let packet = [&SCRAPED[..8], &[0xff; 12]].concat();
    let Ok(Answer::Scraped(told)) = read_scraped_packet(&packet, &[HASH], &mut Faults::default())
    else {
        panic!("it is an answer");
    };
    assert_eq!([told[0].complete, told[0].incomplete, told[0].downloaded], [Some(-1); 3]);
}

#[test]
fn an_error_is_a_refusal_in_either_case() {
    let refusal =
        |reason: &str| Ok(Answer::Refused(Refusal { reason: reason.to_owned(), retry_in: None }));
    let silent = "an error without a word of why (BEP 15)";
    for (message, reason, fault) in
        [(&b"no\x07\0"[..], "no\\u{7}", None), (b"", "", Some(silent.to_owned()))]
    {
        let packet = [b"\0\0\0\x03\x11\x22\x33\x44", message].concat();
        let mut faults = Faults::default();
        let announced = read_announced_packet(&packet, Family::V4, &mut faults);
        assert_eq!(announced, refusal(reason));
        assert_eq!(read_scraped_packet(&packet, &[HASH], &mut faults), refusal(reason));
        assert_eq!(faults.lines(), Vec::from_iter(fault));
    }
}

#[test]
fn no_prefix_of_a_packet_panics() {
    for packet in [ANNOUNCED, SCRAPED] {
        for length in 0..packet.len() {
            let cut = &packet[..length];
            let announced = read_announced_packet(cut, Family::V4, &mut Faults::default());
            assert!(length >= ANNOUNCED_HEAD_BYTES || announced.is_err(), "{length}");
            let scraped = read_scraped_packet(cut, &[HASH], &mut Faults::default());
            assert!(length >= SCRAPED_HEAD_BYTES || scraped.is_err(), "{length}");
        }
    }
}
