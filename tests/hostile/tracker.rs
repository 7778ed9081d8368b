//! The tracker that is attacked, the clients beside, and what is told of each attack.
//!
//! After each attack it must be the same process, with no panic in its log, within its bound of
//! memory, and every ordinary announce meanwhile must have been answered, 99 of 100 within a
//! second. The bound is what `limits` and the options allow: the memory at the start, and for every
//! connection, torrent and peer that may be there what one may take.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use muster::limits::{
    HTTP_BODY_BYTES_MAX, HTTP_HEAD_BYTES_MAX, HTTP_OUTPUT_BYTES_MAX, HTTP_READ_BYTES,
    OPERATOR_QUEUE_MAX, OPERATOR_SEND_BYTES, OPERATOR_THREADS,
};
use muster::request::InfoHash;
use rustix::process::Signal;
use serde_json::Value;

use crate::connection::{Connection, Reply, hash};
use crate::harness::{Folder, PATIENCE, Server};
use crate::honest::{Honest, Latencies};

/// The options that bound its memory.
const CONNECTIONS_MAX: u64 = 4_000;
pub const TORRENTS_MAX: u64 = 5_000;
const PEERS_MAX: u64 = 50_000;
/// What a connection may hold: a head that is not whole and what was read last, or requests that
/// wait for replies to be taken and those replies.
const CONNECTION_BYTES: u64 =
    (HTTP_HEAD_BYTES_MAX + HTTP_READ_BYTES + HTTP_OUTPUT_BYTES_MAX) as u64;
/// `limits::TORRENTS_MAX_DEFAULT` and `limits::PEERS_MAX_DEFAULT` say so.
const TORRENT_BYTES: u64 = 700;
const PEER_BYTES: u64 = 80;
/// The operator's requests: bodies of those served and waiting, a page's parts.
const OPERATOR_BYTES: u64 =
    ((OPERATOR_THREADS + OPERATOR_QUEUE_MAX) * (HTTP_BODY_BYTES_MAX + OPERATOR_SEND_BYTES)) as u64;
/// Announces within this in 99 of 100 cases, whatever the attack.
const MILLIS_MAX: f64 = 1000.0;
/// The length of the attacks together, when they take as long as they say.
const USUAL_MINUTES: u64 = 3;

/// A line of the table.
struct Row {
    attack: String,
    came: String,
    latencies: Latencies,
    /// Bytes resident at the most meanwhile.
    most: u64,
}

/// See the head of this file.
pub struct Tracker {
    pub server: Server,
    folder: Folder,
    pid: u32,
    honest: Option<Honest>,
    rows: Vec<Row>,
    bound: u64,
    minutes: u64,
}

fn start(folder: &Folder) -> Server {
    let state = folder.join("state.json");
    let state = state.to_str().expect("a temporary folder has a plain name");
    let [connections, torrents, peers] =
        [CONNECTIONS_MAX, TORRENTS_MAX, PEERS_MAX].map(|max| max.to_string());
    let bounds = ["--max-connections", &connections, "--max-torrents", &torrents];
    // Of the addresses here only the operator's own counts as local: the others are strangers.
    let rest = ["--max-peers", &peers, "--unlimited-networks", "127.0.0.1", "--state-file", state];
    Server::start(&[&bounds[..], &rest].concat())
}

