//! The whole program at its bounds: few descriptors, signals, and the engine that cannot face the
//! net.
//!
//! The cases of `tiny_http` are the evidence behind muster's own engine (README, "Design"): they
//! fail on the day it no longer needs its guard.

use std::ffi::OsStr;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::answer::announced;
use crate::connection::{Connection, announce, get, hash, loopback, peer};
use crate::harness::{Engine, Folder, Server, eventually};
use crate::limits::count;

fn announce_is_served(server: &Server) {
    let target = announce(&hash(1), &peer(1), 6881, 1, "");
    assert_eq!(announced(&server.get(target)).counts(), (0, 1, 0));
}

/// Descriptors beyond the usual three that every child of this process gets, because whoever
/// started it passed them on: fdinfo has the flags of open(2) in octal, which `O_CLOEXEC` is among.
fn passed_on() -> u32 {
    let stays = |number: &str| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        let flags = u32::from_str_radix(flags.trim(), 8).ok()?;
        Some(flags & OFlags::CLOEXEC.bits() == 0 && number.parse::<u32>().ok()? > 2)
    };
    let all = std::fs::read_dir("/proc/self/fd").expect("Linux").flatten();
    all.filter(|entry| entry.file_name().to_str().and_then(stays) == Some(true)).count() as u32
}

/// The program, allowed so many open descriptors besides those passed on.
fn with_descriptors(count: u32, options: &[&OsStr]) -> Server {
    let count = count + passed_on();
    let script =
        format!("ulimit -n {count}; exec \"$0\" serve --listen 127.0.0.1:0 --workers 1 \"$@\"");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_muster")]).args(options);
    Server::of(command, 1)
}

#[test]
fn two_hundred_connections_to_sixty_four_descriptors_are_survived() {
    let server = with_descriptors(64, &[]);
    let connections: Vec<Connection> = (0..200).map(|_| server.connect()).collect();
    announce_is_served(&server);
    drop(connections);
    announce_is_served(&server);
}

/// A full pipe takes no line: whoever logs must not wait for it.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let script = "mkfifo log; exec 3<>log; head -c 65536 /dev/zero >&3; exec \"$0\" serve \
                  --listen 127.0.0.1:0 --workers 2 --unlimited-networks '' 2>&3";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_muster")]);
    let mut server = Server::of(command, 1);
    for last in 1..=200 {
        let mut guess = Connection::from(loopback(last), server.tcp());
        guess.send(
            "GET /save_state HTTP/1.1\r\nHost: 127.0.0.1\r\nVia: t\r\n\
             Authorization: Bearer 0123456789abcdef\r\n\r\n",
        );
        assert_eq!(guess.reply().status, 403);
    }
    assert_eq!(server.get("/health").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// Three quarters of so few would leave none to write the state with.
#[test]
fn under_a_crowd_there_are_descriptors_left_to_save_with() {
    let folder = Folder::new();
    let state = folder.join("state.json");
    let server = with_descriptors(28, &["--state-file".as_ref(), state.as_os_str()]);
    server.wait_for_log("are left for connections: raise the limit");
    let connections: Vec<Connection> = (0..60).map(|_| server.connect()).collect();
    let mut operator = server.connect();
    operator.send("GET /save_state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let reply = operator.reply();
    assert_eq!(reply.status, 200, "{reply:?}");
    let open = server.descriptors().len();
    let most = 28 + passed_on() as usize - 8;
    assert!(open <= most, "{open} descriptors are taken of {most} and 8");
    drop(connections);
}

/// So few that `accept` itself fails, not only the bound on connections is reached.
#[test]
fn running_out_of_descriptors_is_survived_and_logged_once() {
    let mut server = Server::start(&["--workers", "1"]);
    // One more than it has, whatever it got from whoever started it.
    let open = server.descriptors();
    let mut unused = (0..).filter(|number| !open.contains(number));
    server.limit_descriptors(unused.nth(1));
    let connections: Vec<Connection> = (0..200).map(|_| server.connect()).collect();
    server.wait_for_log("no descriptors left");
    // Each time that it fails, one connection makes room for the next.
    let made_room = || connections.iter().filter(|connection| !connection.is_silent()).count() > 3;
    eventually(&true, made_room);
    drop(connections);
    announce_is_served(&server);
    assert_eq!(server.stderr().matches("no descriptors left").count(), 1, "not once an accept");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_request_half_sent_at_sigterm_may_finish() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&["--workers", "1"]);
        let mut idle = server.connect();
        assert_eq!(idle.get("/health").status, 200);
        let mut half = server.connect();
        half.send("GET /health HTTP/1.1\r\nHo");
        assert_eq!(server.get("/health").status, 200, "both have been seen");
        server.signal(signal);
        server.wait_for_log("stopping");
        idle.expect_end();
        half.send("st: t\r\n\r\n");
        let reply = half.reply();
        assert_eq!((reply.status, reply.says_close()), (200, true));
        half.expect_end();
        assert_eq!(server.wait().code(), Some(0), "after {signal:?}");
    }
}

