//! The load generator: announces to a tracker as many clients would, and counts what comes back.
//!
//! ```text
//! Plan -> a Driver in each thread -> Slots, a connection each -> Tally -> Outcome
//! ```
//!
//! What is sent are ordinary announces, so that any tracker can be measured; what comes back is
//! checked before it counts. Nothing is allocated for an announce but where a check fails. Two ways
//! to go on: as fast as answers come, with a number of announces under way, or at a rate, with
//! latencies that count from when each announce was due ([`pace`]). Nothing here prints.
//!
//! Linux only, for epoll and `/proc`. Whether the tracker may be loaded at all is the caller's
//! question.

use std::net::SocketAddr;
use std::thread;

use crate::clock::Stopwatch;
use crate::descriptors;
use crate::limits::{LOAD_FAILURES_MAX, LOAD_SPARE_DESCRIPTORS};

pub mod crowd;
mod driver;
pub mod histogram;
mod message;
pub mod pace;
pub mod process;
mod reply;
mod slot;
mod socket;
pub mod tally;

use crowd::{Crowd, CrowdSize, PEERS_OF_ADDRESS_MAX};
use driver::Driver;
use pace::Span;
use process::Usage;
use tally::Tally;

/// What announces travel over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// HTTP, a connection for each, as most clients do.
    Each,
    /// HTTP over connections that are kept.
    Keep,
    /// UDP.
    Udp,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tracker.
    pub address: SocketAddr,
    /// See [`Way`].
    pub way: Way,
    /// Host and port as the URL has them.
    pub authority: String,
    /// Path and query as the URL has them; over UDP they may be empty.
    pub target: String,
    /// Who announces.
    pub crowd: CrowdSize,
    /// Peers wanted.
    pub numwant: u16,
    /// Whether every peer announces once before anything is measured.
    pub fill: bool,
    /// How long it is measured.
    pub span: Span,
    /// Announces a second; `None` for as fast as possible.
    pub rate: Option<u32>,
    /// Announces under way at the most, each on a connection or socket of its own; from 1.
    pub connections: u32,
    /// Loopback addresses from which they come; 1 for the host's choice.
    pub clients: u32,
    /// Whether each peer names an address of its own, which a tracker may believe or not.
    pub names_addresses: bool,
    /// Threads, from 1.
    pub threads: u32,
    /// When an announce is given up, in nanoseconds.
    pub timeout_nanos: u64,
    /// The tracker's process, where it is on this host.
    pub pid: Option<u32>,
}

/// What has come of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What became of each peer's first announce, if these were made.
    pub fill: Option<Tally>,
    /// What was measured.
    pub tally: Tally,
    /// From the begin of the measurement to its last answer, in nanoseconds.
    pub nanos: u64,
    /// Whether it ended early, since too many announces in a row had come to nothing.
    pub gave_up: bool,
    /// What the tracker has used for it.
    pub tracker: Option<Usage>,
    /// What this process has used for it.
    pub generator: Usage,
}

impl Outcome {
    /// Announces answered in a second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        let scaled = u128::from(self.tally.answered) * 1_000_000_000;
        u64::try_from(scaled / u128::from(self.nanos.max(1))).unwrap_or(u64::MAX)
    }

    /// CPU time in nanoseconds for each announce that was answered.
    #[must_use]
    pub fn nanos_each(&self, micros: u64) -> u64 {
        micros.saturating_mul(1000) / self.tally.answered.max(1)
    }
}

impl Plan {
    /// The plan as it can be done: no more connections than peers, no more threads than
    /// connections. The error says what cannot be measured, and what to do.
    fn checked(&self, crowd: &Crowd) -> Result<Plan, String> {
        let connections = self.connections.min(self.crowd.peers);
        let threads = self.threads.min(connections);
        let loopback_v4 = self.address.is_ipv4() && self.address.ip().is_loopback();
        if self.clients > 1 && !loopback_v4 {
            return Err(format!(
                "--clients {}: several addresses to announce from are there for a tracker on \
                 127.0.0.1 alone",
                self.clients
            ));
        }
        // A connection belongs to one client.
        if connections < self.clients {
            return Err(format!(
                "--clients {}: as many connections are needed, and there are {connections}",
                self.clients
            ));
        }
        // A tracker takes two peers of one address and port for one.
        let largest = crowd.largest_swarm();
        if largest > PEERS_OF_ADDRESS_MAX && !self.names_addresses {
            return Err(format!(
                "the largest torrent would have {largest} peers, and one address has \
                 {PEERS_OF_ADDRESS_MAX} ports: use more --torrents, --popularity uniform, or \
                 --name-addresses"
            ));
        }
        let limit = descriptors::raise_limit();
        if u64::from(connections) + LOAD_SPARE_DESCRIPTORS > limit {
            return Err(format!(
                "--connections {connections}: this process may open {limit} descriptors; raise \
                 the limit (ulimit -n) or use fewer"
            ));
        }
        Ok(Plan { connections, threads, ..self.clone() })
    }
}

