//! What makes the workers of the epoll engine look up: an eventfd each.
//!
//! A worker waits for its own along with its connections. Waking one that is awake costs it one
//! round more. Nothing is told but that there is something to look at.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// An eventfd for each worker.
#[derive(Debug)]
pub struct Wakers(Vec<OwnedFd>);

impl Wakers {
    /// Makes so many.
    pub fn new(workers: usize) -> Result<Wakers, Errno> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        (0..workers).map(|_| eventfd(0, flags)).collect::<Result<_, _>>().map(Wakers)
    }

    /// What one worker waits for.
    #[must_use]
    pub fn of(&self, nth: usize) -> Option<&OwnedFd> {
        self.0.get(nth)
    }

    /// Wakes all workers.
    pub fn wake(&self) {
        for waker in &self.0 {
            // A full counter wakes as well, so nothing can go wrong that matters.
            let _ = rustix::io::write(waker, &1u64.to_ne_bytes());
        }
    }

    /// Takes a worker's sign, so that it can wait for the next.
    pub fn take(&self, nth: usize) {
        let _ = self.of(nth).map(|waker| rustix::io::read(waker, &mut [0u8; 8]));
    }
}