impl Tracker {
    /// Starts it, with a torrent registered, and its ordinary clients.
    pub fn start(minutes: u64) -> Tracker {
        let folder = Folder::new();
        let server = start(&folder);
        let body = format!("{{\"info_hash\": \"{}\", \"name\": \"film\"}}", registered());
        let head = "POST /add_torrent_info HTTP/1.1\r\nHost: 127.0.0.1\r\n";
        let mut connection = server.connect();
        connection.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(connection.reply().status, 200);
        let pid = server.pid();
        let bound = resident(pid, "VmRSS")
            + CONNECTIONS_MAX * CONNECTION_BYTES
            + TORRENTS_MAX * TORRENT_BYTES
            + PEERS_MAX * PEER_BYTES
            + OPERATOR_BYTES;
        let honest = Some(Honest::begin(server.tcp()));
        Tracker { server, folder, pid, honest, rows: Vec::new(), bound, minutes }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.tcp()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How long all attacks together take.
    pub fn minutes(&self) -> u64 {
        self.minutes
    }

    /// An attack goes on for so many seconds in a run of the usual length.
    pub fn last(&self, seconds: u64) {
        let end =
            Instant::now() + Duration::from_secs(seconds * self.minutes) / USUAL_MINUTES as u32;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
    }

    /// Runs an attack, which says what came of it, and holds what is true after every one.
    pub fn attack(&mut self, name: &str, attack: impl FnOnce(&Tracker) -> String) -> Latencies {
        let honest = || self.honest.as_ref().expect("they are there until the end");
        honest().take();
        // Linux then counts the most memory (VmHWM) anew: proc(5).
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5").expect("our own process");
        let came = attack(self);
        let latencies = honest().take();
        assert!(self.server.runs(), "{name}: the tracker has ended");
        let log = self.server.stderr();
        assert!(!log.contains("panicked"), "{name}: {log}");
        let most = resident(self.pid, "VmHWM");
        assert!(most <= self.bound, "{name}: {most} bytes of {} allowed", self.bound);
        let p99 = latencies.millis(990);
        println!("{name}: {came}; {} announces, p99 {p99:.1} ms", latencies.count());
        assert!(latencies.count() > 0 && p99 < MILLIS_MAX, "{name}: p99 {p99} ms");
        self.rows.push(Row { attack: name.to_owned(), came, latencies: latencies.clone(), most });
        latencies
    }

    /// The announces while nothing was attacked.
    pub fn quiet(&self) -> &Latencies {
        &self.rows[0].latencies
    }

    /// Saves, stops and starts again with what was saved; then the table.
    pub fn finish(mut self) {
        self.honest.take().expect("they were there").end();
        let totals = self.totals();
        self.operator("/save_state");
        assert_eq!(self.server.pid(), self.pid);
        let most = self.rows.iter().map(|row| row.most).max().expect("there were attacks");
        self.server.signal(Signal::TERM);
        assert_eq!(self.server.wait().code(), Some(0));
        let (panics, log) = (number(&totals, "panics"), self.server.stderr());
        assert_eq!((panics, log.matches("panicked").count()), (0, 0), "{log}");
        self.server = start(&self.folder);
        let again = self.totals();
        for what in ["torrents", "peers"] {
            assert_eq!(number(&again, what), number(&totals, what), "{what}");
        }
        let page = self.server.get(format!("/scrape?info_hash={}&format=json", registered()));
        assert!(page.text().contains("\"film\""), "{page:?}");
        println!("\n| attack | what came of it | p50 ms | p99 ms | most ms | MiB |");
        println!("|---|---|---|---|---|---|");
        for Row { attack, came, latencies, most } in &self.rows {
            println!(
                "| {attack} | {came} | {:.1} | {:.1} | {:.0} | {} |",
                latencies.millis(500),
                latencies.millis(990),
                latencies.millis(1000),
                most / (1024 * 1024)
            );
        }
        println!(
            "\nprocess {}: the same from the first attack to the last, no panic, at most {} MiB of \
             {} allowed; {} torrents and {} peers saved and read again",
            self.pid,
            most / (1024 * 1024),
            self.bound / (1024 * 1024),
            number(&again, "torrents"),
            number(&again, "peers"),
        );
    }

    fn totals(&self) -> Value {
        let reply = self.operator("/stats?totals=1");
        serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply:?}"))
    }

    /// Asks as the operator does, by the tracker's address, until there is a thread for it.
    fn operator(&self, target: &str) -> Reply {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let mut connection = self.server.connect();
            connection.send(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
            let reply = connection.reply();
            if reply.status == 200 {
                return reply;
            }
            assert!(reply.status == 503 && Instant::now() < give_up, "{reply:?}");
        }
    }

    /// A counter of `/stats`.
    pub fn count(&self, name: &str) -> u64 {
        number(&self.totals(), name)
    }

    /// A connection from an attacker's address.
    pub fn attacker(&self, group: u8, number: u8) -> Connection {
        Connection::from([127, 0, group, number].into(), self.address())
    }
}

/// A number of the totals.
fn number(totals: &Value, name: &str) -> u64 {
    totals[name].as_u64().unwrap_or_else(|| panic!("no {name} in {totals}"))
}

/// The torrent that is registered.
fn registered() -> String {
    InfoHash(hash(200)).to_string()
}

/// A number of `/proc/PID/status`, in bytes: `VmRSS` is resident now, `VmHWM` was at the most.
pub fn resident(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("Linux tells it") * 1024
}
