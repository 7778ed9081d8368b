//! `muster announce` leaves no listed peer behind when it cannot read the reply.
//!
//! A tracker lists whoever announces before it replies, so what becomes of the reply says nothing
//! of the list: the program must leave, or say that it may be listed.

use serde_json::Value;

use muster::request::Event;
use muster::udp::packet::{Request, parse_request};

use super::scripted::{Does, Udp, http_heard, is_connect, ok, packet, reply};
use super::{GOOD, HASH, faults};
use crate::programs::{Run, muster};

/// What an announce from port 50001 comes to, and the events the tracker has heard.
fn announced(steps: Vec<Does>, options: &[&str]) -> (Run, Vec<&'static str>) {
    let (address, heard) = http_heard(steps);
    let url = format!("http://{address}/announce");
    let run = muster(&[&["announce", "--port=50001"], options, &[&url, HASH]].concat(), &[]);
    let heard = heard.lock().expect("no panic under this lock").clone();
    let event = |head: &String| {
        assert!(head.contains("&port=50001&"), "{head}");
        match (head.contains("&event=started&"), head.contains("&event=stopped&")) {
            (true, false) => "started",
            (false, true) => "stopped",
            _ => panic!("{head}"),
        }
    };
    let shown = |text: String| text.replace(&url, "URL");
    let run = Run { code: run.code, stdout: shown(run.stdout), stderr: shown(run.stderr) };
    (run, heard.iter().map(event).collect())
}

/// Replies that cannot be read, and what is said of them.
fn unreadable() -> [(Does, &'static str); 4] {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\nd8:intervali900e5:pee";
    [
        (
            Does::Says(cut.to_vec()),
            "the tracker closed the connection after 21 of 26 bytes of its reply",
        ),
        (ok(b""), "an empty reply"),
        (
            ok(b"busy"),
            "the reply is not bencode: byte 0: no value begins with 'b'; it begins \"busy\"",
        ),
        (
            Does::Says(Vec::new()),
            "the tracker closed the connection without a reply; does it speak HTTP there?",
        ),
    ]
}

#[test]
fn a_reply_that_cannot_be_read_is_followed_by_leaving() {
    for (step, error) in unreadable() {
        let (run, events) = announced(vec![step, ok(GOOD)], &["--json"]);
        assert_eq!((run.code, run.stderr), (Some(1), format!("muster: URL: {error}\n")));
        assert_eq!(events, ["started", "stopped"], "{error}");
        let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!((told["error"].as_str(), told["url"].as_str()), (Some(error), Some("URL")));
        assert_eq!(faults(told), [""; 0]);
    }
}

#[test]
fn who_cannot_leave_either_is_told_that_the_tracker_may_list_them() {
    for (step, error) in unreadable() {
        let refusal = ok(b"d14:failure reason4:stope");
        let (run, events) = announced(vec![step, refusal], &[]);
        let text = format!(
            "muster: the tracker may list port 50001 until it forgets it, since leaving failed: \
             stop\nmuster: URL: {error}\n"
        );
        assert_eq!((run.code, run.stderr, run.stdout), (Some(1), text, String::new()));
        assert_eq!(events, ["started", "stopped"]);
    }
}

#[test]
fn nothing_follows_a_refusal_or_an_event_that_was_asked_for() {
    let page = reply("404 Not Found", "", b"<html>");
    for (step, options) in [
        (ok(b"d14:failure reason2:noe"), &[][..]),
        (page, &[]),
        (reply("301 Moved", "Location: http://a.example/\r\n", b""), &[]),
        (ok(b"busy"), &["--event=started"]),
    ] {
        let (run, events) = announced(vec![step, ok(GOOD)], options);
        assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 1), "{run:?}");
        assert_eq!(events, ["started"]);
    }
    // A page of a proxy in front of it says nothing about the tracker.
    let (_, events) = announced(vec![reply("504 Timeout", "", b"<html>"), ok(GOOD)], &[]);
    assert_eq!(events, ["started", "stopped"]);
}

#[test]
fn a_packet_that_cannot_be_read_is_followed_by_leaving() {
    let event_of = |request: &[u8]| match parse_request(request) {
        Some(Request::Announce(announce)) => Some(announce.event),
        _ => None,
    };
    let whole = b"\0\0\x03\x84\0\0\0\0\0\0\0\0";
    let tracker = Udp::start(move |_, request| {
        vec![match event_of(request) {
            _ if is_connect(request) => packet(0, request, &[7; 8]),
            Some(Event::Stopped) => packet(1, request, whole),
            _ => packet(1, request, &whole[..11]),
        }]
    });
    let url = format!("udp://{}", tracker.address);
    let run = muster(&["announce", "--json", "--timeout=150", &url, HASH], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "leaving went well: {run:?}");
    let all = tracker.received.lock().expect("no panic under this lock").clone();
    let events: Vec<Event> = all.iter().filter_map(|packet| event_of(packet)).collect();
    assert_eq!(events, [Event::Started, Event::Stopped]);
}
