//! The process stays under `--max-memory` whatever comes: every shape of swarm that was found to
//! cost most, connections that hold all they can, everybody gone and others in their place, and a
//! start from the state file of all that.
//!
//! What counts is `VmHWM` of `/proc/PID/status`: the most that was ever resident, with what glibc
//! keeps for later. The constants in `limits` are from this test, which prints what it has seen
//! (`--nocapture`).

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::process::Signal;

use muster::limits::CONNECTION_MEMORY_BYTES;
use muster::request::{Event, InfoHash, PeerId};
use muster::udp::packet::{
    Announce, ConnectionId, Family, Reply, Request, Transaction, encode_request, parse_reply,
};

use crate::connection::{Connection, get, loopback, scrape};
use crate::harness::{Folder, PATIENCE, Server};
use crate::udp::caller::{Caller, leecher};

use super::count;

/// Announces on their way at once.
const WINDOW: u32 = 32;
/// The least there may be, which is the fastest to fill; what follows from more is in proportion.
const MEMORY_BYTES: u64 = 32 << 20;

/// One source of announces, each of a peer of its own making.
struct Flood {
    socket: UdpSocket,
    family: Family,
    connection_id: ConnectionId,
    event: Event,
}

impl Flood {
    fn new(source: &str, server: SocketAddr) -> Flood {
        let socket = UdpSocket::bind((source, 0)).expect("an address of this host");
        socket.connect(server).expect("an address");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        let family = if server.is_ipv4() { Family::V4 } else { Family::V6 };
        let connection_id = Caller::new(source, server).id();
        Flood { socket, family, connection_id, event: Event::Started }
    }

    /// Announces peers of torrents; whether each was taken.
    fn announce(&self, pairs: impl Iterator<Item = (u32, u32)>) -> (u32, u32) {
        let (mut packet, mut reply) = (Vec::new(), [0; 2048]);
        let (mut taken, mut refused, mut on_the_way) = (0, 0, 0);
        let mut take = |count: u32| {
            for _ in 0..count {
                let length = self.socket.recv(&mut reply).expect("a reply");
                match parse_reply(&reply[..length], self.family) {
                    Some(Reply::Announced(..)) => taken += 1,
                    Some(Reply::Error(..)) => refused += 1,
                    _ => panic!("neither served nor refused"),
                }
            }
        };
        for (torrent, peer) in pairs {
            packet.clear();
            encode_request(&mut packet, &Request::Announce(self.request(torrent, peer)));
            self.socket.send(&packet).expect("sent");
            on_the_way += 1;
            if on_the_way == WINDOW {
                take(on_the_way);
                on_the_way = 0;
            }
        }
        take(on_the_way);
        (taken, refused)
    }

    fn request(&self, torrent: u32, peer: u32) -> Announce<'static> {
        let (mut hash, mut id) = ([b'h'; 20], *b"-MU0100-............");
        hash[..4].copy_from_slice(&torrent.wrapping_mul(0x9e37_79b1).to_be_bytes());
        id[8..12].copy_from_slice(&peer.to_be_bytes());
        Announce {
            connection_id: self.connection_id,
            transaction: Transaction(1),
            info_hash: InfoHash(hash),
            peer_id: PeerId(id),
            event: self.event,
            key: 0x1000_0000 | peer,
            numwant: 0,
            port: 1024 + (peer % 60_000) as u16,
            ..leecher(1)
        }
    }
}

