//! The thread that tells systemd how things are, while somebody wants to know.
//!
//! It sends a status line when the counts have changed, and the sign that systemd's watchdog waits
//! for, every quarter of the watchdog's patience. The sign means: every HTTP worker (epoll) and
//! UDP thread has begun a round of its loop within half of that patience (`rounds`), and every lock
//! of the tracker could be taken. So a thread that hangs in an answer, a lock never given back and
//! a thread that has ended all keep the sign back, and systemd starts muster anew; a slow disk, a
//! long page for the operator and idleness do not. `tiny_http`'s threads are not watched: their
//! clients may hold them as long as they like.
//!
//! Idle it wakes every [`STATUS_INTERVAL_SECONDS`], or as often as the watchdog asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Clock;
use crate::limits::STATUS_INTERVAL_SECONDS;
use crate::log;
use crate::notify::Notifier;
use crate::rounds::Rounds;
use crate::tracker::{Totals, Tracker};

/// What the thread looks at.
#[derive(Debug)]
pub struct Watchdog {
    /// Tells systemd.
    pub notifier: Arc<Notifier>,
    /// Tells when.
    pub clock: Arc<Clock>,
    /// Has the counts, and the locks.
    pub tracker: Arc<Tracker>,
    /// Tell who still serves.
    pub rounds: Arc<Rounds>,
}

/// How long a watched thread may wait before it shows itself, in milliseconds.
#[must_use]
pub fn wait_millis_max(notifier: &Notifier) -> Option<u64> {
    notifier.watchdog_millis().map(|millis| (millis / 4).max(1))
}

impl Watchdog {
    /// Says that muster serves, and goes on until `stopping` is set and the clock woken.
    pub fn run(&self, stopping: &AtomicBool) {
        let stop = || stopping.load(Ordering::Relaxed);
        let status_millis = u64::from(STATUS_INTERVAL_SECONDS) * 1000;
        let sign_millis = wait_millis_max(&self.notifier);
        let pause = sign_millis.map_or(status_millis, |millis| millis.min(status_millis));
        let mut told = (self.tracker.totals(), self.clock.millis());
        let mut silent = false;
        self.notifier.tell(&format!("READY=1\n{}", encode_status(told.0)));
        loop {
            if sign_millis.is_some() {
                self.give_sign(&mut silent);
            }
            if self.clock.wait(self.clock.millis() + pause, stop) {
                return;
            }
            let (totals, now) = (self.tracker.totals(), self.clock.millis());
            if totals != told.0 && now >= told.1 + status_millis {
                self.notifier.tell(&encode_status(totals));
                told = (totals, now);
            }
        }
    }

    /// Feeds the watchdog if everybody makes progress; says when it begins not to.
    fn give_sign(&self, silent: &mut bool) {
        self.tracker.pass_every_lock();
        let patience = self.notifier.watchdog_millis().unwrap_or(u64::MAX) / 2;
        let late = self.rounds.late(self.clock.millis().saturating_sub(patience));
        if late.is_empty() {
            self.notifier.tell("WATCHDOG=1");
        } else if !*silent {
            log::error(format_args!(
                "a bug: no progress for {patience} ms in {}; systemd's watchdog is not fed",
                late.join(", ")
            ));
        }
        *silent = !late.is_empty();
    }
}

/// The counts as `systemctl status` shows them: `STATUS=42 peers in 7 torrents`.
fn encode_status(totals: Totals) -> String {
    let Totals { peers, torrents, .. } = totals;
    let [peer_s, torrent_s] = [peers, torrents].map(|count| if count == 1 { "" } else { "s" });
    format!("STATUS={peers} peer{peer_s} in {torrents} torrent{torrent_s}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::{Tolerance, TrackerLimits};
    use std::ffi::OsString;
    use std::os::unix::net::UnixDatagram;
    use std::path::PathBuf;

    const HOUR: u64 = 3_600_000;

    /// systemd's end of the socket, whose file goes with it.
    struct Systemd(UnixDatagram, PathBuf);

    impl Drop for Systemd {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.1);
        }
    }

    /// A watchdog of four hours' patience.
    fn watchdog() -> (Watchdog, Systemd) {
        let file = format!("muster-watchdog-{}", std::process::id());
        let path = std::env::temp_dir().join(file);
        let systemd = UnixDatagram::bind(&path).expect("a path of our own");
        systemd.set_nonblocking(true).expect("a socket");
        let variable = |name: &str| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
            "WATCHDOG_USEC" => Some(OsString::from((4 * HOUR * 1000).to_string())),
            _ => None,
        };
        let notifier = Notifier::from_variables(variable, 1).expect("good variables");
        let notifier = Arc::new(notifier.expect("a socket"));
        let rounds = Arc::new(Rounds::new(wait_millis_max(&notifier)));
        let tolerance = Tolerance { first_digits: 0, last_digits: 0, same_digits: 40 };
        let limits = TrackerLimits {
            peer_timeout: 60,
            torrents_max: 1,
            torrents_per_ip_max: 1,
            peers_max: 1,
            tolerance,
        };
        let (clock, tracker) = (Arc::new(Clock::new()), Arc::new(Tracker::new(limits)));
        (Watchdog { notifier, clock, tracker, rounds }, Systemd(systemd, path))
    }

    fn told(Systemd(socket, _): &Systemd) -> Option<String> {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    }

    #[test]
    fn the_watchdog_is_fed_while_every_thread_goes_round_and_not_when_one_has_stopped() {
        let (watchdog, systemd) = watchdog();
        let now = || watchdog.clock.millis();
        let threads = ["udp-0", "http-0"].map(|name| watchdog.rounds.watch(name, now()));
        assert_eq!(watchdog.rounds.wait_millis_max(), Some(HOUR));
        let mut silent = false;
        let mut signs_after = |hours: u64| {
            watchdog.clock.advance(hours * HOUR + 1);
            watchdog.give_sign(&mut silent);
            told(&systemd).as_deref() == Some("WATCHDOG=1")
        };
        for _ in 0..3 {
            assert!(signs_after(1), "idle threads go round every hour");
            for thread in &threads {
                thread.begin(now());
            }
        }
        assert!(signs_after(1), "both an hour ago");
        threads[1].begin(now());
        assert!(!signs_after(1), "udp-0 two hours ago, half of the patience");
        threads[1].begin(now());
        assert!(!signs_after(1), "udp-0 three hours ago");
        for thread in &threads {
            thread.begin(now());
        }
        assert!(signs_after(1), "it was slow, and goes round again");
    }

    #[test]
    fn a_status_names_one_peer_and_many() {
        let status = |peers, torrents| encode_status(Totals { peers, torrents, seeders: 0 });
        assert_eq!(status(42, 7), "STATUS=42 peers in 7 torrents");
        assert_eq!(status(1, 1), "STATUS=1 peer in 1 torrent");
        assert_eq!(status(0, 0), "STATUS=0 peers in 0 torrents");
    }
}
