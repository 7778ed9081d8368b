//! What an announce costs the server in CPU time, over UDP and over HTTP, in one run.
//!
//! Starts the release binary with one worker, announces to it from this process over loopback and
//! reads the server's CPU time from `/proc/PID/task/*/schedstat`, in nanoseconds. Every way is
//! measured once in each round and the medians are printed, so that what else the machine does hits
//! all alike. 2,000 peers in 20 torrents announce in turn and get 50 peers each. Linux only.
//!
//! `cargo bench --bench udp`, with a number of rounds behind `--` if 5 are too few.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster::load::process::Usage;
use muster::percent;
use muster::request::{Event, InfoHash, PeerId};
use muster::udp::packet::{
    Announce, ConnectionId, Family, Options, Reply, Request, Transaction, encode_request,
    parse_reply,
};

const TORRENTS: u32 = 20;
const PEERS: u32 = 2000;
const UDP_ANNOUNCES: u32 = 200_000;
const HTTP_ANNOUNCES: u32 = 20_000;
/// A lost packet fails the run.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server and where it listens for both.
struct Server {
    child: Child,
    folder: std::path::PathBuf,
    port: u16,
}

impl Server {
    fn start(listen: &str, nth: usize) -> Server {
        let folder =
            std::env::temp_dir().join(format!("muster-bench-{}-{nth}", std::process::id()));
        std::fs::create_dir(&folder).expect("the temporary folder is ours to write");
        let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
            .args(["serve", "--workers", "1", "--log-level", "error", "--listen", listen])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut lines = lines.map(|line| line.expect("text"));
        let listening = lines.find_map(|line| {
            let place = line.strip_prefix("listening on ")?;
            place.parse::<SocketAddr>().ok()
        });
        Server { child, folder, port: listening.expect("it listens").port() }
    }

    /// The CPU time of all its threads so far, in nanoseconds.
    fn cpu_nanos(&self) -> u64 {
        let nanos = Usage::of(self.child.id()).expect("it runs").threads_nanos;
        assert!(nanos > 0, "the kernel has CONFIG_SCHED_INFO");
        nanos
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The announce number `nth`: its hash and its peer.
fn announcer(nth: u32) -> ([u8; 20], [u8; 20]) {
    let (torrent, peer) = (nth % TORRENTS, nth % PEERS);
    let [mut hash, mut id] = [[b'h'; 20], *b"-MU0100-............"];
    hash[..4].copy_from_slice(&(torrent * 0x0101_0101).to_be_bytes());
    id[8..12].copy_from_slice(&peer.to_be_bytes());
    (hash, id)
}

/// Announces over UDP, `window` at a time.
fn over_udp(server: &Server, ip: IpAddr, announces: u32, window: u32) {
    let any: IpAddr =
        if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let socket = UdpSocket::bind((any, 0)).expect("a free port");
    socket.connect((ip, server.port)).expect("an address");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    let (mut packet, mut reply) = (Vec::new(), [0; 2048]);
    encode_request(&mut packet, &Request::Connect(Transaction(1)));
    socket.send(&packet).expect("the server listens");
    let length = socket.recv(&mut reply).expect("a reply");
    let Some(Reply::Connected(_, connection_id)) = parse_reply(&reply[..length], Family::V4) else {
        panic!("no connection id");
    };
    for first in (0..announces).step_by(window as usize) {
        for nth in first..first + window {
            packet.clear();
            encode_request(&mut packet, &Request::Announce(announce(nth, connection_id)));
            socket.send(&packet).expect("the server listens");
        }
        for _ in 0..window {
            let length = socket.recv(&mut reply).expect("a reply");
            assert_eq!(reply[3], 1, "refused: {}", reply[..length].escape_ascii());
        }
    }
}

fn announce(nth: u32, connection_id: ConnectionId) -> Announce<'static> {
    let (hash, peer_id) = announcer(nth);
    Announce {
        connection_id,
        transaction: Transaction(nth),
        info_hash: InfoHash(hash),
        peer_id: PeerId(peer_id),
        downloaded: 0,
        left: 1,
        uploaded: 0,
        event: Event::Update,
        ip: Ipv4Addr::UNSPECIFIED,
        key: nth % PEERS,
        numwant: 50,
        port: 1024 + (nth % PEERS) as u16,
        options: Options(b"\x02\x09/announce"),
    }
}

fn http_request(nth: u32, connection: &str) -> Vec<u8> {
    let (hash, peer_id) = announcer(nth);
    let [hash, peer_id] = [hash, peer_id].map(|bytes| {
        let mut text = String::new();
        percent::encode(&bytes, &mut text);
        text
    });
    let (port, key) = (1024 + nth % PEERS, nth % PEERS);
    format!(
        "GET /announce?info_hash={hash}&peer_id={peer_id}&port={port}&uploaded=0&downloaded=0\
         &left=1&corrupt=0&key={key:08X}&numwant=50&compact=1&no_peer_id=1 HTTP/1.1\r\n\
         Host: 127.0.0.1\r\nUser-Agent: bench/1.0\r\nAccept-Encoding: gzip\r\n\
         Connection: {connection}\r\n\r\n"
    )
    .into_bytes()
}

/// Announces over HTTP with a connection each, `window` at a time.
fn over_http(server: &Server, announces: u32, window: u32) {
    let mut reply = Vec::new();
    for first in (0..announces).step_by(window as usize) {
        let ask = |nth: u32| {
            let mut stream =
                TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).expect("the server listens");
            stream.write_all(&http_request(nth, "close")).expect("the server reads");
            stream
        };
        let streams: Vec<TcpStream> = (first..first + window).map(ask).collect();
        for mut stream in streams {
            reply.clear();
            stream.read_to_end(&mut reply).expect("a reply");
            assert!(reply.starts_with(b"HTTP/1.1 200"), "{}", reply.escape_ascii());
        }
    }
}

