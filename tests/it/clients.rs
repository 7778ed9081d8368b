//! Real BitTorrent clients find each other through the tracker, exchange a file, and say so.
//!
//! Every pair of aria2, libtorrent and Transmission in both roles over HTTP, each in both roles
//! over UDP, one over HTTP with one over UDP; and one seed with ten leechers.
//! A test ends after [`PATIENCE`] at the latest, and its clients with it. Where one of the clients
//! is not installed, the tests say so in one line and pass; with `REQUIRE_CLIENTS=1` they fail.
//! What clients send is replayed in `replay`, byte for byte; here is what they make of the answers.

pub mod peer;

use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use muster::request::InfoHash;

use crate::answer::{Scraped, scraped};
use crate::clients::peer::{CLIENTS, Client, PYTHON, Peer};
use crate::connection::scrape;
use crate::harness::{Folder, Server};

/// How long a test may take; on an idle machine of two cores it is 2 to 16 s. aria2 and
/// Transmission look every 10 s whom to send data to, and nothing makes them look sooner.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at the tracker or a file.
const PAUSE: Duration = Duration::from_millis(200);
/// Not a multiple of the piece length: the last piece is a short one.
const FILE_BYTES: usize = 1_500_000;

/// What a client announces over: the only tracker in its torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Http,
    Udp,
}

impl Over {
    const BOTH: [Over; 2] = [Over::Http, Over::Udp];

    /// As URLs have it.
    fn scheme(self) -> &'static str {
        match self {
            Over::Http => "http",
            Over::Udp => "udp",
        }
    }
}

/// A tracker, a torrent, and the clients that share it.
struct Swarm {
    // Dropped in this order: the clients before what they talk to and write to.
    peers: Vec<Peer>,
    server: Server,
    folder: Folder,
    info_hash: InfoHash,
    /// Whether the clients have been told to end.
    stopped: bool,
    give_up: Instant,
}

impl Swarm {
    /// A tracker, and a private torrent that names it: one file for HTTP and one for UDP.
    fn new() -> Swarm {
        Swarm::of("1")
    }

    /// A tracker, and a torrent that names it, `private` as BEP 27 has it.
    fn of(private: &str) -> Swarm {
        let give_up = Instant::now() + PATIENCE;
        let server = Server::start(&["--log-level", "debug"]);
        let folder = Folder::new();
        let [info_hash, same] = Over::BOTH.map(|over| {
            let scheme = over.scheme();
            let place = folder.join(scheme);
            std::fs::create_dir(&place).expect("the folder is ours to write");
            let made = Command::new(PYTHON)
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/torrent.py"))
                .arg(place)
                .arg(format!("{scheme}://{}/announce", server.tcp()))
                .args([&FILE_BYTES.to_string(), private])
                .output()
                .expect("Python starts");
            let said = String::from_utf8_lossy(&made.stderr);
            InfoHash::from_hex(made.stdout.trim_ascii()).expect(&said)
        });
        assert_eq!(info_hash, same, "the tracker is no part of what the hash is of");
        Swarm { peers: Vec::new(), server, folder, info_hash, stopped: false, give_up }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("http").join("data.bin")
    }

    fn start(
        &mut self,
        client: Client,
        over: Over,
        role: &str,
        torrent: &OsStr,
        whole: Option<&Path>,
    ) {
        let name = format!("{}-{client:?}-{role}", self.peers.len() + 1);
        let folder = self.folder.path();
        self.peers.push(Peer::start(client, over, &name, folder, torrent, whole));
    }

    fn torrent(&self, over: Over) -> OsString {
        self.folder.join(over.scheme()).join("data.torrent").into_os_string()
    }

    /// Adds a client that has the file.
    fn add_seeder(&mut self, client: Client, over: Over) {
        let data = self.data();
        self.start(client, over, "seeder", &self.torrent(over), Some(&data));
    }

    /// Adds a client that wants the file.
    fn add_leecher(&mut self, client: Client, over: Over) {
        self.start(client, over, "leecher", &self.torrent(over), None);
    }