/// The most memory that the process has ever held, and what it holds.
fn resident(server: &Server) -> [u64; 2] {
    let path = format!("/proc/{}/status", server.pid());
    let status = std::fs::read_to_string(path).expect("it runs");
    ["VmHWM:", "VmRSS:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    })
}

fn holds(server: &Server, what: &str) {
    let [most, now] = resident(server).map(|bytes| bytes >> 10);
    let [torrents, peers] = ["torrents", "peers"].map(|name| count(server, name));
    eprintln!("{what}: {torrents} torrents, {peers} peers, {now} KiB, {most} at the most");
    assert!(most << 10 <= MEMORY_BYTES, "{what}: {most} KiB is too much");
}

/// Connections that hold a head which is not whole, as much of it as is taken.
fn hold_connections(server: &Server, count: u64) -> Vec<Connection> {
    let head = format!("GET / HTTP/1.1\r\nHost: t\r\nX: {}", "a".repeat(8000));
    let open = |_| {
        let mut connection = server.connect();
        connection.send(&head);
        connection
    };
    (0..count).map(open).collect()
}

fn start(folder: &Folder) -> Server {
    start_with(folder, &[])
}

fn start_with(folder: &Folder, more: &[&str]) -> Server {
    let state = folder.join("state.json").display().to_string();
    let memory = MEMORY_BYTES.to_string();
    let listen = ["127.0.0.1:0", "[::1]:0"];
    let options = ["--max-memory", &memory, "--state-file", &state];
    let per_ip = ["--max-connections-per-ip", "100000"];
    Server::listening(&listen, &[&options[..], &per_ip, more].concat())
}

/// Fills a tracker with swarms of `each` peers, numbered from `first`, in both families; `event` is
/// why they announce. Returns how many there are.
fn fill(server: &Server, each: u32, first: u32, event: Event) -> u32 {
    let udp = server.udp();
    let sources = [("127.0.0.1", udp[0]), ("::1", udp[1])];
    let floods = sources.map(|(source, server)| Flood { event, ..Flood::new(source, server) });
    let [torrents, peers] = ["max_torrents", "max_peers"].map(|name| count(server, name) as u32);
    let swarms = torrents.min(peers / each);
    let pairs = || (0..swarms * each).map(|nth| (nth % swarms, first + nth / swarms));
    let [taken, again] = floods.map(|flood| flood.announce(pairs()).0);
    assert_eq!(taken, again, "the same peers");
    taken
}

/// Registers torrents whose names take six times their length as JSON; a scrape of all of them.
fn register_long_names(server: &Server) -> Vec<u8> {
    let hashes: Vec<[u8; 20]> = (1..=60).map(|n| [n; 20]).collect();
    let name = "\\u0001".repeat(1024);
    for hash in &hashes {
        let hash = InfoHash(*hash);
        let body = format!("{{\"info_hash\": \"{hash}\", \"name\": \"{name}\", \"exact\": true}}");
        let mut connection = server.connect();
        let head = "POST /add_torrent_info HTTP/1.1\r\nHost: 127.0.0.1\r\n";
        connection.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(connection.reply().status, 200);
    }
    get(scrape(&hashes) + "&format=json")
}

/// Replies wait in the tracker for clients that take none of them. A scrape as JSON with names
/// once took 303 KB of each connection.
#[test]
fn replies_that_nobody_reads_stay_under_the_memory_there_may_be() {
    let folder = Folder::new();
    // One worker, so that all of the connections are its share.
    let server = start_with(&folder, &["--workers", "1"]);
    let requests = register_long_names(&server).repeat(30);
    let [_, before] = resident(&server);
    // One connection is left to ask for counts by.
    let connections = MEMORY_BYTES / 4 / CONNECTION_MEMORY_BYTES - 1;
    let deaf = |_| {
        let mut connection = Connection::with_room(loopback(1), server.tcp(), Some(1));
        connection.stream().set_nonblocking(true).expect("a socket");
        // Not all of it: the tracker reads no further than it answers.
        let _ = connection.try_send(&requests);
        connection
    };
    let crowd: Vec<Connection> = (0..connections).map(deaf).collect();
    let (mut answered, mut looks) = (0, 0);
    while answered < connections || looks < 10 {
        let now = count(&server, "scrapes");
        looks = if now == answered { looks + 1 } else { 0 };
        answered = now;
        std::thread::park_timeout(Duration::from_millis(50));
    }
    holds(&server, "unread replies");
    let grown = resident(&server)[1].saturating_sub(before);
    eprintln!("{answered} replies to {connections}, {} bytes of each held", grown / connections);
    assert!(grown > connections << 12, "{grown} bytes: the kernel has taken all replies");
    drop(crowd);
}

/// As many torrents as there may be, and as many peers, and as many connections as are kept.
#[test]
fn a_flood_of_any_shape_stays_under_the_memory_it_may_use() {
    for each in [10, 300] {
        let folder = Folder::new();
        let mut server = start(&folder);
        let peers = fill(&server, each, 0, Event::Started);
        let [torrents, room] = ["max_torrents", "max_peers"].map(|name| count(&server, name));
        assert_eq!(u64::from(peers / each), torrents.min(room / u64::from(each)), "all fit");
        let flood = Flood::new("127.0.0.1", server.udp()[0]);
        let (taken, refused) =
            flood.announce((0..room as u32 + 1000).map(|nth| (1 << 20 | nth, 1)));
        let left = (room - u64::from(peers)).min(torrents - u64::from(peers / each));
        assert_eq!((u64::from(taken), u64::from(refused)), (left, room + 1000 - left));
        holds(&server, &format!("swarms of {each} in both families"));
        let connections = hold_connections(&server, 500);
        holds(&server, "and connections");
        drop(connections);
        fill(&server, each, 0, Event::Stopped);
        fill(&server, 10, 1 << 20, Event::Started);
        holds(&server, "others in their place");
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
        let bytes = std::fs::metadata(folder.join("state.json")).expect("saved").len();
        let server = start(&folder);
        holds(&server, &format!("started from {bytes} bytes"));
    }
}
