//! The thread that tells systemd how things are, while somebody wants to know.
//!
//! It sends a status line when the counts have changed, and the sign that systemd's watchdog waits
//! for, every quarter of the watchdog's patience. The sign means: every HTTP worker (epoll) and
//! UDP thread has begun a round of its loop within half of that patience (`rounds`), and so has one
//! thread more that takes every lock of the tracker in turn. So a thread that hangs in an answer, a
//! lock never given back and a thread that has ended all keep the sign back, and systemd starts
//! muster anew; a slow disk, a long page for the operator, idleness and a process that was frozen
//! as a whole do not. `tiny_http`'s threads are not watched: their clients may hold them as long as
//! they like.
//!
//! Idle it wakes every [`STATUS_INTERVAL_SECONDS`], or as often as the watchdog asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::clock::Clock;
use crate::limits::STATUS_INTERVAL_SECONDS;
use crate::log;
use crate::notify::Notifier;
use crate::rounds::{Round, Rounds};
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
        let Some(millis) = wait_millis_max(&self.notifier) else {
            return self.tell(None, stopping);
        };
        let round = self.rounds.watch("locks", self.clock.millis());
        let pass = || self.tracker.pass_every_lock();
        thread::scope(|scope| {
            let locks = thread::Builder::new().name("locks".to_owned());
            let locks = locks.spawn_scoped(scope, || self.go_round(&round, millis, pass, stopping));
            match locks {
                Ok(_) => self.tell(Some(millis), stopping),
                // Nobody is told that muster is ready: systemd starts it anew.
                Err(error) => log::error(format_args!("cannot start a thread: {error}")),
            }
        });
    }

    /// Tells how things are, the watchdog every `sign_millis`.
    fn tell(&self, sign_millis: Option<u64>, stopping: &AtomicBool) {
        let status_millis = u64::from(STATUS_INTERVAL_SECONDS) * 1000;
        let pause = sign_millis.map_or(status_millis, |millis| millis.min(status_millis));
        let mut told = (self.tracker.totals(), self.clock.millis());
        let mut silent = false;
        self.notifier.tell(&format!("READY=1\n{}", encode_status(told.0)));
        let mut planned = self.clock.millis();
        loop {
            if sign_millis.is_some() {
                self.give_sign(planned, &mut silent);
            }
            planned = self.clock.millis() + pause;
            if self.clock.wait(planned, || stopping.load(Ordering::Relaxed)) {
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
    ///
    /// Judged is the moment for which the look was planned, not the one at which it comes: if the
    /// whole process was frozen, or its machine, this thread has come too late as well, and the
    /// others have had no chance yet to begin a round.
    fn give_sign(&self, planned_millis: u64, silent: &mut bool) {
        let patience = self.notifier.watchdog_millis().unwrap_or(u64::MAX) / 2;
        let late = self.rounds.late(planned_millis.saturating_sub(patience));
        if late.is_empty() {
            self.notifier.tell("WATCHDOG=1");
        } else if !*silent {
            log::error(format_args!(
                "no progress for {patience} ms in {}; systemd's watchdog is not fed",
                late.join(", ")
            ));
        }
        *silent = !late.is_empty();
    }

    /// Takes the locks again and again, `millis` apart: as a thread of its own, so that one which
    /// is never given back holds up nobody who could say so.
    fn go_round(&self, round: &Round, millis: u64, pass: impl Fn(), stopping: &AtomicBool) {
        loop {
            pass();
            let now = self.clock.millis();
            round.begin(now);
            if self.clock.wait(now + millis, || stopping.load(Ordering::Relaxed)) {
                return;
            }
        }
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
    use std::sync::{Mutex, mpsc};

    const HOUR: u64 = 3_600_000;

    /// systemd's end of the socket, whose file goes with it.
    struct Systemd(UnixDatagram, PathBuf);

    impl Drop for Systemd {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.1);
        }
    }

    /// A watchdog of four hours' patience, for the test of this name.
    fn watchdog(test: &str) -> (Watchdog, Systemd) {
        let file = format!("muster-watchdog-{}-{test}", std::process::id());
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
        let (watchdog, systemd) = watchdog("stopped");
        let now = || watchdog.clock.millis();
        let threads = ["udp-0", "http-0"].map(|name| watchdog.rounds.watch(name, now()));
        assert_eq!(watchdog.rounds.wait_millis_max(), Some(HOUR));
        let mut silent = false;
        let mut signs_after = |hours: u64| {
            watchdog.clock.advance(hours * HOUR + 1);
            watchdog.give_sign(now(), &mut silent);
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
    fn a_freeze_of_the_whole_process_is_not_held_against_its_threads() {
        let (watchdog, systemd) = watchdog("freeze");
        let now = || watchdog.clock.millis();
        let threads = ["udp-0", "http-0"].map(|name| watchdog.rounds.watch(name, now()));
        let mut silent = false;
        // A look that was planned for an hour later, and comes when so many hours have passed.
        let mut fed_after = |hours: u64| {
            let planned = now() + HOUR;
            watchdog.clock.advance(hours * HOUR);
            watchdog.give_sign(planned, &mut silent);
            told(&systemd).as_deref() == Some("WATCHDOG=1")
        };
        assert!(fed_after(1));
        assert!(fed_after(30), "nobody has had a chance to begin a round");
        threads[0].begin(now());
        assert!(!fed_after(1), "http-0 has had one");
        for thread in &threads {
            thread.begin(now());
        }
        assert!(fed_after(30), "frozen once more");
        assert!(!fed_after(30), "looks that always come late judge all the same");
    }

    #[test]
    fn a_lock_that_is_never_given_back_feeds_no_watchdog_and_is_named() {
        let (watchdog, systemd) = watchdog("locks");
        let now = || watchdog.clock.millis();
        let round = watchdog.rounds.watch("locks", now());
        let (lock, stopping) = (Mutex::new(()), AtomicBool::new(false));
        let mut silent = false;
        let mut fed = || {
            watchdog.give_sign(now(), &mut silent);
            told(&systemd).as_deref() == Some("WATCHDOG=1")
        };
        let (come, comes) = mpsc::channel();
        thread::scope(|scope| {
            let held = lock.lock().expect("nobody panics");
            let pass = || {
                come.send(()).expect("the test waits");
                drop(lock.lock().expect("nobody panics"));
            };
            let (watchdog, round, stopping) = (&watchdog, &round, &stopping);
            scope.spawn(move || watchdog.go_round(round, HOUR, pass, stopping));
            comes.recv().expect("it comes to the lock");
            watchdog.clock.advance(HOUR);
            assert!(fed());
            watchdog.clock.advance(HOUR + 1);
            assert!(!fed());
            assert_eq!(watchdog.rounds.late(now() - 2 * HOUR), ["locks"]);
            drop(held);
            while !watchdog.rounds.late(now() - HOUR).is_empty() {
                thread::yield_now();
            }
            assert!(fed(), "it was given back");
            stopping.store(true, Ordering::Relaxed);
            watchdog.clock.wake();
        });
    }

    #[test]
    fn the_locks_are_watched_as_threads_are() {
        let (watchdog, systemd) = watchdog("run");
        let stopping = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| watchdog.run(&stopping));
            let ready = std::iter::repeat_with(|| told(&systemd)).find(Option::is_some).flatten();
            assert_eq!(ready.as_deref(), Some("READY=1\nSTATUS=0 peers in 0 torrents"));
            // Compared with the end of time all are late.
            assert_eq!(watchdog.rounds.late(u64::MAX), ["locks"]);
            stopping.store(true, Ordering::Relaxed);
            watchdog.clock.wake();
        });
    }

    #[test]
    fn a_status_names_one_peer_and_many() {
        let status = |peers, torrents| encode_status(Totals { peers, torrents, seeders: 0 });
        assert_eq!(status(42, 7), "STATUS=42 peers in 7 torrents");
        assert_eq!(status(1, 1), "STATUS=1 peer in 1 torrent");
        assert_eq!(status(0, 0), "STATUS=0 peers in 0 torrents");
    }
}
