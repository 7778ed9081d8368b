//! `muster stats`: what it shows of the real tracker, to the operator and to strangers, once, again
//! and again, and on a terminal.
//!
//! How rows are ordered and fitted has its tests beside it, in `src/cli/stats_table.rs`; here it is
//! the way from the tracker to what a person sees.

use std::process::Command;

use muster::request::InfoHash;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::clients::peer::PYTHON;
use crate::connection::Connection;
use crate::harness::{Server, eventually};
use crate::operator::page::Ask;
use crate::programs::{is_installed, muster};
use crate::scripted::{Act, Scripted};

/// The info hash of a torrent by its number; no two are similar.
fn hash(number: usize) -> String {
    InfoHash(Sha1::digest(number.to_le_bytes()).into()).to_string()
}

/// Announces a peer of a torrent.
fn announce(connection: &mut Connection, torrent: usize, peer: usize, left: u64) {
    let (hash, port) = (hash(torrent), 5000 + peer);
    let reply = connection.get(format!(
        "/announce?info_hash={hash}&peer_id=-XX0001-{peer:012}&port={port}&left={left}&key={peer}"
    ));
    assert!(reply.text().contains("8:interval"), "{reply:?}");
}

/// A tracker with a seeder and two leechers of one torrent, and another known by name alone.
fn tracker() -> Server {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    announce(&mut connection, 1, 1, 0);
    announce(&mut connection, 1, 2, 5);
    announce(&mut connection, 1, 3, 5);
    let quiet = json!({ "info_hash": hash(2), "name": "\u{4e2d}\u{1b}[2J", "size": 2048 });
    Ask::register(quiet.to_string()).of(&server).good();
    server
}

/// What is shown of it in a pipe.
fn shown() -> String {
    let busy = hash(1);
    format!(
        "torrent                                   seeders  leechers  downloads   size\n\
         {busy}        1         2          0      ?\n\
         \u{4e2d}\\u{{1b}}[2J                                     0         0          0  2 KiB\n\
         2 torrents, 1 seeder, 2 leechers, 0 downloads\n"
    )
}

#[test]
fn the_operator_sees_every_torrent_the_busiest_first() {
    let server = tracker();
    let url = format!("http://{}/announce", server.tcp());
    let run = muster(&["stats", &url], &[]);
    assert_eq!((run.code, run.stderr.as_str(), run.stdout), (Some(0), "", shown()));
    let run = muster(&["stats", "--json", "--limit", "1", &url], &[]);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let wanted = json!({
        "tracker": format!("http://{}/stats", server.tcp()),
        "torrents": [{
            "info_hash": hash(1), "name": "", "size": 0, "seeders": 1, "leechers": 2,
            "downloads": 0,
        }],
        "totals": { "torrents": 2, "seeders": 1, "leechers": 2, "downloads": 0 },
    });
    assert_eq!(told, wanted);
}

#[test]
fn more_torrents_than_are_asked_for_at_once_are_all_seen() {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    (0..4100).for_each(|torrent| announce(&mut connection, torrent, torrent, 0));
    announce(&mut connection, 4099, 1, 5);
    let run = muster(&["stats", "-n", "1", &server.tcp().to_string()], &[]);
    let last = hash(4099);
    let (busiest, totals) = (format!("{last}        1         1"), "4,100 torrents, 4,100 seeders");
    assert!(run.stdout.contains(&busiest) && run.stdout.contains(totals), "{run:?}");
}

#[test]
fn strangers_see_totals_and_are_told_how_to_see_more() {
    let totals = r#"{"leechers": 2, "peers": 3, "seeders": 1, "torrents": 4}"#;
    let totals: &'static str = totals;
    let acts: &'static [Act] = Box::leak(Box::new([Act::Answer(200, totals)]));
    let server = Scripted::start(acts);
    let url = server.address.to_string();
    let run = muster(&["stats", &url], &[]);
    assert_eq!(
        run.stdout,
        "4 torrents, 1 seeder, 2 leechers\n\
         The torrents are shown to the operator alone: ask on the tracker's own host, or give the \
         token with\n--token-file FILE or in MUSTER_TOKEN.\n"
    );
    assert_eq!(run.code, Some(0));
    let run = muster(&["stats", &url, "--json"], &[("MUSTER_TOKEN", "a-token-for-this-test")]);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((&told["torrents"], &told["totals"]["torrents"]), (&json!(null), &json!(4)));
    let requests = server.requests();
    assert!(!requests[0].to_lowercase().contains("authorization"), "{requests:?}");
    assert!(requests[1].contains("Bearer a-token-for-this-test"), "{requests:?}");
}

