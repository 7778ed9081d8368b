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
    for word in ["0", "2s"] {
        let run = muster(&["stats", "--watch", word], &[]);
        let wanted = format!("muster: --watch: \"{word}\": expected seconds from 1 to 86400\n");
        assert_eq!((run.code, run.stderr), (Some(2), wanted));
    }
}

/// A page of `/stats` with so many torrents.
fn page(count: usize) -> String {
    let rows = (0..count).map(|torrent| {
        format!(r#""{}":{{"stats":{{"complete":0,"incomplete":0}}}}"#, hash(torrent))
    });
    format!("{{{}}}", rows.collect::<Vec<_>>().join(","))
}

/// A tracker that always answers so.
fn always(body: String) -> Scripted {
    Scripted::start(Box::leak(Box::new([Act::Answer(200, Box::leak(body.into_boxed_str()))])))
}

#[test]
fn a_tracker_that_does_not_heed_limit_and_offset_is_not_asked_for_ever() {
    for (count, requests) in [(4000, 2), (4001, 1)] {
        let server = always(page(count));
        let url = server.address.to_string();
        let run = muster(&["stats", &url], &[]);
        let said = "answered with other torrents than were asked for; is it a muster?";
        assert_eq!(run.stderr, format!("muster: http://{url}/stats: {said}\n"));
        assert_eq!((run.code, server.requests().len()), (Some(1), requests));
    }
}

#[test]
fn of_an_answer_nothing_is_kept_but_what_is_shown() {
    // 4 MB; made into a tree of JSON first, it took 400 MB.
    let server = always(format!("{{\"x\":[{{}}{}]}}", ",{\"\":0}".repeat(500_000)));
    let url = server.address.to_string();
    let ran = Command::new("sh")
        .args(["-c", "ulimit -v 150000; exec \"$0\" stats \"$1\""])
        .args([env!("CARGO_BIN_EXE_muster"), &url])
        .output()
        .expect("there is a shell");
    let said = "answered, but not as muster shows its stats; is it a muster?";
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(stderr, format!("muster: http://{url}/stats: {said}\n"));
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn a_tracker_that_hangs_does_not_keep_it_from_ending() {
    let totals = r#"{"leechers": 2, "peers": 3, "seeders": 1, "torrents": 4}"#;
    let totals: &'static str = totals;
    let server = Scripted::start(Box::leak(Box::new([Act::Answer(200, totals), Act::Hang])));
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    let url = server.address.to_string();
    command.args(["stats", &url, "--watch", "1", "--timeout", "3600"]);
    let mut watching = Server::launch(command);
    eventually(&2, || server.requests().len());
    watching.signal(Signal::INT);
    assert_eq!(watching.wait().code(), Some(0));
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

/// Watches a tracker on a terminal of so many rows and columns until so many pictures are drawn,
/// then types keys; the exit code, and what was written.
fn on_terminal(terminal: [&str; 4], server: &Server) -> (Option<i32>, String) {
    let ran = Command::new(PYTHON)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal.py"))
        .args(terminal)
        .args([env!("CARGO_BIN_EXE_muster"), "stats", "--watch", "1"])
        .arg(server.tcp().to_string())
        .output()
        .expect("Python starts");
    (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[test]
fn before_ctrl_z_stops_it_the_terminal_is_given_back() {
    if !is_installed(PYTHON, &["--version"]) {
        return;
    }
    // Nothing is there that could let it go on, so the kernel does not stop it.
    let (code, written) = on_terminal(["7", "60", "1", "\\x1aq"], &tracker());
    assert_eq!(code, Some(0), "{written:?}");
    assert!(written.contains("\x1b[?25h\x1b[?1049l\x1b[?1049h\x1b[?25l"), "{written:?}");
}

#[test]
fn on_a_narrow_terminal_every_line_is_cut() {
    if !is_installed(PYTHON, &["--version"]) {
        return;
    }
    let (code, written) = on_terminal(["7", "30", "1", "q"], &tracker());
    assert_eq!(code, Some(0), "{written:?}");
    let picture = written.split("\x1b[H").nth(1).and_then(|rest| rest.split("\x1b[J").next());
    let lines: Vec<&str> = picture.expect("one").split("\x1b[K").map(str::trim).collect();
    assert!(lines.contains(&"2 torrents, 1 seeder, 2 leech\u{2026}"), "{lines:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 30), "{lines:?}");
}

#[test]
fn on_a_terminal_it_is_a_picture_that_fits_and_leaves_nothing_behind() {
    if !is_installed(PYTHON, &["--version"]) {
        return;
    }
    let server = tracker();
    announce(&mut server.connect(), 3, 1, 0);
    for keys in ["q", "\\x03"] {
        let (code, written) = on_terminal(["7", "60", "2", keys], &server);
        assert_eq!(code, Some(0), "{keys}: {written:?}");
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
