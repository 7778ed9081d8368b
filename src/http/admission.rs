//! How many connections are kept at once, in all and of one user.
//!
//! Shared by the workers of the epoll engine and touched only for connections that are kept, which
//! the announce of a client that sends its request at once and closes is not. A user is an IPv4
//! address or an IPv6 /64 (`subnet::user_network`). Who goes to make room is the worker's choice.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the operator decides about connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Kept at once by all workers.
    pub connections_max: u32,
    /// Kept at once from one IPv4 address or IPv6 /64.
    pub per_ip_max: u32,
}

/// The counts of connections kept by all workers.
#[derive(Debug)]
pub struct Admission {
    limits: ConnectionLimits,
    open: AtomicU32,
    by_user: Mutex<HashMap<IpAddr, u32>>,
}

impl Admission {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Admission {
        Admission { limits, open: AtomicU32::new(0), by_user: Mutex::new(HashMap::new()) }
    }

    /// Counts one more connection in, unless the user has too many; `None` is nobody in particular.
    pub fn admit(&self, user: Option<IpAddr>) -> bool {
        if let Some(user) = user {
            let mut users = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
            let count = users.entry(user).or_default();
            if *count >= self.limits.per_ip_max {
                return false;
            }
            *count += 1;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Counts a connection out that was admitted for the same user.
    pub fn release(&self, user: Option<IpAddr>) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let Some(user) = user else { return };
        let mut users = self.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&user);
            }
        }
        if users.capacity() > 4 * users.len() + 64 {
            users.shrink_to_fit();
        }
    }

    /// Whether one more needs another to go.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.limits.connections_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_bound_and_so_have_all_together() {
        let admission = Admission::new(ConnectionLimits { connections_max: 4, per_ip_max: 2 });
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
    fn users_without_connections_are_forgotten() {
        let admission = Admission::new(ConnectionLimits { connections_max: 1000, per_ip_max: 2 });
        let users: Vec<_> = (0..250).map(|host| Some(IpAddr::from([10, 0, 0, host]))).collect();
        assert!(users.iter().all(|&user| admission.admit(user)));
        for &user in &users {
            admission.release(user);
        }
        let by_user = admission.by_user.lock().expect("no thread panicked");
        assert_eq!(by_user.len(), 0);
        assert!(by_user.capacity() < 100, "{}", by_user.capacity());
    }
}
