//! Rounds: how a thread shows that it still gets round its loop, for whoever watches over it.
//!
//! A thread that serves notes the time at the start of each round; while it is watched, each of its
//! waits ends after [`Rounds::wait_millis_max`], so that an idle thread goes round too. A thread
//! that hangs in an answer, waits for a lock that nobody gives back or has ended shows nothing any
//! more. A note is one relaxed store on a cache line of its own; nothing here reads the clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The rounds of all threads that are watched.
#[derive(Debug, Default)]
pub struct Rounds {
    wait_millis_max: Option<u64>,
    threads: Mutex<Vec<Arc<Round>>>,
}

/// The rounds of one thread.
#[derive(Debug)]
#[repr(align(128))]
pub struct Round {
    name: String,
    begun_millis: AtomicU64,
}

impl Rounds {
    /// For threads that wait this long at the most, in milliseconds; `None` is for ever.
    #[must_use]
    pub fn new(wait_millis_max: Option<u64>) -> Rounds {
        Rounds { wait_millis_max, threads: Mutex::default() }
    }

    /// How long a thread may wait before it goes round, in milliseconds.
    #[must_use]
    pub fn wait_millis_max(&self) -> Option<u64> {
        self.wait_millis_max
    }

    /// Watches over one more thread, which begins its first round now.
    pub fn watch(&self, name: &str, now_millis: u64) -> Arc<Round> {
        let begun_millis = AtomicU64::new(now_millis);
        let round = Arc::new(Round { name: name.to_owned(), begun_millis });
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.push(Arc::clone(&round));
        round
    }

    /// The names of the threads that have begun no round at or after that moment.
    #[must_use]
    pub fn late(&self, since_millis: u64) -> Vec<String> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let late = threads.iter().filter(|round| round.begun() < since_millis);
        late.map(|round| round.name.clone()).collect()
    }
}

impl Round {
    /// Notes that the thread begins a round.
    pub fn begin(&self, now_millis: u64) {
        self.begun_millis.store(now_millis, Ordering::Relaxed);
    }

    fn begun(&self) -> u64 {
        self.begun_millis.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_late_when_it_has_begun_no_round_since() {
        let rounds = Rounds::new(Some(250));
        let (first, _second) = (rounds.watch("first", 1000), rounds.watch("second", 1200));
        assert_eq!(rounds.late(1000), Vec::<String>::new());
        assert_eq!(rounds.late(1001), ["first"]);
        first.begin(1300);
        assert_eq!(rounds.late(1201), ["second"]);
    }
}
