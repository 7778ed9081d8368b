//! Under systemd: what it is told, what it passes, what it is given to run.
//!
//! systemd itself runs in none of these tests. Its ends are played: the socket it reads
//! notifications from, the listening sockets it holds while muster is away. What it makes of the
//! units is asked of `systemd-analyze`.

mod install;
mod notify;
mod sockets;
mod units;

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// A muster that strace runs: ending strace alone would let it run on.
struct Traced(Pid);

impl Traced {
    /// The one that uses this state file.
    fn of(state: &Path) -> Traced {
        let pid = std::fs::read_to_string(state.with_extension("json.lock")).expect("it runs");
        Traced(pid.trim().parse().ok().and_then(Pid::from_raw).expect("its number"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).expect("the process is ours");
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}
