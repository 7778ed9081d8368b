//! Notifications: ready, status, stopping, and the watchdog that only a healthy muster feeds.
//!
//! The test reads the datagram socket that `NOTIFY_SOCKET` names. To hang one thread of the real
//! program and no other, strace delays one of its system calls for ever: SIGSTOP would stop all.
//! Silence cannot be waited for to the end; two seconds stand for it, five times the watchdog's
//! patience.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::connection::{announce, hash, peer};
use crate::harness::{Folder, PATIENCE, Server, is_installed};

use super::Traced;

/// systemd's end, with the program that reports to it.
struct Systemd {
    socket: UnixDatagram,
    folder: Folder,
}

impl Systemd {
    fn new() -> Systemd {
        let folder = Folder::new();
        let socket = UnixDatagram::bind(folder.join("notify")).expect("a path of our own");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        Systemd { socket, folder }
    }

    /// The command that a unit would run, with a shell's words in front of it.
    fn command(&self, before: &[&str], watchdog_millis: u64) -> Command {
        let muster = env!("CARGO_BIN_EXE_muster");
        let mut words = before.iter().copied().chain([muster]);
        let mut command = Command::new(words.next().expect("one at the least"));
        command.args(words).args(["serve", "--listen", "127.0.0.1:0", "--workers", "1"]);
        command.arg("--state-file").arg(self.folder.join("state.json"));
        command.env("NOTIFY_SOCKET", self.folder.join("notify"));
        if watchdog_millis > 0 {
            command.env("WATCHDOG_USEC", (watchdog_millis * 1000).to_string());
        }
        command
    }

    fn start(&self, watchdog_millis: u64) -> Server {
        Server::of(self.command(&[], watchdog_millis), 1)
    }

    /// The next message; `None` if none comes in time.
    fn told(&self) -> Option<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    }
}

#[test]
fn systemd_is_told_that_muster_is_ready_how_it_is_and_that_it_stops() {
    let systemd = Systemd::new();
    let mut server = systemd.start(0);
    assert_eq!(systemd.told().as_deref(), Some("READY=1\nSTATUS=0 peers in 0 torrents"));
    assert_eq!(server.get("/health").status, 200);
    for number in [1, 2] {
        server.get(announce(&hash(1), &peer(number), 6880 + u16::from(number), 1, ""));
    }
    let told = systemd.told();
    // The look may have come between the two.
    let last =
        if told.as_deref() == Some("STATUS=1 peer in 1 torrent") { systemd.told() } else { told };
    assert_eq!(last.as_deref(), Some("STATUS=2 peers in 1 torrent"));
    server.signal(Signal::TERM);
    assert_eq!(systemd.told().as_deref(), Some("STOPPING=1\nSTATUS=stopping"));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn an_idle_muster_feeds_the_watchdog() {
    let systemd = Systemd::new();
    // Long enough for the slowest machine to come round in a quarter of it.
    let _server = systemd.start(2000);
    assert_eq!(systemd.told().as_deref(), Some("READY=1\nSTATUS=0 peers in 0 torrents"));
    for _ in 0..3 {
        assert_eq!(systemd.told().as_deref(), Some("WATCHDOG=1"));
    }
}

#[test]
fn notifications_that_cannot_be_sent_change_nothing() {
    let systemd = Systemd::new();
    let mut command = systemd.command(&[], 1000);
    command.env("NOTIFY_SOCKET", systemd.folder.join("nobody"));
    let mut server = Server::of(command, 1);
    assert_eq!(server.get("/health").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// Runs muster so that its third call of one of these system calls, in each thread that makes it,
/// never comes back, and holds that the watchdog is fed no more once that has happened.
fn a_thread_that_hangs_in(calls: &str) {
    if !is_installed("strace") {
        return;
    }
    let systemd = Systemd::new();
    let inject = format!("inject={calls}:delay_enter=600s:when=3");
    let trace = format!("trace={calls}");
    let quiet = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let server = Server::of(systemd.command(&quiet, 400), 1);
    let _traced = Traced::of(&systemd.folder.join("state.json"));
    assert_eq!(systemd.told().as_deref(), Some("READY=1\nSTATUS=0 peers in 0 torrents"));
    let silence = Duration::from_secs(2);
    systemd.socket.set_read_timeout(Some(silence)).expect("a timeout above zero");
    let give_up = Instant::now() + PATIENCE;
    while systemd.told().is_some() {
        assert!(Instant::now() < give_up, "a thread hangs, and the watchdog is fed");
    }
    server.wait_for_log("systemd's watchdog is not fed");
}

#[test]
fn a_udp_thread_that_hangs_feeds_no_watchdog() {
    a_thread_that_hangs_in("recvfrom");
}

#[test]
fn an_http_worker_that_hangs_feeds_no_watchdog() {
    a_thread_that_hangs_in("epoll_wait,epoll_pwait,epoll_pwait2");
}
