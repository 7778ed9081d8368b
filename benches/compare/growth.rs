//! How the costs grow: with peers, with torrents, with one swarm, with workers.
//!
//! All sizes are filled first and then measured in turns. Filling goes over UDP, by peers that name
//! an address each. The largest holds five million peers, in 400 MB, and saves a file of 1 GB.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use muster::clock::Stopwatch;
use muster::load::crowd::CrowdSize;
use muster::load::pace::Span;
use muster::load::process::Usage;
use muster::load::{Outcome, Plan};

use super::contestant::{Running, muster};
use super::measure;
use super::plot::{Bar, svg};
use super::quiet::Retries;
use super::scale::{SECOND, WAYS, crowd, empty, fill, named};
use super::table::{cpu, grouped, median, micros, ratio};

/// Torrents and peers. The first is what the others are compared with.
const SIZES: [(u32, u32); 7] = [
    (10, 1_000),
    (1_000, 100_000),
    (10_000, 1_000_000),
    (50_000, 5_000_000),
    (1, 1_000_000),
    (100, 1_000_000),
    (1_000_000, 1_000_000),
];
/// How often each is measured each way, a second each time.
const ROUNDS: usize = 5;
/// Threads of the load generator beside which one and two workers are measured.
const GENERATOR_THREADS: u32 = 2;

/// A tracker of one size.
struct Grown {
    crowd: CrowdSize,
    folder: PathBuf,
    running: Running,
    /// When it was filled, beyond what it had when empty.
    peer_bytes: u64,
    /// What was measured each way, round after round.
    outcomes: [Vec<Outcome>; 3],
    retries: [Retries; 3],
}

/// The table of all sizes, and its plot.
pub fn table(folder: &Path, sizes: &[(u32, u32)]) -> (String, String) {
    let sizes = if sizes.is_empty() { &SIZES[..] } else { sizes };
    let mut all: Vec<Grown> = sizes.iter().map(|size| Grown::new(folder, *size)).collect();
    for round in 1..=ROUNDS {
        eprintln!("sizes: round {round} of {ROUNDS}");
        all.iter_mut().for_each(Grown::measure);
    }
    let plot = plot(&all);
    let first = all.first().map(Grown::costs).expect("a size");
    let mut text = format!(
        "\nCPU time of an announce in microseconds, in parentheses against the first row; medians \
         of {ROUNDS} rounds, one worker.\n\n\
         | torrents | peers | UDP | HTTP, kept | HTTP, each | peers in a reply | bytes a peer \
         | save ms | file MB | load ms |\n|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for grown in all {
        let _ = writeln!(text, "{}", grown.row(&first));
    }
    (text, plot)
}

impl Grown {
    fn new(folder: &Path, (torrents, peers): (u32, u32)) -> Grown {
        eprintln!("filling {torrents} torrents with {peers} peers");
        let folder = folder.join(format!("{torrents}-{peers}"));
        empty(&folder);
        let running = start(&folder);
        let before = Usage::of(running.pid()).expect("it runs").resident_bytes;
        let crowd = crowd(torrents, peers);
        fill(&named(&running, WAYS[0], crowd));
        let full = Usage::of(running.pid()).expect("it runs").resident_bytes;
        let peer_bytes = full.saturating_sub(before) / u64::from(peers);
        let retries = [(); 3].map(|()| Retries::new());
        Grown { crowd, folder, running, peer_bytes, outcomes: Default::default(), retries }
    }

    fn measure(&mut self) {
        let rows = self.outcomes.iter_mut().zip(&mut self.retries);
        for (way, (outcomes, retries)) in WAYS.into_iter().zip(rows) {
            let plan = named(&self.running, way, self.crowd);
            let plan = Plan { span: Span::Nanos(SECOND), ..plan };
            outcomes.push(measure("muster", &plan, retries));
        }
    }

