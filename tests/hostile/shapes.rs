//! What is no request, or means two things, or never ends.
//!
//! Each shape is sent on a connection of its own, and gets the one reply that stands beside it or
//! none; the connection is closed then, so that nothing behind it is taken for a request.
//! Sources: RFC 9112 sections 2, 5, 6 and 11.2, RFC 9113 section 3.4, RFC 8446 section 4.1.2.

use std::io::Read as _;
use std::time::{Duration, Instant};

use muster::limits::{HTTP_DRAIN_BYTES_MAX, HTTP_HEAD_MILLIS_MAX};

use crate::connection::Connection;
use crate::tracker::Tracker;

/// A `ClientHello` as OpenSSL 3 sends it, in hex: it has line ends in its random bytes.
const CLIENT_HELLO: &str = include_str!("client_hello.txt");
/// What a BitTorrent peer sends first (BEP 3): no line ends.
const HANDSHAKE: &[u8] =
    b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb";
/// More than any socket holds on its way.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;

/// How often each shape is sent.
const ROUNDS: usize = 100;

const POST: &str = "POST /add_torrent_info HTTP/1.1\r\nHost: 127.0.0.1\r\n";
const GET: &str = "GET /health HTTP/1.1\r\nHost: t\r\n";
/// A request that must not be served: one reply is all that comes.
const NEXT: &str = "GET /health HTTP/1.1\r\nHost: t\r\n\r\n";

