//! State that survives the program: what it knows after a stop, a kill, a full disk.
//!
//! `crash` kills; `trouble` takes the disk away. The formats, and what becomes of damaged files,
//! are the store's own tests'. The program's state lies in a [`Folder`] of the test's, so that one
//! server after the other finds it.

mod crash;
mod trouble;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster::config::Config;
use muster::registration::Registration;
use muster::request::InfoHash;
use muster::serve::{Running, start};
use rustix::process::Signal;

use crate::answer::{announced, scraped};
use crate::connection::{Connection, announce, hash, peer, scrape};
use crate::harness::{Folder, Server, eventually};

/// What a state file is called by default.
const NAME: &str = "tracker_state.json";

fn serve(state: &Path, more: &[&str]) -> Server {
    let mut options = vec!["--state-file", state.to_str().expect("a path in UTF-8")];
    options.extend_from_slice(more);
    Server::start(&options)
}

/// Seeders, downloads and leechers of a torrent.
fn counts_of(server: &Server, hash: &[u8; 20]) -> (i64, i64, i64) {
    let counts = scraped(&server.get(scrape(&[*hash])), hash);
    (counts.complete, counts.downloaded, counts.incomplete)
}

/// Those of the torrent of this number.
fn counts(server: &Server, torrent: u8) -> (i64, i64, i64) {
    counts_of(server, &hash(torrent))
}

fn join(server: &Server, torrent: u8, number: u8, left: u64, more: &str) {
    let port = 6881 + u16::from(number);
    announced(&server.get(announce(&hash(torrent), &peer(number), port, left, more)));
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

#[test]
fn peers_and_downloads_are_there_after_a_restart() {
    let folder = Folder::new();
    let state = folder.join(NAME);
    let mut server = serve(&state, &[]);
    join(&server, 1, 1, 0, "&event=completed&key=1");
    join(&server, 1, 2, 5, "&event=paused&key=2");
    join(&server, 1, 3, 5, "&key=3");
    let before = counts(&server, 1);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.stderr().contains("Z info  saved 1 torrents and 3 peers, "));

    let server = serve(&state, &[]);
    assert_eq!(counts(&server, 1), before);
    let path = state.canonicalize().expect("it is there");
    let line = format!(
        "Z info  state: {}: 1 torrents, 3 peers; 0 peers have timed out; 0 entries of journals\n",
        path.display()
    );
    server.wait_for_log(&line);
    // The identities came back too: with its key a peer stops itself, and nobody else does.
    join(&server, 1, 1, 0, "&event=stopped&key=9");
    assert_eq!(counts(&server, 1), before);
    join(&server, 1, 1, 0, "&event=stopped&key=1");
    assert_eq!(counts(&server, 1), (before.0 - 1, before.1, before.2));
}

#[test]
fn sigusr1_saves_and_a_kill_after_it_costs_nothing() {
    let folder = Folder::new();
    let state = folder.join(NAME);
    let server = serve(&state, &[]);
    join(&server, 1, 1, 0, "");
    join(&server, 2, 1, 7, "");
    server.signal(Signal::USR1);
    server.wait_for_log("Z info  SIGUSR1: saved 2 torrents and 2 peers, ");
    server.signal(Signal::KILL);
    drop(server);
    let server = serve(&state, &[]);
    assert_eq!((counts(&server, 1).0, counts(&server, 2).0), (1, 0));
}

/// A tracker in this process, whose clock the test moves.
fn start_here(state: &Path, autosave_interval: &str) -> Running {
    let text = state.to_str().expect("a path in UTF-8");
    let flags =
        [("listen", "127.0.0.1:0"), ("state-file", text), ("autosave-interval", autosave_interval)];
    let flags = flags.map(|(key, value)| (key, value.to_owned()));
    let config = Config::load(&flags, &[], None).expect("valid options");
    start(&config).expect("a free port")
}

#[test]
fn finished_downloads_are_in_the_journal_three_seconds_later() {
    let folder = Folder::new();
    let running = start_here(&folder.join(NAME), "0");
    let service = running.service();
    let (store, tracker, now) =
        (&service.operator.store, &service.tracker, service.clock.seconds());
    let hash = hash(1);
    store.register(tracker, &InfoHash(hash), Registration::default(), now).expect("room");
    let ask = |target: String| Connection::to(running.addresses()[0]).ask_once(target);
    announced(&ask(announce(&hash, &peer(1), 6881, 0, "&event=completed")));
    running.advance(3_000);
    let journal = folder.join(&format!("{NAME}.journal-1"));
    let mentions =
        || std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("completed"));
    eventually(&true, mentions);
    running.stop().expect("a stop");
}

#[test]
fn the_state_is_saved_by_the_clock_when_something_has_changed() {
    let folder = Folder::new();
    let state = folder.join(NAME);
    let running = start_here(&state, "60");
    running.advance(61_000);
    let mut client = Connection::to(running.addresses()[0]);
    announced(&client.get(announce(&hash(1), &peer(1), 6881, 0, "")));
    assert!(!state.exists(), "nothing had changed when a minute was over");
    running.advance(61_000);
    eventually(&true, || state.exists());
    drop(client);
    running.stop().expect("a stop");
}

#[test]
fn a_file_of_the_original_tracker_is_served_from() {
    let folder = Folder::new();
    let state = folder.join(NAME);
    let (now, ago) =
        (unix_now().as_secs_f64(), |minutes: f64| unix_now().as_secs_f64() - 60.0 * minutes);
    let peer = |name: &str, port: u16, seen: f64, left: u64| {
        format!(
            r#"{{"peer_id": "{name}", "ip": "192.0.2.7", "port": {port}, "last_seen": {seen},
                 "uploaded": 5, "downloaded": 6, "left": {left}, "is_seeder": {}}}"#,
            left == 0
        )
    };
    let peers = [
        peer("-TR4060-0123456789ab", 1001, now, 0),
        peer("-TR4060-%FF123456789ab", 1002, ago(29.0), 9),
        peer("-TR4060-0123456789ac", 1003, ago(28.0), 9),
        peer("-TR4060-0123456789ad", 1004, ago(31.0), 0),
    ];
    let text = format!(
        r#"{{"torrents": {{"%D1%10%1A+abcdefghijklmnop": {{"info": {{"name": "film.mkv",
            "size": 7, "piece_length": 16384, "creation_date": 1739990000.73, "comment": null,
            "created_by": "x", "info_hash": "%D1%10%1A+abcdefghijklmnop"}},
            "peers_info": [{}], "stats": {{"complete": 2, "incomplete": 2, "peers": 4,
            "downloaded": 24, "uploaded": 20}}}}}}}}"#,
        peers.join(", ")
    );
    std::fs::write(&state, text).expect("a file");
    let server = serve(&state, &[]);
    let hash = b"\xd1\x10\x1a\x2babcdefghijklmnop";
    assert_eq!(counts_of(&server, hash), (1, 0, 2));
    server.wait_for_log("1 torrents, 3 peers; 1 peers have timed out;");
}
