//! How many errors are sent to addresses that nobody has vouched for.
//!
//! Whoever shows no valid connection id may have written somebody else's address on the packet, so
//! what is sent there must be little. A token bucket of [`UDP_ERRORS_BURST`] errors, filled again
//! with one every [`UDP_ERROR_MILLIS`], kept as a single number: when the bucket will be full.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{UDP_ERROR_MILLIS, UDP_ERRORS_BURST};

/// The bucket, shared by all threads.
#[derive(Debug, Default)]
pub struct ErrorBudget {
    full_at_millis: AtomicU64,
}

impl ErrorBudget {
    /// Takes the budget of one error; false if there is none left, or another thread took one at
    /// the same moment.
    pub fn take(&self, now_millis: u64) -> bool {
        let full_at = self.full_at_millis.load(Ordering::Relaxed);
        let after = full_at.max(now_millis) + UDP_ERROR_MILLIS;
        let order = Ordering::Relaxed;
        after - now_millis <= UDP_ERRORS_BURST * UDP_ERROR_MILLIS
            && self.full_at_millis.compare_exchange(full_at, after, order, order).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &ErrorBudget, now_millis: u64) -> u64 {
        (0..3 * UDP_ERRORS_BURST).filter(|_| budget.take(now_millis)).count() as u64
    }

    #[test]
    fn a_burst_is_sent_and_then_one_as_time_passes() {
        let budget = ErrorBudget::default();
        let start = 86_400_000;
        assert_eq!(taken(&budget, start), UDP_ERRORS_BURST);
        assert_eq!(taken(&budget, start + UDP_ERROR_MILLIS - 1), 0);
        assert_eq!(taken(&budget, start + UDP_ERROR_MILLIS), 1);
        assert_eq!(taken(&budget, start + 4 * UDP_ERROR_MILLIS), 3);
        let rested = start + 4 * UDP_ERROR_MILLIS + 3_600_000;
        assert_eq!(taken(&budget, rested), UDP_ERRORS_BURST, "no more is ever saved up");
    }
}
