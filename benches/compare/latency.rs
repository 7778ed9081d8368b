//! How long announces wait while the tracker does something else: saves, sweeps, forgets.
//!
//! Announces come at a fixed rate, which any machine keeps, and count from when each was due. A
//! million peers are tracked. It is looked at for half a second each, in turns, until there are
//! [`SLICES`] of each in which the machine was left alone (`quiet`), 25,000 announces; if it never
//! is, the least disturbed have to do. Beside what the tracker does stands a thread that only
//! computes: with two cores, part of what an announce waits for is a core.
//!
//! The tracker runs within this process, so that a sweep can follow upon the other without the half
//! minute between two of the sweeper's own, and go on with a clock that is ahead.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use muster::clock::Clock;
use muster::config::Config;
use muster::limits::PEER_TIMEOUT_SECONDS_DEFAULT;
use muster::load::histogram::Histogram;
use muster::load::pace::Span;
use muster::load::{Plan, Way};
use muster::serve::{self, Running};
use muster::sweeper::Sweeper;

use super::scale::{SECOND, crowd, empty, fill};
use super::table::{grouped, median, micros, ratio};
use super::{measure_once, plan, quiet};

/// Announces a second.
const RATE: u32 = 5_000;
/// How long each is looked at, how many such slices are wanted, and how often it is tried.
const SLICE_NANOS: u64 = SECOND / 2;
const SLICES: usize = 10;
const TURNS_MAX: usize = 30;
/// While all peers are forgotten, which takes longer: it has to be filled again each time.
const FORGETTING_NANOS: u64 = 5 * SECOND / 2;
const FORGETTING_SLICES: usize = 2;
const FORGETTING_TURNS_MAX: usize = 5;

/// What the tracker does beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// Not the tracker: a thread that computes.
    Computing,
    Saves,
    Sweeps,
    /// Sweeps to which all peers have timed out.
    Forgetting,
}

/// A way to announce and what is done beside, with what was measured.
struct Phase {
    way: Way,
    beside: Beside,
    /// What others took beside each slice, in thousandths of a core, and how long announces took.
    slices: Vec<(u64, Histogram)>,
    /// How often it was done in all of them.
    done: u64,
}

/// What is shown of a phase.
struct Shown {
    latency: Histogram,
    /// The p99.9 of a slice, the median: one bad slice in ten moves that of all of them alone.
    slice_p999: u64,
    /// The most that others took beside one of them, in thousandths of a core.
    others: u64,
}

/// The table of all that is done beside.
pub fn table(folder: &Path) -> String {
    let state = folder.join("state.json").display().to_string();
    let options = [
        ("listen", "127.0.0.1:0"),
        ("state-file", &state),
        ("autosave-interval", "0"),
        ("log-level", "warn"),
        ("max-peers", "20000000"),
    ];
    let options = options.map(|(key, value)| (key, value.to_owned()));
    let config = Config::load(&options, &[], None).expect("options as documented");
    let running = serve::start(&config).expect("a tracker");
    let beside = [Beside::Nothing, Beside::Computing, Beside::Saves, Beside::Sweeps];
    let phases =
        [Way::Udp, Way::Keep].into_iter().flat_map(|way| beside.map(|beside| (way, beside)));
    let mut phases: Vec<Phase> = phases.map(|(way, beside)| Phase::new(way, beside)).collect();
    fill(&phases[0].plan(&running));
    for turn in 1..=TURNS_MAX {
        eprintln!("latencies: turn {turn}");
        phases.iter_mut().filter(|phase| phase.is_wanting()).for_each(|phase| phase.turn(&running));
    }
    let mut forgetting = Phase::new(Way::Udp, Beside::Forgetting);
    for turn in 1..=FORGETTING_TURNS_MAX {
        eprintln!("forgetting: turn {turn}");
        if forgetting.is_wanting() {
            fill(&forgetting.plan(&running));
            forgetting.turn(&running);
        }
    }
    phases.push(forgetting);
    running.stop().expect("a last save");
    empty(folder);
    markdown(&phases)
}

impl Phase {
    fn new(way: Way, beside: Beside) -> Phase {
        Phase { way, beside, slices: Vec::new(), done: 0 }
    }

    fn slices_wanted(&self) -> usize {
        if self.beside == Beside::Forgetting { FORGETTING_SLICES } else { SLICES }
    }

    fn is_wanting(&self) -> bool {
        let quiet = self.slices.iter().filter(|(others, _)| quiet::is_quiet(*others));
        quiet.count() < self.slices_wanted()
    }

