//! Trackers side by side: what an announce costs each of them in CPU time, how many a second it
//! answers, how long one takes, what memory it holds.
//!
//! `make bench` compares everybody who is installed with a responder that does nothing, the limit;
//! `make bench-scale` measures muster alone, at any size and in more ways (`scale`). Every tracker
//! is filled once and then measured in each round after the others of its way, in an order that
//! turns, so that what else the machine does hits all alike, and again where it did too much
//! (`quiet`); the medians are shown. The load comes from this process, with the load generator of
//! `muster bench`, over loopback. Tables and plots go to `target/bench`.

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
use std::process::ExitCode;

use muster::load::crowd::{Crowd, CrowdSize, Popularity};
use muster::load::pace::Span;
use muster::load::{self, Outcome, Plan, Way};

use contestant::{Contestant, Running};
use quiet::Retries;

/// 60 peers in a torrent, so that 50 of them can be listed for anybody.
const CROWD: CrowdSize =
    CrowdSize { torrents: 10_000, peers: 600_000, seeds: 10, popularity: Popularity::Uniform };
/// One measurement of one tracker.
const MEASURE_NANOS: u64 = 1_500_000_000;
/// Before the first round, over HTTP: what translates itself while it runs has done so then.
const WARM_UP_NANOS: u64 = 1_000_000_000;
/// Announces under way.
const CONNECTIONS: u32 = 32;

const USAGE: &str = "cargo bench --bench compare -- compare ROUNDS [readme]\n\
                     cargo bench --bench compare -- scale [readme | TORRENTS/PEERS...]";

fn main() -> ExitCode {
    // Cargo itself passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["null", way] => null::serve(way),
        ["scale", ref words @ ..] => scale::run(words),
        [] => compare("5", false),
        ["compare", rounds] => compare(rounds, false),
        ["compare", rounds, "readme"] => compare(rounds, true),
        _ => Err(format!("usage:\n{USAGE}")),
    };
    let Err(text) = done else { return ExitCode::SUCCESS };
    eprintln!("{text}");
    ExitCode::from(2)
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
fn measure(name: &str, plan: &Plan, retries: &mut Retries) -> Outcome {
    quiet::undisturbed(plan.pid, retries, || measure_once(name, plan))
}

/// As [`measure`], whatever else the machine does.
fn measure_once(name: &str, plan: &Plan) -> Outcome {
    let outcome = load::run(plan).unwrap_or_else(|text| panic!("{name}: {text}"));
    for (kind, faults) in outcome.tally.faults().filter(|(_, faults)| faults.count > 0) {
        eprintln!("{name}: {} announces {}: {}", faults.count, kind.name(), faults.example);
    }
    outcome
}

/// A contestant and a way, with what was measured, round after round.
struct Measured<'c> {
    contestant: &'c Contestant,
    way: Way,
    outcomes: Vec<Outcome>,
    retries: Retries,
}

fn compare(rounds: &str, into_readme: bool) -> Result<(), String> {
    let rounds = rounds.parse().ok().filter(|rounds| *rounds > 0);
    let rounds: usize = rounds.ok_or("ROUNDS: a number from 1")?;
    let crowd = Crowd::new(CROWD);
    let folder = folder("compare");
    let (others, absent) = contestant::others(&folder, &crowd, CROWD.torrents);
    let contestants: Vec<Contestant> = [contestant::null()].into_iter().chain(others).collect();
    for contestant in &contestants {
        fill(contestant);
    }
    let mut ways = [Way::Each, Way::Keep, Way::Udp].map(|way| {
        let serve = contestants.iter().filter(|contestant| contestant.serving(way).is_some());
        let new = |contestant| Measured {
            contestant,
            way,
            outcomes: Vec::new(),
            retries: Retries::new(),
        };
        serve.map(new).collect::<Vec<_>>()
    });
    for row in ways.iter().flatten().filter(|row| row.way != Way::Udp) {
        let plan = Plan { span: Span::Nanos(WARM_UP_NANOS), ..row.plan() };
        measure_once(row.contestant.name, &plan);
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for rows in &mut ways {
            // Turned, and every other time the other way around, so that none always follows the
            // same one.
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.rotate_left(round % rows.len());
            if round % 2 == 1 {
                order.reverse();
            }
            for nth in order {
                rows[nth].measure();
            }
        }
    }
    let rows = ways.iter().flat_map(|rows| {
        let null = &rows[0].outcomes;
        rows.iter().map(|row| table::Row::new(row.contestant.name, row.way, &row.outcomes, null))
    });
    table::write(&rows.collect::<Vec<_>>(), &absent, rounds, into_readme);
    Ok(())
}

impl Measured<'_> {
    fn plan(&self) -> Plan {
        plan_for(self.contestant.serving(self.way).expect("it serves this way"), self.way)
    }

    fn measure(&mut self) {
        let outcome = measure(self.contestant.name, &self.plan(), &mut self.retries);
        self.outcomes.push(outcome);
    }
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
