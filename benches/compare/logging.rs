//! What the log costs: CPU time of an announce at the default level, against a log of errors alone.
//!
//! Two trackers, alike but for this, measured in turns; who comes first changes with every round.

use std::fmt::Write as _;
use std::path::Path;

use muster::load::pace::Span;
use muster::load::{Outcome, Plan};

use super::contestant::{Running, muster_plain};
use super::measure;
use super::scale::{SECOND, WAYS, crowd, fill, named};
use super::table::{cpu, median, micros, ratio};

/// How often each is measured each way, and how long each time. Short turns and many: what a
/// connection costs depends on how the threads of both sides happen to meet, by half and more.
const ROUNDS: usize = 21;
const TURN_NANOS: u64 = SECOND / 3;

/// The table of both levels.
pub fn table(folder: &Path) -> String {
    let crowd = crowd(1_000, 100_000);
    let base = ["--workers", "1", "--state-file", ""];
    let both = [&base[..], &[&base[..], &["--log-level", "error"]].concat()].map(|options| {
        let running = muster_plain(folder, options);
        fill(&named(&running, WAYS[0], crowd));
        running
    });
    let mut text = format!(
        "\nWhat the log costs, microseconds of CPU time of an announce; medians of {ROUNDS} \
         rounds.\n\n\
         | | default level | errors alone | ratio | of the rounds |\n|---|---|---|---|---|\n"
    );
    for (way, name) in WAYS.into_iter().zip(["UDP", "HTTP, kept", "HTTP, each"]) {
        eprintln!("logging: {name}");
        let cost = |running: &Running| {
            let plan = Plan { span: Span::Nanos(TURN_NANOS), ..named(running, way, crowd) };
            let outcome: Outcome = measure("muster", &plan);
            cpu(&outcome).0
        };
        let rounds: Vec<[u64; 2]> = (0..ROUNDS)
            .map(|round| {
                let first = round % 2;
                let mut costs = [0; 2];
                for nth in [first, 1 - first] {
                    costs[nth] = cost(&both[nth]);
                }
                costs
            })
            .collect();
        let [told, quiet] = [0, 1].map(|nth| median(rounds.iter().map(|costs| costs[nth])));
        let ratios = || rounds.iter().map(|[told, quiet]| told * 1000 / quiet.max(&1));
        let [least, most] =
            [ratios().min(), ratios().max()].map(|end| ratio(end.unwrap_or(0), 1000));
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {least} to {most} |",
            micros(told),
            micros(quiet),
            ratio(median(ratios()), 1000),
        );
    }
    text
}