/// Header lines behind `POST` or `GET`, what follows the head, and the status of the one reply with
/// the beginning of its words, which tell whether the head was refused or what stood behind it.
const FRAMINGS: &[(&str, &str, &str, &str)] = &[
    // Lengths beyond what is there or can be.
    (GET, "Content-Length: 999999999999999\r\n", "", "413 body: none is taken"),
    (POST, "Content-Length: 999999999999999\r\n", "", "413 body: at most"),
    (POST, "Content-Length: 18446744073709551615\r\n", "", "413 body: at most"),
    (POST, "Content-Length: 18446744073709551616\r\n", "", "400 content-length: "),
    (POST, "Content-Length: -1\r\n", NEXT, "400 content-length: "),
    (POST, "Content-Length: +5\r\n", NEXT, "400 content-length: "),
    (POST, "Content-Length: 0x5\r\n", NEXT, "400 content-length: "),
    (POST, "Content-Length: 5, 5\r\n", NEXT, "400 content-length: "),
    (POST, "Content-Length: \r\n", NEXT, "400 content-length: "),
    (
        POST,
        "X-Forwarded-For: 192.0.2.1\r\nContent-Length: 999999999999999\r\n",
        "",
        "403 only the operator",
    ),
    // Chunks that announce more than is taken, or are none.
    (POST, "Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n", "413 body: at most"),
    (
        POST,
        "Transfer-Encoding: chunked\r\n",
        "fffffffffffffffff\r\n",
        "400 body: a malformed chunk",
    ),
    (POST, "Transfer-Encoding: chunked\r\n", "7fffffff\r\nx", "413 body: at most"),
    (POST, "Transfer-Encoding: chunked\r\n", "-1\r\n", "400 body: a malformed chunk"),
    (POST, "Transfer-Encoding: chunked\r\n", "1\r\nxx\r\n0\r\n\r\n", "400 body: a malformed chunk"),
    (
        POST,
        "X-Forwarded-For: 192.0.2.1\r\nTransfer-Encoding: chunked\r\n",
        "7fffffff\r\n",
        "403 only the operator",
    ),
    // Requests that a proxy and the tracker could take for different ones.
    (
        POST,
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
        "400 content-length: given with",
    ),
    (
        POST,
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "0\r\n\r\n",
        "400 content-length: given with",
    ),
    (
        POST,
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "hello",
        "400 content-length: given twice",
    ),
    (
        POST,
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "hello",
        "400 content-length: given twice",
    ),
    (
        POST,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "0\r\n\r\n",
        "400 transfer-encoding: given twice",
    ),
    (POST, "Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n", "400 transfer-encoding: "),
    (POST, "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", "400 transfer-encoding: "),
    (POST, "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n", "400 header lines: "),
    (POST, "Transfer-Encoding : chunked\r\n", "0\r\n\r\n", "400 header lines: "),
    (POST, "Content-Length : 5\r\n", "hello", "400 header lines: "),
    (POST, "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n", "400 header lines: "),
    (POST, "X: a\rContent-Length: 5\r\n", "hello", "400 header lines: "),
    (POST, "X: a\0Content-Length: 5\r\n", "hello", "400 header lines: "),
    (GET, "Content-Length: 35\r\n", NEXT, "413 body: none is taken"),
    (GET, "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "413 body: none is taken"),
    (GET, "Host: u\r\n", NEXT, "400 host: given twice"),
    (GET, "\0: a\r\n", NEXT, "400 header lines: "),
    (GET, ": a\r\n", NEXT, "400 header lines: "),
    (GET, "no colon\r\n", NEXT, "400 header lines: "),
];

/// What is not even a head, and the status of the one reply.
const OTHERS: &[(&[u8], &str)] = &[
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "505"),
    (b"GET / HTTP/2.0\r\nHost: t\r\n\r\n", "505"),
    (b"GET /\0 HTTP/1.1\r\nHost: t\r\n\r\n", "400"),
    (b"\0\0\0\0\0\0\0\0\r\n\r\n", "400"),
    (HANDSHAKE, "400 method: "),
    (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "400"),
    (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0\n", "400"),
    (b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", "400"),
    (b"CONNECT example.org:443 HTTP/1.1\r\nHost: t\r\n\r\n", "400"),
    (b"GET http:///announce HTTP/1.1\r\nHost: t\r\n\r\n", "400"),
    (b"GET /announce\r\n\r\n", "400"),
];

/// Sends bytes, expects one reply of a status that says it closes, and the close.
fn refused(tracker: &Tracker, number: usize, bytes: &[u8], answer: &str) {
    let shown = bytes[..bytes.len().min(200)].escape_ascii();
    let mut connection = tracker.attacker(7, 1 + (number % 200) as u8);
    connection.send(bytes);
    let reply = connection.reply();
    let (status, words) = answer.split_once(' ').unwrap_or((answer, ""));
    assert_eq!(reply.status.to_string(), status, "{shown}: {reply:?}");
    assert!(reply.text().contains(words) && reply.says_close(), "{shown}: {reply:?}");
    connection.expect_end();
}

pub fn each_is_refused_and_nothing_smuggled(tracker: &Tracker) -> String {
    let framings = FRAMINGS.iter().map(|(request, lines, body, answer)| {
        (format!("{request}{lines}\r\n{body}").into_bytes(), *answer)
    });
    let others = OTHERS.iter().map(|(bytes, answer)| (bytes.to_vec(), *answer));
    let digits = CLIENT_HELLO.lines().collect::<String>();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
    let hello = pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect();
    let many = format!("{GET}{}\r\n", "A: b\r\n".repeat(10_000)).into_bytes();
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(100_000)).into_bytes();
    let nuls = [GET.as_bytes(), &vec![0; 65_536]].concat();
    let made = [(hello, "400"), (many, "431"), (long, "414"), (nuls, "400")];
    let shapes: Vec<(Vec<u8>, &str)> = framings.chain(others).chain(made).collect();
    for _ in 0..ROUNDS {
        for (number, (bytes, answer)) in shapes.iter().enumerate() {
            refused(tracker, number, bytes, answer);
        }
    }
    format!("{} shapes {ROUNDS} times, one reply each", shapes.len())
}

/// Beginnings that go on for ever with the same bytes, and the status of the one reply; `None` is
/// none before the connection is cut off.
fn endless() -> [(Vec<u8>, &'static [u8], Option<u16>); 6] {
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n");
    [
        (GET.into(), b"A: b\r\n", Some(431)),
        (format!("{GET}A: ").into(), b"b", Some(431)),
        (b"GET /".to_vec(), b"a", Some(414)),
        (b"".to_vec(), b"\r\n", Some(400)),
        (chunked.clone().into(), b"1\r\nx\r\n", Some(413)),
        (format!("{chunked}1;").into(), b"a", Some(400)),
    ]
}

/// What has no end is cut off: by its size at once, or by its time.
pub fn what_never_ends_is_cut_off(tracker: &Tracker) -> String {
    let mut taken_most = 0;
    for (number, (begun, more, status)) in endless().into_iter().enumerate() {
        let shown = begun.escape_ascii().to_string();
        let mut connection = tracker.attacker(8, 1 + number as u8);
        connection.send(begun);
        let piece = more.repeat(65_536 / more.len());
        let (mut taken, mut broken) = (0, false);
        while taken < ENDLESS_BYTES && !broken {
            broken = connection.try_send(&piece).is_err();
            taken += if broken { 0 } else { piece.len() };
        }
        assert!(broken, "{shown}: {taken} bytes were taken");
        taken_most = taken_most.max(taken);
        // What is drained at the most, and what the sockets of both sides hold.
        assert!(taken <= 2 * HTTP_DRAIN_BYTES_MAX, "{shown}: {taken} bytes were taken");
        // The reset may have taken the reply away; if not, it is this one.
        let mut reply = Vec::new();
        let _ = connection.stream().read_to_end(&mut reply);
        let wanted = status.map(|status| format!("HTTP/1.1 {status} ")).unwrap_or_default();
        let came = String::from_utf8_lossy(&reply);
        assert!(came.is_empty() || came.starts_with(&wanted), "{shown}: {came}");
    }
    let waited = wait_for_end(tracker.attacker(8, 99), b"GET /announce");
    format!(
        "cut off after {} MiB at the most; a request line without its end after {:.0} s",
        taken_most / (1024 * 1024),
        waited.as_secs_f32()
    )
}

/// Sends bytes that are no head yet; how long it took to be cut off without a word.
fn wait_for_end(mut connection: Connection, bytes: &[u8]) -> Duration {
    connection.send(bytes);
    let begun = Instant::now();
    let patience = Duration::from_millis(3 * HTTP_HEAD_MILLIS_MAX);
    connection.stream().set_read_timeout(Some(patience)).expect("a timeout above zero");
    connection.expect_end();
    begun.elapsed()
}
