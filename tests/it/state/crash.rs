//! kill -9 at random moments.
//!
//! The writer is this test's own program, started again in a process of its own: it registers
//! without a pause, one thread saves without a pause beside it, and a line on stdout acknowledges
//! each registration after [`Store::register`] has returned. It is killed at a random moment; then
//! every registration ever acknowledged must be there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use muster::registration::Registration;
use muster::request::{InfoHash, Seconds};
use muster::store::{Loaded, Store};
use muster::tracker::{Tolerance, Tracker, TrackerLimits};

use super::{NAME, unix_now};
use crate::harness::{Folder, PATIENCE};

/// Set in the writer's process: the state file, and the number of its first registration.
const WRITER: &str = "STATE_TEST_WRITER";
/// Folders, and kills in each: one that has seen too many holds too much to load it so often.
const FOLDERS: u32 = 10;
const ROUNDS: u32 = 20;
const NOW: Seconds = Seconds(90_000);

fn open(state: &Path) -> (Tracker, Store, Loaded) {
    let tolerance = Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 };
    let (torrents_max, peers_max) = (1_000_000, 1_000_000);
    let tracker =
        Tracker::new(TrackerLimits { peer_timeout: 1800, torrents_max, peers_max, tolerance });
    let (store, loaded) =
        Store::open(state, &tracker, NOW, unix_now(), 1800).expect("a state that can be read");
    (tracker, store, loaded)
}

fn hash(number: u32) -> InfoHash {
    let mut bytes = [7; 20];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    InfoHash(bytes)
}

/// Registers and saves until it is killed.
fn write_until_killed(state: &Path, first: u32) -> ! {
    let (tracker, store, _) = open(state);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                store.save(&tracker, NOW, unix_now()).expect("a save");
            }
        });
        let mut out = std::io::stdout();
        for number in first.. {
            let registration = Registration { name: number.to_string(), ..Registration::default() };
            store.register(&tracker, &hash(number), registration, NOW).expect("a registration");
            // The test that reads it may be gone.
            let _ = out.write_all(format!("ack {number}\n").as_bytes()).and_then(|()| out.flush());
        }
        unreachable!("there are more numbers than moments")
    })
}

/// Starts a writer, kills it at a random moment, and returns the last number it acknowledged.
fn round(state: &Path, first: u32, random: &mut fastrand::Rng) -> Option<u32> {
    let test = "state::crash::no_kill_at_any_moment_costs_an_acknowledged_registration";
    let mut writer = Command::new(std::env::current_exe().expect("a test has a program"))
        .args(["--exact", test, "--nocapture"])
        .env(WRITER, format!("{first} {}", state.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test's program starts");
    let stdout = writer.stdout.take().expect("a pipe");
    let (lines, acknowledged) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let numbers = BufReader::new(stdout).lines().map_while(Result::ok);
        let numbers = numbers.filter_map(|line| line.strip_prefix("ack ")?.parse::<u32>().ok());
        numbers.map(|number| _ = lines.send(number)).count()
    });
    // Most rounds let it come to work first; some kill it during its start.
    let mut last = None;
    if random.u8(..) > 20 {
        last = Some(acknowledged.recv_timeout(PATIENCE).expect("the writer gets to work"));
    }
    let until = Instant::now() + Duration::from_micros(random.u64(..20_000));
    while Instant::now() < until {
        std::thread::yield_now();
    }
    writer.kill().expect("the process is ours");
    writer.wait().expect("the process is ours");
    reader.join().expect("the reader does not panic");
    acknowledged.try_iter().last().or(last)
}

#[test]
fn no_kill_at_any_moment_costs_an_acknowledged_registration() {
    if let Ok(writer) = std::env::var(WRITER) {
        let (first, state) = writer.split_once(' ').expect("a number and a path");
        write_until_killed(&PathBuf::from(state), first.parse().expect("a number"));
    }
    let mut random = fastrand::Rng::new();
    let (mut acknowledged, mut rounds_at_work) = (0, 0);
    for _ in 0..FOLDERS {
        let folder = Folder::new();
        let mut next = 0;
        for _ in 0..ROUNDS {
            let last = round(&folder.join(NAME), next, &mut random);
            rounds_at_work += u32::from(last.is_some());
            // One that was written and not acknowledged may be there; it is written again.
            next = last.map_or(next, |last| last + 1);
            holds_all(&folder.join(NAME), next);
        }
        acknowledged += next;
    }
    let rounds = FOLDERS * ROUNDS;
    assert!(rounds_at_work > rounds / 2, "{rounds_at_work} rounds came to work");
    assert!(acknowledged > rounds, "{acknowledged} registrations were acknowledged");
}

/// Loads what a killed writer has left: the first `count` registrations, and nothing damaged.
fn holds_all(state: &Path, count: u32) {
    let (tracker, _store, loaded) = open(state);
    for number in 0..count {
        let known = tracker.summary(&hash(number)).and_then(|torrent| torrent.registration);
        assert_eq!(known.map(|known| known.name), Some(number.to_string()), "of {count}");
    }
    for (_, text) in &loaded.notes {
        assert!(text.ends_with("was cut short and was dropped"), "{text}");
    }
}
