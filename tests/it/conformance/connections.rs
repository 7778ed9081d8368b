//! Cases about connections: how requests arrive, and when a connection ends.
//!
//! Each case takes the engine it is to run with and starts a server of its own. The list of cases
//! is in `conformance`. Sources: RFC 9112 sections 2.2, 6 and 9.

use std::io::Write as _;
use std::net::Shutdown;

use crate::answer::{Scraped, announced, listed, scraped, scraped_all};
use crate::connection::{Connection, announce, get, get_and_close, hash, loopback, peer, scrape};
use crate::harness::{Engine, Server, eventually};

/// A leecher's announce: `number` is both its id and its port, so that each is a peer of its own.
fn leecher(number: u8) -> String {
    announce(&hash(1), &peer(number), 6000 + u16::from(number), 1, "&event=started")
}

pub fn an_announce_and_a_scrape_are_answered_on_fresh_connections(engine: Engine) {
    let server = Server::with(engine, &[]);
    let seeding = announce(&hash(1), &peer(1), 6881, 0, "&event=started");
    let answer = announced(&server.get(seeding));
    assert_eq!(answer.counts(), (1, 0, 0));
    assert_eq!(answer.peers, [], "nobody else is there");
    assert_eq!(answer.external_ip.to_string(), "127.0.0.1");
    let counts = scraped(&server.get(scrape(&[hash(1)])), &hash(1));
    assert_eq!(counts, Scraped { complete: 1, ..Scraped::default() });
}

pub fn one_connection_carries_several_requests(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for number in 1..=5 {
        let reply = connection.get(leecher(number));
        assert!(!reply.says_close(), "{reply:?}");
        assert_eq!(announced(&reply).incomplete, i64::from(number));
        let counts = scraped(&connection.get(scrape(&[hash(1)])), &hash(1));
        assert_eq!(counts.incomplete, i64::from(number));
    }
}

pub fn ten_pipelined_requests_are_answered_in_order(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    let mut requests: Vec<u8> = (1..10).flat_map(|number| get(scrape(&[hash(number)]))).collect();
    requests.extend(get_and_close(scrape(&[hash(10)])));
    connection.send(requests);
    for number in 1..=10 {
        let reply = connection.reply();
        assert_eq!(scraped(&reply, &hash(number)), Scraped::default());
        assert_eq!(reply.says_close(), number == 10);
    }
    connection.expect_end();
}

/// Ten leechers announce in one write; how many each found there.
fn pipelined_announces(server: &Server) -> Vec<i64> {
    let mut connection = server.connect();
    connection.send((1..=10).flat_map(|number| get(leecher(number))).collect::<Vec<u8>>());
    (1..=10).map(|_| announced(&connection.reply()).incomplete).collect()
}

pub fn pipelined_announces_are_taken_in_order(engine: Engine) {
    let server = Server::with(engine, &[]);
    assert_eq!(pipelined_announces(&server), (1..=10).collect::<Vec<i64>>());
}

pub fn pipelined_announces_are_all_taken_by_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    let mut found = pipelined_announces(&server);
    found.sort_unstable();
    assert_eq!(found, (1..=10).collect::<Vec<i64>>());
}

pub fn a_request_cut_at_any_byte_is_answered(engine: Engine) {
    let server = Server::with(engine, &[]);
    let request = get_and_close(leecher(1));
    for cut in 1..request.len() {
        let (first, second) = request.split_at(cut);
        let mut connection = server.connect();
        connection.send(first);
        connection.send(second);
        let answer = announced(&connection.reply());
        assert_eq!(answer.counts(), (0, 1, 0), "cut after {cut} bytes");
        connection.expect_end();
    }
}

