//! A bug that panics, wherever it is met: it costs the request that meets it, is counted, and
//! everybody else is served.
//!
//! The tracker runs in this process, because the bug is asked for by calling it: in a build with
//! debug assertions `Tracker::set_bug` makes every touch of one torrent's swarm panic, under the
//! lock of its shard. Nothing that comes over a socket, a variable or a file can ask for that, and
//! a release has no such function. What is printed to stderr meanwhile is Rust's own.

use muster::config::Config;
use muster::request::InfoHash;
use muster::serve::{Running, start};
use muster::udp::packet::{Announce, ConnectionId, Request, encode_request};

use crate::answer::announced;
use crate::connection::{Connection, Reply, announce, get, hash, peer};
use crate::harness::{Engine, Folder, eventually};
use crate::udp::caller::{Caller, leecher};

const BUG: InfoHash = InfoHash(*b"the torrent of a bug");

struct Tracker {
    running: Running,
    _folder: Folder,
}

impl Tracker {
    fn start(engine: Engine) -> Tracker {
        let folder = Folder::new();
        let state = folder.join("state.json").display().to_string();
        let flags = [
            ("listen", "127.0.0.1:0"),
            ("udp-listen", "127.0.0.1:0"),
            ("state-file", &state),
            ("http-engine", engine.name()),
            ("workers", "1"),
        ];
        let flags = flags.map(|(key, value)| (key, value.to_owned()));
        let config = Config::load(&flags, &[], None).expect("valid options");
        Tracker { running: start(&config).expect("a free port"), _folder: folder }
    }

    fn connect(&self) -> Connection {
        Connection::to(self.running.addresses()[0])
    }

    fn announce(&self, torrent: u8, number: u8) -> Reply {
        let target = announce(&hash(torrent), &peer(number), 6880 + u16::from(number), 1, "");
        self.connect().ask_once(target)
    }

    fn set_bug(&self, info_hash: Option<InfoHash>) {
        self.running.service().tracker.set_bug(info_hash);
    }

    fn panics(&self) -> u64 {
        self.running.service().stats.panics.get()
    }

    fn totals(&self) -> (u32, u32) {
        let totals = self.running.service().tracker.totals();
        (totals.torrents, totals.peers)
    }
}

/// So many torrents with a peer each, and that of the bug with one.
fn with_torrents(engine: Engine, count: u8) -> Tracker {
    let tracker = Tracker::start(engine);
    for torrent in 0..count {
        announced(&tracker.announce(torrent, 1));
    }
    let target = announce(&BUG.0, &peer(1), 6881, 1, "");
    announced(&tracker.connect().ask_once(target));
    tracker.set_bug(Some(BUG));
    tracker
}

#[test]
fn a_panic_in_an_announce_costs_its_connection_and_nobody_else() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let tracker = with_torrents(engine, 40);
        // Kept by the same worker, which goes on.
        let mut bystander = tracker.connect();
        bystander.send("GET /health HTTP/1.1\r\nHo");
        for panics in 1..=5 {
            let mut connection = tracker.connect();
            connection.send(get(announce(&BUG.0, &peer(2), 6882, 1, "")));
            if engine == Engine::Epoll {
                connection.expect_end();
            } else {
                assert_eq!(connection.reply().status, 500, "as tiny_http says it");
            }
            eventually(&panics, || tracker.panics());
            announced(&tracker.announce(1, 2));
        }
        bystander.send("st: t\r\n\r\n");
        assert_eq!(bystander.reply().status, 200);
        tracker.set_bug(None);
        let target = announce(&BUG.0, &peer(2), 6882, 1, "");
        assert_eq!(announced(&tracker.connect().ask_once(target)).incomplete, 1, "as if new");
        assert_eq!(tracker.totals(), (41, 42), "and everything is counted right");
        tracker.running.stop().expect("a stop, and a save");
    }
}

#[test]
fn a_panic_over_udp_costs_its_packet_and_the_thread_goes_on() {
    let tracker = with_torrents(Engine::Epoll, 40);
    let caller = Caller::new("127.0.0.9", tracker.running.udp_addresses()[0]);
    let connection_id: ConnectionId = caller.id();
    let announce = Announce { connection_id, info_hash: BUG, ..leecher(3) };
    let mut packet = Vec::new();
    encode_request(&mut packet, &Request::Announce(announce));
    for panics in 1..=5 {
        caller.send(&packet);
        // No reply to that one: the next that comes is this announce's.
        assert_eq!(caller.announce(leecher(4)).counts, (2, 0));
        assert_eq!(tracker.panics(), panics);
    }
    tracker.set_bug(None);
    assert_eq!(caller.announce(Announce { info_hash: BUG, ..leecher(3) }).counts, (1, 0));
    tracker.running.stop().expect("a stop, and a save");
}

#[test]
fn a_panic_in_an_operators_page_costs_that_page() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let tracker = with_torrents(engine, 40);
        let page = |target: &str| {
            let mut connection = tracker.connect();
            connection.send(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
            connection
        };
        for panics in 1..=5 {
            let mut connection = page("/stats");
            eventually(&panics, || tracker.panics());
            if engine == Engine::Epoll {
                // tiny_http leaves it open: its writer tells nobody that it is gone.
                let _ = connection.rest();
            }
            assert_eq!(page("/stats?totals=1").reply().status, 200);
            announced(&tracker.announce(1, 2));
        }
        tracker.set_bug(None);
        assert_eq!(tracker.totals(), (41, 42), "whoever only looked has changed nothing");
        tracker.running.stop().expect("a stop, and a save");
    }
}

#[test]
fn a_panic_in_the_sweeper_ends_neither_sweeps_nor_saves() {
    let tracker = with_torrents(Engine::Epoll, 250);
    let service = tracker.running.service();
    // Again and again, since a sweep under way does not begin anew.
    let passed = |millis: u64| tracker.running.advance(millis);
    // The autosave meets it, and the sweep does.
    eventually(&true, || {
        passed(301_000);
        tracker.panics() >= 2
    });
    // All but the bug's go, and perhaps some that share its shard.
    eventually(&true, || {
        passed(301_000);
        tracker.totals().0 < 10
    });
    assert!(service.tracker.knows(&BUG));
    tracker.set_bug(None);
    eventually(&(0, 0), || {
        passed(301_000);
        tracker.totals()
    });
    tracker.running.stop().expect("a stop, and a save");
}

#[test]
fn a_panic_in_a_save_is_an_error_and_the_next_save_holds_everything() {
    let tracker = with_torrents(Engine::Epoll, 40);
    let error = tracker.running.save().expect_err("the bug is there");
    let wanted = "state: not saved, because of a bug; the last good save and the journals are kept";
    assert_eq!((error.as_str(), tracker.panics()), (wanted, 1));
    tracker.set_bug(None);
    let saved = tracker.running.save().expect("the bug is gone");
    assert_eq!((saved.torrents, saved.peers), (41, 41));
    tracker.running.stop().expect("a stop, and a save");
}
