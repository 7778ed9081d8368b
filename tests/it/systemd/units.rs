//! The units: what systemd makes of them, and that muster needs nothing they forbid.
//!
//! `systemd-analyze` reads them as systemd would, and rates how much the service could do to the
//! host. strace writes down what a whole run asks of the kernel: start, announces over HTTP and
//! UDP, saves, notifications, stop. Each call, address family and opened path is held against the
//! unit, so the rating was not bought with a service that cannot run.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::connection::{Connection, announce, hash, peer};
use crate::harness::{Folder, PATIENCE, Server, is_installed};

use super::Traced;
use super::install::System;
use super::sockets::CONNECT;

/// What the overall exposure may be at the most; a service without any of it has 9.6.
const EXPOSURE_MAX: f64 = 1.5;
const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/systemd/muster.service");

/// What a program prints to stdout; its end has to be a good one.
fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("it is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    assert_eq!(said, "", "{program} {arguments:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_service_is_exposed_to_one_and_a_half_at_the_most() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let said = output_of("systemd-analyze", &["security", "--offline=true", "--no-pager", UNIT]);
    let line = said.lines().find(|line| line.contains("Overall exposure level")).expect(&said);
    let words = line.rsplit(": ").next().and_then(|words| words.split(' ').next());
    let exposure: f64 = words.and_then(|number| number.parse().ok()).expect(line);
    assert!(exposure <= EXPOSURE_MAX, "{line}");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if !is_installed("systemd-analyze") {
        return;
    }
    let system = System::new();
    // Not under DESTDIR, so that the program is where the unit says.
    let prefix = format!("PREFIX={}", system.path("usr").display());
    let etc = format!("SYSCONFDIR={}", system.path("etc").display());
    assert!(system.make("install", &[&prefix, &etc]).status.success());
    for unit in ["muster.service", "muster.socket"] {
        let path = system.path("usr/lib/systemd/system").join(unit);
        let path = path.to_str().expect("a path in UTF-8");
        assert_eq!(output_of("systemd-analyze", &["verify", "--man=no", path]), "");
    }
}

/// The values of a setting of the unit, in order.
fn settings(unit: &str, name: &str) -> Vec<String> {
    let prefix = format!("{name}=");
    unit.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
}

/// Adds the system calls of a set such as `@system-service`, and of the sets within it.
fn expand(set: &str, calls: &mut BTreeSet<String>) {
    for word in output_of("systemd-analyze", &["syscall-filter", set]).lines().skip(1) {
        let word = word.trim();
        if word.starts_with('@') {
            expand(word, calls);
        } else if !word.starts_with('#') && !word.is_empty() {
            calls.insert(word.to_owned());
        }
    }
}

/// The system calls that the unit allows.
fn allowed_calls(unit: &str) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for line in settings(unit, "SystemCallFilter") {
        let (denies, sets) = match line.strip_prefix('~') {
            Some(sets) => (true, sets),
            None => (false, &*line),
        };
        let mut calls = BTreeSet::new();
        sets.split(' ').for_each(|set| expand(set, &mut calls));
        if denies {
            allowed.retain(|call| !calls.contains(call));
        } else {
            allowed.append(&mut calls);
        }
    }
    allowed
}

/// A whole life of muster in this folder, as strace writes it down.
fn trace_of_a_run(folder: &Folder) -> String {
    let trace = folder.join("trace");
    let notify = std::os::unix::net::UnixDatagram::bind(folder.join("notify"));
    let _systemd = notify.expect("a path of our own");
    let mut command = Command::new("strace");
    command.args(["-f", "-qqq", "-y", "-o"]).arg(&trace);
    command.args([env!("CARGO_BIN_EXE_muster"), "serve"]);
    command.args(["--listen", "[::]:0", "--listen", "127.0.0.1:0"]);
    command.arg("--state-file").arg(folder.join("state.json"));
    command.env("NOTIFY_SOCKET", folder.join("notify")).env("WATCHDOG_USEC", "400000");
    let mut server = Server::of(command, 2);
    let traced = Traced::of(&folder.join("state.json"));
    let port = server.tcp().port();
    let ask = |request: &str| {
        let mut connection = Connection::to(([127, 0, 0, 1], port).into());
        connection.send(request);
        assert_eq!(connection.reply().status, 200, "{request}");
    };
    let target = announce(&hash(1), &peer(1), 6881, 1, "");
    ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let body = format!("{{\"info_hash\": \"{}\", \"name\": \"a\"}}", "0".repeat(40));
    ask(&format!(
        "POST /add_torrent_info HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    ask("GET /save_state HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    udp.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    udp.send_to(CONNECT, ("127.0.0.1", port)).expect("the packet is sent");
    assert_eq!(udp.recv(&mut [0; 64]).expect("a reply"), 16);
    traced.signal(Signal::USR1);
    server.wait_for_log("SIGUSR1: saved");
    traced.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    std::fs::read_to_string(trace).expect("strace has written it")
}

/// Whether a traced call opened a path to write to it.
fn opened_for_writing(call: &str) -> Option<&str> {
    let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| call.contains(flag));
    let path = call.strip_prefix("openat(")?.split('"').nth(1)?;
    writes.then_some(path)
}

#[test]
fn a_whole_run_asks_for_nothing_that_the_unit_forbids() {
    if !is_installed("systemd-analyze") || !is_installed("strace") {
        return;
    }
    let unit = std::fs::read_to_string(UNIT).expect("the unit is there");
    let allowed = allowed_calls(&unit);
    let families = settings(&unit, "RestrictAddressFamilies");
    let families: BTreeSet<&str> = families.iter().flat_map(|line| line.split(' ')).collect();
    let folder = Folder::new();
    let trace = trace_of_a_run(&folder);
    let (mut calls, mut used) = (BTreeSet::new(), BTreeSet::new());
    for line in trace.lines() {
        // A process's number, then a call, a signal or the rest of a call that others interrupted.
        let call = line.trim_start_matches(|character: char| character.is_ascii_digit()).trim();
        let Some((name, arguments)) = call.split_once('(') else { continue };
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        calls.insert(name);
        if let ("socket" | "socketpair", Some(family)) = (name, arguments.split(',').next()) {
            used.insert(family);
        }
        let both = arguments.contains("PROT_WRITE") && arguments.contains("PROT_EXEC");
        assert!(!both, "MemoryDenyWriteExecute: {line}");
        if let Some(path) = opened_for_writing(call) {
            assert!(Path::new(path).starts_with(folder.path()), "ProtectSystem: {line}");
        }
    }
    let forbidden: Vec<_> = calls.iter().filter(|call| !allowed.contains(**call)).collect();
    assert!(forbidden.is_empty(), "SystemCallFilter forbids {forbidden:?}");
    assert!(calls.contains("epoll_ctl") && calls.contains("fsync"), "{calls:?}");
    // Each family that the unit allows is needed: AF_NETLINK for the host's addresses, AF_UNIX for
    // notifications.
    assert_eq!(used, families);
}