    /// Adds a client that wants the file and knows no more of it than a magnet link says (BEP 9).
    fn add_magnet_leecher(&mut self, client: Client, over: Over) {
        let (hash, scheme, tracker) = (self.info_hash, over.scheme(), self.server.tcp());
        let link = format!("magnet:?xt=urn:btih:{hash}&tr={scheme}://{tracker}/announce");
        self.start(client, over, "magnet-leecher", link.as_ref(), None);
    }

    /// Waits until the tracker counts so many seeders, leechers and completed downloads.
    fn expect_counts(&mut self, complete: i64, incomplete: i64, downloaded: i64) {
        // None of these clients is a partial seed: all leechers are downloaders.
        let wanted = Scraped { complete, incomplete, downloaded, downloaders: incomplete };
        self.wait_for(&wanted, |swarm| {
            let hash = swarm.info_hash.0;
            scraped(&swarm.server.get(scrape(&[hash])), &hash)
        });
    }

    /// Waits until every client has the file, byte for byte.
    fn expect_whole_files(&mut self) {
        let data = std::fs::read(self.data()).expect("the torrent's file");
        self.wait_for(&0, |swarm| {
            let files = swarm.peers.iter().map(Peer::file);
            files.filter(|file| file.as_ref() != Some(&data)).count()
        });
    }

