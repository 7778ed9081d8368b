//! One address that asks too much, is wrong too often or brings up too many torrents, while others
//! are served; over both engines and UDP, and through a proxy.
//!
//! A bound of one a minute lets five through at once, and the next after a minute: no test takes as
//! long as that. The log is read in both of its formats.

use muster::request::InfoHash;
use muster::udp::packet::Announce;

use crate::answer::{Failed, announced, failed};
use crate::connection::{Reply, announce, get, hash, peer, scrape};
use crate::harness::{Engine, Server, eventually};
use crate::udp::caller::{Caller, leecher};

use super::count;

/// Bounds for every address but 127.0.0.1, from which the tests look on.
const BOUNDED: [&str; 2] = ["--unlimited-networks", "127.0.0.1"];
/// One a minute, so five at once.
const FIVE_ANNOUNCES: [&str; 2] = ["--max-announces-per-ip", "1"];
const FIVE_ERRORS: [&str; 2] = ["--max-errors-per-ip", "1"];

const TOO_MANY_ANNOUNCES: &str =
    "too many announces from your address: 1 a minute are answered; try again in 2 minutes";
const TOO_MANY_ERRORS: &str = "too many wrong requests from your address: try again in 2 minutes";

fn bounded(engine: Engine, more: &[&str]) -> Server {
    Server::with(engine, &[&BOUNDED[..], &["--log-level", "info"], more].concat())
}

fn announce_from(server: &Server, source: &str, torrent: u8) -> Reply {
    server.get_from(source, announce(&hash(torrent), &peer(1), 6881, 1, ""))
}

fn is_refused(reply: &Reply, reason: &str) {
    let Failed { reason: said, retry, .. } = failed(reply);
    assert_eq!((reply.status, said.as_str(), retry.as_str()), (200, reason, "2"));
}

#[test]
fn an_address_that_announces_too_often_is_refused_and_others_are_served() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let server = bounded(engine, &FIVE_ANNOUNCES);
        for torrent in 1..=4 {
            announced(&announce_from(&server, "127.0.0.9", torrent));
        }
        assert_eq!(server.get_from("127.0.0.9", scrape(&[hash(1)])).status, 200);
        for _ in 0..3 {
            is_refused(&announce_from(&server, "127.0.0.9", 1), TOO_MANY_ANNOUNCES);
            is_refused(&server.get_from("127.0.0.9", scrape(&[hash(1)])), TOO_MANY_ANNOUNCES);
        }
        assert_eq!(announced(&announce_from(&server, "127.0.0.10", 1)).incomplete, 2);
        for _ in 0..20 {
            announced(&announce_from(&server, "127.0.0.1", 1));
        }
        assert_eq!(server.get_from("127.0.0.9", "/health").status, 200, "no announce, no bound");
        let counts = ["refused_announce_rate", "refusals"].map(|name| count(&server, name));
        assert_eq!(counts, [6, 6]);
    }
}

#[test]
fn a_refused_client_keeps_its_connection_and_is_told_at_once() {
    let server = bounded(Engine::Epoll, &FIVE_ANNOUNCES);
    let mut connection = server.connect_from("127.0.0.9");
    let target = announce(&hash(1), &peer(1), 6881, 1, "");
    (0..5).for_each(|_| drop(announced(&connection.get(&target))));
    for _ in 0..3 {
        let reply = connection.get(&target);
        is_refused(&reply, TOO_MANY_ANNOUNCES);
        assert!(!reply.says_close());
    }
}

#[test]
fn by_default_this_host_and_its_neighbours_have_no_bounds() {
    let server = Server::start(&[&FIVE_ANNOUNCES[..], &FIVE_ERRORS].concat());
    for _ in 0..20 {
        announced(&announce_from(&server, "127.0.0.9", 1));
        assert_eq!(server.get_from("127.0.0.9", "/nowhere").status, 404);
    }
}

#[test]
fn http_and_udp_take_from_one_bucket() {
    let server = bounded(Engine::Epoll, &FIVE_ANNOUNCES);
    let caller = Caller::new("127.0.0.9", server.udp()[0]);
    for torrent in 1..=3 {
        announced(&announce_from(&server, "127.0.0.9", torrent));
    }
    assert_eq!(caller.announce(leecher(2)).counts, (2, 0));
    assert_eq!(caller.scrape(&[hash(1)]), [[0, 0, 2]]);
    assert_eq!(caller.refusal(caller.id()).as_deref(), Some(TOO_MANY_ANNOUNCES));
    is_refused(&announce_from(&server, "127.0.0.9", 1), TOO_MANY_ANNOUNCES);
    let other = Caller::new("127.0.0.10", server.udp()[0]);
    assert_eq!(other.announce(leecher(3)).counts, (3, 0));
    let counts = ["refused_announce_rate", "udp_refusals"].map(|name| count(&server, name));
    assert_eq!(counts, [2, 1]);
}

