//! How long a client may take: for a head, for nothing at all, and to take its replies.
//!
//! The deadlines are those of `limits`; each test stops a few seconds short of one, where the
//! connection must stand, and then goes past it. Real time passes too, so the distances are
//! seconds.

use std::io::{ErrorKind, Write as _};

use crate::answer::announced;
use crate::connection::{Connection, announce, get, get_and_close, hash, loopback, peer};

use crate::harness::eventually;

use super::Tracker;

#[test]
fn a_head_that_is_not_whole_within_ten_seconds_of_its_first_byte_is_cut_off() {
    let tracker = Tracker::start(&[]);
    let mut slow = tracker.connect();
    slow.send("GET /hea");
    tracker.catch_up();
    tracker.pass(6_000);
    // Bytes that come on and on prolong nothing.
    slow.send("lth HTTP/1.1\r\nHost:");
    tracker.pass(1_000);
    assert!(slow.is_silent(), "seven seconds are allowed");
    tracker.pass(3_000);
    slow.expect_ended();
    tracker.running.stop().expect("a stop");
}

#[test]
fn the_ten_seconds_count_for_each_request_of_a_connection() {
    let tracker = Tracker::start(&[]);
    let mut slow = tracker.connect();
    for _ in 0..3 {
        slow.send("GET /hea");
        tracker.pass(7_000);
        slow.send("lth HTTP/1.1\r\nHost: t\r\n\r\n");
        assert_eq!(slow.reply().status, 200, "seven seconds are allowed");
    }
    slow.send("GET /hea");
    tracker.catch_up();
    tracker.pass(10_000);
    slow.expect_ended();
    tracker.running.stop().expect("a stop");
}

#[test]
fn a_half_request_behind_a_whole_one_has_ten_seconds_too() {
    let tracker = Tracker::start(&[]);
    let mut slow = tracker.connect();
    slow.send([get("/health"), b"GET /hea".to_vec()].concat());
    assert_eq!(slow.reply().status, 200);
    tracker.pass(7_000);
    assert!(slow.is_silent(), "seven seconds are allowed");
    tracker.pass(3_000);
    slow.expect_ended();
    tracker.running.stop().expect("a stop");
}

#[test]
fn a_connection_may_be_idle_for_thirty_seconds() {
    let tracker = Tracker::start(&[]);
    let silent = tracker.connect();
    let mut kept = tracker.connect();
    assert_eq!(kept.get("/health").status, 200);
    tracker.pass(20_000);
    assert!(silent.is_silent(), "twenty seconds without a request are allowed");
    // A request begins the thirty seconds anew.
    assert_eq!(kept.get("/health").status, 200);
    tracker.pass(10_000);
    silent.expect_ended();
    assert!(kept.is_silent(), "ten seconds after its last request");
    tracker.pass(15_000);
    assert_eq!(kept.get("/health").status, 200, "25 seconds after its last request");
    tracker.pass(30_000);
    kept.expect_ended();
    tracker.running.stop().expect("a stop");
}

#[test]
fn replies_not_taken_within_ten_seconds_end_the_connection() {
    let tracker = Tracker::start(&[]);
    let mut swarm = tracker.connect();
    for number in 0..200 {
        let target = announce(&hash(1), &peer(number), 6000 + u16::from(number), 1, "&numwant=0");
        assert_eq!(announced(&swarm.get(target)).incomplete, i64::from(number) + 1);
    }
    // Each reply is more than ten times as long as its request, and none is read.
    let target = announce(&hash(1), &peer(255), 7000, 1, "&numwant=200");
    let requests = get(target.replace("&compact=1", "&compact=0")).repeat(100);
    let greedy = Connection::with_room(loopback(1), tracker.address, Some(4096));
    let mut stream = greedy.stream();
    stream.set_nonblocking(true).expect("a socket");
    // Until the server has plainly stopped reading: it waits for its replies to be taken.
    let mut refused = 0;
    while refused < 100 {
        tracker.catch_up();
        match stream.write(&requests) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
            written => refused = written.map(|_| 0).expect("the connection stands"),
        }
    }
    tracker.pass(6_000);
    let stalled = stream.write(&requests).expect_err("nothing was taken");
    assert_eq!(stalled.kind(), ErrorKind::WouldBlock, "six seconds are allowed");
    tracker.pass(4_000);
    let ended = stream.write(&requests).expect_err("the time is over").kind();
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended}");
    assert_eq!(swarm.get("/health").status, 200, "others are served");
    tracker.running.stop().expect("a stop");
}

#[test]
fn what_a_client_sends_after_a_refusal_is_read_for_two_seconds() {
    let tracker = Tracker::start(&[]);
    let mut client = tracker.connect();
    client.send("NONSENSE\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.status, reply.says_close()), (400, true));
    // It is still sending: without a reader, the reset would have taken the reply away.
    for _ in 0..10 {
        client.send([b'x'; 1000]);
        tracker.catch_up();
    }
    tracker.pass(2_000);
    tracker.catch_up();
    let mut stream = client.stream();
    let gone = (0..100).any(|_| {
        tracker.catch_up();
        stream.write(b"x").is_err()
    });
    assert!(gone, "then the socket is closed");
    tracker.running.stop().expect("a stop");
}

/// The sweeper's clock is the same: a peer that is silent for its timeout is forgotten.
#[test]
fn a_silent_peer_is_forgotten_after_its_timeout() {
    let tracker = Tracker::start(&[("peer-timeout", "1800")]);
    let ask = |number: u8, left: u64| {
        let target = announce(&hash(1), &peer(number), 6880 + u16::from(number), left, "");
        let mut connection = tracker.connect();
        connection.send(get_and_close(target));
        announced(&connection.reply())
    };
    assert_eq!(ask(1, 0).counts(), (1, 0, 0));
    tracker.pass(1_700_000);
    assert_eq!(ask(2, 1).counts(), (1, 1, 0), "1700 seconds of silence are allowed");
    tracker.pass(1_700_000);
    // The sweeper comes every 30 seconds, and may have been past it a moment ago.
    let mut longer = 0;
    eventually(&(0, 1, 0), || {
        assert!(longer < 1_000, "it is there after {} seconds", 3_400 + longer);
        tracker.pass(1_000);
        longer += 1;
        ask(2, 1).counts()
    });
    tracker.running.stop().expect("a stop");
}
