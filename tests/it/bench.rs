//! `muster bench` against the real tracker, and against servers that answer as no tracker should.
//!
//! What the load generator says it did is compared with what the tracker counted, and what a
//! scripted server did with the errors that are reported. No figure of speed is looked at: a slow
//! machine fails nothing here. Loopback only.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;

use muster::request::Event;
use muster::udp::packet::{ConnectionId, Request, encode_connected, encode_error, parse_request};
use serde_json::Value;

use crate::harness::Server;
use crate::operator::page::Ask;
use crate::programs::{Run, muster};

/// Runs `muster bench` with these arguments, separated by blanks, and reads its report.
fn bench(url: &str, arguments: &str) -> Value {
    let run = bench_run(url, &format!("{arguments} --json"));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    serde_json::from_str(&run.stdout).expect("JSON")
}

fn bench_run(url: &str, arguments: &str) -> Run {
    let words = ["bench", url].into_iter().chain(arguments.split_whitespace());
    let words: Vec<&str> = words.collect();
    muster(&words, &[])
}

fn totals(server: &Server) -> Value {
    Ask::get("/stats?totals=1").of(server).good()
}

/// What the report says of faults: those that came, with how often and the first one's words.
fn faults(report: &Value) -> Vec<(&str, u64, &str)> {
    let faults = report["errors"].as_object().expect("an object").iter();
    let counted = faults.map(|(kind, faults)| {
        let count = faults["count"].as_u64().expect("a number");
        (kind.as_str(), count, faults["example"].as_str().expect("text"))
    });
    counted.filter(|(_, count, _)| *count > 0).collect()
}

/// 100 peers in 10 torrents announce once, and then 300 announces are measured.
const SMALL: &str = "--torrents 10 --peers 100 --seeds 30 --popularity uniform --count 300 \
                     --connections 7 --threads 2";

/// Benches a fresh tracker, and compares what both have counted; returns what the tracker did.
fn agreed(listen: &str, url: impl Fn(&Server) -> String, arguments: &str) -> Value {
    let server = Server::listening(&[listen], &[]);
    let report = bench(&url(&server), &format!("{SMALL} {arguments} --pid {}", server.pid()));
    assert_eq!((&report["announces"], &report["filled"]), (&300.into(), &100.into()), "{report}");
    assert_eq!(faults(&report), []);
    // Nobody is told of seeds who is one: 9 others, or the 7 who are none.
    let told = report["peers_in_replies"].as_u64().expect("a number");
    assert!((300 * 5..300 * 9).contains(&told), "{report}");
    let totals = totals(&server);
    for (key, wanted) in [("announces", 400), ("peers", 100), ("torrents", 10), ("refusals", 0)] {
        assert_eq!(totals[key], wanted, "{key}: {totals}");
    }
    let seeders = totals["seeders"].as_u64().expect("a number");
    assert!((20..40).contains(&seeders), "30 % of 100 at random: {totals}");
    totals
}

#[test]
fn what_bench_says_over_http_is_what_the_tracker_has_counted() {
    let url = |server: &Server| format!("http://{}/announce", server.tcp());
    let each = agreed("127.0.0.1:0", url, "--connect each");
    // The question for the totals is one more.
    assert_eq!(each["connections"], 401, "{each}");
    let keep = agreed("127.0.0.1:0", url, "--connect keep");
    assert_eq!(keep["connections"], 8, "{keep}");
}

#[test]
fn what_bench_says_over_udp_is_what_the_tracker_has_counted() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let totals = agreed(listen, |server| format!("udp://{}", server.udp()[0]), "");
        assert_eq!(totals["udp_announces"], 400, "{totals}");
        assert_eq!(totals["udp_connects"], 7, "{totals}");
    }
}

#[test]
fn several_clients_come_from_addresses_of_their_own() {
    let server = Server::start(&[]);
    let url = format!("http://{}/announce", server.tcp());
    let few = "--torrents 1 --peers 8 --count 8 --connections 4 --clients 4 --popularity uniform";
    bench(&url, few);
    let stats = Ask::get("/stats").of(&server).good();
    let torrents = stats.as_object().expect("an object");
    let peers = torrents.values().flat_map(|torrent| torrent["peers"].as_array().expect("peers"));
    let mut addresses: Vec<&str> = peers.map(|peer| peer["ip"].as_str().expect("text")).collect();
    addresses.sort_unstable();
    let twice = |address| [address, address];
    let wanted = ["127.128.0.1", "127.128.0.2", "127.128.0.3", "127.128.0.4"].map(twice);
    assert_eq!(addresses, wanted.concat());
}