#[test]
fn behind_a_trusted_proxy_it_is_the_client_that_is_bounded_and_an_ipv6_client_by_its_slash_64() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let trusted = ["--trusted-proxies", "127.0.0.1", "--unlimited-networks", ""];
        let server = Server::with(engine, &[&trusted[..], &FIVE_ANNOUNCES].concat());
        let through_proxy = |client: &str| {
            let target = announce(&hash(1), &peer(1), 6881, 1, "");
            let mut connection = server.connect();
            connection.send(format!(
                "GET {target} HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: {client}\r\n\r\n"
            ));
            connection.reply()
        };
        for clients in [["203.0.113.7"; 2], ["2001:db8::1", "2001:db8::ffff"]] {
            (0..5).for_each(|_| drop(announced(&through_proxy(clients[0]))));
            is_refused(&through_proxy(clients[0]), TOO_MANY_ANNOUNCES);
            is_refused(&through_proxy(clients[1]), TOO_MANY_ANNOUNCES);
        }
        for other in ["203.0.113.8", "2001:db8:0:1::1"] {
            announced(&through_proxy(other));
        }
        (0..20).for_each(|_| drop(announced(&announce_from(&server, "127.0.0.1", 2))));
    }
}

#[test]
fn an_address_that_is_wrong_too_often_is_told_no_more_than_that() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let server = bounded(engine, &FIVE_ERRORS);
        let wrong = |source| server.get_from(source, "/announce?info_hash=short");
        for _ in 0..3 {
            assert_eq!(failed(&wrong("127.0.0.9")).reason, "info_hash: 5 bytes, expected 20");
        }
        assert_eq!(server.get_from("127.0.0.9", "/nowhere").status, 404);
        assert_eq!(server.get_from("127.0.0.9", "/save_state").status, 403);
        is_refused(&wrong("127.0.0.9"), TOO_MANY_ERRORS);
        let reply = server.get_from("127.0.0.9", "/nowhere");
        assert_eq!((reply.status, reply.text()), (429, format!("{TOO_MANY_ERRORS}\n")));
        assert_eq!(server.get_from("127.0.0.9", "/save_state").status, 429);
        announced(&announce_from(&server, "127.0.0.9", 1));
        assert_eq!(failed(&wrong("127.0.0.10")).reason, "info_hash: 5 bytes, expected 20");
        assert_eq!(count(&server, "refused_error_rate"), 3);
    }
}

#[test]
fn what_is_no_request_is_answered_five_times_and_then_cut_off() {
    let server = bounded(Engine::Epoll, &FIVE_ERRORS);
    for nth in 0..8 {
        let mut connection = server.connect_from("127.0.0.9");
        connection.send("rubbish\r\n\r\n");
        if nth < 5 {
            assert_eq!(connection.reply().status, 400);
        }
        connection.expect_end();
    }
    assert_eq!(["http_errors", "refused_error_rate"].map(|name| count(&server, name)), [8, 3]);
}

#[test]
fn a_token_is_not_looked_at_when_its_address_has_guessed_too_often() {
    const TOKEN: &str = "0123456789abcdef";
    let server = {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.1"]);
        command.args(FIVE_ERRORS);
        command.env("MUSTER_TOKEN", TOKEN);
        Server::of(command, 1)
    };
    let ask = |path: &str, client: &str, token: &str| {
        let mut connection = server.connect();
        connection.send(format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: {client}\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        ));
        connection.reply().status
    };
    let save = |client, token: &str| ask("/save_state", client, token);
    assert_eq!(ask("/scrape", "203.0.113.9", "another guess at it"), 200, "a failure reason");
    server.wait_for_log("refused cause=token from=203.0.113.9\n");
    assert_eq!(save("203.0.113.7", TOKEN), 200);
    for guess in 0..5 {
        assert_eq!(save("203.0.113.7", &format!("guess-number-{guess:04}")), 403);
    }
    assert_eq!(save("203.0.113.7", "guess-number-0005"), 429);
    assert_eq!(save("203.0.113.7", TOKEN), 429, "a right guess looks like a wrong one");
    assert_eq!(save("203.0.113.8", TOKEN), 200, "another address is the operator's as ever");
    server.wait_for_log("refused cause=token from=203.0.113.7\n");
}