    /// Asks again and again until the answer is the wanted one; fails when the test's time is over,
    /// or at once when a client has ended that was not told to.
    fn wait_for<T: PartialEq + Debug>(&mut self, wanted: &T, ask: impl Fn(&Swarm) -> T) {
        loop {
            let answer = ask(self);
            if answer == *wanted {
                return;
            }
            assert!(Instant::now() < self.give_up, "still {answer:?} instead of {wanted:?}");
            for peer in self.peers.iter_mut().filter(|_| !self.stopped) {
                let ended = peer.ended();
                assert!(ended.is_none(), "{} has ended: {ended:?}", peer.name);
            }
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Ends all clients, as Ctrl-C does, and waits until they are gone. Returns how many of them
    /// said nothing to the tracker.
    fn stop(&mut self) -> i64 {
        self.stopped = true;
        self.peers.iter().for_each(Peer::interrupt);
        for peer in &mut self.peers {
            while peer.ended().is_none() {
                assert!(Instant::now() < self.give_up, "{} does not end", peer.name);
                std::thread::park_timeout(PAUSE);
            }
        }
        self.peers.iter().map(|peer| i64::from(!peer.client.says_stopped(peer.over))).sum()
    }
}

/// Whether the clients are installed. If not, says once in a run what was not run, or fails where
/// `REQUIRE_CLIENTS` is set.
fn are_installed() -> bool {
    static MISSING: LazyLock<Option<String>> = LazyLock::new(|| {
        let missing = CLIENTS.iter().filter(|client| !client.is_installed());
        let missing: Vec<&str> = missing.map(|client| client.program()).collect();
        if missing.is_empty() {
            return None;
        }
        let reason =
            format!("real clients not run: {} missing (make test-deps)", missing.join(", "));
        // Not eprintln: what a test prints with it is shown only when the test fails.
        let _ = writeln!(std::io::stderr(), "{reason}");
        Some(reason)
    });
    let required = std::env::var_os("REQUIRE_CLIENTS").is_some_and(|value| !value.is_empty());
    match &*MISSING {
        Some(reason) if required => panic!("{reason}"),
        missing => missing.is_none(),
    }
}

/// One client gives the file to another, both say that they have it, and then they leave.
fn exchange(seeder: (Client, Over), leecher: (Client, Over)) {
    if !are_installed() {
        return;
    }
    let mut swarm = Swarm::new();
    // Whoever comes second is told of the first and connects, which Transmission would not do.
    if leecher.0 == Client::Transmission {
        swarm.add_leecher(leecher.0, leecher.1);
        swarm.expect_counts(0, 1, 0);
        swarm.add_seeder(seeder.0, seeder.1);
    } else {
        swarm.add_seeder(seeder.0, seeder.1);
        swarm.expect_counts(1, 0, 0);
        swarm.add_leecher(leecher.0, leecher.1);
    }
    swarm.expect_whole_files();
    swarm.expect_counts(2, 0, 1);
    let silent = swarm.stop();
    swarm.expect_counts(silent, 0, 1);
}

fn exchange_over_http(seeder: Client, leecher: Client) {
    exchange((seeder, Over::Http), (leecher, Over::Http));
}

fn exchange_over_udp(seeder: Client, leecher: Client) {
    exchange((seeder, Over::Udp), (leecher, Over::Udp));
}

#[test]
fn aria2_seeds_to_transmission() {
    exchange_over_http(Client::Aria2, Client::Transmission);
}

#[test]
fn transmission_seeds_to_aria2() {
    exchange_over_http(Client::Transmission, Client::Aria2);
}

#[test]
fn aria2_seeds_to_libtorrent() {
    exchange_over_http(Client::Aria2, Client::Libtorrent);
}

#[test]
fn libtorrent_seeds_to_aria2() {
    exchange_over_http(Client::Libtorrent, Client::Aria2);
}

#[test]
fn transmission_seeds_to_libtorrent() {
    exchange_over_http(Client::Transmission, Client::Libtorrent);
}

#[test]
fn libtorrent_seeds_to_transmission() {
    exchange_over_http(Client::Libtorrent, Client::Transmission);
}

#[test]
fn aria2_seeds_to_transmission_over_udp() {
    exchange_over_udp(Client::Aria2, Client::Transmission);
}

#[test]
fn transmission_seeds_to_libtorrent_over_udp() {
    exchange_over_udp(Client::Transmission, Client::Libtorrent);
}

#[test]
fn libtorrent_seeds_to_aria2_over_udp() {
    exchange_over_udp(Client::Libtorrent, Client::Aria2);
}

#[test]
fn a_client_over_udp_finds_one_over_http() {
    exchange((Client::Libtorrent, Over::Http), (Client::Aria2, Over::Udp));
}

#[test]
fn a_client_over_http_finds_one_over_udp() {
    exchange((Client::Aria2, Over::Udp), (Client::Libtorrent, Over::Http));
}

#[test]
fn one_seed_feeds_ten_leechers() {
    if !are_installed() {
        return;
    }
    let mut swarm = Swarm::new();
    swarm.add_seeder(Client::Libtorrent, Over::Http);
    swarm.expect_counts(1, 0, 0);
    for _ in 0..5 {
        swarm.add_leecher(Client::Aria2, Over::Http);
        swarm.add_leecher(Client::Libtorrent, Over::Http);
    }
    swarm.expect_whole_files();
    swarm.expect_counts(11, 0, 10);
    swarm.stop();
    swarm.expect_counts(0, 0, 10);
}

#[test]
fn leechers_that_stop_leave_the_swarm() {
    if !are_installed() {
        return;
    }
    for over in Over::BOTH {
        let mut swarm = Swarm::new();
        swarm.add_leecher(Client::Aria2, over);
        swarm.add_leecher(Client::Libtorrent, over);
        swarm.expect_counts(0, 2, 0);
        swarm.stop();
        swarm.expect_counts(0, 0, 0);
    }
}

/// aria2 says left=0 for as long as a magnet link is all it has. A tracker that takes it for a
/// seeder and names no seeders to it leaves it alone in a swarm of seeders, for ever.
#[test]
fn aria2_finds_seeders_from_a_magnet_link() {
    if !are_installed() {
        return;
    }
    for over in Over::BOTH {
        let mut swarm = Swarm::of("0");
        swarm.add_seeder(Client::Libtorrent, over);
        swarm.expect_counts(1, 0, 0);
        swarm.add_magnet_leecher(Client::Aria2, over);
        swarm.expect_whole_files();
        swarm.expect_counts(2, 0, 1);
    }
}