/// The pause is a whole request on another connection: with one worker, the first part has been
/// seen before that one is answered.
pub fn a_request_cut_at_any_byte_by_a_pause_is_answered(engine: Engine) {
    let server = Server::with(engine, &["--workers", "1"]);
    let request = get(leecher(1));
    let mut connection = server.connect();
    let mut bystander = server.connect();
    for cut in 1..request.len() {
        let (first, second) = request.split_at(cut);
        connection.send(first);
        assert_eq!(bystander.get("/health").status, 200);
        assert!(connection.is_silent(), "an answer to {cut} bytes of a request");
        connection.send(second);
        assert_eq!(announced(&connection.reply()).counts(), (0, 1, 0), "cut after {cut} bytes");
    }
}

pub fn requests_arriving_a_byte_at_a_time_are_answered(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for number in 1..=2 {
        for byte in get(leecher(number)) {
            connection.send([byte]);
        }
        assert_eq!(announced(&connection.reply()).incomplete, i64::from(number));
    }
}

pub fn a_close_is_announced_exactly_when_it_happens(engine: Engine) {
    let server = Server::with(engine, &[]);
    let ask = |target: &str, more: &str| format!("GET {target} HTTP/1.1\r\nHost: t\r\n{more}\r\n");
    let leeching = leecher(1);
    let cases = [
        (ask(&leeching, ""), false),
        (ask(&leeching, "Connection: keep-alive\r\n"), false),
        (ask(&leeching, "Connection: close\r\n"), true),
        // uTorrent writes it with a capital.
        (ask(&leeching, "Connection: Close\r\n"), true),
        (ask(&leeching, "connection: TE, close\r\n"), true),
        (ask(&leeching, "Content-Length: 0\r\n"), false),
        (ask("/announce?info_hash=short", ""), false),
        (ask("/announce?info_hash=short", "Connection: close\r\n"), true),
        (ask(&format!("{leeching}&format=json"), ""), false),
        (ask("/", ""), false),
        (ask("/health", ""), false),
        (ask("/nothing/here", ""), false),
        (ask("/nothing/here", "Connection: close\r\n"), true),
        ("POST /announce HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n".to_owned(), false),
    ];
    for (request, closes) in cases {
        let mut connection = server.connect();
        connection.send(&request);
        let reply = connection.reply();
        assert_eq!(reply.says_close(), closes, "{request}{reply:?}");
        if closes {
            connection.expect_end();
        } else {
            assert_eq!(connection.get("/health").status, 200, "after {request}");
        }
    }
}