#[test]
fn one_address_cannot_fill_the_tracker() {
    let bounds = ["--max-torrents", "16"];
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let server = bounded(engine, &bounds);
        for torrent in 1..=2 {
            announced(&announce_from(&server, "127.0.0.9", torrent));
        }
        for torrent in 3..100 {
            let refused = failed(&announce_from(&server, "127.0.0.9", torrent));
            let wanted = "your address has brought 2 torrents to this tracker, as many as one may: \
                          others come in when some of these have gone";
            assert_eq!((refused.reason.as_str(), refused.retry.as_str()), (wanted, "15"));
        }
        let caller = Caller::new("127.0.0.9", server.udp()[0]);
        let other = Announce { info_hash: InfoHash(hash(100)), ..leecher(1) };
        let refused = caller.try_announce(other).expect_err("the same share over UDP");
        assert!(refused.starts_with("your address has brought 2 torrents"), "{refused}");
        announced(&announce_from(&server, "127.0.0.9", 1));
        for source in 10..17 {
            for torrent in 0..2 {
                let reply =
                    announce_from(&server, &format!("127.0.0.{source}"), 2 * source + torrent);
                announced(&reply);
            }
        }
        // Now it is full, and says so to everybody who brings a torrent.
        let refused = failed(&announce_from(&server, "127.0.0.17", 200));
        let wanted = "this tracker is full: it tracks 16 torrents, as many as it may";
        assert_eq!((refused.reason.as_str(), refused.retry.as_str()), (wanted, "15"));
        announced(&announce_from(&server, "127.0.0.17", 1));
        let names =
            ["refused_torrent_share", "refused_full", "max_torrents", "max_torrents_per_ip"];
        assert_eq!(names.map(|name| count(&server, name)), [98, 1, 16, 2]);
        server.wait_for_log("refused cause=torrents from=127.0.0.9\n");
        server.wait_for_log("refused a request from 127.0.0.17: this tracker is full");
    }
}

#[test]
fn a_full_tracker_is_logged_once_a_minute_and_serves_its_members() {
    let server = Server::start(&["--max-peers", "2"]);
    for number in [1, 2] {
        let target = announce(&hash(1), &peer(number), 6880 + u16::from(number), 1, "");
        announced(&server.get(target));
    }
    for number in 3..100 {
        let target = announce(&hash(1), &peer(number), 6880 + u16::from(number), 1, "");
        let wanted = "this tracker is full: it tracks 2 peers, as many as it may";
        assert_eq!(failed(&server.get(target)).reason, wanted);
        announced(&server.get(announce(&hash(1), &peer(1), 6881, 1, "")));
    }
    let names = ["refused_full", "peers", "max_peers"];
    assert_eq!(names.map(|name| count(&server, name)), [97, 2, 2]);
    assert_eq!(server.stderr().matches("this tracker is full").count(), 1, "{}", server.stderr());
}

#[test]
fn a_refused_address_is_logged_once_for_each_cause_in_a_form_that_stays() {
    for format in ["text", "json"] {
        let form = ["--log-format", format, "--max-connections-per-ip", "1", "--workers", "1"];
        let server = bounded(Engine::Epoll, &[&FIVE_ANNOUNCES[..], &FIVE_ERRORS, &form].concat());
        for source in ["127.0.0.9", "127.0.0.10"] {
            for _ in 0..20 {
                announce_from(&server, source, 1);
                server.get_from(source, "/refused%20cause=errors%20from=192.0.2.1%0a");
                let agent = "User-Agent: x refused cause=errors from=192.0.2.1";
                let mut connection = server.connect_from(source);
                connection.send(format!("GET /a HTTP/1.1\r\nHost: t\r\n{agent}\r\n\r\n"));
                connection.reply();
            }
            let mut kept = server.connect_from(source);
            kept.send(get("/health"));
            assert_eq!(kept.reply().status, 200);
            let mut next = server.connect_from(source);
            next.send(get("/health"));
            assert_eq!(next.reply().status, 200);
            kept.expect_end();
        }
        // What stands before the message is the time: "2026-11-21T01:30:56Z ", in JSON behind a
        // name and with more quotes.
        let time_bytes = if format == "text" { 21 } else { 31 };
        let lines = || {
            let log = server.stderr();
            let lines = log.lines().filter(|line| line.contains("refused"));
            let mut lines: Vec<String> = lines.map(|line| line[time_bytes..].to_owned()).collect();
            lines.sort();
            lines
        };
        let line = |source, cause| match format {
            "text" => format!("warn  refused cause={cause} from={source}"),
            _ => format!(
                "\"level\":\"warn\",\"message\":\"refused\",\"cause\":\"{cause}\",\
                 \"from\":\"{source}\"}}"
            ),
        };
        let mut wanted: Vec<String> = ["127.0.0.9", "127.0.0.10"]
            .iter()
            .flat_map(|source| ["announces", "connections", "errors"].map(|c| line(source, c)))
            .collect();
        wanted.sort();
        eventually(&wanted, lines);
    }
}
