//! Open file descriptors: how many there are and may be.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors this process has open; where the system does not tell, as many as a start
/// without sockets passed in has.
#[must_use]
pub fn open_count() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(8, |entries| entries.count() as u64)
}

/// Raises the limit on open descriptors as far as it goes without privileges; returns the limit.
#[must_use]
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let current = if raised.is_ok() { limit.maximum } else { limit.current };
    current.unwrap_or(u64::MAX)
}