/// Announces over one HTTP connection that is kept.
fn over_one_connection(server: &Server, announces: u32) {
    let mut stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).expect("the server listens");
    stream.set_nodelay(true).expect("a TCP socket");
    let mut reply = [0; 8192];
    for nth in 0..announces {
        stream.write_all(&http_request(nth, "keep-alive")).expect("the server reads");
        // Small enough to come in one piece.
        let length = stream.read(&mut reply).expect("a reply");
        assert!(reply[..length].starts_with(b"HTTP/1.1 200"), "{}", reply.escape_ascii());
    }
}

/// A way to announce: its name, where the server listens, how many announces, and the announcing.
type Way = (&'static str, &'static str, u32, fn(&Server, u32));

const WAYS: [Way; 9] = [
    ("udp, socket on 127.0.0.1, 32 at a time", "127.0.0.1:0", UDP_ANNOUNCES, |server, count| {
        over_udp(server, Ipv4Addr::LOCALHOST.into(), count, 32);
    }),
    ("udp, socket on 0.0.0.0, 32 at a time", "0.0.0.0:0", UDP_ANNOUNCES, |server, count| {
        over_udp(server, Ipv4Addr::LOCALHOST.into(), count, 32);
    }),
    ("udp, socket on [::], IPv4, 32 at a time", "[::]:0", UDP_ANNOUNCES, |server, count| {
        over_udp(server, Ipv4Addr::LOCALHOST.into(), count, 32);
    }),
    ("udp, socket on [::1], 32 at a time", "[::1]:0", UDP_ANNOUNCES, |server, count| {
        over_udp(server, Ipv6Addr::LOCALHOST.into(), count, 32);
    }),
    ("udp, socket on [::], IPv6, 32 at a time", "[::]:0", UDP_ANNOUNCES, |server, count| {
        over_udp(server, Ipv6Addr::LOCALHOST.into(), count, 32);
    }),
    ("udp, socket on [::], IPv4, one at a time", "[::]:0", HTTP_ANNOUNCES, |server, count| {
        over_udp(server, Ipv4Addr::LOCALHOST.into(), count, 1);
    }),
    ("http, a connection each, 32 at a time", "[::]:0", HTTP_ANNOUNCES, |server, count| {
        over_http(server, count, 32);
    }),
    ("http, a connection each, one at a time", "[::]:0", HTTP_ANNOUNCES, |server, count| {
        over_http(server, count, 1);
    }),
    ("http, one connection, one at a time", "[::]:0", HTTP_ANNOUNCES, |server, count| {
        over_one_connection(server, count);
    }),
];

fn main() {
    // Cargo itself passes `--bench`.
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let servers: Vec<Server> =
        WAYS.iter().enumerate().map(|(nth, way)| Server::start(way.1, nth)).collect();
    let mut costs = vec![Vec::new(); WAYS.len()];
    // The first fills the swarms and is not counted.
    for round in 0..=rounds {
        for (((_, _, announces, run), server), costs) in WAYS.iter().zip(&servers).zip(&mut costs) {
            let before = server.cpu_nanos();
            run(server, *announces);
            let nanos = server.cpu_nanos() - before;
            if round > 0 {
                costs.push(nanos / u64::from(*announces));
            }
        }
    }
    println!("CPU time of the server for an announce, microseconds, {rounds} rounds");
    for ((name, ..), costs) in WAYS.iter().zip(&mut costs) {
        costs.sort_unstable();
        // Times of a round, far below 2^32.
        let micros = |nanos: u64| f64::from(nanos as u32) / 1000.0;
        let [least, median, most] = [0, costs.len() / 2, costs.len() - 1].map(|nth| costs[nth]);
        println!("{:6.2}  ({:.2} to {:.2})  {name}", micros(median), micros(least), micros(most));
    }
}
