//! How many connections are kept, and how much is read from one.
//!
//! At a bound the connection that has waited longest for a request goes and the newest is served,
//! for one address and for all of them together. Sources: `limits`, RFC 9110 sections 15.5.14 and
//! 15.5.15.

use crate::answer::announced;
use crate::connection::{Connection, announce, hash, peer};
use crate::harness::eventually;

use super::Tracker;

/// Asks on connections that stay open; the last is then the one that has been idle shortest.
fn ask<const COUNT: usize>(connections: [&mut Connection; COUNT]) {
    for connection in connections {
        assert_eq!(connection.get("/health").status, 200);
    }
}

#[test]
fn of_too_many_connections_from_one_address_the_one_idle_longest_goes() {
    let tracker = Tracker::start(&[("max-connections-per-ip", "3")]);
    let mut other = tracker.connect_from(2);
    ask([&mut other]);
    let [mut a, mut b, mut c] = [(); 3].map(|()| tracker.connect_from(1));
    ask([&mut a, &mut b, &mut c]);
    ask([&mut a]);
    let mut d = tracker.connect_from(1);
    ask([&mut d]);
    b.expect_end();
    let mut e = tracker.connect_from(1);
    ask([&mut e]);
    c.expect_end();
    ask([&mut a, &mut d, &mut e]);
    ask([&mut other]);
    tracker.running.stop().expect("a stop");
}

#[test]
fn of_too_many_connections_in_all_the_one_idle_longest_goes() {
    let tracker = Tracker::start(&[("max-connections", "3")]);
    let [mut a, mut b, mut c] = [1, 2, 3].map(|last| tracker.connect_from(last));
    ask([&mut a, &mut b, &mut c]);
    ask([&mut a]);
    let mut d = tracker.connect_from(4);
    ask([&mut d]);
    b.expect_end();
    let mut e = tracker.connect_from(1);
    ask([&mut e]);
    c.expect_end();
    ask([&mut a, &mut d, &mut e]);
    tracker.running.stop().expect("a stop");
}

#[test]
fn the_bounds_are_those_of_all_workers_together_whoever_accepts() {
    let bounds = [("workers", "4"), ("max-connections", "24"), ("max-connections-per-ip", "8")];
    let tracker = Tracker::start(&bounds);
    let refused = || tracker.running.service().stats.connections_refused.get();
    let mut of_one: Vec<Connection> = (0..8).map(|_| tracker.connect_from(1)).collect();
    let mut of_all: Vec<Connection> = (2..=17).map(|last| tracker.connect_from(last)).collect();
    for _ in 0..3 {
        for connection in of_one.iter_mut().chain(&mut of_all) {
            ask([connection]);
        }
    }
    assert_eq!(refused(), 0, "8 of one address and 24 in all are what may be");

    // One more of that address costs one of its own, itself at the worst; one more of another any.
    let _ninth = tracker.connect_from(1);
    eventually(&1, refused);
    let standing = || of_one.iter().filter(|connection| connection.is_silent()).count();
    assert!((7..=8).contains(&standing()), "{}", standing());
    assert!(of_all.iter().all(Connection::is_silent), "others had to go for it");
    let _twenty_fifth = tracker.connect_from(18);
    eventually(&2, refused);
    tracker.running.stop().expect("a stop");
}

#[test]
fn heads_that_are_never_finished_do_not_keep_out_who_asks() {
    let tracker = Tracker::start(&[("max-connections", "5")]);
    let begin = |last: u8| {
        let mut slow = tracker.connect_from(last);
        slow.send("G");
        slow
    };
    let mut slow: Vec<Connection> = (1..=4).map(begin).collect();
    tracker.pass(5);
    tracker.running.advance(5);
    let mut honest = tracker.connect_from(9);
    ask([&mut honest]);
    tracker.running.advance(5);
    slow.extend((5..=7).map(begin));
    ask([&mut honest]);
    slow.remove(0).expect_end();
    drop(slow);
    tracker.running.stop().expect("a stop");
}

#[test]
fn a_client_that_holds_its_bound_of_connections_still_announces() {
    let tracker = Tracker::start(&[("max-connections-per-ip", "5")]);
    let held: Vec<Connection> = (0..50).map(|_| tracker.connect()).collect();
    for number in 1..=10 {
        let target = announce(&hash(1), &peer(number), 6000 + u16::from(number), 1, "");
        let answer = announced(&tracker.connect().ask_once(target));
        assert_eq!(answer.incomplete, i64::from(number));
    }
    tracker.catch_up();
    let kept = held.iter().filter(|connection| connection.is_silent()).count();
    assert!(kept <= 5, "{kept} of 50 are kept");
    tracker.running.stop().expect("a stop");
}

#[test]
fn a_head_without_an_end_is_refused_when_it_is_too_long() {
    let tracker = Tracker::start(&[]);
    let heads = [
        (format!("GET /{}", "a".repeat(9_000)), 414),
        (format!("GET / HTTP/1.1\r\nHost: t\r\nX: {}", "a".repeat(9_000)), 431),
        (format!("GET / HTTP/1.1\r\nHost: t\r\n{}", "Accept: text/plain\r\n".repeat(500)), 431),
    ];
    for (head, status) in heads {
        // In one piece, and in two of which the first is not too long yet.
        for cut in [0, 300] {
            let (first, rest) = head.split_at(cut);
            let mut connection = tracker.connect();
            connection.send(first);
            tracker.catch_up();
            connection.send(rest);
            let reply = connection.reply();
            assert_eq!((reply.status, reply.says_close()), (status, true), "{}", &head[..40]);
            connection.expect_end();
        }
    }
    tracker.running.stop().expect("a stop");
}

#[test]
fn a_body_where_none_is_taken_is_refused_without_being_read() {
    let tracker = Tracker::start(&[]);
    for framing in ["Content-Length: 5", "Content-Length: 999999999999999"] {
        for path in ["/announce", "/health", "/"] {
            let mut connection = tracker.connect();
            connection.send(format!("GET {path} HTTP/1.1\r\nHost: t\r\n{framing}\r\n\r\nabcde"));
            let reply = connection.reply();
            assert_eq!((reply.status, reply.says_close()), (413, true), "{path} {framing}");
            connection.expect_end();
        }
    }
    tracker.running.stop().expect("a stop");
}