pub fn http_1_0_closes_unless_asked_to_keep_alive(engine: Engine) {
    let server = Server::with(engine, &[]);
    let target = leecher(1);

    let mut connection = server.connect();
    connection.send(format!("GET {target} HTTP/1.0\r\n\r\n"));
    let reply = connection.reply();
    assert_eq!(announced(&reply).counts(), (0, 1, 0), "HTTP/1.0 needs no Host");
    assert!(reply.says_close(), "{reply:?}");
    connection.expect_end();

    let mut connection = server.connect();
    for _ in 0..2 {
        connection.send(format!("GET {target} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
        let reply = connection.reply();
        assert_eq!(announced(&reply).counts(), (0, 1, 0));
        // Without this an HTTP/1.0 client expects the end (RFC 9112 appendix C.2.2).
        let kept = reply.header("connection").map(str::to_ascii_lowercase);
        assert_eq!(kept.as_deref(), Some("keep-alive"));
    }
}

pub fn a_client_that_stops_sending_still_gets_its_reply(engine: Engine) {
    let server = Server::with(engine, &[]);
    for request in [get(leecher(1)), get_and_close(leecher(1))] {
        let mut connection = server.connect();
        connection.send(request);
        connection.finish_sending();
        assert_eq!(announced(&connection.reply()).counts(), (0, 1, 0));
        connection.expect_end();
    }
    let mut connection = server.connect();
    connection.send([get(scrape(&[hash(1)])), get(scrape(&[hash(2)]))].concat());
    connection.finish_sending();
    assert_eq!(scraped(&connection.reply(), &hash(1)).incomplete, 1);
    assert_eq!(scraped(&connection.reply(), &hash(2)).incomplete, 0, "and the one behind it");
    connection.expect_end();
}

/// Seven megabytes, more than the sockets hold: the server has to wait until replies are taken.
pub fn many_requests_with_large_replies_are_all_answered_in_order(engine: Engine) {
    const REQUESTS: usize = 600;
    let server = Server::with(engine, &[]);
    let mut swarm = server.connect();
    for number in 1..=200 {
        swarm.get(leecher(number));
    }
    let large = get(leecher(201).replace("&compact=1", "&numwant=200"));
    let small = get(scrape(&[hash(1), hash(2)]));
    let mut connection = Connection::with_room(loopback(1), server.tcp(), Some(4096));
    let mut sending = connection.stream().try_clone().expect("a socket");
    let sender = std::thread::spawn(move || {
        for nth in 0..REQUESTS {
            let request = if nth % 7 == 0 { &small } else { &large };
            sending.write_all(request).expect("the server reads on");
        }
        sending.shutdown(Shutdown::Write).expect("the connection stands");
    });
    for nth in 0..REQUESTS {
        let reply = connection.reply();
        let found =
            if nth % 7 == 0 { scraped_all(&reply).len() } else { listed(&reply).len() / 100 };
        assert_eq!(found, 2, "reply {nth}: two torrents, or two hundred peers");
    }
    connection.expect_end();
    sender.join().expect("all was sent");
}

pub fn stopped_counts_even_if_the_client_closes_at_once(engine: Engine) {
    let server = Server::with(engine, &[]);
    let incomplete = || scraped(&server.get(scrape(&[hash(1)])), &hash(1)).incomplete;
    for number in 1..=20 {
        server.get(leecher(number));
        assert_eq!(incomplete(), 1);
        let leaving =
            announce(&hash(1), &peer(number), 6000 + u16::from(number), 1, "&event=stopped");
        let connection: Connection = server.connect();
        // Sent and dropped: the client's process is gone before the server has looked.
        connection.stream().write_all(&get(leaving)).expect("the server listens");
        drop(connection);
        eventually(&0, incomplete);
    }
}

pub fn head_gets_the_headers_of_get_and_no_body(engine: Engine) {
    let server = Server::with(engine, &[]);
    server.get(leecher(1));
    let mut connection = server.connect();
    for target in [leecher(1).as_str(), &scrape(&[hash(1)]), "/", "/health", "/nothing/here"] {
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n"));
        let mut whole = connection.reply();
        connection.send(format!("HEAD {target} HTTP/1.1\r\nHost: t\r\n\r\n"));
        let mut head = connection.reply_to_head();
        // A body would be taken for the next reply.
        assert_eq!(connection.get("/health").status, 200, "after HEAD {target}");
        for reply in [&mut whole, &mut head] {
            reply.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
        }
        assert!(!whole.body.is_empty(), "{target}");
        whole.body.clear();
        assert_eq!(head, whole, "{target}");
    }
}

pub fn replies_are_never_chunked_or_compressed_whatever_the_client_takes(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for target in [leecher(1).as_str(), &scrape(&[hash(1)]), "/", "/nothing/here"] {
        connection.send(format!(
            "GET {target} HTTP/1.1\r\nHost: t\r\nTE: chunked, trailers\r\n\
             Accept-Encoding: gzip, deflate, br\r\nWant-Digest: SHA-256;q=1\r\n\r\n"
        ));
        // What a reply must not say is checked wherever one is read.
        let reply = connection.reply();
        assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
    }
}

pub fn an_empty_line_before_a_request_is_skipped(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for _ in 0..2 {
        connection.send([b"\r\n".as_slice(), &get(leecher(1))].concat());
        assert_eq!(announced(&connection.reply()).counts(), (0, 1, 0));
    }
}

pub fn an_empty_line_before_a_request_is_refused_by_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    let mut connection = server.connect();
    connection.send(b"\r\n");
    let reply = connection.reply();
    assert_eq!(
        (reply.status, reply.says_close()),
        (400, false),
        "its own reply, and a silent close"
    );
    connection.expect_end();
}