#[test]
fn what_is_no_tracker_of_ours_is_said_to_be_none() {
    for (act, said) in [
        (
            Act::Answer(200, "<html>"),
            "answered, but not as muster shows its stats; is it a muster?",
        ),
        (
            Act::Answer(403, "{\"error\": \"authorization: wrong\"}"),
            "answered 403: authorization: wrong; is it the token of this tracker?",
        ),
    ] {
        let server = Scripted::start(Box::leak(Box::new([act])));
        let url = server.address.to_string();
        let run = muster(&["stats", &url], &[("MUSTER_TOKEN", "a-token-for-this-test")]);
        assert_eq!(run.stderr, format!("muster: http://{url}/stats: {said}\n"));
        assert_eq!(run.code, Some(1));
    }
    for word in ["0", "x"] {
        let run = muster(&["stats", "--watch", word], &[]);
        let wanted = format!("muster: --watch: \"{word}\": expected seconds from 1 to 86400\n");
        assert_eq!((run.code, run.stderr), (Some(2), wanted));
    }
}

#[test]
fn watched_in_a_pipe_it_prints_each_time_waits_for_a_tracker_that_has_gone_and_ends_with_ctrl_c() {
    let server = tracker();
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    // The word behind --watch is the tracker here, which is told from a number.
    command.args(["stats", "--watch", &server.tcp().to_string()]);
    let mut watching = Server::launch(command);
    let block = shown() + "\n";
    eventually(&true, || watching.stdout().starts_with(&block.repeat(2)));
    drop(server);
    watching.wait_for_log("connection refused");
    watching.signal(Signal::INT);
    assert_eq!(watching.wait().code(), Some(0));
    assert_eq!(watching.stdout().replace(&block, ""), "");
}

#[test]
fn on_a_terminal_it_is_a_picture_that_fits_and_leaves_nothing_behind() {
    if !is_installed(PYTHON, &["--version"]) {
        return;
    }
    let server = tracker();
    announce(&mut server.connect(), 3, 1, 0);
    for keys in ["q", "\\x03"] {
        let ran = Command::new(PYTHON)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal.py"))
            .args(["7", "60", "2", keys, env!("CARGO_BIN_EXE_muster"), "stats", "--watch", "1"])
            .arg(server.tcp().to_string())
            .output()
            .expect("Python starts");
        let written = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{keys}: {written:?}");
        let inside = written.strip_prefix("\x1b[?1049h\x1b[?25l").expect("the other screen");
        let inside = inside.strip_suffix("\x1b[?25h\x1b[?1049l").unwrap_or_else(|| {
            panic!("{keys}: the screen is not given back: {written:?}");
        });
        let pictures: Vec<&str> = inside.split("\x1b[H").skip(1).collect();
        assert!(pictures.len() >= 2, "{written:?}");
        let url = format!("http://{}/stats", server.tcp());
        let lines = [
            "torrent                   seeders  leechers  downloads  size".to_owned(),
            format!("{}\u{2026}        1         2          0     ?", &hash(1)[..23]),
            format!("{}\u{2026}        1         0          0     ?", &hash(3)[..23]),
            "... the 2 busiest".to_owned(),
            "3 torrents, 2 seeders, 2 leechers, 0 downloads".to_owned(),
            String::new(),
            format!("{url}, every 1 s; q ends"),
        ];
        let wanted = lines.map(|line| line + "\x1b[K").join("\r\n") + "\x1b[J";
        assert_eq!(pictures[0].replace("\r\r\n", "\r\n"), wanted);
    }
}
