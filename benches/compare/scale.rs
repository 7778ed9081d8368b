//! How muster's costs grow: with peers, with torrents, with a swarm, with workers; what a save, a
//! load and a sweep take, and what an idle tracker does.
//!
//! Each size has a process of its own, filled over UDP by peers that name an address each, then
//! measured. The largest holds five million peers in 400 MB and saves them to a file of 1 GB.
//! Everything is started, measured and ended one after the other; all of it takes ten minutes.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use muster::clock::{Clock, Stopwatch};
use muster::load::crowd::{CrowdSize, Popularity};
use muster::load::pace::Span;
use muster::load::process::Usage;
use muster::load::{Outcome, Plan, Way};

use super::contestant::{Running, muster};
use super::plot::{Bar, svg};
use super::table::{cpu, grouped, machine, median, micros};
use super::{folder, measure, plan};

/// Torrents and peers.
const SIZES: [(u32, u32); 7] = [
    (10, 1_000),
    (1_000, 100_000),
    (10_000, 1_000_000),
    (50_000, 5_000_000),
    (100, 1_000_000),
    (1_000_000, 1_000_000),
    (1, 1_000_000),
];
/// How often each size is measured each way.
const ROUNDS: usize = 3;
/// At which rate latencies are looked at: little enough for any machine to keep.
const RATE: u32 = 2_000;
const SECOND: u64 = 1_000_000_000;

/// Measures the sizes given as `TORRENTS/PEERS`, or those above.
pub fn run(words: &[&str]) {
    let mut sizes: Vec<(u32, u32)> = words.iter().map(|word| parse_size(word)).collect();
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    let folder = folder("scale");
    let mut text = format!("`make bench-scale`, {}.\n\n", machine());
    text += &idle(&folder);
    text += &growth(&folder, &sizes);
    text += &workers(&folder);
    text += &disturbed(&folder);
    println!("{text}");
    let path = folder.with_file_name("scale.md");
    fs::write(&path, text).expect("the target folder is ours");
}

fn parse_size(word: &str) -> (u32, u32) {
    let (torrents, peers) = word.split_once('/').expect("TORRENTS/PEERS");
    (torrents.parse().expect("torrents"), peers.parse().expect("peers"))
}

fn crowd(torrents: u32, peers: u32) -> CrowdSize {
    CrowdSize { torrents, peers, seeds: 10, popularity: Popularity::Uniform }
}

fn named(running: &Running, way: Way, crowd: CrowdSize) -> Plan {
    Plan { names_addresses: true, ..plan(running, way, crowd) }
}

/// Lets every peer announce once.
fn fill(running: &Running, crowd: CrowdSize) -> Outcome {
    let once = Plan { fill: true, span: Span::Count(1), ..named(running, Way::Udp, crowd) };
    let outcome = measure("fill", &once);
    let fill = outcome.fill.as_ref().expect("it was asked for");
    assert!(fill.failed() * 100 < fill.answered, "{} failed", fill.failed());
    outcome
}

fn resident(running: &Running) -> Usage {
    Usage::of(running.pid()).expect("it runs")
}

/// GETs a page; the body as text.
fn get(running: &Running, target: &str) -> String {
    let mut stream = TcpStream::connect(running.address).expect("it listens");
    let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers");
    reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("a head and a body")
}

// -- idle -----------------------------------------------------------------------------------------

/// How often the threads of a process have gone to rest by themselves: once for each wake-up.
fn rests(running: &Running) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid())).expect("it runs");
    let counts = tasks.map(|task| {
        let text = fs::read_to_string(task.expect("a thread").path().join("status"));
        let text = text.unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|line| line.trim().parse::<u64>().ok()).unwrap_or(0)
    });
    counts.sum()
}

fn idle(folder: &Path) -> String {
    const SECONDS: u64 = 20;
    let running = muster(folder, &["--state-file", ""]);
    let clock = Clock::new();
    clock.wait(clock.millis() + 2_000, || false);
    let before = rests(&running);
    clock.wait(clock.millis() + SECONDS * 1000, || false);
    let rests = rests(&running) - before;
    format!(
        "Idle, with nothing tracked: {} KiB resident, {rests} wake-ups in {SECONDS} s.\n",
        resident(&running).resident_bytes / 1024
    )
}

// -- growth ---------------------------------------------------------------------------------------

fn growth(folder: &Path, sizes: &[(u32, u32)]) -> String {
    let mut text =
        "\n| torrents | peers | UDP us | kept us | each us | bytes a peer | MB | save ms \
                    | file MB | MB at the most | load ms |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let mut bars = Vec::new();
    for &(torrents, peers) in sizes {
        eprintln!("{torrents} torrents, {peers} peers");
        let size = grown(folder, crowd(torrents, peers));
        let _ = writeln!(text, "{}", size.row);
        let groups = ["UDP", "HTTP, kept", "HTTP, a connection each"];
        let [of_torrents, of_peers] = [torrents, peers].map(|count| grouped(count.into()));
        for (group, nanos) in groups.iter().zip(size.nanos) {
            bars.push(Bar {
                group: (*group).to_owned(),
                name: format!("{of_torrents} torrents, {of_peers} peers"),
                value: f64::from(u32::try_from(nanos).unwrap_or(u32::MAX)) / 1000.0,
                ours: true,
            });
        }
    }
    bars.sort_by(|a, b| a.group.cmp(&b.group));
    let plot = svg("CPU time of an announce, microseconds (logarithmic scale)", &bars);
    fs::write(folder.with_file_name("scale.svg"), plot).expect("the target folder is ours");
    text
}

