//! The table and the plot of the comparison, from what was measured.
//!
//! Every figure is the median of the rounds. Times of CPU are counted by the kernel in ticks of
//! 10 ms, so one round of a second and a half is good to a percent or two; the range beside the
//! median shows how far the machine let the rounds agree.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use muster::load::{Outcome, Way};

use super::plot::{Bar, svg};
use super::quiet;

/// What one tracker costs one way: medians of the rounds.
pub struct Row {
    name: &'static str,
    way: Way,
    /// CPU time of its process for an announce, in nanoseconds.
    cpu_nanos: u64,
    /// Of it, the part outside of the kernel.
    user_nanos: u64,
    /// The least and the most of all rounds.
    cpu_range: (u64, u64),
    per_second: u64,
    /// Peers in a reply, in tenths.
    peers_tenths: u64,
    p99_nanos: u64,
    resident_bytes: u64,
    /// CPU time of the load generator for an announce, in nanoseconds.
    generator_nanos: u64,
}

/// The one in the middle.
pub fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// The CPU time of the tracker for an announce, in nanoseconds, and of it the user's part.
pub fn cpu(outcome: &Outcome) -> (u64, u64) {
    let usage = outcome.tracker.expect("its process was named");
    (outcome.nanos_each(usage.cpu_micros()), outcome.nanos_each(usage.user_micros))
}

/// `12.3` for 12,345: microseconds of nanoseconds.
pub fn micros(nanos: u64) -> String {
    let tenths = (nanos + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A whole number with commas.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A ratio with two places.
pub fn ratio(count: u64, of: u64) -> String {
    let hundredths = (count * 100 + of / 2) / of.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

impl Row {
    /// The medians of these measurements.
    pub fn new(name: &'static str, way: Way, outcomes: &[Outcome]) -> Row {
        let of = |value: &dyn Fn(&Outcome) -> u64| median(outcomes.iter().map(value));
        let costs = || outcomes.iter().map(|outcome| cpu(outcome).0);
        Row {
            name,
            way,
            cpu_nanos: of(&|outcome| cpu(outcome).0),
            user_nanos: of(&|outcome| cpu(outcome).1),
            cpu_range: (costs().min().unwrap_or(0), costs().max().unwrap_or(0)),
            per_second: of(&Outcome::per_second),
            peers_tenths: of(&|outcome| outcome.tally.peers * 10 / outcome.tally.answered.max(1)),
            p99_nanos: of(&|outcome| outcome.tally.latency.quantile(990)),
            resident_bytes: of(&|outcome| outcome.tracker.map_or(0, |usage| usage.resident_bytes)),
            generator_nanos: of(&|outcome| outcome.nanos_each(outcome.generator.cpu_micros())),
        }
    }
}

const WAYS: [(Way, &str); 3] = [
    (Way::Each, "HTTP, a connection each"),
    (Way::Keep, "HTTP, connections kept"),
    (Way::Udp, "UDP"),
];

/// Prints the table, and writes it and the plot to `target/bench`, and into the README if asked.
pub fn write(rows: &[Row], absent: &[String], rounds: usize, into_readme: bool) {
    let text = markdown(rows, absent, rounds);
    let bars: Vec<Bar> = WAYS
        .iter()
        .flat_map(|(way, group)| {
            rows.iter().filter(move |row| row.way == *way).map(|row| Bar {
                group: (*group).to_owned(),
                name: row.name.to_owned(),
                value: f64::from(u32::try_from(row.cpu_nanos).unwrap_or(u32::MAX)) / 1000.0,
                ours: row.name == "muster",
            })
        })
        .collect();
    let plot = svg("CPU time of an announce, microseconds (logarithmic scale)", &bars);
    PageOfRun { name: "compare", marks: "bench", text, plot }.write(into_readme);
}

/// What one run has to show.
pub struct PageOfRun {
    /// Of its files in `target/bench`.
    pub name: &'static str,
    /// Of the marks in the README between which it goes, and of its plot in `docs`.
    pub marks: &'static str,
    /// Markdown.
    pub text: String,
    /// SVG.
    pub plot: String,
}

impl PageOfRun {
    /// Prints the text, and writes it and the plot to `target/bench`, and into the README if asked.
    pub fn write(&self, into_readme: bool) {
        let PageOfRun { name, marks, text, plot } = self;
        println!("{text}");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let put = |path: &str, text: &str| {
            fs::write(root.join(path), text).unwrap_or_else(|error| panic!("{path}: {error}"));
        };
        put(&format!("target/bench/{name}.md"), text);
        put(&format!("target/bench/{name}.svg"), plot);
        if !into_readme {
            return;
        }
        let image = format!("docs/{marks}.svg");
        let (begin, end) =
            (format!("<!-- {marks}: begin -->\n"), format!("<!-- {marks}: end -->\n"));
        let readme = fs::read_to_string(root.join("README.md")).expect("the README");
        let (before, rest) = readme.split_once(&begin).expect("the README has the first mark");
        let (_, after) = rest.split_once(&end).expect("the README has the second mark");
        fs::create_dir_all(root.join("docs")).expect("the repository is ours");
        put(&image, plot);
        put("README.md", &format!("{before}{begin}{text}\n![]({image})\n{end}{after}"));
    }
}

fn markdown(rows: &[Row], absent: &[String], rounds: usize) -> String {
    let mut text = format!(
        "`make bench ROUNDS={rounds}`, {}: medians of {rounds} rounds; {} torrents, {} peers, 50 \
         wanted; {} announces at a time; one serving thread each; CPU time from `/proc`.\n",
        machine(),
        grouped(super::CROWD.torrents.into()),
        grouped(super::CROWD.peers.into()),
        super::CONNECTIONS,
    );
    for (way, title) in WAYS {
        let of_way = || rows.iter().filter(move |row| row.way == way);
        let Some(null) = of_way().next() else { continue };
        let _ = writeln!(
            text,
            "\n| {title} | CPU us an announce | range | user | of the limit | announces/s | peers \
             each | p99 ms | resident MB | generator us |\n\
             |---|---|---|---|---|---|---|---|---|---|"
        );
        for row in of_way() {
            let _ = writeln!(
                text,
                "| {} | {} | {} to {} | {} | {} | {} | {}.{} | {} | {} | {} |",
                row.name,
                micros(row.cpu_nanos),
                micros(row.cpu_range.0),
                micros(row.cpu_range.1),
                micros(row.user_nanos),
                ratio(row.cpu_nanos, null.cpu_nanos),
                grouped(row.per_second),
                row.peers_tenths / 10,
                row.peers_tenths % 10,
                micros(row.p99_nanos / 1000),
                row.resident_bytes / 1_000_000,
                micros(row.generator_nanos),
            );
        }
    }
    if !absent.is_empty() {
        let _ = writeln!(text, "\nNot installed, so not measured: {}.", absent.join("; "));
    }
    text + &quiet::verdict()
}

/// The processor and how many of its cores there are.
pub fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or("a processor unknown", |line| line.trim_start_matches(['\t', ':', ' ']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}")
}
