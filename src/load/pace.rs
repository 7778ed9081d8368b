//! When announces are due: as fast as they are answered, or at a rate whatever the answers do.
//!
//! At a rate each announce has a moment at which it is to be sent, and its latency counts from
//! there, sent or not: a tracker that stalls for a second then shows a second, as it would to its
//! clients, and not one slow announce among many that were held back ("coordinated omission").
//! Time is in nanoseconds of the run's stopwatch.

/// How long a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// So many announces.
    Count(u64),
    /// So many nanoseconds.
    Nanos(u64),
}

/// The announces of one thread in time.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    begun: u64,
    /// After this none is due any more.
    until: u64,
    /// How many may still become due.
    left: u64,
    /// Announces a second of all threads, and how many threads that are; `None` for as fast as
    /// possible.
    rate: Option<(u32, u32)>,
    sent: u64,
}

impl Pace {
    /// The pace of a run that begins at this moment.
    #[must_use]
    pub fn new(begun: u64, span: Span, rate: Option<(u32, u32)>) -> Pace {
        let (until, left) = match span {
            Span::Count(count) => (u64::MAX, count),
            Span::Nanos(nanos) => (begun.saturating_add(nanos), u64::MAX),
        };
        Pace { begun, until, left, rate, sent: 0 }
    }

    /// Takes the next announce, if one is due: the moment from which its latency counts.
    pub fn take(&mut self, now: u64) -> Option<u64> {
        let due = self.next_due(now)?;
        if due > now {
            return None;
        }
        self.left -= 1;
        self.sent += 1;
        Some(due)
    }

    /// When the next announce is due; now where there is no rate. `None` if there is none.
    #[must_use]
    pub fn next_due(&self, now: u64) -> Option<u64> {
        let due = match self.rate {
            None => now,
            Some((rate, threads)) => {
                self.begun + self.sent * u64::from(threads) * 1_000_000_000 / u64::from(rate)
            }
        };
        (self.left > 0 && due < self.until && now < self.until).then_some(due)
    }

    /// At a rate, the announces that were due within the run and never taken.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        let Some((rate, threads)) = self.rate else { return 0 };
        if self.until == u64::MAX {
            return 0;
        }
        let nanos = u64::from(threads) * 1_000_000_000;
        let due = ((self.until - self.begun) * u64::from(rate)).div_ceil(nanos);
        due.saturating_sub(self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn without_a_rate_one_is_always_due_until_the_count_or_the_time_is_over() {
        let mut pace = Pace::new(5, Span::Count(2), None);
        assert_eq!([pace.take(7), pace.take(9), pace.take(9)], [Some(7), Some(9), None]);
        let mut pace = Pace::new(5, Span::Nanos(10), None);
        assert_eq!([pace.take(5), pace.take(14), pace.take(15)], [Some(5), Some(14), None]);
        assert_eq!(pace.left_out(), 0);
    }

    #[test]
    fn at_a_rate_latency_counts_from_when_each_was_due_however_late_it_is_taken() {
        // Two threads share 4 a second: each has one every half second.
        let mut pace = Pace::new(SECOND, Span::Nanos(2 * SECOND), Some((4, 2)));
        assert_eq!(pace.take(SECOND), Some(SECOND));
        assert_eq!(pace.take(SECOND + 1), None, "half a second later, not before");
        assert_eq!(pace.next_due(SECOND + 1), Some(SECOND + SECOND / 2));
        assert_eq!(pace.take(2 * SECOND), Some(SECOND + SECOND / 2), "late, and counted as such");
        assert_eq!(pace.take(2 * SECOND), Some(2 * SECOND));
        assert_eq!(pace.take(3 * SECOND), None, "the time is over");
        assert_eq!(pace.left_out(), 1, "the one due at two and a half seconds");
    }
}
