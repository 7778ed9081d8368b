//! The sweeper thread: forgets peers that have timed out, shard by shard, within a time budget.
//!
//! Between two sweeps it sleeps on the [`Clock`], so that a test moves time by hand. Within one it
//! works for [`SWEEP_BUDGET_MILLIS`] and rests for [`SWEEP_REST_MILLIS`], holding one lock at a
//! time for one bounded step: announces go on as if it were not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::limits::{SWEEP_BUDGET_MILLIS, SWEEP_INTERVAL_SECONDS, SWEEP_REST_MILLIS};
use crate::tracker::{Sweep, Tracker};

/// Sweeps until `stopping` is set and the clock woken.
pub fn run(tracker: &Tracker, clock: &Arc<Clock>, stopping: &AtomicBool) {
    let stop = || stopping.load(Ordering::Relaxed);
    loop {
        let next = clock.millis() + u64::from(SWEEP_INTERVAL_SECONDS) * 1000;
        if clock.wait(next, stop) || sweep(tracker, clock, &stop) {
            return;
        }
    }
}

/// One sweep through all shards. Returns whether it was stopped.
fn sweep(tracker: &Tracker, clock: &Clock, stop: &impl Fn() -> bool) -> bool {
    let mut sweep = Sweep::default();
    let mut rest_at = clock.millis() + SWEEP_BUDGET_MILLIS;
    while tracker.sweep_step(&mut sweep, clock.seconds()) {
        let now = clock.millis();
        if now >= rest_at {
            if clock.wait(now + SWEEP_REST_MILLIS, stop) {
                return true;
            }
            rest_at = clock.millis() + SWEEP_BUDGET_MILLIS;
        }
    }
    false
}