#[test]
fn a_request_never_finished_holds_a_stop_for_five_seconds_at_most() {
    let mut server = Server::start(&["--workers", "1"]);
    let mut half = server.connect();
    half.send("GET /health HTTP/1.1\r\nHo");
    assert_eq!(server.get("/health").status, 200, "it has been seen");
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(4), "it had {waited:?} to finish");
    assert!(waited < Duration::from_secs(8), "and no more than 5 s: {waited:?}");
    half.expect_end();
}

#[test]
fn a_client_that_takes_nothing_does_not_hold_up_a_stop_of_tiny_http() {
    let mut server = Server::with(Engine::TinyHttp, &["--workers", "1"]);
    let mut greedy = Connection::with_room(loopback(1), server.tcp(), Some(4096));
    // More than the socket takes, from a client that reads none of it.
    greedy.send(get("/").repeat(10_000));
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(8), "5 s and no more: {waited:?}");
}

#[test]
fn who_has_connected_before_a_stop_is_still_answered() {
    let mut server = Server::start(&["--workers", "1", "--max-connections-per-ip", "1000"]);
    server.signal(Signal::STOP);
    // More than are accepted in one go.
    let mut waiting: Vec<Connection> = (0..200).map(|_| server.connect()).collect();
    for connection in &mut waiting {
        connection.send(get("/health"));
    }
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    for connection in &mut waiting {
        assert_eq!(connection.reply().status, 200);
    }
    assert_eq!(server.wait().code(), Some(0));
}

/// A request may take a moment after its connection: a stop waits that long for it.
#[test]
fn who_has_not_asked_yet_at_a_stop_has_a_second_for_it() {
    let mut server = Server::start(&["--workers", "1"]);
    let late = server.connect();
    assert_eq!(server.get("/health").status, 200, "it has been seen");
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(900), "it had {waited:?}");
    late.expect_end();
}

/// How many of some connections are still open.
fn kept(connections: &[Connection]) -> usize {
    connections.iter().filter(|connection| connection.is_silent()).count()
}

fn four_workers(bounds: [&str; 4]) -> Server {
    Server::start(&[&["--workers", "4", "--log-level", "error"], &bounds[..]].concat())
}

/// The kernel gives most connections of a quiet host to one worker, and to which is its choice.
#[test]
fn four_workers_together_keep_as_many_connections_of_an_address_as_one_may() {
    let server = four_workers(["--max-connections", "1000", "--max-connections-per-ip", "12"]);
    let mut first: Vec<Connection> = (0..12).map(|_| server.connect_from("127.0.0.9")).collect();
    for _ in 0..3 {
        assert!(first.iter_mut().all(|connection| connection.get("/health").status == 200));
    }
    let more: Vec<Connection> = (0..60).map(|_| server.connect_from("127.0.0.9")).collect();
    assert_eq!(server.connect_from("127.0.0.8").get("/health").status, 200);
    eventually(&12, || kept(&first) + kept(&more));
    eventually(&60, || count(&server, "connections_refused"));
    // One may come to one worker just when another has closed one and not yet taken its own in.
    let told = count(&server, "connections_refused_per_ip");
    assert!((45..=60).contains(&told), "{told} of 60 found as many as may be");
    assert_eq!(kept(&first) + kept(&more), 12);
}

