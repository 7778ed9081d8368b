//! How many torrents each address has brought up, so that one cannot take all the room there is.
//!
//! Counters of a fixed number, an address's chosen by a keyed hash; a torrent remembers the number
//! of its counter, in 2 bytes, and is taken off again when it goes. Two addresses may share a
//! counter, one pair in 16,384: its bound is then theirs together, which matters to nobody who is
//! not near it. No lock.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::limits::ORIGINS_COUNT;
use crate::subnet::user_network;

/// The counters.
#[derive(Debug)]
pub(super) struct Origins {
    counts: Box<[AtomicU32]>,
    keys: RandomState,
    max: u32,
}

/// Which counter a torrent is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin(u16);

impl Origin {
    /// None: it is registered, or came from where no bound applies.
    pub(super) const NOBODY: Origin = Origin(u16::MAX);
}

impl Origins {
    /// Counters that go up to `max`.
    pub(super) fn new(max: u32) -> Origins {
        let counts = (0..ORIGINS_COUNT).map(|_| AtomicU32::new(0)).collect();
        Origins { counts, keys: RandomState::new(), max }
    }

    /// Counts a torrent of this address; `None` if it has as many as it may.
    pub(super) fn enter(&self, sender: Option<IpAddr>) -> Option<Origin> {
        let Some(sender) = sender else { return Some(Origin::NOBODY) };
        let at = self.keys.hash_one(user_network(sender)) as usize % self.counts.len();
        let order = Ordering::Relaxed;
        let more = |count| (count < self.max).then_some(count + 1);
        self.counts[at].fetch_update(order, order, more).ok()?;
        Some(Origin(at as u16))
    }

    /// Takes a torrent off.
    pub(super) fn leave(&self, origin: Origin) {
        if let Some(count) = self.counts.get(usize::from(origin.0)) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_as_many_as_it_may_until_some_have_gone() {
        let origins = Origins::new(2);
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|ip| Some(ip.parse().expect("an address")));
        let first = origins.enter(a).expect("room");
        assert!(origins.enter(a).is_some());
        assert_eq!(origins.enter(a), None);
        assert!(origins.enter(b).is_some(), "another address");
        origins.leave(first);
        assert_eq!(origins.enter(a), Some(first));
        assert_eq!(origins.enter(a), None);
        origins.leave(Origin::NOBODY);
        assert!((0..9).all(|_| origins.enter(None) == Some(Origin::NOBODY)), "no bound applies");
    }
}
