//! What a tracker takes while nobody asks it anything: memory, and how often it wakes up.
//!
//! Started with the options that have defaults, as a service would be, on a free port.

use std::fs;
use std::path::Path;

use muster::clock::Clock;

use super::contestant::{Running, muster_plain};
use super::scale::empty;
use super::table::ratio;

/// How long it is watched, once all its threads have come to rest: longer than it is from one sweep
/// to the next.
const SECONDS: u64 = 40;
const REST_MILLIS: u64 = 2_000;

/// Starts one, watches it, and says what it took.
pub fn table(folder: &Path) -> String {
    eprintln!("idle for {SECONDS} s");
    let running = muster_plain(folder, &[]);
    let clock = Clock::new();
    clock.wait(clock.millis() + REST_MILLIS, || false);
    let before = rests(&running);
    clock.wait(clock.millis() + SECONDS * 1000, || false);
    let rests = rests(&running) - before;
    let pid = running.pid();
    let [all, own] = ["VmRSS:", "RssAnon:"]
        .map(|name| number_in(&read(&format!("/proc/{pid}/status")), name).expect("a number"));
    let path = fs::read_link(format!("/proc/{pid}/exe")).expect("it runs");
    let maps = read(&format!("/proc/{pid}/smaps"));
    let [program, libraries] = file_pages(&maps, &path.to_string_lossy());
    drop(running);
    empty(folder);
    format!(
        "Idle, with default options and nothing tracked: {all} KiB resident, of which {own} KiB \
         are its own data, {program} KiB pages of the program's file and {libraries} KiB of the \
         system's libraries; {} wake-ups a second.\n",
        ratio(rests, SECONDS)
    )
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The number behind a name at the begin of a line, as in `proc_pid_status(5)`.
fn number_in(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// KiB resident of the pages of files, unchanged: of the program's own, and of all others
/// (`proc_pid_smaps(5)`).
fn file_pages(maps: &str, program: &str) -> [u64; 2] {
    let (mut pages, mut is_program) = ([0; 2], false);
    for line in maps.lines() {
        let of = |name| number_in(line, name);
        if let Some(kib) = of("Rss:") {
            pages[usize::from(!is_program)] += kib;
        } else if let Some(kib) = of("Anonymous:") {
            // Behind the line of all that is resident, of which it is a part.
            pages[usize::from(!is_program)] -= kib;
        } else if line.split(' ').next().is_some_and(|range| range.contains('-')) {
            is_program = line.ends_with(program);
        }
    }
    pages
}

/// How often the threads of a process have gone to rest by themselves: once for each wake-up.
fn rests(running: &Running) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid())).expect("it runs");
    let counts = tasks.map(|task| {
        let path = task.expect("a thread").path().join("status");
        number_in(&read(&path.to_string_lossy()), "voluntary_ctxt_switches:").expect("a number")
    });
    counts.sum()
}
