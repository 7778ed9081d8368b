//! How long things took: a histogram whose size does not grow and whose error is bounded.
//!
//! Log-linear, as in `HdrHistogram`: each octave is cut into 64 buckets of equal width, so a value
//! is known to 1.6 % whatever its size, and those below 64 exactly. All 64-bit values have a
//! bucket: 3,776 of them, 30 KB. Recording is an addition; nothing is allocated.

/// Buckets in an octave, as a power of two.
const PRECISION_BITS: u32 = 6;
const BUCKETS_IN_OCTAVE: usize = 1 << PRECISION_BITS;
/// The values below [`BUCKETS_IN_OCTAVE`] have a bucket each, and so many octaves follow.
const OCTAVES: usize = 64 - PRECISION_BITS as usize;
const BUCKETS: usize = (OCTAVES + 1) * BUCKETS_IN_OCTAVE;

/// Counted values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    /// The largest value, exactly.
    max: u64,
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], max: 0 }
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(bucket(value)) {
            *count += 1;
        }
        self.max = self.max.max(value);
    }

    /// Counts what another one has counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.max = self.max.max(other.max);
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The largest value, exactly; 0 if there is none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that so many per mille of all do not exceed, at most 1.6 % above the truth; 0 if
    /// there is none. 500 is the median.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> u64 {
        let rank = (self.count() * per_mille).div_ceil(1000).max(1);
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return last_value(bucket).min(self.max);
            }
        }
        self.max
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram::new()
    }
}

/// The bucket of a value.
fn bucket(value: u64) -> usize {
    let octave = value.checked_ilog2().unwrap_or(0).saturating_sub(PRECISION_BITS);
    // What stands above the octave's bits is 64 to 127 in every octave, 0 to 127 in the first.
    octave as usize * BUCKETS_IN_OCTAVE + (value >> octave) as usize
}

/// The largest value of a bucket.
fn last_value(bucket: usize) -> u64 {
    let octave = (bucket / BUCKETS_IN_OCTAVE).saturating_sub(1);
    let above = (bucket - octave * BUCKETS_IN_OCTAVE) as u64;
    (above << octave) + ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_bucket_that_is_less_than_two_percent_wide() {
        for (value, wanted) in [
            (0, 0),
            (1, 1),
            (63, 63),
            (64, 64),
            (127, 127),
            (128, 128),
            (129, 128),
            (130, 129),
            (255, 191),
            (256, 192),
            (1 << 20, 64 * 15),
            (u64::MAX, BUCKETS - 1),
        ] {
            assert_eq!(bucket(value), wanted, "{value}");
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let value = random.u64(..) >> random.u32(..64);
            let last = last_value(bucket(value));
            assert!(last >= value && last - value <= value / 64, "{value} {last}");
            assert_eq!(bucket(last), bucket(value), "{value} {last}");
            assert!(last == u64::MAX || bucket(last + 1) == bucket(value) + 1, "{value} {last}");
        }
    }

    #[test]
    fn quantiles_of_one_to_a_hundred_are_known() {
        let mut histogram = Histogram::new();
        (1..=100).for_each(|value| histogram.record(value));
        for (per_mille, wanted) in [(0, 1), (10, 1), (11, 2), (500, 50), (990, 99), (1000, 100)] {
            assert_eq!(histogram.quantile(per_mille), wanted, "{per_mille}");
        }
        assert_eq!((histogram.count(), histogram.max()), (100, 100));
    }

    #[test]
    fn one_value_in_a_thousand_is_the_largest_alone() {
        let mut histogram = Histogram::new();
        (0..999).for_each(|_| histogram.record(1000));
        histogram.record(1_000_000);
        // The bucket of 1000 ends at 1007.
        assert_eq!(histogram.quantile(999), 1007);
        assert_eq!(histogram.quantile(1000), 1_000_000);
        histogram.record(2_000_000);
        assert_eq!(histogram.quantile(999), 1_007_615, "the bucket of 1,000,000");
    }

    #[test]
    fn merged_is_as_if_one_had_counted_all() {
        let (mut all, mut even, mut odd) = (Histogram::new(), Histogram::new(), Histogram::new());
        for value in 0..10_000 {
            all.record(value * value);
            if value % 2 == 0 { &mut even } else { &mut odd }.record(value * value);
        }
        even.merge(&odd);
        assert_eq!(even, all);
    }

    #[test]
    fn nothing_counted_is_zero() {
        let histogram = Histogram::new();
        assert_eq!((histogram.count(), histogram.max(), histogram.quantile(500)), (0, 0, 0));
    }
}
