//! Cases about request heads: unusual ones that are understood, wrong ones that are refused.
//!
//! A refused head is answered with its status and a close, since where the next request begins is
//! not known any more; the server goes on. Sources: RFC 9112 sections 2, 3, 5 and 11.2, RFC 6585
//! section 5.

use crate::answer::{announced, scraped};
use crate::connection::{announce, get, hash, peer, scrape};
use crate::harness::{Engine, Server};

pub fn an_absolute_form_target_is_understood(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    let target = announce(&hash(1), &peer(1), 6881, 1, "");
    for origin in ["http://tracker.example:6969", "HTTP://127.0.0.1"] {
        let reply = connection.get(format!("{origin}{target}"));
        assert_eq!(announced(&reply).counts(), (0, 1, 0), "{origin}");
    }
    assert_eq!(connection.get("http://tracker.example").status, 200, "an empty path is /");
    assert_eq!(connection.get("http://tracker.example/nothing/here").status, 404);
}

/// Bytes that some clients send as they are; the rest would end the request line or the parameter.
const RAW_HASH: [u8; 20] = *b"\x80\xff\xc3\xa9+=\"<>\\^`{|}'/?:\xa0";

pub fn raw_bytes_in_a_target_are_read(engine: Engine) {
    let server = Server::with(engine, &[]);
    let escaped = announce(&RAW_HASH, &peer(1), 6881, 1, "");
    assert_eq!(announced(&server.get(escaped)).counts(), (0, 1, 0));
    let raw = [
        b"/announce?info_hash=".as_slice(),
        &RAW_HASH,
        b"&peer_id=-MU0100-\x80\xff0123456789&port=6882&left=0&compact=1",
    ];
    assert_eq!(announced(&server.get(raw.concat())).counts(), (1, 1, 0));
    let raw = [b"/scrape?info_hash=".as_slice(), &RAW_HASH].concat();
    assert_eq!(scraped(&server.get(raw), &RAW_HASH).complete, 1);
}

pub fn raw_bytes_in_a_target_end_a_connection_of_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    let mut connection = server.connect();
    connection.send(get([b"/scrape?info_hash=".as_slice(), &RAW_HASH].concat()));
    connection.expect_end();
    assert_eq!(server.get("/health").status, 200);
}

/// Sends a head, expects this status and a close that is announced, and that the server goes on.
fn expect_refusal(server: &Server, head: impl AsRef<[u8]>, status: u16) {
    let head = head.as_ref();
    let shown = head.get(..100).unwrap_or(head).escape_ascii();
    let mut connection = server.connect();
    connection.send(head);
    let reply = connection.reply();
    assert_eq!((reply.status, reply.says_close()), (status, true), "{shown}: {reply:?}");
    assert!(!reply.body.is_empty(), "a word to whoever debugs the client, for {shown}");
    connection.expect_end();
    assert_eq!(server.get("/health").status, 200, "after {shown}");
}

/// Heads that both engines refuse.
const MALFORMED: [&str; 9] = [
    "GARBAGE\r\n\r\n",
    "GET\r\n\r\n",
    "GET /health\r\n\r\n",
    "GET /health HTTP\r\n\r\n",
    "GET /health XYZZ/1.1\r\nHost: t\r\n\r\n",
    "GET /he alth HTTP/1.1\r\nHost: t\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: t\r\nno colon\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: t\r\nSpace : before the colon\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: t\r\nFolded: one\r\n two\r\n\r\n",
];

pub fn a_malformed_head_is_refused_with_400(engine: Engine) {
    let server = Server::with(engine, &[]);
    for head in MALFORMED {
        expect_refusal(&server, head, 400);
    }
}

pub fn a_malformed_head_is_refused_by_tiny_http_with_an_unannounced_close() {
    let server = Server::with(Engine::TinyHttp, &[]);
    for head in MALFORMED {
        let mut connection = server.connect();
        connection.send(head);
        let reply = connection.reply();
        assert_eq!((reply.status, reply.says_close()), (400, false), "{head}{reply:?}");
        connection.expect_end();
    }
    assert_eq!(server.get("/health").status, 200);
}

/// Bytes that have no business in a head, or not where they stand.
const STRAY: [&str; 4] = [
    "GET /health HTTP/1.1\r\nHost: t\r\n: no name\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: t\r\nNul: \0\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: t\r\nEscape: \x1b[2J\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: t\r\nFolded: one\r\n two: three\r\n\r\n",
];

pub fn stray_bytes_in_a_head_are_refused_with_400(engine: Engine) {
    let server = Server::with(engine, &[]);
    for head in STRAY {
        expect_refusal(&server, head, 400);
    }
    expect_refusal(&server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n", 400);
}

pub fn stray_bytes_in_a_head_pass_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    for head in STRAY {
        let mut connection = server.connect();
        connection.send(head);
        assert_eq!(connection.reply().status, 200, "{head}");
    }
}