#[test]
fn peers_that_name_addresses_are_more_than_one_address_has_ports() {
    let server = Server::start(&[]);
    let url = format!("udp://{}", server.udp()[0]);
    let crowd = "--torrents 1 --peers 65000 --count 1 --name-addresses";
    bench(&url, crowd);
    assert_eq!(totals(&server)["peers"], 65_000);
    let without = bench_run(&url, "--torrents 1 --peers 65000");
    assert_eq!(
        without.stderr,
        format!(
            "muster: {url}: the largest torrent would have 65000 peers, and one address has 64512 \
             ports: use more --torrents, --popularity uniform, or --name-addresses\n"
        )
    );
}

#[test]
fn a_rate_is_kept_by_who_is_fast_enough_and_what_is_left_out_is_counted_for_others() {
    let server = Server::start(&[]);
    let url = format!("udp://{}", server.udp()[0]);
    let report = bench(&url, "--peers 10 --torrents 2 --rate 2000 --count 500");
    assert_eq!((&report["announces"], &report["left_out"]), (&500.into(), &0.into()), "{report}");
    // 500 at 2,000 a second: the last is due after 249.5 ms.
    assert!(report["nanoseconds"].as_u64() >= Some(249_500_000), "{report}");

    // It receives and never answers: 2 of 1,000 are sent, and given up after a second.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let url = format!("udp://{}", silent.local_addr().expect("its address"));
    let arguments = "--no-fill --peers 2 --rate 1000 --duration 1 --connections 2 --timeout 1";
    let run = bench_run(&url, &format!("{arguments} --json"));
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(faults(&report), [("timed_out", 2, "")]);
    assert_eq!(report["left_out"], 998, "{report}");
    let wanted = format!(
        "muster: {url}: announces came to nothing: timed out; is it a tracker, and is it up?\n"
    );
    assert_eq!((run.code, run.stderr), (Some(1), wanted));
}

/// A server that answers one connection after the other as the script says, in a thread.
fn scripted(script: Vec<&'static [u8]>) -> (SocketAddr, JoinHandle<Vec<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = std::thread::spawn(move || {
        let mut kept = Vec::new();
        for reply in script {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a whole request");
                request.push(byte[0]);
            }
            stream.write_all(reply).expect("it is taken");
            if reply.is_empty() {
                // A silent one: it would end with the stream.
                kept.push(stream);
            }
        }
        kept
    });
    (address, server)
}

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 37\r\nConnection: close\r\n\r\n\
                      d8:intervali900e5:peers6:AAAAaa1:z0:e";

#[test]
fn what_a_bad_server_does_is_counted_by_kind() {
    let (address, server) = scripted(vec![
        GOOD,
        b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\nd14:failure reason4:why?e",
        b"HTTP/1.1 200 OK\r\nContent-Length: 35\r\n\r\nd8:inter",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
        GOOD,
    ]);
    let url = format!("http://{address}/announce");
    let arguments = "--no-fill --peers 3 --torrents 1 --count 7 --connections 1 --timeout 1";
    let report = bench(&url, arguments);
    assert_eq!(report["announces"], 2, "{report}");
    assert_eq!(report["peers_in_replies"], 2, "{report}");
    assert_eq!(
        faults(&report),
        [
            ("failure_reason", 1, "\"why?\""),
            ("malformed", 2, "not bencode: byte 0: no value begins with '<': \"<html>\""),
            ("reset", 1, "closed after 47 bytes"),
            ("timed_out", 1, ""),
        ]
    );
    drop(server.join().expect("the server does not panic"));
}

#[test]
fn a_tracker_that_is_not_there_is_named_after_a_thousand_tries() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/announce", listener.local_addr().expect("its address"));
    drop(listener);
    let run = bench_run(&url, "--no-fill --peers 10 --duration 3600 --json");
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(report["announces"], 0, "{report}");
    assert!(report["errors"]["refused"]["count"].as_u64() >= Some(1000), "{report}");
    let wanted = format!(
        "muster: {url}: announces came to nothing: refused; is it a tracker, and is it up?\n"
    );
    assert_eq!((run.code, run.stderr), (Some(1), wanted));
}

