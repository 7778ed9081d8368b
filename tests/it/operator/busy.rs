//! More slow requests of the operator's than can be served at once: the rest is refused, and no
//! announce waits.
//!
//! What makes a request slow is a page that its client does not read.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::answer::announced;
use crate::connection::{Connection, announce, get, hash, loopback, peer};
use crate::harness::{Engine, Server, eventually};

use super::page::{Ask, Page};

/// The threads for the operator's requests, and how many of those may wait for one.
const THREADS: usize = 2;
const QUEUE: usize = 16;

const BUSY: &str = "the operator's threads are busy: try again in a moment";

/// A server with one torrent whose page is more than the sockets on its way take in: epoll holds
/// them to 64 KiB twice, others grow to megabytes.
fn with_a_large_page(engine: Engine, options: &[&str]) -> Server {
    let peers: u16 = if engine == Engine::Epoll { 4_000 } else { 40_000 };
    let server = Server::with(engine, options);
    let mut connection = server.connect();
    for first in (1..peers).step_by(100) {
        let requests = (first..first + 100).map(|port| {
            let target = announce(&hash(1), &peer(1), port, 1, "&numwant=0");
            let id = format!("peer_id=-qB4500-{port:012}");
            get(target.replace(&format!("peer_id={}", crate::connection::percent(&peer(1))), &id))
        });
        connection.send(requests.flatten().collect::<Vec<_>>());
        (0..100).for_each(|_| drop(connection.reply()));
    }
    server
}

/// Asks for the large page, with little room for it.
fn ask_for_the_page(server: &Server) -> Connection {
    let mut connection = Connection::with_room(loopback(1), server.tcp(), Some(4096));
    connection.send(Ask::get("/stats").bytes());
    connection
}

fn announce_is_served(server: &Server, number: u8) {
    let target = announce(&hash(2), &peer(number), 6881 + u16::from(number), 0, "");
    assert_eq!(announced(&server.get(target)).complete, i64::from(number));
}

/// Takes both threads and fills the queue; the connections, those that wait last.
fn fill_up(server: &Server) -> Vec<Connection> {
    let mut all: Vec<Connection> = (0..THREADS).map(|_| ask_for_the_page(server)).collect();
    assert!(all.iter().all(Connection::has_more), "both pages have begun");
    all.extend((0..QUEUE).map(|_| ask_for_the_page(server)));
    // The worker has looked at all of these when it has answered what came later. (Once is not
    // enough: a new connection may be served first in the round that serves these.)
    for _ in 0..2 {
        assert_eq!(server.get("/health").status, 200);
    }
    all
}

pub fn slow_requests_fill_the_queue_and_no_announce_waits(engine: Engine) {
    let server = with_a_large_page(engine, &["--workers", "1"]);
    let slow = fill_up(&server);
    announce_is_served(&server, 1);
    for target in ["/stats", "/save_state", "/scrape"] {
        assert_eq!(Ask::get(target).of(&server).error(), (503, BUSY.to_owned()), "{target}");
    }
    announce_is_served(&server, 2);
    assert!(slow[THREADS..].iter().all(Connection::is_silent), "these wait for a thread");

    // All but one go away, and it gets its turn.
    let patient = slow.into_iter().last().expect("one that waits");
    assert!(Page::read(patient).good().is_object());
    eventually(&200, || Ask::get("/stats?limit=0").of(&server).status);
    announce_is_served(&server, 3);
}

/// Where a reply is written and the socket closed with bytes unread, a reset takes it away again.
pub fn a_refusal_for_want_of_a_thread_reaches_who_is_still_sending(engine: Engine) {
    let server = with_a_large_page(engine, &["--workers", "1"]);
    let _slow = fill_up(&server);
    let body = format!("{{\"info_hash\": \"{}\"}}", "%AB".repeat(20));
    for _ in 0..10 {
        let mut connection = server.connect();
        connection.send(Ask::register(&body).head());
        assert!(connection.has_more(), "it is refused");
        // It has not looked yet.
        body.as_bytes().chunks(8).for_each(|piece| connection.send(piece));
        assert_eq!(Page::read(connection).error(), (503, BUSY.to_owned()));
    }
}

pub fn an_operator_who_reads_nothing_holds_a_stop_for_five_seconds_at_most(engine: Engine) {
    let mut server = with_a_large_page(engine, &["--workers", "1"]);
    let slow = fill_up(&server);
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(8), "it took {waited:?}");
    drop(slow);
}

/// Two workers, two slow requests: nobody else is served until one of them is over.
pub fn slow_requests_take_the_workers_of_tiny_http() {
    let server = with_a_large_page(Engine::TinyHttp, &["--workers", "2"]);
    let first = ask_for_the_page(&server);
    assert!(first.has_more(), "the first page has begun");
    announce_is_served(&server, 1);
    let second = ask_for_the_page(&server);
    assert!(second.has_more(), "the second page has begun");
    let mut waiting = server.connect();
    waiting.send(get(announce(&hash(2), &peer(2), 6883, 0, "")));
    assert!(waiting.is_silent(), "nobody is left to answer it");
    drop(first);
    assert_eq!(announced(&waiting.reply()).complete, 2);
    drop(second);
}
