//! What a tracker takes while nobody asks it anything: memory, and how often it wakes up.
//!
//! Started with the options that have defaults, as a service would be, on a free port.

use std::fs;
use std::path::Path;

use muster::clock::Clock;

use super::contestant::{Running, muster_plain};
use super::scale::empty;
use super::table::ratio;

/// How long it is watched, once all its threads have come to rest.
const SECONDS: u64 = 20;
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
    let [all, own, files] = ["VmRSS:", "RssAnon:", "RssFile:"].map(|name| status(&running, name));
    drop(running);
    empty(folder);
    format!(
        "Idle, with default options and nothing tracked: {all} KiB resident, of which {own} KiB \
         are its own and {files} KiB pages of the program and of the system's libraries; {} \
         wake-ups a second.\n",
        ratio(rests, SECONDS)
    )
}

/// A line of the process's status that has a number.
fn status(running: &Running, name: &str) -> u64 {
    number_in(&format!("/proc/{}/status", running.pid()), name)
}

fn number_in(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// How often the threads of a process have gone to rest by themselves: once for each wake-up.
fn rests(running: &Running) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid())).expect("it runs");
    let counts = tasks.map(|task| {
        let path = task.expect("a thread").path().join("status");
        number_in(&path.to_string_lossy(), "voluntary_ctxt_switches:")
    });
    counts.sum()
}
