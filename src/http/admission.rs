//! How many connections a worker keeps at once, in all and of one user.
//!
//! Each worker of the epoll engine has its share of the bounds and keeps its own count, so none
//! waits for another and each has what it gives up among its own. Asked only for connections that
//! are kept, which the announce of a client that sends its request at once and closes is not. A
//! user is an IPv4 address or an IPv6 /64 (`subnet::user_network`). Who goes to make room is the
//! worker's choice.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::collections::HashMap;
use std::net::IpAddr;

/// What the operator decides about connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Kept at once by all workers.
    pub connections_max: u32,
    /// Kept at once from one IPv4 address or IPv6 /64.
    pub per_ip_max: u32,
}

impl ConnectionLimits {
    /// One worker's part, if there are so many.
    #[must_use]
    pub fn share(self, workers: usize) -> ConnectionLimits {
        let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
        ConnectionLimits {
            connections_max: self.connections_max.div_ceil(workers),
            per_ip_max: self.per_ip_max.div_ceil(workers),
        }
    }
}

/// The counts of connections that one worker keeps.
#[derive(Debug)]
pub struct Admission {
    limits: ConnectionLimits,
    open: u32,
    by_user: HashMap<IpAddr, u32>,
}

impl Admission {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Admission {
        Admission { limits, open: 0, by_user: HashMap::new() }
    }

    /// Counts one more connection in, unless the user has too many; `None` is nobody in particular.
    pub fn admit(&mut self, user: Option<IpAddr>) -> bool {
        if let Some(user) = user {
            let count = self.by_user.entry(user).or_default();
            if *count >= self.limits.per_ip_max {
                return false;
            }
            *count += 1;
        }
        self.open += 1;
        true
    }

    /// Counts a connection out that was admitted for the same user.
    pub fn release(&mut self, user: Option<IpAddr>) {
        self.open -= 1;
        let Some(user) = user else { return };
        if let Some(count) = self.by_user.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                self.by_user.remove(&user);
            }
        }
        if self.by_user.capacity() > 4 * self.by_user.len() + 64 {
            self.by_user.shrink_to_fit();
        }
    }

    /// Counts all connections out.
    pub fn forget_all(&mut self) {
        *self = Admission::new(self.limits);
    }

    /// Whether one more needs another to go.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.open >= self.limits.connections_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_bound_and_so_have_all_together() {
        let mut admission = Admission::new(ConnectionLimits { connections_max: 4, per_ip_max: 2 });
        let [a, b] = [1, 2].map(|host| Some(IpAddr::from([10, 0, 0, host])));
        assert_eq!([a, a, a, b].map(|user| admission.admit(user)), [true, true, false, true]);
        assert!(!admission.is_full());
        assert!(admission.admit(None), "nobody in particular has no bound of its own");
        assert!(admission.is_full());
        admission.release(a);
        assert!(!admission.is_full());
        assert_eq!([a, a].map(|user| admission.admit(user)), [true, false]);
    }

    #[test]
    fn the_shares_of_all_workers_together_are_no_less_than_the_bounds() {
        let limits = ConnectionLimits { connections_max: 10, per_ip_max: 1 };
        let share = limits.share(4);
        assert_eq!((share.connections_max, share.per_ip_max), (3, 1));
    }

    #[test]
    fn users_without_connections_are_forgotten() {
        let mut admission =
            Admission::new(ConnectionLimits { connections_max: 1000, per_ip_max: 2 });
        let users: Vec<_> = (0..250).map(|host| Some(IpAddr::from([10, 0, 0, host]))).collect();
        assert!(users.iter().all(|&user| admission.admit(user)));
        for &user in &users {
            admission.release(user);
        }
        let by_user = &admission.by_user;
        assert_eq!(by_user.len(), 0);
        assert!(by_user.capacity() < 100, "{}", by_user.capacity());
    }
}
