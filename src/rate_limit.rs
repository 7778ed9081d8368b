//! How often one user may do something: token buckets in a table that never grows.
//!
//! A bucket is one number, the time at which it will be full again (the generic cell rate
//! algorithm: ITU-T I.371). A full bucket is what a user has who was never seen, so only users who
//! have lately used theirs take up room, and there is nothing to sweep. [`Buckets`] is a table of
//! fixed size, eight users to a cache line, chosen by a keyed hash; where a line is full, the user
//! who owes least gives way and the newcomer takes over what that one owed. So a flood of addresses
//! pushes out the addresses of the flood, and nobody frees himself by being pushed out.
//!
//! No lock, once the table is made: a look and one compare-and-swap, from any thread. Time is an
//! argument. Two users in a full line share a bucket once in 130,000.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{RATE_BURST_MINUTES, RATE_LINES_COUNT};
use crate::request::{Fault, Refused, Retry};
use crate::subnet::{Subnet, user_network};

/// Times are kept in sixteenths of a millisecond, so that 1,000 a second can be told from 1,100.
const TICKS_PER_MILLI: u64 = 16;
/// Of a slot's 64 bits, those of the time: 34 years.
const TICK_BITS: u32 = 44;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
/// Slots of a cache line.
const WAYS: usize = 8;

/// So much at once, and so much again as time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What one costs.
    cost_ticks: u64,
    /// What a full bucket holds.
    depth_ticks: u64,
}

impl Rate {
    /// One every so many milliseconds, and `burst` of them at once.
    #[must_use]
    pub const fn every_millis(millis: u64, burst: u64) -> Rate {
        let cost_ticks = millis * TICKS_PER_MILLI;
        Rate { cost_ticks, depth_ticks: burst * cost_ticks }
    }

    /// So many a minute, and those of [`RATE_BURST_MINUTES`] minutes at once. At least one.
    #[must_use]
    pub const fn per_minute(count: u32) -> Rate {
        let count = if count == 0 { 1 } else { count as u64 };
        let cost_ticks = 60_000 * TICKS_PER_MILLI / count;
        Rate { cost_ticks, depth_ticks: RATE_BURST_MINUTES * count * cost_ticks }
    }

    /// When a bucket that is full at `full_at` will be full after one more; `None` if it holds none
    /// for now. All in ticks.
    fn after_one(self, full_at: u64, now: u64) -> Option<u64> {
        let after = full_at.max(now) + self.cost_ticks;
        (after - now <= self.depth_ticks).then_some(after)
    }

    /// Whole minutes until a bucket that is empty has one again and some to go on with: a quarter
    /// of all it holds.
    #[must_use]
    pub fn retry_minutes(self) -> u32 {
        let minutes = (self.depth_ticks / 4).div_ceil(60_000 * TICKS_PER_MILLI);
        u32::try_from(minutes).unwrap_or(u32::MAX).max(1)
    }
}

/// One bucket, for everybody together.
#[derive(Debug)]
pub struct Bucket {
    rate: Rate,
    full_at: AtomicU64,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(rate: Rate) -> Bucket {
        Bucket { rate, full_at: AtomicU64::new(0) }
    }

    /// Takes one; false if there is none left, or another thread took one at the same moment.
    #[must_use]
    pub fn take(&self, now_millis: u64) -> bool {
        let full_at = self.full_at.load(Ordering::Relaxed);
        let Some(after) = self.rate.after_one(full_at, now_millis * TICKS_PER_MILLI) else {
            return false;
        };
        let order = Ordering::Relaxed;
        self.full_at.compare_exchange(full_at, after, order, order).is_ok()
    }
}

/// A slot is a user's tag above the time at which its bucket is full; 0 is nobody's.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; WAYS]);

/// A bucket for each user: an IPv4 address or an IPv6 /64 ([`user_network`]).
#[derive(Debug)]
pub struct Buckets {
    rate: Rate,
    /// Made when the first one is taken: a tracker at rest does without 128 KiB a table.
    lines: OnceLock<Box<[Line]>>,
    lines_count: usize,
    /// Users choose their addresses, and must not choose their slot by it.
    keys: RandomState,
}

impl Buckets {
    /// Everybody's bucket is full.
    #[must_use]
    pub fn new(rate: Rate) -> Buckets {
        Buckets::with_lines(rate, RATE_LINES_COUNT)
    }

    fn with_lines(rate: Rate, lines_count: usize) -> Buckets {
        Buckets { rate, lines: OnceLock::new(), lines_count, keys: RandomState::new() }
    }

    /// What fills the buckets.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one of the user's; false if there is none left.
    #[must_use]
    pub fn take(&self, ip: IpAddr, now_millis: u64) -> bool {
        self.take_of(self.keys.hash_one(user_network(ip)), now_millis * TICKS_PER_MILLI)
    }

    /// Whether the user has one, which stays.
    #[must_use]
    pub fn has(&self, ip: IpAddr, now_millis: u64) -> bool {
        self.has_of(self.keys.hash_one(user_network(ip)), now_millis * TICKS_PER_MILLI)
    }

