//! `muster announce` against trackers that misbehave over UDP (BEP 15).
//!
//! They lose packets, answer what nobody asked, cut peers off, and forget whom they gave an id. The
//! waits are the program's own; a slow machine makes fewer of them, never more.

use muster::limits::UDP_URL_BYTES_MAX;
use muster::udp::packet::{Request, parse_request};

use super::scripted::{Udp, is_connect, packet};
use super::{HASH, failed, faults, printed};
use crate::programs::{Run, muster};

/// So long that nothing is sent twice because this machine is slow.
const PATIENT: &str = "--timeout=150";

/// The body of an answer to an announce: interval 900, nobody there.
const NOBODY: &[u8] = b"\0\0\x03\x84\0\0\0\0\0\0\0\0";

/// A connection id, as the answer to a connect has it.
const ID: &[u8] = b"\0\0\0\0\0\0\0\x07";

/// What a good tracker answers.
fn well(request: &[u8]) -> Vec<Vec<u8>> {
    let (action, rest) = if is_connect(request) { (0, ID) } else { (1, NOBODY) };
    vec![packet(action, request, rest)]
}

fn announced_over_udp(tracker: &Udp, options: &[&str]) -> Run {
    let url = format!("udp://{}", tracker.address);
    let run = muster(&[&["announce"][..], options, &[&url, HASH]].concat(), &[]);
    let shown = |text: String| text.replace(&url, "URL");
    Run { code: run.code, stdout: shown(run.stdout), stderr: shown(run.stderr) }
}

#[test]
fn packets_that_are_lost_are_sent_again_until_the_timeout() {
    let silent = Udp::start(|_, _| Vec::new());
    let run = announced_over_udp(&silent, &["--timeout=1"]);
    let port = silent.address.port();
    let text = format!(
        "URL: no answer within 1 s; is the tracker up, and does a firewall let UDP port {port} \
         through?"
    );
    assert_eq!(run, failed(&text));
    // After 66, 200, 466 and 1000 ms; a slow machine may come to fewer.
    assert!(silent.count() <= 5, "{} packets", silent.count());
    let all = silent.received.lock().expect("no panic under this lock").clone();
    assert!(all.iter().all(|packet| packet == &all[0]), "the same packet, transaction and all");

    // The first connect and the first announce are lost.
    let forgetful = Udp::start(|number, request| match number {
        0 | 2 => Vec::new(),
        _ => well(request),
    });
    let run = announced_over_udp(&forgetful, &["--event=started"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert!(forgetful.count() >= 4, "{} packets", forgetful.count());
}

/// A tracker that was slow to answer was told to answer with ids that are not ours.
#[test]
fn answers_to_packets_that_were_sent_again_are_passed_over() {
    // Twice the same, as if each packet had been sent again before the first answer came.
    let slow = Udp::start(|_, request| [well(request), well(request)].concat());
    let run = announced_over_udp(&slow, &["--json", PATIENT]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(faults(serde_json::from_str(&run.stdout).expect("JSON")), [""; 0]);
}

/// An answer with its transaction id in the wrong byte order was said to be no answer, with a
/// firewall to blame.
#[test]
fn packets_that_answer_nothing_are_told_where_no_answer_comes() {
    let reversed = Udp::start(|number, request| {
        let mut wrong = well(request).remove(0);
        wrong[4..8].reverse();
        // How often it is asked depends on the machine, so it answers once.
        if number == 0 { vec![wrong, b"abc".to_vec()] } else { Vec::new() }
    });
    let run = announced_over_udp(&reversed, &["--json", "--timeout=1"]);
    let error = "no answer within 1 s; packets that came: 2, none of them an answer";
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), &*format!("muster: URL: {error}\n")));
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(told["error"], error);
    let found = [
        "a packet with a transaction id that is not ours (BEP 15)",
        "a packet of 3 bytes, no reply (BEP 15)",
    ];
    assert_eq!(faults(told), found);
}

