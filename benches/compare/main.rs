//! Trackers side by side: what an announce costs each of them in CPU time, how many a second it
//! answers, how long one takes, what memory it holds.
//!
//! `make bench` compares everybody who is installed with a responder that does nothing, the limit;
//! `make bench-scale` measures muster alone, at any size and in more ways (`scale`). Every tracker
//! is filled once and then measured in each round after the others, so that what else the machine
//! does hits all alike, and again where it did too much (`quiet`); the medians are shown. The load
//! comes from this process, with the load generator of `muster bench`, over loopback. Tables and
//! plots go to `target/bench`.

mod contestant;
mod growth;
mod idle;
mod latency;
mod logging;
mod null;
mod plot;
mod quiet;
mod scale;
mod table;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use muster::load::crowd::{Crowd, CrowdSize, Popularity};
use muster::load::pace::Span;
use muster::load::{self, Outcome, Plan, Way};

use contestant::{Contestant, Running};

/// 60 peers in a torrent, so that 50 of them can be listed for anybody.
const CROWD: CrowdSize =
    CrowdSize { torrents: 10_000, peers: 600_000, seeds: 10, popularity: Popularity::Uniform };
/// One measurement of one tracker.
const MEASURE_NANOS: u64 = 1_500_000_000;
/// Announces under way.
const CONNECTIONS: u32 = 32;

fn main() {
    // Cargo itself passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["null", "each"] => null::serve(Way::Each),
        ["null", "keep"] => null::serve(Way::Keep),
        ["null", "udp"] => null::serve(Way::Udp),
        ["scale", ref sizes @ ..] => scale::run(sizes),
        ["compare", rounds, ref rest @ ..] => {
            let rounds = rounds.parse().expect("a number of rounds");
            compare(rounds, rest.contains(&"readme"));
        }
        _ => compare(5, false),
    }
}

/// An empty folder under `target`.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the target folder is ours");
    folder
}

/// A plan against a tracker, which the callers change where they want something else.
fn plan(address: SocketAddr, way: Way, crowd: CrowdSize, pid: Option<u32>) -> Plan {
    Plan {
        address,
        way,
        authority: address.to_string(),
        target: "/announce".to_owned(),
        crowd,
        numwant: 50,
        fill: false,
        span: Span::Nanos(MEASURE_NANOS),
        rate: None,
        connections: CONNECTIONS,
        clients: 1,
        names_addresses: false,
        threads: 1,
        timeout_nanos: 20_000_000_000,
        pid,
    }
}

/// The plan of the comparison.
fn plan_for(running: &Running, way: Way) -> Plan {
    plan(running.address, way, CROWD, Some(running.pid()))
}

/// Measures, if need be again, or says what stands in the way.
fn measure(name: &str, plan: &Plan) -> Outcome {
    quiet::undisturbed(|| measure_once(name, plan))
}

/// As [`measure`], whatever else the machine does.
fn measure_once(name: &str, plan: &Plan) -> Outcome {
    let outcome = load::run(plan).unwrap_or_else(|text| panic!("{name}: {text}"));
    for (kind, faults) in outcome.tally.faults().filter(|(_, faults)| faults.count > 0) {
        eprintln!("{name}: {} announces {}: {}", faults.count, kind.name(), faults.example);
    }
    outcome
}

fn compare(rounds: usize, into_readme: bool) {
    let crowd = Crowd::new(CROWD);
    let folder = folder("compare");
    let (others, absent) = contestant::others(&folder, &crowd, CROWD.torrents);
    let contestants: Vec<Contestant> = [contestant::null()].into_iter().chain(others).collect();
    for contestant in &contestants {
        fill(contestant);
    }
    let mut rows = Vec::new();
    for contestant in &contestants {
        for (way, process) in &contestant.ways {
            rows.push((contestant, *way, *process, Vec::new()));
        }
    }
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (contestant, way, process, outcomes) in &mut rows {
            let running = &contestant.running[*process];
            outcomes.push(measure(contestant.name, &plan_for(running, *way)));
        }
    }
    let rows: Vec<table::Row> = rows
        .into_iter()
        .map(|(contestant, way, _, outcomes)| table::Row::new(contestant.name, way, &outcomes))
        .collect();
    table::write(&rows, &absent, rounds, into_readme);
}

/// Lets every peer announce once to each process, over UDP where it is served: that is fastest.
fn fill(contestant: &Contestant) {
    for (nth, running) in contestant.running.iter().enumerate() {
        let mut ways = contestant.ways.iter().filter(|(_, process)| *process == nth);
        let Some((way, _)) = ways.next_back() else { continue };
        if contestant.name == "null responder" {
            continue;
        }
        eprintln!("filling {} with {} peers", contestant.name, CROWD.peers);
        let once = Plan { fill: true, span: Span::Count(1), ..plan_for(running, *way) };
        let fill = measure_once(contestant.name, &once).fill.expect("it was asked for");
        let failed = fill.failed();
        assert!(failed * 100 < fill.answered, "{}: {failed} failed", contestant.name);
    }
}
