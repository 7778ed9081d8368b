//! kill -9 at random moments.
//!
//! One client registers torrents without a pause, another asks for saves without a pause, and the
//! program is killed at a random moment: mostly at work, sometimes during its start. Then every
//! registration that was ever acknowledged must be in what it left behind, and nothing of that may
//! be damaged. The next round starts from there.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use muster::request::{InfoHash, Seconds};
use muster::store::{Loaded, Store};
use muster::tracker::{Tolerance, Tracker, TrackerLimits};
use rustix::process::Signal;

use super::{NAME, serve, unix_now};
use crate::harness::{Folder, PATIENCE, Server};

/// Folders, and kills in each: one that has seen too many holds too much to load it so often.
const FOLDERS: u32 = 10;
const ROUNDS: u32 = 20;

fn hash(number: u32) -> InfoHash {
    let mut bytes = [7; 20];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    InfoHash(bytes)
}

/// Whether a request on a connection of its own was answered with 200 before the end.
fn succeeds(address: SocketAddr, request: &str) -> bool {
    let mut reply = Vec::new();
    let mut exchange = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        // However it ends, what came counts.
        let _ = stream.read_to_end(&mut reply);
        Ok::<(), std::io::Error>(())
    };
    exchange().is_ok() && reply.starts_with(b"HTTP/1.1 200 ")
}

/// Registers from this number on until it fails; tells of each that was acknowledged.
fn register(address: SocketAddr, first: u32, acknowledged: &mpsc::Sender<u32>) {
    for number in first.. {
        let body = format!(r#"{{"info_hash": "{}", "name": "{number}"}}"#, hash(number));
        let request = format!(
            "POST /add_torrent_info HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if !succeeds(address, &request) {
            return;
        }
        let _ = acknowledged.send(number);
    }
}

fn save(address: SocketAddr) {
    let request =
        format!("GET /save_state HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    while succeeds(address, &request) {}
}

/// Lets up to 20 ms pass, to end at any moment within whatever is done meanwhile.
fn a_moment(random: &mut fastrand::Rng) {
    let until = Instant::now() + Duration::from_micros(random.u64(..20_000));
    while Instant::now() < until {
        std::thread::yield_now();
    }
}

/// Runs the program and kills it; the last number that was acknowledged.
fn round(state: &Path, first: u32, random: &mut fastrand::Rng) -> Option<u32> {
    if random.u8(..) < 20 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--state-file"]).arg(state);
        let starting = Server::launch(command);
        a_moment(random);
        starting.signal(Signal::KILL);
        return None;
    }
    let server = serve(state, &[]);
    let address = server.tcp();
    let (acknowledged, numbers) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || register(address, first, &acknowledged));
        scope.spawn(move || save(address));
        let first = numbers.recv_timeout(PATIENCE).expect("a registration is acknowledged");
        a_moment(random);
        server.signal(Signal::KILL);
        Some(numbers.iter().last().unwrap_or(first))
    })
}

/// Loads what was left: the first `count` registrations are in it, and nothing is damaged.
fn holds_all(state: &Path, count: u32) {
    let tolerance = Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 };
    let (torrents_max, peers_max) = (1_000_000, 1_000_000);
    let torrents_per_ip_max = torrents_max;
    let limits = TrackerLimits {
        peer_timeout: 1800,
        torrents_max,
        torrents_per_ip_max,
        peers_max,
        tolerance,
    };
    let tracker = Tracker::new(limits);
    let opened = Store::open(state, &tracker, Seconds(90_000), unix_now(), 1800);
    let (_store, Loaded { notes, .. }) = opened.expect("a state that can be read");
    for number in 0..count {
        let known = tracker.summary(&hash(number)).and_then(|torrent| torrent.registration);
        assert_eq!(known.map(|known| known.name), Some(number.to_string()), "of {count}");
    }
    for (_, text) in notes {
        assert!(text.ends_with("was cut short and was dropped"), "{text}");
    }
}

#[test]
fn no_kill_at_any_moment_costs_an_acknowledged_registration() {
    let mut random = fastrand::Rng::new();
    let (mut acknowledged, mut rounds_at_work) = (0, 0);
    for _ in 0..FOLDERS {
        let folder = Folder::new();
        let state = folder.join(NAME);
        let mut next = 0;
        for _ in 0..ROUNDS {
            let last = round(&state, next, &mut random);
            rounds_at_work += u32::from(last.is_some());
            // One that was written and not acknowledged may be there; it is written again.
            next = last.map_or(next, |last| last + 1);
            holds_all(&state, next);
        }
        acknowledged += next;
    }
    let rounds = FOLDERS * ROUNDS;
    println!("{rounds_at_work} of {rounds} kills at work, {acknowledged} acknowledged");
    assert!(rounds_at_work > rounds / 2, "{rounds_at_work} rounds came to work");
    assert!(acknowledged > rounds, "{acknowledged} registrations were acknowledged");
}
