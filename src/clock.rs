//! The clock: the one file that reads the time.
//!
//! Everything else takes the time as an argument, or waits here. A [`Clock`] is monotonic and can
//! be moved forward by hand, so that a test lets half an hour pass without sleeping.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::request::Seconds;

/// A clock starts at this many seconds, not at 0, so that moments before the start (peers seen by
/// an earlier run) have a number too: a day, the longest peer timeout.
pub const CLOCK_START_SECONDS: u32 = 86_400;

/// Monotonic time, in milliseconds, shared by all threads of a tracker.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    advanced_millis: AtomicU64,
    /// Counts wake-ups, so that none is missed between a check and a wait.
    wakes: Mutex<u64>,
    woken: Condvar,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Clock {
        Clock {
            started: Instant::now(),
            advanced_millis: AtomicU64::new(u64::from(CLOCK_START_SECONDS) * 1000),
            wakes: Mutex::new(0),
            woken: Condvar::new(),
        }
    }

    /// Milliseconds on this clock.
    #[must_use]
    pub fn millis(&self) -> u64 {
        let advanced = self.advanced_millis.load(Ordering::Relaxed);
        self.started.elapsed().as_millis() as u64 + advanced
    }

    /// Seconds on this clock.
    #[must_use]
    pub fn seconds(&self) -> Seconds {
        Seconds((self.millis() / 1000) as u32)
    }

    /// Moves the clock forward and wakes whoever waits on it.
    pub fn advance(&self, millis: u64) {
        self.advanced_millis.fetch_add(millis, Ordering::Relaxed);
        self.wake();
    }

    /// Ends every [`Clock::wait`] under way.
    pub fn wake(&self) {
        *self.wakes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.woken.notify_all();
    }

    /// Waits until the clock shows `deadline_millis` or `stop` answers true; asks `stop` after each
    /// wake-up. Returns whether it was stopped.
    pub fn wait(&self, deadline_millis: u64, stop: impl Fn() -> bool) -> bool {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if stop() {
                return true;
            }
            let now = self.millis();
            if now >= deadline_millis {
                return false;
            }
            let pause = Duration::from_millis(deadline_millis - now);
            let waited = self.woken.wait_timeout(wakes, pause);
            wakes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

/// Nanoseconds since it was made, for measuring; one for all threads of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Nanoseconds since the start; never less than before.
    #[must_use]
    pub fn nanos(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// The time of day, as the duration since 1970 UTC; for log lines and files only, since it jumps.
#[must_use]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_clock_moved_by_hand_ends_a_wait_at_its_deadline() {
        let clock = Arc::new(Clock::new());
        let deadline = clock.millis() + 3_600_000;
        let waiting = std::thread::spawn({
            let clock = Arc::clone(&clock);
            move || clock.wait(deadline, || false)
        });
        clock.advance(3_600_000);
        assert!(!waiting.join().expect("the waiting thread"), "the deadline ended it, not a stop");
        assert!(clock.millis() >= deadline);
    }

    #[test]
    fn a_wait_ends_when_told_to_stop() {
        let clock = Clock::new();
        assert!(clock.wait(u64::MAX, || true));
    }
}
