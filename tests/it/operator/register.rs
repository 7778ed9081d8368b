//! Registering torrents: every spelling of a hash, every error by the name of its field, and bodies
//! however they are framed.
//!
//! The original tracker's `add_torrent_info.py` posts JSON with Python's requests. In its
//! `info_hash` the printable bytes stand for themselves, the percent sign among them, and all
//! others as `%XX`.

use std::fmt::Write as _;

use serde_json::json;

use muster::request::InfoHash;

use crate::connection::{Connection, announce, hash, peer};
use crate::harness::{Engine, Server};

use super::page::{Ask, Page};

const HEX: &str = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";
/// What a body may hold at the most.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A hash as the original script spells it.
fn spelled(hash: &[u8; 20]) -> String {
    let mut text = String::new();
    for &byte in hash {
        if (b' '..=b'~').contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
    }
    text
}

/// Byte for byte what the script sends with requests 2.34: its headers, and `json.dumps`.
pub fn what_the_original_script_posts_is_registered(engine: Engine) {
    let server = Server::with(engine, &[]);
    let body = "{\"info_hash\": \"%D1%10%1A+%9D (%11%A0^%8CW%C5W%A2%0B%F9t%DC%8A\", \
                \"name\": \"Der Gr\\u00fc\\u00dfende \\ud83d\\ude00 100%.mkv\", \
                \"size\": 734003200, \"piece_length\": 262144, \"comment\": \"\", \
                \"created_by\": \"Torrent Tracker Script\", \"creation_date\": 1700000000}";
    let mut connection = server.connect();
    connection.send(format!(
        "POST /add_torrent_info HTTP/1.1\r\nHost: localhost:6969\r\n\
         User-Agent: Torrent-Tracker-Client/1.0\r\nAccept-Encoding: gzip, deflate\r\n\
         Accept: */*\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    ));
    // http.client sends the body in a packet of its own.
    connection.send(body);
    let reply = connection.reply();
    assert_eq!((reply.status, reply.says_close()), (200, true), "{reply:?}");
    let wanted = json!({
        "message": "Torrent info added successfully", "info_hash": HEX, "asked": HEX,
        "matched": "new",
    });
    assert_eq!(serde_json::from_slice(&reply.body).ok(), Some(wanted), "{reply:?}");
    let page = Ask::get("/stats").of(&server).good();
    let torrent = &page[HEX];
    assert_eq!(torrent["name"], "Der Gr\u{fc}\u{df}ende \u{1f600} 100%.mkv");
    assert_eq!(
        (&torrent["size"], &torrent["piece_length"]),
        (&json!(734_003_200), &json!(262_144))
    );
    assert_eq!(torrent["created_by"], "Torrent Tracker Script");
    assert_eq!(torrent["creation_date"], 1_700_000_000);
}

pub fn every_hash_survives_the_original_scripts_spelling(engine: Engine) {
    let server = Server::with(engine, &["--similar-threshold", "100"]);
    let mut random = fastrand::Rng::with_seed(3);
    let mut hashes: Vec<[u8; 20]> = vec![
        hash(1),
        *b"%41aaaaaaaaaaaaaaaaa",
        *b"\xff41%azaaaaaaaaaaaaaa",
        *b"%%%%%%%%%%%%%%%%%%%%",
        *b"100%\x00 of \"em\" \\\x7f\x80\xff!%",
    ];
    hashes.extend((0..200).map(|_| std::array::from_fn(|_| random.u8(..))));
    for hash in hashes {
        for text in [spelled(&hash), spelled(&hash).replace("%FF", "%ff")] {
            let page = Ask::register(json!({ "info_hash": text }).to_string()).of(&server);
            assert_eq!(page.good()["info_hash"], InfoHash(hash).to_string(), "{text}");
        }
    }
}

/// Three bytes of the hash look like an escape: which of the two it is, the text does not say.
pub fn a_spelling_of_the_original_script_that_can_mean_two_hashes_is_refused(engine: Engine) {
    let server = Server::with(engine, &[]);
    let register = |hash: &[u8; 20]| {
        Ask::register(json!({ "info_hash": spelled(hash) }).to_string()).of(&server)
    };
    for hash in [b"%80\xffaaaaaaaaaaaaaaaa", b"\x80%FFaaaaaaaaaaaaaaaa"] {
        let (status, error) = register(hash).error();
        assert_eq!((status, error.split(' ').next()), (400, Some("info_hash:")), "{error}");
    }
    assert_eq!(Ask::get("/stats").of(&server).good(), json!({}), "nothing was registered");
    // The script writes escapes in upper case: these are none.
    let plain = b"\x80%ffaaaaaaaaaaaaaaaa";
    assert_eq!(register(plain).good()["info_hash"], InfoHash(*plain).to_string());
}

pub fn a_hash_may_be_hex_base32_or_escaped(engine: Engine) {
    let server = Server::with(engine, &[]);
    for (text, matched) in [
        (HEX, "new"),
        (HEX, "exact"),
        ("D1101A2B9D202811A05E8C57C557A20BF974DC8A", "exact"),
        ("2EIBUK45EAUBDIC6RRL4KV5CBP4XJXEK", "exact"),
        ("2eibuk45eaubdic6rrl4kv5cbp4xjxek", "exact"),
        ("%d1%10%1a%2b%9d%20%28%11%a0%5e%8c%57%c5%57%a2%0b%f9%74%dc%8a", "exact"),
    ] {
        let page = Ask::register(json!({ "info_hash": text }).to_string()).of(&server).good();
        assert_eq!(
            (&page["info_hash"], &page["matched"]),
            (&json!(HEX), &json!(matched)),
            "{text}"
        );
        assert_eq!(page["asked"], HEX, "{text}");
    }
}

pub fn a_registration_is_exact_similar_or_new(engine: Engine) {
    let server = Server::with(engine, &[]);
    server.get(announce(&hash(1), &peer(1), 6881, 0, ""));
    let hex = |number| InfoHash(hash(number)).to_string();
    let register = |hash: &str, name: &str| {
        let body = json!({ "info_hash": hash, "name": name }).to_string();
        let page = Ask::register(body).of(&server).good();
        (page["matched"].clone(), page["info_hash"].clone(), page["asked"].clone())
    };
    let answer =
        |matched: &str, hash: &str, asked: &str| (json!(matched), json!(hash), json!(asked));
    assert_eq!(register(&hex(1), "a"), answer("exact", &hex(1), &hex(1)));
    // Two digits differ: it is taken for the tracked one.
    assert_eq!(register(&hex(0x22), "b"), answer("similar", &hex(1), &hex(0x22)));
    assert_eq!(register(HEX, "c"), answer("new", HEX, HEX));
    // Unless whoever asks is sure.
    let sure = json!({ "info_hash": hex(0x22), "name": "d", "exact": true }).to_string();
    let sure = Ask::register(sure).of(&server).good();
    assert_eq!((&sure["matched"], &sure["info_hash"]), (&json!("new"), &json!(hex(0x22))));
    let page = Ask::get("/stats").of(&server).good();
    assert_eq!(page.as_object().map(serde_json::Map::len), Some(3), "{page}");
    assert_eq!((&page[hex(1)]["name"], &page[HEX]["name"]), (&json!("b"), &json!("c")), "{page}");
    assert_eq!(page[hex(1)]["stats"]["complete"], 1, "{page}");
}

pub fn a_registration_replaces_the_one_before(engine: Engine) {
    let server = Server::with(engine, &[]);
    let hex = InfoHash(hash(1)).to_string();
    server.get(announce(&hash(1), &peer(1), 6881, 0, ""));
    let first = json!({ "info_hash": hex, "name": "first", "comment": "gone", "size": 1 });
    assert_eq!(Ask::register(first.to_string()).of(&server).good()["matched"], "exact");
    let second = json!({ "info_hash": hex, "name": "second" });
    assert_eq!(Ask::register(second.to_string()).of(&server).good()["matched"], "exact");
    let page = Ask::get("/stats").of(&server).good();
    let torrent = &page[&hex];
    let shown = ["name", "comment", "size"].map(|field| torrent[field].clone());
    assert_eq!(shown, [json!("second"), json!(""), json!(0)], "{page}");
    assert_eq!(torrent["stats"]["peers"], 1, "its peers stay: {page}");
}

/// Bodies, and what is wrong with them.
fn wrong_bodies() -> Vec<(Vec<u8>, String)> {
    let with = |field: &str, value: &str| {
        format!("{{\"info_hash\": \"{HEX}\", \"{field}\": {value}}}").into_bytes()
    };
    let text = |length: usize| format!("\"{}\"", "x".repeat(length));
    let not_text = |field: &str, got: &str| format!("{field}: expected a text, got {got}");
    let not_whole =
        |field: &str, got: &str| format!("{field}: expected a whole number from 0, got {got}");
    let no_hash = "is not 40 hex digits, 32 of base32, or 20 bytes with %XX escapes";
    let cases: Vec<(Vec<u8>, String)> = vec![
        (b"".to_vec(), "body: EOF while parsing a value at line 1 column 0".to_owned()),
        (b"info_hash=x".to_vec(), "body: expected value at line 1 column 1".to_owned()),
        (
            b"{\"info_hash\": ".to_vec(),
            "body: EOF while parsing a value at line 1 column 14".into(),
        ),
        (b"{} {}".to_vec(), "body: trailing characters at line 1 column 4".to_owned()),
        (b"\"text\"".to_vec(), "body: expected a JSON object".to_owned()),
        (b"[{}]".to_vec(), "body: expected a JSON object".to_owned()),
        (
            b"{\"info_hash\": \"\xff\"}".to_vec(),
            "body: invalid unicode code point at line 1 column 16".to_owned(),
        ),
        (
            [b'['; 100_000].to_vec(),
            "body: recursion limit exceeded at line 1 column 128".to_owned(),
        ),
        (b"{}".to_vec(), "info_hash: missing".to_owned()),
        (b"{\"info_hash\": null}".to_vec(), "info_hash: missing".to_owned()),
        (b"{\"info_hash\": \"\"}".to_vec(), "info_hash: missing".to_owned()),
        (b"{\"info_hash\": [1]}".to_vec(), not_text("info_hash", "\"[1]\"")),
        (b"{\"info_hash\": \"abc\"}".to_vec(), format!("info_hash: \"abc\" {no_hash}")),
        (
            format!("{{\"info_hash\": \"{}\"}}", &HEX[..39]).into_bytes(),
            format!("info_hash: \"{}\" {no_hash}", &HEX[..39]),
        ),
        (with("name", "5"), not_text("name", "\"5\"")),
        (with("comment", "{}"), not_text("comment", "\"{}\"")),
        (with("created_by", "true"), not_text("created_by", "\"true\"")),
        (with("size", "\"5\""), not_whole("size", "\"\\\"5\\\"\"")),
        (with("size", "-1"), not_whole("size", "\"-1\"")),
        (with("piece_length", "[]"), not_whole("piece_length", "\"[]\"")),
        (with("creation_date", "1e300"), not_whole("creation_date", "\"1e+300\"")),
        (with("creation_date", "-0.5"), not_whole("creation_date", "\"-0.5\"")),
        (with("name", &text(1025)), "name: 1025 bytes, at most 1024 are kept".to_owned()),
        (with("comment", &text(4097)), "comment: 4097 bytes, at most 4096 are kept".to_owned()),
        (with("created_by", &text(257)), "created_by: 257 bytes, at most 256 are kept".to_owned()),
    ];
    cases
}

pub fn what_is_wrong_is_named_and_nothing_is_changed(engine: Engine) {
    let server = Server::with(engine, &[]);
    let body = json!({ "info_hash": HEX, "name": "as it was", "size": 1 }).to_string();
    assert_eq!(Ask::register(body).of(&server).good()["matched"], "new");
    let before = Ask::get("/stats").of(&server).good();
    for (body, problem) in wrong_bodies() {
        let shown = body[..body.len().min(100)].escape_ascii().to_string();
        let page = Ask::register(&body).of(&server);
        assert_eq!(page.error(), (400, problem), "{shown}");
        assert_eq!(Ask::get("/stats").of(&server).good(), before, "{shown}");
    }
    // The longest texts that fit, and fields that are there and say nothing.
    let body = json!({
        "info_hash": HEX, "name": "x".repeat(1024), "comment": "x".repeat(4096),
        "created_by": "x".repeat(256), "size": u64::MAX, "piece_length": null,
        "creation_date": null, "unknown": { "deep": [[[]]] },
    });
    assert_eq!(Ask::register(body.to_string()).of(&server).good()["matched"], "exact");
    let page = Ask::get("/stats").of(&server).good();
    assert_eq!(page[HEX]["size"], u64::MAX, "{page}");
    assert_eq!(page[HEX]["comment"], "x".repeat(4096));
}

/// Sends a request and closes the sending direction.
fn cut(server: &Server, bytes: &[u8]) -> Page {
    let mut connection = server.connect();
    connection.send(bytes);
    connection.finish_sending();
    Page::read(connection)
}

pub fn a_body_cut_short_is_refused(engine: Engine) {
    let server = Server::with(engine, &[]);
    // So long that tiny_http does not read it by itself.
    let body = json!({ "info_hash": HEX, "comment": "x".repeat(2000) }).to_string();
    let whole = Ask::register(&body).bytes();
    let page = cut(&server, &whole[..whole.len() - 1]);
    let (length, got) = (body.len(), body.len() - 1);
    assert_eq!(page.error(), (400, format!("body: {got} bytes, {length} were announced")));

    let chunked = Ask::post("/add_torrent_info").line("Transfer-Encoding: chunked").head();
    let chunk = format!("{length:x}\r\n{body}\r\n");
    for end in [0, 1, 4, 100, chunk.len() - 1, chunk.len()] {
        let page = cut(&server, &[&chunked, &chunk.as_bytes()[..end]].concat());
        let (status, error) = page.error();
        assert_eq!((status, error.split(' ').next()), (400, Some("body:")), "{end}: {error}");
    }
    assert_eq!(Ask::get("/stats").of(&server).good(), json!({}), "nothing was registered");
}

/// A body one byte too large, by its length and in chunks.
fn too_large() -> [Vec<u8>; 2] {
    let body = format!("{{\"info_hash\": \"{HEX}\"}}{}", " ".repeat(BODY_BYTES_MAX));
    let body = &body.as_bytes()[..=BODY_BYTES_MAX];
    let mut chunked = Ask::post("/add_torrent_info").line("Transfer-Encoding: chunked").head();
    for chunk in body.chunks(10_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    [Ask::register(body).bytes(), chunked]
}

const TOO_LARGE: &str = "body: at most 1048576 bytes are taken";

pub fn a_body_too_large_is_refused(engine: Engine) {
    let server = Server::with(engine, &[]);
    for request in too_large() {
        let mut connection = server.connect();
        // What it has refused it need not take to the end.
        let _ = connection.try_send(request);
        assert_eq!(Page::read(connection).error(), (413, TOO_LARGE.to_owned()));
    }
    assert_eq!(Ask::get("/stats").of(&server).good(), json!({}), "nothing was registered");
    // One byte less is not too large.
    let mut body = format!("{{\"info_hash\": \"{HEX}\"}}");
    body += &" ".repeat(BODY_BYTES_MAX - body.len());
    assert_eq!(Ask::register(body).of(&server).good()["matched"], "new");
}

pub fn a_body_too_large_is_refused_by_tiny_http_once_it_has_come() {
    let server = Server::with(Engine::TinyHttp, &[]);
    for request in too_large() {
        let mut connection = server.connect();
        connection.send(request);
        assert_eq!(Page::read(connection).error(), (413, TOO_LARGE.to_owned()));
    }
    assert_eq!(Ask::get("/stats").of(&server).good(), json!({}), "nothing was registered");
}

pub fn what_is_refused_is_refused_before_its_body_is_sent(engine: Engine) {
    let server = Server::with(engine, &[]);
    let refused = |lines: &[&str], begun: &str| {
        let mut connection = server.connect();
        connection.send(Ask::post("/add_torrent_info").lines(lines).head());
        connection.send(begun);
        let reply = connection.reply();
        assert_eq!((reply.status, reply.says_close()), (413, true), "{lines:?}: {reply:?}");
        assert_eq!(reply.text(), format!("{{\"error\":\"{TOO_LARGE}\"}}\n"), "{lines:?}");
    };
    for length in ["1048577", "18446744073709551615"] {
        let line = format!("Content-Length: {length}");
        refused(&[&line], "");
        // Nobody is told to go on only to be refused then.
        refused(&[&line, "Expect: 100-continue"], "");
    }
    refused(&["Transfer-Encoding: chunked"], "100001\r\n");
    refused(&["Transfer-Encoding: chunked"], "ffffffffffff\r\n");

    let stranger = ["X-Forwarded-For: 203.0.113.7", "Expect: 100-continue", "Content-Length: 99"];
    let mut connection = server.connect();
    connection.send(Ask::post("/add_torrent_info").lines(&stranger).head());
    assert_eq!(connection.reply().status, 403, "a stranger's body is not wanted");
}

pub fn a_chunked_body_is_read_however_it_is_cut(engine: Engine) {
    let server = Server::with(engine, &[]);
    let body = json!({ "info_hash": HEX, "name": "in chunks" }).to_string();
    for size in [1, 7, body.len()] {
        let mut bytes = Ask::post("/add_torrent_info").line("Transfer-Encoding: chunked").head();
        for chunk in body.as_bytes().chunks(size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let whole = |mut connection: Connection| {
            connection.send(&bytes);
            Page::read(connection)
        };
        let in_pieces = |mut connection: Connection| {
            for byte in &bytes {
                connection.send([*byte]);
            }
            Page::read(connection)
        };
        for page in [whole(server.connect()), in_pieces(server.connect())] {
            assert_eq!(page.good()["info_hash"], HEX, "chunks of {size}");
        }
    }
    let page = Ask::get("/stats").of(&server).good();
    assert_eq!(page[HEX]["name"], "in chunks", "{page}");
}

/// As curl does with a body of more than a kilobyte.
pub fn a_client_that_expects_to_be_told_is_told_to_go_on(engine: Engine) {
    let server = Server::with(engine, &[]);
    let body = json!({ "info_hash": HEX, "name": "patience" }).to_string();
    let mut connection = server.connect();
    let ask = Ask::register(&body).line("Expect: 100-continue");
    connection.send(ask.head());
    let mut told = Vec::new();
    while !told.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut connection.stream(), &mut byte).expect("it is told");
        told.extend_from_slice(&byte);
    }
    let told = String::from_utf8(told).expect("text");
    assert!(told.starts_with("HTTP/1.1 100 Continue\r\n"), "{told}");
    connection.send(&body);
    assert_eq!(Page::read(connection).good()["matched"], "new");

    // Who does not wait is not told, or told in time.
    let mut connection = server.connect();
    connection.send(ask.bytes());
    let received = connection.rest();
    let page = received.strip_prefix(told.as_bytes()).unwrap_or(&received);
    let page = Page::parse(page).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(page.good()["matched"], "exact");
}
