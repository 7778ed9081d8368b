//! How many connections are kept at once, in all and of one user.
//!
//! One count for all workers of the epoll engine, since the kernel hands nearly all connections of
//! a quiet host to one of them: a share each would be the bound divided by the workers. Behind a
//! lock that is held for a look and a step, and asked only for connections that are kept, which the
//! announce of a client that sends its request at once and closes is not. A user is an IPv4 address
//! or an IPv6 /64 (`subnet::user_network`). Who goes to make room is the workers' choice.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the operator decides about connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Kept at once by all workers.
    pub connections_max: u32,
    /// Kept at once from one IPv4 address or IPv6 /64.
    pub per_ip_max: u32,
}

/// The counts of connections that all workers keep.
#[derive(Debug)]
pub struct Admission {
    limits: ConnectionLimits,
    /// What each worker would keep if all kept equally many.
    share: usize,
    /// Changed under the lock of `by_user` alone.
    open: AtomicU32,
    by_user: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection's place in the counts; dropping it gives it up.
#[derive(Debug)]
pub struct Seat {
    admission: Arc<Admission>,
    user: Option<IpAddr>,
}

/// Why a connection may not be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Its user has as many as one may.
    OfUser,
    /// All together are as many as they may, and a few more.
    OfAll,
}

impl Admission {
    /// Nobody is there yet; for so many workers, one at least.
    #[must_use]
    pub fn new(limits: ConnectionLimits, workers: usize) -> Arc<Admission> {
        let share = limits.connections_max as usize / workers.max(1);
        let by_user = Mutex::new(HashMap::new());
        Arc::new(Admission { limits, share, open: AtomicU32::new(0), by_user })
    }

    /// Counts one more connection in; `None` is nobody in particular, who has no bound of his own.
    ///
    /// A sixteenth more than the bound is let in, for the moment that another worker may need to
    /// close one of its own ([`Admission::is_over`]).
    pub fn admit(self: &Arc<Admission>, user: Option<IpAddr>) -> Result<Seat, Full> {
        let mut by_user = self.lock();
        let of_user = user.and_then(|user| by_user.get(&user).copied()).unwrap_or(0);
        if user.is_some() && of_user >= self.limits.per_ip_max {
            return Err(Full::OfUser);
        }
        let max = self.limits.connections_max;
        if self.open.load(Ordering::Relaxed) >= max + max / 16 {
            return Err(Full::OfAll);
        }
        if let Some(user) = user {
            by_user.insert(user, of_user + 1);
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Seat { admission: Arc::clone(self), user })
    }

    /// Whether there are more than there may be, and some have to go.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.open.load(Ordering::Relaxed) > self.limits.connections_max
    }

    /// Whether a worker that keeps `own` of the connections has to close one: there are more than
    /// there may be, and it has more than its share of them. Where there are too many some worker
    /// has; one with few keeps them, which may have come a moment ago.
    #[must_use]
    pub fn has_to_go(&self, own: usize) -> bool {
        own > self.share && self.is_over()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_user = self.admission.lock();
        self.admission.open.fetch_sub(1, Ordering::Relaxed);
        let Some(user) = self.user else { return };
        if let Some(count) = by_user.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                by_user.remove(&user);
            }
        }
        if by_user.capacity() > 4 * by_user.len() + 64 {
            by_user.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(host: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, host])
    }

    #[test]
    fn each_user_has_a_bound_and_so_have_all_together() {
        let admission = Admission::new(ConnectionLimits { connections_max: 4, per_ip_max: 2 }, 1);
        let admit = |user| admission.admit(user);
        let first = admit(Some(user(1))).expect("room");
        let _others = [admit(Some(user(1))), admit(Some(user(2))), admit(None)]
            .map(|seat| seat.expect("room"));
        assert_eq!(admit(Some(user(1))).expect_err("two already"), Full::OfUser);
        assert!(!admission.is_over());
        assert_eq!(admit(Some(user(3))).expect_err("four in all"), Full::OfAll);
        drop(first);
        let _again = admit(Some(user(1))).expect("room again");
        assert!(admit(Some(user(1))).is_err());
    }

    #[test]
    fn a_few_more_than_the_bound_are_let_in_and_have_to_go() {
        let admission = Admission::new(ConnectionLimits { connections_max: 32, per_ip_max: 99 }, 4);
        let mut seats: Vec<_> = (0..34).map(|_| admission.admit(None).expect("room")).collect();
        assert_eq!(admission.admit(None).expect_err("34 of 32"), Full::OfAll);
        assert!(admission.is_over());
        assert_eq!([0, 8, 9, 34].map(|own| admission.has_to_go(own)), [false, false, true, true]);
        seats.truncate(32);
        assert!(!admission.is_over());
    }

    #[test]
    fn users_without_connections_are_forgotten() {
        let admission =
            Admission::new(ConnectionLimits { connections_max: 1000, per_ip_max: 2 }, 1);
        let seats: Vec<_> =
            (0..250).map(|host| admission.admit(Some(user(host))).expect("room")).collect();
        drop(seats);
        let by_user = admission.lock();
        assert_eq!(by_user.len(), 0);
        assert!(by_user.capacity() < 100, "{}", by_user.capacity());
    }
}