    /// CPU nanoseconds of an announce, each way, round by round.
    fn costs(&self) -> [Vec<u64>; 3] {
        let costs = |nth: usize| self.outcomes[nth].iter().map(|outcome| cpu(outcome).0).collect();
        [costs(0), costs(1), costs(2)]
    }

    /// Saves, ends and loads it, and says everything in a row of the table.
    fn row(self, first: &[Vec<u64>; 3]) -> String {
        let costs = self.costs();
        let cells = costs.iter().zip(first).map(|(costs, first)| {
            let of_first = costs.iter().zip(first).map(|(cost, first)| cost * 1000 / first.max(&1));
            let ratio = ratio(median(of_first), 1000);
            format!("{} ({ratio})", micros(median(costs.iter().copied())))
        });
        let cells: Vec<String> = cells.collect();
        let tallies = || self.outcomes.iter().flatten().map(|outcome| &outcome.tally);
        let listed: u64 = tallies().map(|tally| tally.peers).sum();
        let answered: u64 = tallies().map(|tally| tally.answered).sum();
        let saved: serde_json::Value =
            serde_json::from_str(&get(&self.running, "/save_state")).expect("JSON");
        drop(self.running);
        let watch = Stopwatch::start();
        let again = start(&self.folder);
        let load_millis = watch.nanos() / 1_000_000;
        drop(again);
        let _ = fs::remove_dir_all(&self.folder);
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {load_millis} |",
            grouped(self.crowd.torrents.into()),
            grouped(self.crowd.peers.into()),
            cells.join(" | "),
            listed / answered.max(1),
            self.peer_bytes,
            saved["milliseconds"],
            saved["bytes"].as_u64().unwrap_or(0) / 1_000_000,
        )
    }
}

fn start(folder: &Path) -> Running {
    muster(folder, &["--workers", "1", "--autosave-interval", "0"])
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

fn plot(all: &[Grown]) -> String {
    let mut bars = Vec::new();
    for (nth, group) in ["UDP", "HTTP, kept", "HTTP, a connection each"].iter().enumerate() {
        for grown in all {
            let nanos = median(grown.costs()[nth].iter().copied());
            let [torrents, peers] =
                [grown.crowd.torrents, grown.crowd.peers].map(|count| grouped(count.into()));
            bars.push(Bar {
                group: (*group).to_owned(),
                name: format!("{torrents} torrents, {peers} peers"),
                value: f64::from(u32::try_from(nanos).unwrap_or(u32::MAX)) / 1000.0,
                ours: true,
            });
        }
    }
    svg("CPU time of an announce, microseconds (logarithmic scale)", &bars)
}

/// The table of how many announces one and two workers answer.
pub fn workers(folder: &Path) -> String {
    let crowd = crowd(1_000, 100_000);
    let mut rows = ["1", "2"].map(|workers| {
        let running = muster(folder, &["--state-file", "", "--workers", workers]);
        fill(&named(&running, WAYS[0], crowd));
        (workers, running, [(); 3].map(|()| (Vec::new(), Retries::new())))
    });
    for round in 1..=ROUNDS {
        eprintln!("workers: round {round} of {ROUNDS}");
        for (_, running, rates) in &mut rows {
            for (way, (rates, retries)) in WAYS.into_iter().zip(rates) {
                let plan = named(running, way, crowd);
                let span = Span::Nanos(SECOND);
                let plan = Plan { threads: GENERATOR_THREADS, span, ..plan };
                rates.push(measure("muster", &plan, retries).per_second());
            }
        }
    }
    let mut text = format!(
        "\nAnnounces answered in a second, beside {GENERATOR_THREADS} threads that announce and \
         share the cores; medians of {ROUNDS} rounds.\n\n\
         | workers | UDP | HTTP, kept | HTTP, each |\n|---|---|---|---|\n"
    );
    for (workers, _, rates) in rows {
        let rates = rates.map(|(rates, _)| grouped(median(rates.into_iter())));
        let _ = writeln!(text, "| {workers} | {} |", rates.join(" | "));
    }
    text
}