    /// Whether the user has one for one more thing, as [`Buckets::take_for`] takes it.
    #[must_use]
    pub fn has_for(&self, ip: IpAddr, what: u8, now_millis: u64) -> bool {
        self.has_of(self.keys.hash_one((user_network(ip), what)), now_millis * TICKS_PER_MILLI)
    }

    fn has_of(&self, hash: u64, now: u64) -> bool {
        let Some(lines) = self.lines.get() else { return true };
        let (slot, _) = find(line_of(lines, hash), tag_of(hash), now);
        let slot = slot.load(Ordering::Relaxed);
        slot & !TICK_MASK != tag_of(hash) || self.rate.after_one(slot & TICK_MASK, now).is_some()
    }

    /// Takes one for one more thing than the user: the kind of a log line, say.
    #[must_use]
    pub fn take_for(&self, ip: IpAddr, what: u8, now_millis: u64) -> bool {
        let hash = self.keys.hash_one((user_network(ip), what));
        self.take_of(hash, now_millis * TICKS_PER_MILLI)
    }

    fn take_of(&self, hash: u64, now: u64) -> bool {
        let all_free = || (0..self.lines_count).map(|_| Line::default()).collect();
        let line = line_of(self.lines.get_or_init(all_free), hash);
        // Whoever loses the exchange goes round again: somebody else has got on.
        loop {
            let (slot, seen) = find(line, tag_of(hash), now);
            let Some(after) = self.rate.after_one(seen & TICK_MASK, now) else { return false };
            let order = Ordering::Relaxed;
            let becomes = tag_of(hash) | after & TICK_MASK;
            if slot.compare_exchange(seen, becomes, order, order).is_ok() {
                return true;
            }
        }
    }
}

fn line_of(lines: &[Line], hash: u64) -> &Line {
    &lines[hash as usize % lines.len()]
}

/// The upper bits of a hash, of which the lower ones choose the line; never 0.
fn tag_of(hash: u64) -> u64 {
    (hash | 1 << TICK_BITS) & !TICK_MASK
}

/// What any one address may ask for, over whatever protocol.
#[derive(Debug)]
pub struct PerAddress {
    announces: Option<(Buckets, u32)>,
    errors: Option<Buckets>,
    unlimited: Vec<Subnet>,
}

impl PerAddress {
    /// So many announces and so many errors a minute, 0 for any number, from anywhere but networks
    /// that are `unlimited`.
    #[must_use]
    pub fn new(announces: u32, errors: u32, unlimited: Vec<Subnet>) -> PerAddress {
        let buckets = |count| (count > 0).then(|| Buckets::new(Rate::per_minute(count)));
        let announces = buckets(announces).map(|buckets| (buckets, announces));
        PerAddress { announces, errors: buckets(errors), unlimited }
    }

    /// The address, if there are bounds for it; those below ask for what this has returned.
    #[must_use]
    pub fn bounded(&self, ip: IpAddr) -> Option<IpAddr> {
        (!self.unlimited.iter().any(|network| network.contains(ip))).then_some(ip)
    }

    /// Takes one announce or scrape.
    pub fn take_announce(&self, ip: Option<IpAddr>, now_millis: u64) -> Result<(), Refused> {
        let (Some(ip), Some((buckets, count))) = (ip, &self.announces) else { return Ok(()) };
        if buckets.take(ip, now_millis) {
            return Ok(());
        }
        let minutes = buckets.rate().retry_minutes();
        let reason = format!(
            "too many announces from your address: {count} a minute are answered; try again in \
             {minutes} minutes"
        );
        Err(Refused { reason, retry: Retry::Minutes(minutes), fault: Fault::Rate })
    }

    /// Takes one error.
    pub fn take_error(&self, ip: Option<IpAddr>, now_millis: u64) -> Result<(), Refused> {
        let (Some(ip), Some(buckets)) = (ip, &self.errors) else { return Ok(()) };
        if buckets.take(ip, now_millis) { Ok(()) } else { Err(too_many_errors(buckets.rate())) }
    }

    /// Whether one more error would be taken.
    pub fn check_error(&self, ip: Option<IpAddr>, now_millis: u64) -> Result<(), Refused> {
        let (Some(ip), Some(buckets)) = (ip, &self.errors) else { return Ok(()) };
        if buckets.has(ip, now_millis) { Ok(()) } else { Err(too_many_errors(buckets.rate())) }
    }
}

fn too_many_errors(rate: Rate) -> Refused {
    let minutes = rate.retry_minutes();
    let reason =
        format!("too many wrong requests from your address: try again in {minutes} minutes");
    Refused { reason, retry: Retry::Minutes(minutes), fault: Fault::Rate }
}

/// The slot of a tag and what it holds; where there is none, the slot of whoever owes least.
fn find(line: &Line, tag: u64, now: u64) -> (&AtomicU64, u64) {
    let [first, ..] = &line.0;
    let mut least = (first, u64::MAX);
    for slot in &line.0 {
        let seen = slot.load(Ordering::Relaxed);
        if seen & !TICK_MASK == tag {
            return (slot, seen);
        }
        if (seen & TICK_MASK).max(now) < (least.1 & TICK_MASK).max(now) || least.1 == u64::MAX {
            least = (slot, seen);
        }
    }
    least
}

#[cfg(test)]
mod tests;