#[test]
fn four_workers_together_keep_as_many_connections_as_may_be() {
    let server = four_workers(["--max-connections", "40", "--max-connections-per-ip", "1000"]);
    let from = |last: u8| Connection::from(loopback(last), server.tcp());
    let mut first: Vec<Connection> = (1..=40).map(from).collect();
    for _ in 0..3 {
        assert!(first.iter_mut().all(|connection| connection.get("/health").status == 200));
    }
    let more: Vec<Connection> = (41..=200).map(from).collect();
    eventually(&40, || kept(&first) + kept(&more));
    announce_is_served(&server);
}

#[test]
fn a_second_signal_ends_the_program_at_once() {
    let mut server = Server::start(&["--workers", "1"]);
    let mut half = server.connect();
    half.send("GET /health HTTP/1.1\r\nHo");
    assert_eq!(server.get("/health").status, 200, "it has been seen");
    let begun = Instant::now();
    server.signal(Signal::TERM);
    server.wait_for_log("stopping");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(128 + 15), "as shells report an end by SIGTERM");
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(3), "the first request had {waited:?}");
    half.expect_end();
}

#[test]
fn sigterm_ends_a_process_that_serves_with_tiny_http() {
    let mut server = Server::with(Engine::TinyHttp, &[]);
    let mut idle = server.connect();
    assert_eq!(idle.get("/health").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    idle.expect_end();
}

/// Seventy bytes: `EqualReader`'s drop in `tiny_http` 0.12 allocates as much as the length says.
const KILLER: &str = "POST / HTTP/1.1\r\nHost: tracker\r\nContent-Length: 999999999999999\r\n\r\n";

#[test]
fn seventy_bytes_end_a_process_that_serves_with_tiny_http() {
    let mut server = Server::with(Engine::TinyHttp, &[]);
    announce_is_served(&server);
    server.connect().send(KILLER);
    let status = server.wait();
    assert!(!status.success(), "tiny_http has learnt to withstand it ({status}): say so in README");
    let log = server.stderr();
    assert!(log.contains("memory allocation of 999999999999999 bytes failed"), "{log}");
}

#[test]
fn seventy_bytes_do_nothing_to_the_epoll_engine() {
    let mut server = Server::with(Engine::Epoll, &[]);
    for _ in 0..3 {
        let mut connection = server.connect();
        connection.send(KILLER);
        let reply = connection.reply();
        assert_eq!((reply.status, reply.says_close()), (405, true), "{reply:?}");
        connection.expect_end();
        announce_is_served(&server);
    }
    assert!(server.runs());
}

#[test]
fn tiny_http_listens_beyond_this_host_only_if_the_risk_is_accepted() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["serve", "--http-engine", "tiny_http", "--listen", listen]);
        let mut server = Server::launch(command);
        assert!(!server.wait().success(), "{listen}");
        let log = server.stderr();
        assert_eq!(log.lines().count(), 1, "one line: {log}");
        assert!(log.contains("allow-tiny-http-remote-crash"), "it names the way out: {log}");
        assert!(log.contains(listen), "it names the address: {log}");
        assert_eq!(server.stdout(), "");

        let accepted = ["--http-engine", "tiny_http", "--allow-tiny-http-remote-crash"];
        let server = Server::listening(&[listen], &accepted);
        let port = server.tcp().port();
        let mut connection = Connection::to(([127, 0, 0, 1], port).into());
        assert_eq!(connection.get("/health").status, 200, "{listen}");
    }
}
