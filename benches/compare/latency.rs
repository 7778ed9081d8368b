//! How long announces wait while the tracker does something else: saves, sweeps, forgets.
//!
//! Announces come at a fixed rate, which any machine keeps, and count from when each was due. A
//! million peers are tracked. It is looked at for half a second each, in turns that begin with a
//! slice in which the tracker does nothing else, until there are [`SLICES`] of each in which the
//! machine was left alone (`quiet`), and in the quiet one of the same turn too: 25,000 announces;
//! if it never is, the least disturbed have to do. Announces that were left out at the end of a
//! slice, since all connections waited, count with what they had waited until then. Beside what the
//! tracker does stands a thread that only computes: with two cores, part of what an announce waits
//! for is a core.
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
use super::table::{grouped, micros, quartiles, ratio};
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
    slices: Vec<Slice>,
}

struct Slice {
    latency: Histogram,
    /// How often it was done.
    done: u64,
    /// What others took beside it, in thousandths of a core, or beside the quiet slice of its turn
    /// if that was more.
    others: u64,
    /// The p99.9 against that of the quiet slice of its turn, in thousandths.
    of_quiet: u64,
}

/// What is shown of a phase.
struct Shown {
    latency: Histogram,
    /// How often it was done.
    done: u64,
    /// The p99.9 of a slice, quartiles: one bad slice in ten moves that of all of them alone.
    slice_p999: [u64; 3],
    /// That against the quiet slice of the same turn, in thousandths, quartiles.
    of_quiet: [u64; 3],
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
    let mut ways = [Way::Udp, Way::Keep].map(|way| beside.map(|beside| Phase::new(way, beside)));
    fill(&ways[0][0].plan(&running));
    for turn in 1..=TURNS_MAX {
        eprintln!("latencies: turn {turn}");
        for phases in &mut ways {
            take_turn(phases, &running);
        }
        if !ways.iter().flatten().any(Phase::is_wanting) {
            break;
        }
    }
    let mut forgetting =
        [Beside::Nothing, Beside::Forgetting].map(|beside| Phase::new(Way::Udp, beside));
    for turn in 1..=FORGETTING_TURNS_MAX {
        eprintln!("forgetting: turn {turn}");
        fill(&forgetting[0].plan(&running));
        take_turn(&mut forgetting, &running);
        if !forgetting[1].is_wanting() {
            break;
        }
    }
    let [_, forgetting] = forgetting;
    let phases: Vec<Phase> = ways.into_iter().flatten().chain([forgetting]).collect();
    running.stop().expect("a last save");
    empty(folder);
    markdown(&phases)
}

/// Measures a slice of each phase, of which the first is the quiet one.
fn take_turn(phases: &mut [Phase], running: &Running) {
    let mut quiet = None;
    for phase in phases {
        let mut slice = phase.slice(running);
        let p999 = slice.latency.quantile(999);
        let (quiet_p999, others) = *quiet.get_or_insert((p999, slice.others));
        slice.of_quiet = p999 * 1000 / quiet_p999.max(1);
        slice.others = slice.others.max(others);
        phase.slices.push(slice);
    }
}

impl Phase {
    fn new(way: Way, beside: Beside) -> Phase {
        Phase { way, beside, slices: Vec::new() }
    }

    fn slices_wanted(&self) -> usize {
        if self.beside == Beside::Forgetting { FORGETTING_SLICES } else { SLICES }
    }

    fn is_wanting(&self) -> bool {
        let quiet = self.slices.iter().filter(|slice| quiet::is_quiet(slice.others));
        quiet.count() < self.slices_wanted()
    }

    fn plan(&self, running: &Running) -> Plan {
        let nanos = if self.beside == Beside::Forgetting { FORGETTING_NANOS } else { SLICE_NANOS };
        let address = running.addresses()[0];
        let plan = plan(address, self.way, crowd(10_000, 1_000_000), None);
        Plan { names_addresses: true, rate: Some(RATE), span: Span::Nanos(nanos), ..plan }
    }

    /// Measures one slice, which is not yet compared with another.
    fn slice(&self, running: &Running) -> Slice {
        let plan = self.plan(running);
        let (done, (outcome, others)) = meanwhile(running, self.beside, || {
            quiet::measured(None, || measure_once("muster", &plan))
        });
        let mut latency = outcome.tally.latency;
        for nth in 1..=outcome.tally.left_out {
            latency.record(nth * SECOND / u64::from(RATE));
        }
        Slice { latency, done, others, of_quiet: 0 }
    }

    /// What there is to show: the slices beside which others took least.
    fn shown(&self) -> Shown {
        let mut slices: Vec<&Slice> = self.slices.iter().collect();
        slices.sort_by_key(|slice| slice.others);
        slices.truncate(self.slices_wanted());
        let mut all = Histogram::new();
        for slice in &slices {
            all.merge(&slice.latency);
        }
        Shown {
            done: slices.iter().map(|slice| slice.done).sum(),
            slice_p999: quartiles(slices.iter().map(|slice| slice.latency.quantile(999))),
            of_quiet: quartiles(slices.iter().map(|slice| slice.of_quiet)),
            latency: all,
            others: slices.last().map_or(0, |slice| slice.others),
        }
    }
}

/// Does something over and over while something is measured; returns how often, and what was
/// measured.
fn meanwhile<T>(running: &Running, beside: Beside, measured: impl FnOnce() -> T) -> (u64, T) {
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
        let measured = measured();
        done.store(true, Ordering::Relaxed);
        (doing.join().expect("no panic"), measured)
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
         connections, with a million peers, while the tracker does something beside. It runs \
         within the load generator's process here. Of all that was measured, what other processes \
         disturbed least; they took up to so many % of a core. The p99.9 of a slice of half a \
         second, and that against the quiet slice of the same turn: medians, in parentheses \
         quartiles.\n\n\
         | | p50 | p99 | p99.9 | p99.9 of a slice | of the quiet | max | announces | others % |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        grouped(RATE.into()),
    );
    for phase in phases {
        let shown = phase.shown();
        let all = &shown.latency;
        let [lower, middle, upper] = shown.slice_p999.map(micros);
        let ratios = shown.of_quiet.map(|permille| ratio(permille, 1000));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {middle} ({lower} to {upper}) | {} ({} to {}) | {} | {} \
             | {} |",
            name(phase, shown.done),
            micros(all.quantile(500)),
            micros(all.quantile(990)),
            micros(all.quantile(999)),
            ratios[1],
            ratios[0],
            ratios[2],
            micros(all.max()),
            grouped(all.count()),
            shown.others / 10,
        );
    }
    text
}

fn name(phase: &Phase, times: u64) -> String {
    let way = if phase.way == Way::Udp { "UDP" } else { "HTTP, kept" };
    match phase.beside {
        Beside::Nothing => format!("{way}, quiet"),
        Beside::Computing => format!("{way}, a thread computes"),
        Beside::Saves => format!("{way}, {times} saves"),
        Beside::Sweeps => format!("{way}, {times} sweeps"),
        Beside::Forgetting => format!("{way}, all peers are forgotten"),
    }
}
