//! The sweeper thread: what has to happen from time to time without anybody's asking.
//!
//! It forgets peers that have timed out, shard by shard; writes finished downloads to the journal;
//! saves the state when that is due. Between these it sleeps on the [`Clock`], so that a test moves
//! time by hand; with nothing to do it wakes every [`JOURNAL_INTERVAL_SECONDS`]. A sweep works for
//! [`SWEEP_BUDGET_MILLIS`] and rests for [`SWEEP_REST_MILLIS`], holding one lock at a time for one
//! bounded step: announces go on as if it were not there. A panic in any of this ends that step.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::{Clock, unix_time};
use crate::limits::{
    JOURNAL_INTERVAL_SECONDS, SWEEP_BUDGET_MILLIS, SWEEP_INTERVAL_SECONDS, SWEEP_REST_MILLIS,
};
use crate::log;
use crate::stats::Stats;
use crate::store::Store;
use crate::tracker::{Sweep, Tracker};

/// What the sweeper looks after.
#[derive(Debug)]
pub struct Sweeper {
    /// Forgets its peers.
    pub tracker: Arc<Tracker>,
    /// Tells when.
    pub clock: Arc<Clock>,
    /// Tell whether anything has happened.
    pub stats: Arc<Stats>,
    /// Is saved.
    pub store: Arc<Store>,
    /// Seconds between two saves; 0 is never.
    pub autosave_interval: u32,
}

impl Sweeper {
    /// Sweeps until `stopping` is set and the clock woken.
    pub fn run(&self, stopping: &AtomicBool) {
        let stop = || stopping.load(Ordering::Relaxed);
        let clock = &*self.clock;
        let pause = match self.store.path() {
            Some(_) => JOURNAL_INTERVAL_SECONDS,
            None => SWEEP_INTERVAL_SECONDS,
        };
        let next_after = |seconds: u32| clock.millis() + u64::from(seconds) * 1000;
        let mut next_sweep = next_after(SWEEP_INTERVAL_SECONDS);
        let mut journal_failed = false;
        loop {
            if clock.wait(next_after(pause).min(next_sweep), stop) {
                return;
            }
            self.survives(|| self.write_completed(&mut journal_failed));
            self.survives(|| self.save_if_due());
            if clock.millis() >= next_sweep {
                if self.sweep(&stop) {
                    return;
                }
                next_sweep = next_after(SWEEP_INTERVAL_SECONDS);
            }
        }
    }

    /// Logs the first failure of a row: they would come every few seconds on a full disk.
    fn write_completed(&self, failed_before: &mut bool) {
        let written = self.store.write_completed(&self.tracker);
        if let Err(error) = &written
            && !*failed_before
        {
            log::error(format_args!("{error}; finished downloads count in memory until a save"));
        }
        *failed_before = written.is_err();
    }

    fn save_if_due(&self) {
        let announces = self.stats.announces.get();
        let now = self.clock.seconds();
        let (tracker, interval) = (&self.tracker, self.autosave_interval);
        match self.store.save_if_due(tracker, interval, announces, now, unix_time()) {
            Some(Ok(saved)) => log::debug(format_args!("autosave: {saved}")),
            Some(Err(error)) => log::error(format_args!(
                "autosave: {error}; the last good save and the journals are kept, the next try is \
                 in {interval} s"
            )),
            None => {}
        }
    }

    /// One sweep through all shards: forgets the peers whose time is over by [`Sweeper::clock`],
    /// and sleeps for [`SWEEP_REST_MILLIS`] after each [`SWEEP_BUDGET_MILLIS`] of work. Returns
    /// true as soon as `stop` says so after a rest, else false when it is through.
    pub fn sweep(&self, stop: &impl Fn() -> bool) -> bool {
        let clock = &*self.clock;
        let mut sweep = Sweep::default();
        let mut rest_at = clock.millis() + SWEEP_BUDGET_MILLIS;
        loop {
            let work = || self.tracker.sweep_step(&mut sweep, clock.seconds());
            // Where a step panics, so may the next: the rest of its shard has to wait.
            let goes_on = self.survives(work).unwrap_or_else(|| sweep.next_shard());
            if !goes_on {
                return false;
            }
            let now = clock.millis();
            if now >= rest_at {
                if clock.wait(now + SWEEP_REST_MILLIS, stop) {
                    return true;
                }
                rest_at = clock.millis() + SWEEP_BUDGET_MILLIS;
            }
        }
    }

    /// Does something and returns what it does; `None` if it panics, which is a bug and is logged
    /// already. Whatever is left to do comes round again by the clock.
    fn survives<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let done = panic::catch_unwind(AssertUnwindSafe(work)).ok();
        if done.is_none() {
            self.stats.panics.add();
        }
        done
    }
}