    fn plan(&self, running: &Running) -> Plan {
        let nanos = if self.beside == Beside::Forgetting { FORGETTING_NANOS } else { SLICE_NANOS };
        let address = running.addresses()[0];
        let plan = plan(address, self.way, crowd(10_000, 1_000_000), None);
        Plan { names_addresses: true, rate: Some(RATE), span: Span::Nanos(nanos), ..plan }
    }

    /// Measures one slice.
    fn turn(&mut self, running: &Running) {
        let plan = self.plan(running);
        let slices = &mut self.slices;
        self.done += meanwhile(running, self.beside, || {
            let (outcome, others) = quiet::measured(|| measure_once("muster", &plan));
            slices.push((others, outcome.tally.latency));
        });
    }

    /// What there is to show: the slices beside which others took least.
    fn shown(&self) -> Shown {
        let mut slices: Vec<&(u64, Histogram)> = self.slices.iter().collect();
        slices.sort_by_key(|(others, _)| *others);
        slices.truncate(self.slices_wanted());
        let mut all = Histogram::new();
        for (_, slice) in &slices {
            all.merge(slice);
        }
        Shown {
            slice_p999: median(slices.iter().map(|(_, slice)| slice.quantile(999))),
            latency: all,
            others: slices.last().map_or(0, |(others, _)| *others),
        }
    }
}

/// Does something over and over while something is measured; returns how often.
fn meanwhile(running: &Running, beside: Beside, measured: impl FnOnce()) -> u64 {
    let done = &AtomicBool::new(false);
    let stop = &|| done.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let doing = scope.spawn(move || {
            let mut times = 0;
            while !stop() && once(running, beside, stop) {
                times += 1;
            }
            times
        });
        measured();
        done.store(true, Ordering::Relaxed);
        doing.join().expect("no panic")
    })
}

/// Does it once. Returns whether there is anything to do.
fn once(running: &Running, beside: Beside, stop: &impl Fn() -> bool) -> bool {
    match beside {
        Beside::Nothing => return false,
        Beside::Computing => {
            black_box((0..1_000_000_u64).fold(0, |sum, number| black_box(sum ^ number)));
        }
        Beside::Saves => _ = running.save().expect("the target folder has room"),
        Beside::Sweeps => _ = sweeper(running, 0).sweep(stop),
        Beside::Forgetting => {
            let seconds = u64::from(PEER_TIMEOUT_SECONDS_DEFAULT) + 3600;
            sweeper(running, seconds * 1000).sweep(stop);
        }
    }
    true
}

/// A sweeper whose clock is ahead of the tracker's.
fn sweeper(running: &Running, ahead_millis: u64) -> Sweeper {
    let service = running.service();
    let clock = Clock::new();
    clock.advance(service.clock.millis().saturating_sub(clock.millis()) + ahead_millis);
    Sweeper {
        tracker: Arc::clone(&service.tracker),
        clock: Arc::new(clock),
        stats: Arc::clone(&service.stats),
        store: Arc::clone(&service.operator.store),
        autosave_interval: 0,
    }
}

fn markdown(phases: &[Phase]) -> String {
    let mut text = format!(
        "\nHow long announces take, in microseconds: {} a second, over UDP and over kept \
         connections, with a million peers, while the tracker does something beside. Of all that \
         was measured, what other processes disturbed least; they took up to so many % of a core. \
         Against the quiet: the p99.9 of a slice of half a second, the median.\n\n\
         | | p50 | p99 | p99.9 | p99.9 of a slice | of the quiet | max | announces | others % |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        grouped(RATE.into()),
    );
    for phase in phases {
        let quiet = phases.iter().find(|quiet| quiet.way == phase.way).expect("itself at least");
        let quiet_p999 = quiet.shown().slice_p999;
        let Shown { latency: all, slice_p999, others } = phase.shown();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            name(phase),
            micros(all.quantile(500)),
            micros(all.quantile(990)),
            micros(all.quantile(999)),
            micros(slice_p999),
            ratio(slice_p999, quiet_p999),
            micros(all.max()),
            grouped(all.count()),
            others / 10,
        );
    }
    text
}

fn name(phase: &Phase) -> String {
    let way = if phase.way == Way::Udp { "UDP" } else { "HTTP, kept" };
    let times = phase.done;
    match phase.beside {
        Beside::Nothing => format!("{way}, quiet"),
        Beside::Computing => format!("{way}, a thread computes"),
        Beside::Saves => format!("{way}, {times} saves"),
        Beside::Sweeps => format!("{way}, {times} sweeps"),
        Beside::Forgetting => format!("{way}, all peers are forgotten"),
    }
}
