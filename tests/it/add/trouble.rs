//! Trackers that refuse, hang, break off or are not there: decided by the requests they saw, and by
//! what `muster add` said and its exit code.
//!
//! One torrent at a time, so that the order of requests is that of the script; no pause between
//! tries.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{Run, Torrent, add, single, write};
use crate::clients::peer::PYTHON;
use crate::harness::Folder;
use crate::programs::is_installed;
use crate::scripted::Act::{Answer, Bytes, Hang};
use crate::scripted::{Act, Scripted};

const BAD: Act = Answer(500, "");
const GOOD: Act = Answer(200, "{\"matched\": \"exact\"}");

/// Adds up to three torrents to a scripted tracker, one after the other.
/// Returns what came of it, its URL, and the number of requests.
fn told(acts: &'static [Act], words: &str, count: usize) -> (Run, String, usize) {
    let folder = Folder::new();
    let torrents: Vec<Torrent> =
        ["first", "second", "third"].map(single).into_iter().take(count).collect();
    for (number, torrent) in torrents.iter().enumerate() {
        write(&folder, &format!("{number}.torrent"), torrent);
    }
    let server = Scripted::start(acts);
    let words = format!("--retry-delay 0 --jobs 1 {words}");
    let url = server.address.to_string();
    let place = folder.path().to_str().expect("UTF-8");
    let mut added = add(&url, &words, &[place]);
    added.stderr = added.stderr.replace(&format!("{place}/"), "");
    (added, format!("http://{url}/add_torrent_info"), server.requests().len())
}

#[test]
fn what_may_pass_is_tried_again_and_the_third_try_counts() {
    const ACTS: &[Act] = &[
        Answer(500, "{\"error\": \"full\"}"),
        Bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"mat"),
        GOOD,
    ];
    let (added, url, requests) = told(ACTS, "", 1);
    assert_eq!((added.code, requests), (Some(0), 3), "{added:?}");
    assert!(added.stdout.starts_with("updated  "), "{added:?}");
    assert_eq!(
        added.stderr,
        format!(
            "muster: 0.torrent: {url}: answered 500: full; the tracker, or a proxy in front of it, \
             is in trouble: see its log; try 1 of 3, again in 0.0 s\n\
             muster: 0.torrent: {url}: the tracker closed the connection after 5 of 100 bytes of \
             its reply; try 2 of 3, again in 0.0 s\n"
        )
    );
}

#[test]
fn a_tracker_that_says_nothing_but_that_it_is_done_is_believed_as_the_original_is() {
    const ACTS: &[Act] = &[Answer(200, "{\"message\": \"Torrent info added successfully\"}")];
    let (added, _, _) = told(ACTS, "", 1);
    assert_eq!((added.code, added.stderr.as_str()), (Some(0), ""));
    assert!(added.stdout.starts_with("registered "), "{added:?}");
}

#[test]
fn between_two_tries_it_waits() {
    let folder = Folder::new();
    let path = write(&folder, "film.torrent", &single("film"));
    let server = Scripted::start(&[BAD, GOOD]);
    let before = Instant::now();
    let added = add(&server.address.to_string(), "--retry-delay 1", &[&path]);
    assert_eq!((added.code, server.requests().len()), (Some(0), 2), "{added:?}");
    assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
}

