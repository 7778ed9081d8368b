//! Signals: stop when asked, at once when asked twice, save when asked, and do not die of the
//! others.
//!
//! One thread reads the signals that [`watch`] takes, so that what they start runs as ordinary
//! code. The end at a second SIGINT or SIGTERM is the exception: it happens in the handler itself
//! and comes even when that thread, or the stop it began, is stuck.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use crate::log;

/// Starts the thread. At the first SIGINT or SIGTERM it calls `stop`, which begins a graceful stop
/// and returns; a second one ends the process with 128 and the signal's number, as shells report
/// it. At SIGUSR1 it calls `save`, which sees to a save and returns. SIGHUP is only logged. Called
/// once per process; fails if the kernel refuses a handler or a thread.
pub fn watch(
    stop: impl FnOnce() + Send + 'static,
    save: impl Fn() + Send + 'static,
) -> Result<(), String> {
    let failed = |error| format!("signals: {error}");
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the first signal finds the flag unset, then sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))
            .map_err(failed)?;
        flag::register(signal, Arc::clone(&asked)).map_err(failed)?;
    }
    // Taken, it no longer ends the process: the write that passed the limit on file sizes fails,
    // as on a full disk.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(failed)?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1]).map_err(failed)?;
    let mut stop = Some(stop);
    let watching = move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => log::info("SIGHUP: nothing to reload yet"),
                SIGUSR1 => save(),
                _ => {
                    let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
                    log::info(format_args!("{name}: stopping; a second one stops at once"));
                    if let Some(stop) = stop.take() {
                        stop();
                    }
                }
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(watching).map_err(failed)?;
    Ok(())
}

/// What a command that has something to clean up sees of the signals that would end it.
#[derive(Debug)]
pub struct Caught {
    /// Set by the first of them: the command is to stop soon.
    pub stop: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Caught {
    /// Which signal has come, if one has.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        i32::try_from(self.signal.load(Ordering::Relaxed)).ok().filter(|signal| *signal != 0)
    }
}

/// From here on the first SIGINT or SIGTERM only sets a flag; a second one ends the process as in
/// [`watch`]. A write beyond the limit on file sizes fails instead of ending it. SIGHUP stays as it
/// is: `nohup` has it ignored. Called once per process.
pub fn catch() -> Result<Caught, String> {
    let failed = |error| format!("signals: {error}");
    let caught = Caught { stop: Arc::default(), signal: Arc::default() };
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&caught.stop))
            .map_err(failed)?;
        flag::register_usize(signal, Arc::clone(&caught.signal), signal as usize)
            .map_err(failed)?;
        flag::register(signal, Arc::clone(&caught.stop)).map_err(failed)?;
    }
    flag::register(SIGXFSZ, Arc::default()).map_err(failed)?;
    Ok(caught)
}

/// Ends the process as a signal that was caught would have: a shell that runs a loop then ends the
/// loop too, which an exit code does not tell it to. Returns only if that is not possible.
pub fn die_of(signal: i32) {
    let _ = low_level::emulate_default_handler(signal);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc;
    use std::time::Duration;

    /// Set in a test's process of its own, which handlers need: they belong to the whole process.
    const OWN_PROCESS: &str = "SIGNALS_TEST_IN_OWN_PROCESS";

    /// Runs `body` in a process of its own, by starting the test of that name again with its stderr
    /// in a pipe. In that process it runs `body` and does not return.
    fn in_own_process(test: &str, body: fn() -> !) -> Child {
        if std::env::var_os(OWN_PROCESS).is_some() {
            body();
        }
        let own = std::env::current_exe().expect("a test has a program");
        let name = format!("signals::tests::{test}");
        let mut process = Command::new(own);
        process.args(["--exact", &name, "--nocapture"]).env(OWN_PROCESS, "1");
        process.stdout(Stdio::null()).stderr(Stdio::piped());
        process.spawn().expect("the test's process")
    }

    fn raise(signal: i32) {
        low_level::raise(signal).expect("a signal to the own process");
    }

    /// A process that is not told by then fails.
    const STUCK: Duration = Duration::from_secs(10);

    #[test]
    fn the_first_signal_stops_gracefully_and_the_second_at_once() {
        let name = "the_first_signal_stops_gracefully_and_the_second_at_once";
        let process = in_own_process(name, || {
            let (stopped, stops) = mpsc::channel();
            watch(
                move || {
                    stopped.send(()).expect("the test waits");
                    // A stop that is stuck.
                    std::thread::park();
                },
                || (),
            )
            .expect("handlers");
            raise(SIGTERM);
            stops.recv_timeout(STUCK).expect("the first signal calls the closure");
            raise(SIGINT);
            std::process::exit(3);
        });
        let output = process.wait_with_output().expect("the process ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        let line = "Z info  SIGTERM: stopping; a second one stops at once\n";
        assert!(stderr.contains(line), "{stderr}");
    }

    #[test]
    fn the_other_signals_are_seen_to_and_not_deadly() {
        let name = "the_other_signals_are_seen_to_and_not_deadly";
        let mut process = in_own_process(name, || {
            let (stopped, stops) = mpsc::channel();
            let save = || log::info("told to save");
            watch(move || stopped.send(()).expect("the test waits"), save).expect("handlers");
            raise(SIGHUP);
            raise(SIGUSR1);
            raise(SIGXFSZ);
            stops.recv_timeout(STUCK).expect("the parent has seen both lines");
            std::process::exit(3);
        });
        let stderr = process.stderr.take().expect("a pipe");
        let mut missing = vec!["Z info  SIGHUP: nothing to reload yet", "Z info  told to save"];
        let mut seen = Vec::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            missing.retain(|wanted| !line.ends_with(wanted));
            seen.push(line);
            if missing.is_empty() {
                let pid = Pid::from_child(&process);
                kill_process(pid, Signal::INT).expect("a signal to the own child");
                break;
            }
        }
        let status = process.wait().expect("the process ends");
        assert_eq!((status.code(), missing), (Some(3), vec![]), "{seen:#?}");
    }
}