#[test]
fn what_a_bad_server_does_over_udp_is_counted_by_kind() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let url = format!("udp://{}", socket.local_addr().expect("its address"));
    let server = std::thread::spawn(move || {
        let mut announces = 0;
        let mut packet = [0; 2048];
        while announces < 4 {
            let (length, client) = socket.recv_from(&mut packet).expect("a packet");
            let mut reply = Vec::new();
            match parse_request(&packet[..length]).expect("a request") {
                Request::Connect(transaction) => {
                    encode_connected(&mut reply, transaction, ConnectionId(7));
                }
                Request::Announce(announce) => {
                    assert_eq!(announce.connection_id, ConnectionId(7));
                    assert_eq!((announce.event, announce.numwant), (Event::Update, 50));
                    announces += 1;
                    match announces {
                        1 => encode_error(&mut reply, announce.transaction, b"why?"),
                        2 => reply.extend_from_slice(b"rubbish"),
                        3 => encode_connected(&mut reply, announce.transaction, ConnectionId(7)),
                        _ => {
                            // First to somebody else's question, which is no reply to this one.
                            reply.extend_from_slice(b"\0\0\0\x01\xff\xff\xff\xff\0\0\0\x01");
                            reply.extend_from_slice(&[0; 8]);
                            socket.send_to(&reply, client).expect("it is taken");
                            reply[4..8].copy_from_slice(&announce.transaction.0.to_be_bytes());
                            reply.extend_from_slice(b"AAAAaa");
                        }
                    }
                }
                Request::Scrape(_) => panic!("nobody scrapes"),
            }
            socket.send_to(&reply, client).expect("it is taken");
        }
    });
    let report = bench(&url, "--no-fill --peers 3 --torrents 1 --count 4 --connections 1");
    server.join().expect("the server does not panic");
    assert_eq!((&report["announces"], &report["peers_in_replies"]), (&1.into(), &1.into()));
    assert_eq!(
        faults(&report),
        [("failure_reason", 1, "\"why?\""), ("malformed", 2, "no reply: \"rubbish\"")]
    );
}

#[test]
fn the_report_has_these_keys_and_these_lines() {
    let server = Server::start(&[]);
    let url = format!("http://{}/announce", server.tcp());
    let few = format!("--peers 10 --torrents 2 --count 10 --pid {}", server.pid());
    let report = bench(&url, &few);
    let keys = |value: &Value| {
        value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        keys(&report),
        "announces announces_per_second connect errors filled generator latency_nanoseconds \
         left_out nanoseconds peers_in_replies tracker url"
    );
    assert_eq!(keys(&report["errors"]), "failure_reason malformed refused reset timed_out");
    assert_eq!(keys(&report["latency_nanoseconds"]), "max p50 p99 p99_9");
    for process in ["generator", "tracker"] {
        assert_eq!(
            keys(&report[process]),
            "cpu_nanoseconds_per_announce cpu_system_microseconds cpu_user_microseconds \
             resident_bytes resident_peak_bytes",
            "{process}"
        );
        assert!(report[process]["resident_bytes"].as_u64() > Some(0), "{process}");
    }
    assert_eq!((&report["url"], &report["connect"]), (&url.as_str().into(), &"each".into()));

    let text = bench_run(&url, &few).stdout;
    let starts: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    let first = format!("{url}:");
    let rest = ["before", "announces", "latency", "errors", "tracker", "generator"];
    assert_eq!(starts, [&[first.as_str()][..], &rest].concat(), "{text}");
    assert!(text.contains("\nbefore     10 peers announced, 0 of them to no avail\n"), "{text}");
    assert!(text.contains("\nannounces  10 answered in "), "{text}");
    assert!(text.contains("\nerrors     none\n"), "{text}");
}

#[test]
fn a_public_address_is_refused_before_anything_is_sent() {
    let run = bench_run("udp://192.0.2.1:6969", "--count 1");
    let wanted = "muster: udp://192.0.2.1:6969: 192.0.2.1 is neither on this host nor in a private \
                  network, and a load test of a tracker of others is an attack on it; for your \
                  own there is --flood-a-public-tracker\n";
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(2), "", wanted));
}

#[test]
fn a_pid_that_is_none_ends_the_run_before_it_begins() {
    let server = Server::start(&[]);
    let url = format!("http://{}/announce", server.tcp());
    // Linux has no process of a number beyond 2^22.
    let run = bench_run(&url, "--count 1 --pid 4294967295");
    assert_eq!(run.code, Some(1));
    let wanted = "is 4294967295 the number of a process on this host?\n";
    assert!(run.stderr.ends_with(wanted), "{}", run.stderr);
    assert_eq!(totals(&server)["announces"], 0);
}