/// RFC 9112 section 3.2: no Host, or more than one.
const HOSTS_WRONG: [&str; 3] = [
    "GET /health HTTP/1.1\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n",
    "GET /health HTTP/1.0\r\nHost: t\r\nHost: t\r\n\r\n",
];

pub fn a_request_without_one_host_is_refused_with_400(engine: Engine) {
    let server = Server::with(engine, &[]);
    for head in HOSTS_WRONG {
        expect_refusal(&server, head, 400);
    }
}

pub fn a_request_without_one_host_is_refused_with_400_by_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    for head in HOSTS_WRONG {
        expect_refusal_without_close(&server, head);
    }
}

/// A refusal by muster over `tiny_http`, which offers no way to close a connection: the reply says
/// that it closes, and leaves the doing to the client.
fn expect_refusal_without_close(server: &Server, head: &str) {
    let mut connection = server.connect();
    connection.send(head);
    let reply = connection.reply();
    assert_eq!((reply.status, reply.says_close()), (400, true), "{head}{reply:?}");
    assert_eq!(server.get("/health").status, 200, "after {head}");
}

/// Bodies whose length two servers may read in two ways: a proxy in front may take for a body what
/// is taken for a request here (RFC 9112 section 11.2).
fn framed_two_ways() -> Vec<String> {
    let framings = [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999999999",
    ];
    let lines = ["POST /announce HTTP/1.1", "GET /health HTTP/1.1"];
    let head = |line, framing| format!("{line}\r\nHost: t\r\n{framing}\r\n\r\n0\r\n\r\n");
    lines.iter().flat_map(|line| framings.map(|framing| head(line, framing))).collect()
}

pub fn a_body_framed_two_ways_is_refused_with_400(engine: Engine) {
    let server = Server::with(engine, &[]);
    for head in framed_two_ways() {
        expect_refusal(&server, head, 400);
    }
}

pub fn a_body_framed_two_ways_is_refused_with_400_by_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    for head in framed_two_ways() {
        expect_refusal_without_close(&server, &head);
    }
}

pub fn a_request_line_too_long_is_refused_with_414(engine: Engine) {
    let server = Server::with(engine, &[]);
    let target = format!("/announce?info_hash={}", "a".repeat(9_000));
    expect_refusal(&server, get(target), 414);
    // The longest that real clients send is far below: Transmission scrapes 60 hashes at once.
    let sixty: Vec<[u8; 20]> = (0..60).map(hash).collect();
    assert_eq!(server.get(scrape(&sixty)).status, 200);
}

/// A request with so many header lines.
fn with_headers(count: usize) -> String {
    format!("GET /health HTTP/1.1\r\nHost: t\r\n{}\r\n", "X: y\r\n".repeat(count - 1))
}

/// A request whose head is so many bytes long.
fn with_bytes(length: usize) -> String {
    let start = "GET /health HTTP/1.1\r\nHost: t\r\nX: ";
    format!("{start}{}\r\n\r\n", "y".repeat(length - start.len() - 4))
}

pub fn a_head_too_large_is_refused_with_431(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for whole in [with_headers(64), with_bytes(8192)] {
        connection.send(whole);
        assert_eq!(connection.reply().status, 200, "64 headers and 8 KiB are served");
    }
    expect_refusal(&server, with_headers(65), 431);
    expect_refusal(&server, with_bytes(8193), 431);
}

pub fn heads_of_any_size_are_read_by_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    let mut connection = server.connect();
    let long_target = get(format!("/health?{}", "a".repeat(1 << 20)));
    for head in [with_headers(10_000).into(), with_bytes(1 << 20).into(), long_target] {
        connection.send(head);
        assert_eq!(connection.reply().status, 200);
    }
}

pub fn another_version_of_http_is_refused_with_505(engine: Engine) {
    let server = Server::with(engine, &[]);
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"] {
        let head = format!("GET /health {version}\r\nHost: t\r\n\r\n");
        expect_refusal(&server, head, 505);
    }
    // How an HTTP/2 client opens (RFC 9113 section 3.4).
    expect_refusal(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
}

pub fn another_version_of_http_is_never_answered_by_tiny_http() {
    let server = Server::with(Engine::TinyHttp, &[]);
    let mut connection = server.connect();
    connection.send(b"GET /health HTTP/2.0\r\nHost: t\r\n\r\n");
    for _ in 0..50 {
        assert_eq!(server.get("/health").status, 200);
    }
    assert!(connection.is_silent(), "tiny_http has learnt to answer: move the case");
}
