//! Whether the machine was left alone while something was measured, and a second try if not.
//!
//! What others took is the CPU time of all processes but the tracker and the load generator
//! (`proc_pid_stat(5)`), and what the host took away from this machine (`steal`, `proc_stat(5)`).
//! The cores' own counts do not do for it: they have a third kind of time, that of the network's
//! soft interrupts, which a process is charged for as well. A measurement beside which others took
//! more than [`OTHERS_PERMILLE_MAX`] of a core is made again, as long as its row of the table has
//! tries left; the one that was disturbed least counts. How many stayed disturbed is said at the
//! end.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use muster::clock::Stopwatch;
use muster::load::Outcome;

/// Of one core, what others may take: the kernel's own threads need some for a state being saved.
const OTHERS_PERMILLE_MAX: u64 = 150;
/// Tries of one measurement, and second tries of a row, which has five measurements or more.
const TRIES_MAX: u32 = 4;
const RETRIES_OF_ROW_MAX: u32 = 5;

static MEASURED: AtomicU32 = AtomicU32::new(0);
static DISTURBED: AtomicU32 = AtomicU32::new(0);

/// The second tries that a row has left: each has as many, however disturbed those before it were.
pub struct Retries(u32);

impl Retries {
    /// Those of a row of which nothing is measured yet.
    pub fn new() -> Retries {
        Retries(RETRIES_OF_ROW_MAX)
    }
}

/// Measures until it was left alone, or has been tried often enough.
pub fn undisturbed(
    tracker: Option<u32>,
    retries: &mut Retries,
    measure: impl Fn() -> Outcome,
) -> Outcome {
    let (mut best, mut others) = measured(tracker, &measure);
    for _ in 1..TRIES_MAX {
        if is_quiet(others) || retries.0 == 0 {
            break;
        }
        retries.0 -= 1;
        let (outcome, again) = measured(tracker, &measure);
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

/// Measures, with what others than this process and the tracker's took meanwhile, in thousandths
/// of a core.
pub fn measured(tracker: Option<u32>, measure: impl FnOnce() -> Outcome) -> (Outcome, u64) {
    let ours = [Some(std::process::id()), tracker];
    let watch = Stopwatch::start();
    let before = others_ticks(ours);
    let outcome = measure();
    let ticks = others_ticks(ours).saturating_sub(before);
    let nanos = ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second();
    (outcome, nanos * 1000 / watch.nanos().max(1))
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

/// CPU time of all processes but ours since the machine started, and what the host took.
fn others_ticks(ours: [Option<u32>; 2]) -> u64 {
    let processes = fs::read_dir("/proc").expect("Linux").filter_map(|entry| {
        let name = entry.ok()?.file_name();
        let pid: u32 = name.to_str()?.parse().ok()?;
        if ours.contains(&Some(pid)) {
            return None;
        }
        // One that has just ended counts with its parent, which has waited for it.
        process_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    });
    let text = fs::read_to_string("/proc/stat").expect("Linux");
    let steal = text.split_whitespace().nth(8).and_then(|ticks| ticks.parse().ok());
    processes.sum::<u64>() + steal.unwrap_or(0)
}

/// What a process has used and those of its children for which it has waited; nothing for the
/// kernel's threads that serve soft interrupts, which may be those of the measured packets.
fn process_ticks(stat: &str) -> Option<u64> {
    let (name, fields) = stat.rsplit_once(") ")?;
    let times = fields.split(' ').skip(11).take(4).map(|ticks| ticks.parse::<u64>().ok());
    if name.contains("(ksoftirqd/") { None } else { times.sum() }
}
