//! Whether the machine was left alone while something was measured, and a second try if not.
//!
//! What others took is the CPU time of all cores and what the host took away from this machine
//! (`steal`, `proc_stat(5)`), less that of tracker and load generator. A measurement beside which
//! it is more than [`OTHERS_PERMILLE_MAX`] of a core is made again, as long as there are tries
//! left; the one that was disturbed least counts. How many stayed disturbed is said at the end.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use muster::load::Outcome;

/// Of one core, what others may take: the kernel's own threads need some for a state being saved.
const OTHERS_PERMILLE_MAX: u64 = 150;
/// Tries of one measurement, and second tries of a whole run: two minutes of them.
const TRIES_MAX: u32 = 4;
const RETRIES_MAX: u32 = 100;

static RETRIES: AtomicU32 = AtomicU32::new(0);
static MEASURED: AtomicU32 = AtomicU32::new(0);
static DISTURBED: AtomicU32 = AtomicU32::new(0);

/// Measures until it was left alone, or has been tried often enough.
pub fn undisturbed(measure: impl Fn() -> Outcome) -> Outcome {
    let (mut best, mut others) = measured(&measure);
    for _ in 1..TRIES_MAX {
        if is_quiet(others) || RETRIES.load(Ordering::Relaxed) >= RETRIES_MAX {
            break;
        }
        RETRIES.fetch_add(1, Ordering::Relaxed);
        let (outcome, again) = measured(&measure);
        if again < others {
            (best, others) = (outcome, again);
        }
    }
    MEASURED.fetch_add(1, Ordering::Relaxed);
    DISTURBED.fetch_add(u32::from(!is_quiet(others)), Ordering::Relaxed);
    best
}

/// Whether so much beside a measurement leaves it as it would be alone.
pub fn is_quiet(others_permille: u64) -> bool {
    others_permille <= OTHERS_PERMILLE_MAX
}

/// Measures, with what others took meanwhile, in thousandths of a core.
pub fn measured(measure: impl FnOnce() -> Outcome) -> (Outcome, u64) {
    let before = busy_micros();
    let outcome = measure();
    let tracker = outcome.tracker.map_or(0, |usage| usage.cpu_micros());
    let ours = outcome.generator.cpu_micros() + tracker;
    let others = (busy_micros() - before).saturating_sub(ours);
    let nanos = outcome.nanos.max(1);
    (outcome, others * 1_000_000 / nanos)
}

/// What the page of a run says about it.
pub fn verdict() -> String {
    let [measured, disturbed] = [&MEASURED, &DISTURBED].map(|count| count.load(Ordering::Relaxed));
    format!(
        "\nOf {measured} measurements, {disturbed} were made while other processes took more than \
         {} % of a core.\n",
        OTHERS_PERMILLE_MAX / 10
    )
}

/// CPU time of all processes on all cores since the machine started, in microseconds, with what the
/// host took; without interrupts, which are nobody's.
fn busy_micros() -> u64 {
    let text = fs::read_to_string("/proc/stat").expect("Linux");
    let ticks = text.lines().next().expect("the line of all cores").split_whitespace().skip(1);
    let ticks: Vec<u64> = ticks.map(|ticks| ticks.parse().expect("a number")).collect();
    let [user, nice, system, _idle, _iowait, _irq, _softirq, steal] = ticks[..8] else {
        panic!("/proc/stat: not what proc_stat(5) describes");
    };
    (user + nice + system + steal) * 1_000_000 / rustix::param::clock_ticks_per_second()
}
