//! What the log costs: CPU time of an announce at the default level, against a log of errors alone.
//! At neither is a line written for an announce, so what is measured is what asking for one costs.
//!
//! Two trackers, alike but for this, measured in turns; who comes first changes with every round.

use std::fmt::Write as _;
use std::path::Path;

use muster::load::pace::Span;
use muster::load::{Outcome, Plan};

use super::contestant::{Running, muster_plain};
use super::measure;
use super::quiet::Retries;
use super::scale::{SECOND, WAYS, crowd, fill, named};
use super::table::{cpu, median, micros, quartiles, ratio};

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
         rounds, and quartiles of the ratios within a round. No line is written for an announce at \
         either level.\n\n\
         | | default level | errors alone | ratio | quartiles |\n|---|---|---|---|---|\n"
    );
    for (way, name) in WAYS.into_iter().zip(["UDP", "HTTP, kept", "HTTP, each"]) {
        eprintln!("logging: {name}");
        let mut retries = [Retries::new(), Retries::new()];
        let mut cost = |nth: usize| {
            let running: &Running = &both[nth];
            let plan = Plan { span: Span::Nanos(TURN_NANOS), ..named(running, way, crowd) };
            let outcome: Outcome = measure("muster", &plan, &mut retries[nth]);
            cpu(&outcome).0
        };
        let rounds: Vec<[u64; 2]> = (0..ROUNDS)
            .map(|round| {
                let first = round % 2;
                let mut costs = [0; 2];
                for nth in [first, 1 - first] {
                    costs[nth] = cost(nth);
                }
                costs
            })
            .collect();
        let [told, quiet] = [0, 1].map(|nth| median(rounds.iter().map(|costs| costs[nth])));
        let ratios = rounds.iter().map(|[told, quiet]| told * 1000 / quiet.max(&1));
        let [lower, middle, upper] = quartiles(ratios).map(|quartile| ratio(quartile, 1000));
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {middle} | {lower} to {upper} |",
            micros(told),
            micros(quiet),
        );
    }
    text
}
