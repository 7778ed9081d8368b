//! The tracker that is attacked, the clients beside, and what is told of each attack.
//!
//! After each attack it must be the same process, with no panic in its log, within its bound of
//! memory, and every ordinary announce meanwhile must have been answered, 99 of 100 within a
//! second. The bound is what `limits` and the options allow: the memory at the start, and for every
//! connection, torrent and peer that may be there what one may take.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

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
/// `limits::TORRENTS_MAX_DEFAULT` and `limits::PEERS_MAX_DEFAULT` say so.
const TORRENT_BYTES: u64 = 700;
const PEER_BYTES: u64 = 80;
/// The announces of ordinary clients, and requests for counts, that may be under way.
const HONEST_DESCRIPTORS: usize = 8;
/// So many announces at the least, for figures of them to be told.
const ANNOUNCES_SHOWN_MIN: usize = 300;
/// What glibc keeps for later, of what a crowd has held: each thread has an arena, and a freed head
/// of one connection lies between those of others that were served since.
const KEPT_BYTES: u64 = 6 << 20;
/// Announces within this in 99 of 100 cases, whatever the attack.
const MILLIS_MAX: f64 = 1000.0;
/// The length of the attacks together, when they take as long as they say.
const USUAL_MINUTES: u64 = 3;

/// A line of the table.
struct Row {
    attack: String,
    came: String,
    /// Announces meanwhile and bytes resident at the most, where this tracker was attacked.
    measured: Option<(Latencies, u64)>,
}

/// See the head of this file.
pub struct Tracker {
    pub server: Server,
    folder: Folder,
    pid: u32,
    honest: Option<Honest>,
    rows: Vec<Row>,
    /// Bytes resident, descriptors open and what is tracked once nothing has been attacked.
    quiet: Option<Quiet>,
    minutes: u64,
}

#[derive(Clone, Copy)]
struct Quiet {
    resident: u64,
    descriptors: usize,
    tracked: u64,
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
        let honest = Some(Honest::begin(server.tcp()));
        Tracker { server, folder, pid, honest, rows: Vec::new(), quiet: None, minutes }
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

    /// Attacks a tracker of the attack's own.
    pub fn attack_another(&mut self, name: &str, attack: impl FnOnce() -> String) {
        let came = attack();
        println!("{name}: {came}");
        self.rows.push(Row { attack: name.to_owned(), came, measured: None });
    }

    /// Runs an attack, whose connections may hold so many bytes and which says what came of it, and
    /// holds what is true after every one.
    pub fn attack(
        &mut self,
        (name, held_bytes): (&str, u64),
        attack: impl FnOnce(&Tracker) -> String,
    ) -> Latencies {
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
        let after = self.hold_memory(name, held_bytes, most);
        let p99 = latencies.millis(990);
        println!(
            "{name}: {came}; {} announces, p99 {p99:.1} ms; {} KiB at the most, {} after",
            latencies.count(),
            most >> 10,
            after >> 10
        );
        assert!(latencies.count() > 0 && p99 < MILLIS_MAX, "{name}: p99 {p99} ms");
        let measured = Some((latencies.clone(), most));
        self.rows.push(Row { attack: name.to_owned(), came, measured });
        latencies
    }

    /// Holds that an attack took no more than its connections may hold, and once they have gone has
    /// left nothing behind but what is tracked. Returns what is resident then.
    fn hold_memory(&mut self, name: &str, held_bytes: u64, most: u64) -> u64 {
        let tracked = || self.count("torrents") * TORRENT_BYTES + self.count("peers") * PEER_BYTES;
        let Some(quiet) = self.quiet else {
            let (resident, tracked) = (resident(self.pid, "VmRSS"), tracked());
            let descriptors = self.descriptors();
            self.quiet = Some(Quiet { resident, descriptors, tracked });
            return resident;
        };
        let give_up = Instant::now() + 6 * PATIENCE;
        while self.descriptors() > quiet.descriptors + HONEST_DESCRIPTORS {
            assert!(Instant::now() < give_up, "{name}: {} descriptors", self.descriptors());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let bound = quiet.resident + KEPT_BYTES + tracked().saturating_sub(quiet.tracked);
        let after = resident(self.pid, "VmRSS");
        assert!(after <= bound, "{name}: {after} bytes stay, {bound} are accounted for");
        let peak = bound + held_bytes;
        assert!(most <= peak, "{name}: {most} bytes at the most of {peak} allowed");
        after
    }

    /// How many descriptors it has open.
    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid)).expect("it runs").count()
    }

    /// The announces while nothing was attacked.
    pub fn quiet(&self) -> &Latencies {
        let measured = self.rows[0].measured.as_ref();
        &measured.expect("the first attack is none").0
    }

    /// Saves, stops and starts again with what was saved; then the table.
    pub fn finish(mut self) {
        self.honest.take().expect("they were there").end();
        let totals = self.totals();
        self.operator("/save_state");
        assert_eq!(self.server.pid(), self.pid);
        let measured = self.rows.iter().filter_map(|row| row.measured.as_ref());
        let most = measured.map(|(_, most)| *most).max().expect("there were attacks");
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
        for Row { attack, came, measured } in &self.rows {
            let Some((latencies, most)) = measured else {
                println!("| {attack} | {came} | | | | |");
                continue;
            };
            // Of few announces no hundredth can be told.
            let shown = |per_mille| match latencies.count() {
                ANNOUNCES_SHOWN_MIN.. => format!("{:.1}", latencies.millis(per_mille)),
                _ => String::new(),
            };
            let [half, most_of_them, all] = [500, 990, 1000].map(shown);
            let mebibytes = most / (1024 * 1024);
            println!("| {attack} | {came} | {half} | {most_of_them} | {all} | {mebibytes} |");
        }
        println!(
            "\nprocess {}: the same from the first attack to the last, no panic, {} MiB at the \
             most; {} torrents and {} peers saved and read again",
            self.pid,
            most / (1024 * 1024),
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