#[test]
fn several_are_registered_at_once() {
    let folder = Folder::new();
    let paths = ["1.torrent", "2.torrent"].map(|name| write(&folder, name, &single(name)));
    // The first to ask is answered only when the second has asked too.
    let server = Scripted::start(&[Act::AnswerAfterNext(200, "{\"matched\": \"new\"}"), GOOD]);
    let url = server.address.to_string();
    let added = add(&url, "--tries 1", &[&paths[0], &paths[1]]);
    assert_eq!((added.code, added.stderr.as_str()), (Some(0), ""), "{added:?}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_name_that_is_no_text_stands_whole_in_json() {
    use std::os::unix::ffi::OsStrExt as _;
    let (folder, server) = (Folder::new(), Scripted::start(&[GOOD]));
    let path = folder.join("").join(std::ffi::OsStr::from_bytes(b"\xff.torrent"));
    std::fs::write(&path, single("film").bytes).expect("the folder is ours");
    let place = folder.path().to_str().expect("UTF-8");
    let added = add(&server.address.to_string(), "--json", &[place]);
    let line: serde_json::Value = serde_json::from_str(&added.stdout).expect("JSON");
    let hex = line["file_hex"].as_str().unwrap_or_default();
    assert_eq!(hex.len(), 2 * path.as_os_str().len(), "{line}");
    // "/", the byte, ".torrent".
    assert!(hex.ends_with("2fff2e746f7272656e74"), "{line}");
    assert_eq!(line["result"], "updated");
}

#[test]
fn on_a_terminal_a_bar_shows_how_many_are_done() {
    if !is_installed(PYTHON, &["--version"]) {
        return;
    }
    let folder = Folder::new();
    let paths =
        ["1.torrent", "2.torrent", "3.torrent"].map(|name| write(&folder, name, &single(name)));
    let server = Scripted::start(&[GOOD]);
    let ran = Command::new(PYTHON)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal.py"))
        .args(["24", "80", "0", "", env!("CARGO_BIN_EXE_muster"), "add", "--jobs", "1"])
        .args(["-t", &server.address.to_string()])
        .args(paths)
        .output()
        .expect("Python starts");
    let written = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{written:?}");
    // It is drawn again below each line, of what was done before that.
    for bar in ["] 1 of 3 torrents, ", "] 2 of 3 torrents, "] {
        assert!(written.contains(bar), "{bar}: {written:?}");
    }
}

#[test]
fn a_tracker_that_never_answers_well_is_asked_so_often_and_no_more() {
    const ACTS: &[Act] = &[Answer(503, "")];
    let (added, url, requests) = told(ACTS, "--tries 5", 1);
    assert_eq!((added.code, requests), (Some(1), 5), "{added:?}");
    let last = added.stderr.lines().rev().nth(1).unwrap_or_default();
    assert_eq!(
        last,
        format!(
            "muster: 0.torrent: {url}: answered 503; the tracker, or a proxy in front of it, is in \
             trouble: see its log (5 tries)"
        )
    );
    assert_eq!(added.stderr.lines().last(), Some("muster: 1 failed: 0.torrent"));
    // Once one has used up its tries, the next has one, until there is an answer again.
    let (added, _, requests) = told(&[BAD], "", 2);
    assert_eq!((added.code, requests), (Some(1), 4), "{added:?}");
    assert_eq!(added.stderr.lines().last(), Some("muster: 2 failed: 0.torrent, 1.torrent"));
    let (added, _, requests) = told(&[BAD, BAD, BAD, GOOD, BAD, GOOD], "", 3);
    assert_eq!((added.code, requests), (Some(1), 6), "{added:?}");
    assert!(added.stdout.contains("\n2 torrents registered with "), "{added:?}");
    assert_eq!(added.stderr.lines().last(), Some("muster: 1 failed: 0.torrent"));
}

#[test]
fn what_the_tracker_would_say_again_is_not_asked_again() {
    for (acts, said) in [
        (
            &[Answer(403, "{\"error\": \"only the operator may do this\"}")][..],
            "answered 403: only the operator may do this; give the operator's token with \
             --token-file FILE or in MUSTER_TOKEN",
        ),
        (
            &[Answer(404, "nothing is here")],
            "answered 404: nothing is here; is this a muster tracker, and its announce URL but for \
             the last word?",
        ),
        (&[Answer(429, "<html>slow")], "answered 429; it wants fewer requests: try again later"),
        (&[Answer(400, "{\"error\": \"size: \\u001b[2J\"}")], "answered 400: size: \\u{1b}[2J"),
        (&[Answer(200, "{\"error\": \"not allowed\"}")], "answered 200: not allowed\n"),
        (
            &[Answer(200, "{\"message\": \"no\"}")],
            "answered 200, but not as a tracker that registers torrents; is the URL right?",
        ),
        (
            &[Answer(200, "hello")],
            "answered 200, but not as a tracker that registers torrents; is the URL right?",
        ),
        (
            &[Bytes("HTTP/1.1 301 Moved\r\nLocation: https://b.example/x\r\n\r\n")],
            "answered 301, a redirect to https://b.example/x; give that URL",
        ),
        (&[Bytes("SSH-2.0-x\r\n")], "what answers there does not speak HTTP"),
    ] {
        let (added, url, requests) = told(acts, "", 1);
        assert_eq!((added.code, requests), (Some(1), 1), "{added:?}");
        let wanted = format!("muster: 0.torrent: {url}: {said}");
        assert!(added.stderr.starts_with(&wanted), "{wanted}: {added:?}");
        assert_eq!(added.stderr.lines().count(), 2, "{added:?}");
    }
}

#[test]
fn a_tracker_that_hangs_is_given_up_after_the_timeout() {
    let (added, url, requests) = told(&[Hang], "--timeout 1 --tries 2", 1);
    assert_eq!((added.code, requests), (Some(1), 2), "{added:?}");
    let port = url.trim_start_matches("http://127.0.0.1:").trim_end_matches("/add_torrent_info");
    let why = format!(
        "no answer within 1 s; is the tracker up, and does a firewall let TCP port {port} through?"
    );
    assert_eq!(
        added.stderr,
        format!(
            "muster: 0.torrent: {url}: {why}; try 1 of 2, again in 0.0 s\n\
             muster: 0.torrent: {url}: {why} (2 tries)\n\
             muster: 1 failed: 0.torrent\n"
        )
    );
}

#[test]
fn a_tracker_that_is_not_there_is_said_not_to_run() {
    let folder = Folder::new();
    let path = write(&folder, "film.torrent", &single("film"));
    // A port that is taken, so that nobody else gets it, and not listened on.
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .expect("a socket");
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    rustix::net::bind(&socket, &any).expect("a free port");
    let bound = rustix::net::getsockname(&socket).expect("it is bound");
    let address = std::net::SocketAddr::try_from(bound).expect("an IP address");
    let added = add(&address.to_string(), "--retry-delay 0 --tries 2", &[&path]);
    let url = format!("http://{address}/add_torrent_info");
    let why = format!(
        "{url}: connection refused; is the tracker running, and is {} its TCP port?",
        address.port()
    );
    assert_eq!(
        added.stderr,
        format!(
            "muster: {path}: {why}; try 1 of 2, again in 0.0 s\n\
             muster: {path}: {why} (2 tries)\n\
             muster: 1 failed: {path}\n"
        )
    );
    assert_eq!(
        (added.code, added.stdout),
        (Some(1), format!("0 torrents registered with {address}\n"))
    );
}

#[test]
fn a_udp_url_is_answered_with_the_http_one() {
    let added = add("udp://a.example:6969/announce", "", &["x.torrent"]);
    assert_eq!(
        added.stderr,
        "muster: udp://a.example:6969/announce: the operator's pages go over HTTP; try \
         http://a.example:6969\n"
    );
    assert_eq!(added.code, Some(2));
}
