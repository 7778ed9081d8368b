//! The table and the plot of the comparison, from what was measured.
//!
//! Every figure is the median of the rounds, and a ratio that of the ratios within each round. CPU
//! time is counted by the scheduler in nanoseconds, but its part outside of the kernel in ticks of
//! 10 ms; the range beside a median shows how far the machine let the rounds agree.

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
    /// The CPU time against that of the null responder in the same round, in thousandths: the
    /// median, the least and the most.
    of_limit: [u64; 3],
    per_second: u64,
    /// Peers in a reply, in tenths.
    peers_tenths: u64,
    p99_nanos: u64,
    resident_bytes: u64,
    /// CPU time of the load generator for an announce, in nanoseconds.
    generator_nanos: u64,
}

/// The one in the middle; of an even count, the mean of the two.
pub fn median(values: impl Iterator<Item = u64>) -> u64 {
    quartiles(values)[1]
}

/// Below which a quarter, half and three quarters of the values lie, which are some; what falls
/// between two of them is interpolated.
pub fn quartiles(values: impl Iterator<Item = u64>) -> [u64; 3] {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    [1, 2, 3].map(|quarter| {
        let quarters = (values.len() - 1) * quarter;
        let (at, rest) = (quarters / 4, quarters as u64 % 4);
        let next = values[(at + 1).min(values.len() - 1)];
        values[at] + (next - values[at]) * rest / 4
    })
}

/// The CPU time of the tracker for an announce, in nanoseconds, and of it the user's part.
pub fn cpu(outcome: &Outcome) -> (u64, u64) {
    let usage = outcome.tracker.expect("its process was named");
    let nanos = if usage.threads_nanos > 0 {
        usage.threads_nanos / outcome.tally.answered.max(1)
    } else {
        outcome.nanos_each(usage.cpu_micros())
    };
    (nanos, outcome.nanos_each(usage.user_micros))
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
    /// The medians of these measurements, beside those of the null responder in the same rounds.
    pub fn new(name: &'static str, way: Way, outcomes: &[Outcome], null: &[Outcome]) -> Row {
        let of = |value: &dyn Fn(&Outcome) -> u64| median(outcomes.iter().map(value));
        let costs = || outcomes.iter().map(|outcome| cpu(outcome).0);
        let limits = null.iter().map(|outcome| cpu(outcome).0);
        let mut ratios: Vec<u64> =
            costs().zip(limits).map(|(cost, limit)| cost * 1000 / limit.max(1)).collect();
        ratios.sort_unstable();
        Row {
            name,
            way,
            cpu_nanos: of(&|outcome| cpu(outcome).0),
            user_nanos: of(&|outcome| cpu(outcome).1),
            cpu_range: (costs().min().unwrap_or(0), costs().max().unwrap_or(0)),
            of_limit: [median(ratios.iter().copied()), ratios[0], ratios[ratios.len() - 1]],
            per_second: of(&Outcome::per_second),
            peers_tenths: of(&|outcome| outcome.tally.peers * 10 / outcome.tally.answered.max(1)),
            p99_nanos: of(&|outcome| outcome.tally.latency.quantile(990)),
            resident_bytes: of(&|outcome| outcome.tracker.map_or(0, |usage| usage.resident_bytes)),
            generator_nanos: of(&|outcome| outcome.nanos_each(outcome.generator.cpu_micros())),
        }
    }

    /// Whether its rounds disagree so much that its median says little.
    fn is_unsteady(&self) -> bool {
        self.cpu_range.1 * 2 > self.cpu_range.0 * 3
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
    let alt = "CPU time of an announce, by tracker";
    PageOfRun { name: "compare", marks: "bench", alt, text, plot }.write(into_readme);
}

/// What one run has to show.
pub struct PageOfRun {
    /// Of its files in `target/bench`.
    pub name: &'static str,
    /// Of the marks in the README between which it goes, and of its plot in `docs`.
    pub marks: &'static str,
    /// What the plot shows, for who cannot see it.
    pub alt: &'static str,
    /// Markdown.
    pub text: String,
    /// SVG.
    pub plot: String,
}

impl PageOfRun {
    /// Prints the text, and writes it and the plot to `target/bench`, and into the README if asked.
    pub fn write(&self, into_readme: bool) {
        let PageOfRun { name, marks, alt, text, plot } = self;
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
        put("README.md", &format!("{before}{begin}{text}\n![{alt}]({image})\n{end}{after}"));
    }
}

fn markdown(rows: &[Row], absent: &[String], rounds: usize) -> String {
    let mut text = format!(
        "`make bench ROUNDS={rounds}`, {}: medians of {rounds} rounds; {} torrents, {} peers, 50 \
         wanted; {} announces at a time; as few serving threads as each can do with; CPU time from \
         `/proc`. In parentheses the least and the most of the rounds.\n",
        machine(),
        grouped(super::CROWD.torrents.into()),
        grouped(super::CROWD.peers.into()),
        super::CONNECTIONS,
    );
    for (way, title) in WAYS {
        let of_way = || rows.iter().filter(move |row| row.way == way);
        let _ = writeln!(
            text,
            "\n| {title} | CPU us an announce | user | of the limit | announces/s | peers \
             each | p99 ms | resident MB | generator us |\n\
             |---|---|---|---|---|---|---|---|---|"
        );
        for row in of_way() {
            let _ = writeln!(
                text,
                "| {} | {}{} ({} to {}) | {} | {} ({} to {}) | {} | {}.{} | {} | {} | {} |",
                row.name,
                if row.is_unsteady() { "~" } else { "" },
                micros(row.cpu_nanos),
                micros(row.cpu_range.0),
                micros(row.cpu_range.1),
                micros(row.user_nanos),
                ratio(row.of_limit[0], 1000),
                ratio(row.of_limit[1], 1000),
                ratio(row.of_limit[2], 1000),
                grouped(row.per_second),
                row.peers_tenths / 10,
                row.peers_tenths % 10,
                micros(row.p99_nanos / 1000),
                row.resident_bytes / 1_000_000,
                micros(row.generator_nanos),
            );
        }
    }
    if rows.iter().any(Row::is_unsteady) {
        text += "\n`~`: its slowest round took more than one and a half times what its fastest \
                 took, so its median says little.\n";
    }
    if !absent.is_empty() {
        let _ = writeln!(text, "\nNot installed, so not measured: {}.", absent.join("; "));
    }
    text + &quiet::verdict()
}

/// The processor and how many of its cores there are.
pub fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name| text.lines().find_map(|line| line.strip_prefix(name));
    // Where there is no name of the processor, as on many ARM boards, there may be the board's.
    let model = value("model name").or_else(|| value("Model"));
    let model =
        model.map_or(std::env::consts::ARCH, |line| line.trim_start_matches(['\t', ':', ' ']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}")
}