#[test]
fn path_and_query_of_a_url_travel_as_options() {
    let tracker = Udp::start(|_, request| well(request));
    let path = format!("/announce?k={}", "x".repeat(300));
    let url = format!("udp://{}{path}", tracker.address);
    printed(&["announce", "--event=started", &url, HASH]);
    let all = tracker.received.lock().expect("no panic under this lock").clone();
    let Some(Request::Announce(announce)) = parse_request(&all[1]) else { panic!("{all:?}") };
    assert_eq!(announce.options.url(&mut [0; UDP_URL_BYTES_MAX]), Some(path.as_bytes()));
    assert_eq!(announce.connection_id.0, 7);
}

#[test]
fn each_fault_over_udp_is_told_and_is_no_failure() {
    type Answers = fn(&[u8]) -> Vec<Vec<u8>>;
    let cases: [(Answers, &str); 5] = [
        (
            |request| {
                let mut foreign = well(request).remove(0);
                foreign[7] ^= 1;
                [vec![foreign], well(request)].concat()
            },
            "a packet with a transaction id that is not ours (BEP 15)",
        ),
        (
            |request| [vec![b"abc".to_vec()], well(request)].concat(),
            "a packet of 3 bytes, no reply (BEP 15)",
        ),
        (
            |request| {
                if is_connect(request) {
                    return well(request);
                }
                let rest = [NOBODY, b"\x7f\0\0\x02\x1a\xe1\x7f\0"].concat();
                vec![packet(1, request, &rest)]
            },
            "2 bytes behind the last whole peer (BEP 15)",
        ),
        (
            |request| {
                if is_connect(request) {
                    return well(request);
                }
                let rest = [b"\0\0\0\x01", &NOBODY[4..]].concat();
                vec![packet(1, request, &rest)]
            },
            "interval 1 s: so short that clients ignore it",
        ),
        (
            |request| {
                if is_connect(request) {
                    return well(request);
                }
                vec![packet(1, request, b"\0\0\x03\x84\0\0\0\0\xff\xff\xff\xff")]
            },
            "complete is -1: less than nothing",
        ),
    ];
    for (answer, fault) in cases {
        let tracker = Udp::start(move |_, request| answer(request));
        let run = announced_over_udp(&tracker, &["--json", "--event=started", PATIENT]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        assert_eq!(faults(serde_json::from_str(&run.stdout).expect("JSON")), [fault]);
    }
}

#[test]
fn a_connection_id_that_serves_once_only_is_a_fault() {
    let mut served = false;
    let tracker = Udp::start(move |_, request| {
        if is_connect(request) {
            served = false;
            return well(request);
        }
        if std::mem::replace(&mut served, true) {
            return vec![packet(3, request, b"unknown id")];
        }
        well(request)
    });
    let run = announced_over_udp(&tracker, &["--json", PATIENT]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let fault =
        "as we left: a connection id was refused at its second use, within a minute (BEP 15)";
    assert_eq!(faults(serde_json::from_str(&run.stdout).expect("JSON")), [fault]);
}

#[test]
fn what_is_no_answer_over_udp_is_an_error_of_one_line() {
    type Answers = fn(&[u8]) -> Vec<Vec<u8>>;
    let cases: [(Answers, &str); 5] = [
        (|request| vec![packet(3, request, b"go away\x1b\0")], "URL: refused: go away\\u{1b}"),
        (
            |request| vec![packet(1, request, b"")],
            "URL: the answer to a connect is no connection id (BEP 15): ",
        ),
        (
            |request| {
                if is_connect(request) {
                    return well(request);
                }
                vec![packet(2, request, b"")]
            },
            "URL: a packet of 8 bytes that answers something else: ",
        ),
        (
            |request| {
                if is_connect(request) {
                    return well(request);
                }
                vec![packet(1, request, b"")]
            },
            "URL: an announce reply of 8 bytes, at least 20 are due (BEP 15); opentracker sends 8 \
             for a torrent that it does not allow",
        ),
        (
            |request| {
                if is_connect(request) {
                    return well(request);
                }
                vec![packet(3, request, b"no such torrent")]
            },
            "URL: refused: no such torrent",
        ),
    ];
    for (answer, text) in cases {
        let tracker = Udp::start(move |_, request| answer(request));
        let run = announced_over_udp(&tracker, &[PATIENT, "--event=started"]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("muster: {text}")), "{text}: {run:?}");
    }
}
