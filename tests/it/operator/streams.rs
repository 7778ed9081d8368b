//! `/stats` as a stream: framed for old and new clients, of any size in little memory, and cut off
//! where nobody reads it.
//!
//! HTTP/1.1 gets chunks (RFC 9112 section 7.1), HTTP/1.0 a body that ends with the connection. A
//! client that reads nothing has little room for what comes in, so that the server has to wait.

use serde_json::{Value, json};

use muster::request::InfoHash;

use crate::answer::announced;
use crate::connection::{Connection, announce, get, hash, loopback, peer, percent};
use crate::harness::{Engine, Server};

use super::page::{Ask, Page};

/// Room for so little that comes in that a server soon waits for its client to read.
const LITTLE_ROOM: Option<usize> = Some(4096);

pub fn http_1_0_gets_a_body_that_ends_with_the_connection(engine: Engine) {
    let server = Server::with(engine, &[]);
    announced(&server.get(announce(&hash(1), &peer(1), 6881, 0, "")));
    let chunked = Ask::get("/stats").of(&server);
    assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
    assert_eq!(chunked.chunks, [chunked.body.len()]);
    let plain = Ask::get("/stats").old().of(&server);
    assert_eq!(plain.header("transfer-encoding"), None, "HTTP/1.0 knows no chunks");
    assert_eq!(plain.header("content-length"), None);
    assert_eq!(plain.good(), chunked.good());
}

pub fn head_gets_the_head_alone(engine: Engine) {
    let server = Server::with(engine, &[]);
    announced(&server.get(announce(&hash(1), &peer(1), 6881, 0, "")));
    let mut connection = server.connect();
    connection.send(Ask::new("HEAD", "/stats").bytes());
    let head = String::from_utf8(connection.rest()).expect("text");
    let wanted = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                  Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    assert_eq!(head, wanted);
    let mut connection = server.connect();
    connection.send(Ask::new("HEAD", "/stats?limit=x").bytes());
    let reply = connection.reply_to_head();
    assert_eq!(reply.status, 400);
    assert_ne!(reply.header("content-length"), Some("0"));
    connection.expect_end();
}

pub fn a_request_that_arrives_in_pieces_or_behind_others_is_served(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for byte in Ask::get("/stats").bytes() {
        connection.send([byte]);
    }
    assert_eq!(Page::read(connection).good(), json!({}));

    // Three requests in one write: two answered by a worker, the last one elsewhere.
    let mut connection = server.connect();
    let announce = get(announce(&hash(1), &peer(1), 6881, 0, ""));
    connection.send([get("/health"), announce, Ask::get("/stats").bytes()].concat());
    assert_eq!(connection.reply().status, 200);
    assert_eq!(announced(&connection.reply()).counts(), (1, 0, 0));
    let page = Page::read(connection).good();
    let torrent = &page[InfoHash(hash(1)).to_string()];
    if engine == Engine::Epoll {
        assert_eq!(torrent["stats"]["complete"], 1, "what was asked before is done: {page}");
    }
}

/// Fills a swarm with so many peers that announce as leechers, over a few connections.
fn fill(server: &Server, hash: &[u8; 20], count: u32) {
    let target = announce(hash, &peer(1), 1, 1, "&numwant=0");
    let (before, after) = target.split_once(&percent(&peer(1))).expect("its peer id");
    let after = after.replace("port=1&", "");
    let mut connection = server.connect();
    for first in (0..count).step_by(100) {
        let requests = (first..count.min(first + 100)).map(|number| {
            let [_, a, b, c] = number.to_be_bytes();
            let id = format!("-qB4500-{number:012}");
            get(format!("{before}{id}{after}&ip=10.{a}.{b}.{c}&port=6881"))
        });
        connection.send(requests.flatten().collect::<Vec<_>>());
        let last = (first..count.min(first + 100)).map(|_| connection.reply()).last();
        announced(&last.expect("a hundred replies"));
    }
    let page = Ask::get("/stats?peers=0").of(server).good();
    assert_eq!(page[InfoHash(*hash).to_string()]["stats"]["peers"], count);
}

/// The most memory the process has ever had resident, in bytes.
fn resident_peak(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("a process of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kilobytes = line.trim().strip_suffix(" kB").expect("kilobytes");
    kilobytes.parse::<usize>().expect("a number") * 1024
}

pub fn a_hundred_thousand_peers_are_streamed_while_announces_are_answered(engine: Engine) {
    const COUNT: u32 = 100_000;
    let server = Server::with(engine, &["--workers", "2"]);
    fill(&server, &hash(1), COUNT);
    let before = resident_peak(&server);

    let mut reader = Connection::with_room(loopback(1), server.tcp(), LITTLE_ROOM);
    reader.send(Ask::get("/stats").bytes());
    assert!(reader.has_more(), "the page has begun");
    // It cannot be whole yet: nothing has been read, and it does not fit between the two.
    for number in 0..20 {
        let target = announce(&hash(2), &peer(number), 6000 + u16::from(number), 1, "");
        assert_eq!(announced(&server.get(target)).incomplete, i64::from(number) + 1);
    }
    let page = Page::read(reader);
    let grown = resident_peak(&server) - before;
    let size = page.body.len();
    assert!(size > 20_000_000, "{size} bytes are no large page");
    assert!(grown < size / 8, "{grown} bytes more for a page of {size}");
    let largest = page.chunks.iter().max().expect("it is chunked");
    assert!(*largest < 100_000, "a chunk of {largest} bytes");

    let torrents = page.good();
    let torrent = &torrents[InfoHash(hash(1)).to_string()];
    let peers = torrent["peers"].as_array().expect("a list of peers");
    let mut ids: Vec<&str> = peers.iter().filter_map(|peer| peer["peer_id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), peers.len()), (COUNT as usize, COUNT as usize), "each once");
    assert_eq!(torrent["stats"]["incomplete"], Value::from(COUNT));
}

pub fn who_does_not_read_is_cut_off_after_ten_seconds(engine: Engine) {
    let server = Server::with(engine, &["--workers", "1"]);
    fill(&server, &hash(1), 4_000);
    let whole = Ask::get("/stats").of(&server).body.len();
    let mut greedy: Vec<Connection> = (0..2)
        .map(|_| {
            let mut connection = Connection::with_room(loopback(1), server.tcp(), LITTLE_ROOM);
            connection.send(Ask::get("/stats").bytes());
            assert!(connection.has_more(), "the page has begun");
            connection
        })
        .collect();
    // Both threads are taken: this waits until one is free again.
    let waiting = server.connect();
    let patience = Some(std::time::Duration::from_secs(20));
    waiting.stream().set_read_timeout(patience).expect("a timeout above zero");
    let page = Ask::get("/stats?limit=0").over(waiting);
    assert_eq!(page.good(), json!({}));
    // Which can be told from a whole page. (The other's time may not be quite over.)
    let cut = greedy.iter_mut().filter_map(|connection| Page::parse(&connection.rest()).err());
    assert!(cut.count() > 0, "a thread was free although nobody was cut off");
    assert_eq!(Ask::get("/stats").of(&server).body.len(), whole, "others are served as ever");
}