struct Grown {
    row: String,
    nanos: [u64; 3],
}

fn grown(folder: &Path, crowd: CrowdSize) -> Grown {
    let state = folder.join("state.json");
    let options = ["--workers", "1", "--autosave-interval", "0", "--state-file"];
    let options = [&options[..], &[state.to_str().expect("a path of text")]].concat();
    let running = muster(folder, &options);
    let empty = resident(&running).resident_bytes;
    fill(&running, crowd);
    let full = resident(&running).resident_bytes;
    let nanos = [Way::Udp, Way::Keep, Way::Each].map(|way| {
        let round = |_| cpu(&measure("muster", &named(&running, way, crowd))).0;
        median((0..ROUNDS).map(round))
    });
    let saved: serde_json::Value =
        serde_json::from_str(&get(&running, "/save_state")).expect("JSON");
    let peak = resident(&running).resident_peak_bytes;
    drop(running);
    let watch = Stopwatch::start();
    let again = muster(folder, &options);
    let load_millis = watch.nanos() / 1_000_000;
    drop(again);
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("the target folder is ours");
    let row = format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {load_millis} |",
        grouped(crowd.torrents.into()),
        grouped(crowd.peers.into()),
        micros(nanos[0]),
        micros(nanos[1]),
        micros(nanos[2]),
        full.saturating_sub(empty) / u64::from(crowd.peers),
        full / 1_000_000,
        saved["milliseconds"],
        saved["bytes"].as_u64().unwrap_or(0) / 1_000_000,
        peak / 1_000_000,
    );
    Grown { row, nanos }
}

// -- workers --------------------------------------------------------------------------------------

fn workers(folder: &Path) -> String {
    let mut text = "\n| workers | UDP/s | kept/s | each/s |\n|---|---|---|---|\n".to_owned();
    let crowd = crowd(1_000, 100_000);
    for workers in ["1", "2"] {
        let running = muster(folder, &["--state-file", "", "--workers", workers]);
        fill(&running, crowd);
        let rates = [Way::Udp, Way::Keep, Way::Each].map(|way| {
            let plan = Plan { threads: 2, ..named(&running, way, crowd) };
            grouped(median((0..ROUNDS).map(|_| measure("muster", &plan).per_second())))
        });
        let _ = writeln!(text, "| {workers} | {} |", rates.join(" | "));
    }
    text
}

// -- disturbed ------------------------------------------------------------------------------------

/// Latencies at a rate with a million peers: with nothing else to do, during saves, during a sweep
/// that forgets nobody, and during those that forget them all.
fn disturbed(folder: &Path) -> String {
    let mut text = format!(
        "\n| {} announces a second over UDP, a million peers | p50 us | p99 us | p99.9 us | max us \
         |\n|---|---|---|---|---|\n",
        grouped(RATE.into())
    );
    let mut row = |name: &str, outcome: &Outcome| {
        let at = |per_mille| micros(outcome.tally.latency.quantile(per_mille));
        let max = micros(outcome.tally.latency.max());
        let _ = writeln!(text, "| {name} | {} | {} | {} | {max} |", at(500), at(990), at(999));
    };
    let crowd = crowd(10_000, 1_000_000);
    let state = folder.join("state.json");
    let options = ["--peer-timeout", "60", "--announce-interval", "30", "--min-interval", "10"];
    let options = [
        &options[..],
        &["--autosave-interval", "0", "--state-file", state.to_str().expect("a path of text")],
    ]
    .concat();
    let running = muster(folder, &options);
    let at_rate = |seconds: u64| {
        let span = Span::Nanos(seconds * SECOND);
        let plan = Plan { rate: Some(RATE), span, ..named(&running, Way::Udp, crowd) };
        measure("muster", &plan)
    };
    fill(&running, crowd);
    row("quiet", &at_rate(5));
    let done = AtomicBool::new(false);
    let (saves, outcome) = std::thread::scope(|scope| {
        let saving = scope.spawn(|| {
            let mut saves = 0;
            while !done.load(Ordering::Relaxed) {
                get(&running, "/save_state");
                saves += 1;
            }
            saves
        });
        let outcome = at_rate(5);
        done.store(true, Ordering::Relaxed);
        (saving.join().expect("no panic"), outcome)
    });
    row(&format!("{saves} saves, one after the other"), &outcome);
    // The sweeper comes every 30 s; within 95 s all who have not announced again are forgotten.
    row("95 s of sweeps, which forget most of them", &at_rate(95));
    text
}