/// Does what is planned. The error is one line: what stood in the way, and what to do.
pub fn run(plan: &Plan) -> Result<Outcome, String> {
    let crowd = Crowd::new(plan.crowd);
    let plan = plan.checked(&crowd)?;
    let usage_of_tracker = || plan.pid.map(Usage::of).transpose();
    usage_of_tracker()?;
    let watch = Stopwatch::start();
    let mut drivers = (0..plan.threads)
        .map(|nth| Driver::new(&plan, &crowd, watch, nth))
        .collect::<Result<Vec<_>, _>>()?;
    let mut fill = None;
    if plan.fill {
        on_threads(&mut drivers, |_, driver| driver.fill())?;
        fill = Some(take_tally(&mut drivers).0);
    }
    let before = (usage_of_tracker()?, Usage::of(std::process::id())?);
    let begun = watch.nanos();
    on_threads(&mut drivers, |nth, driver| {
        driver.measure(begun, share(plan.span, nth, plan.threads))
    })?;
    let after = (usage_of_tracker()?, Usage::of(std::process::id())?);
    let answered_at = drivers.iter().map(|driver| driver.answered_at).max().unwrap_or(0);
    let (tally, gave_up) = take_tally(&mut drivers);
    Ok(Outcome {
        fill,
        tally,
        nanos: answered_at.saturating_sub(begun),
        gave_up,
        tracker: after.0.zip(before.0).map(|(after, before)| after.since(before)),
        generator: after.1.since(before.1),
    })
}

/// Lets every driver work on a thread of its own; the error is the first one's.
fn on_threads<'p>(
    drivers: &mut [Driver<'p>],
    work: impl Fn(u32, &mut Driver<'p>) -> Result<(), String> + Sync,
) -> Result<(), String> {
    thread::scope(|scope| {
        let work = &work;
        let numbered = (0..).zip(drivers);
        let running: Vec<_> =
            numbered.map(|(nth, driver)| scope.spawn(move || work(nth, driver))).collect();
        let ends = running.into_iter().map(|thread| thread.join().expect("no driver panics"));
        // All of them have ended before the first error is told.
        ends.collect::<Vec<_>>().into_iter().collect()
    })
}

/// What all drivers have counted, and whether one of them has given up.
fn take_tally(drivers: &mut [Driver<'_>]) -> (Tally, bool) {
    let (mut all, mut gave_up) = (Tally::default(), false);
    for driver in drivers {
        let tally = std::mem::take(&mut driver.tally);
        gave_up |= tally.failed_in_a_row() >= LOAD_FAILURES_MAX;
        all.merge(tally);
    }
    (all, gave_up)
}

/// One thread's part of a span: of a count its share, of a time all of it.
fn share(span: Span, nth: u32, threads: u32) -> Span {
    match span {
        Span::Nanos(nanos) => Span::Nanos(nanos),
        Span::Count(count) => {
            let (threads, nth) = (u64::from(threads), u64::from(nth));
            Span::Count(count / threads + u64::from(nth < count % threads))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::crowd::Popularity;
    use super::*;

    fn plan() -> Plan {
        Plan {
            address: "127.0.0.1:1".parse().expect("an address"),
            way: Way::Each,
            authority: String::new(),
            target: String::new(),
            crowd: CrowdSize {
                torrents: 1,
                peers: 100,
                seeds: 50,
                popularity: Popularity::Uniform,
            },
            numwant: 50,
            fill: false,
            span: Span::Count(1),
            rate: None,
            connections: 64,
            clients: 1,
            names_addresses: false,
            threads: 2,
            timeout_nanos: 1,
            pid: None,
        }
    }

    fn checked(plan: &Plan) -> Result<Plan, String> {
        plan.checked(&Crowd::new(plan.crowd))
    }

    #[test]
    fn what_cannot_be_measured_is_said_with_what_to_do() {
        let crowd = CrowdSize { peers: 64_513, ..plan().crowd };
        for (plan, wanted) in [
            (
                Plan { address: "[::1]:1".parse().expect("an address"), clients: 2, ..plan() },
                "--clients 2: several addresses to announce from are there for a tracker on \
                 127.0.0.1 alone",
            ),
            (
                Plan { clients: 65, ..plan() },
                "--clients 65: as many connections are needed, and there are 64",
            ),
            (
                Plan { crowd, ..plan() },
                "the largest torrent would have 64513 peers, and one address has 64512 ports: \
                 use more --torrents, --popularity uniform, or --name-addresses",
            ),
        ] {
            assert_eq!(checked(&plan).err().as_deref(), Some(wanted));
        }
        let many =
            Plan { connections: u32::MAX, crowd: CrowdSize { peers: u32::MAX, ..crowd }, ..plan() };
        let many = checked(&Plan { names_addresses: true, ..many }).expect_err("too many");
        assert!(many.starts_with("--connections 4294967295: this process may open "), "{many}");
    }

    #[test]
    fn connections_and_threads_are_no_more_than_they_are_good_for() {
        let small = Plan { crowd: CrowdSize { peers: 1, ..plan().crowd }, ..plan() };
        let small = checked(&small).expect("it can be done");
        assert_eq!((small.connections, small.threads), (1, 1));
    }

    #[test]
    fn the_shares_of_a_count_are_the_count() {
        let shares = [0, 1, 2].map(|nth| share(Span::Count(8), nth, 3));
        assert_eq!(shares, [Span::Count(3), Span::Count(3), Span::Count(2)]);
        assert_eq!(share(Span::Nanos(8), 2, 3), Span::Nanos(8));
    }
}
