//! The connections one worker of the epoll engine keeps, by token and in order of age.
//!
//! Each connection is in one [`Phase`], and all deadlines of a phase are equally long, so the
//! phase's connections in the order they entered it are also in the order they run out: a linked
//! list through the slots makes every operation O(1), the next deadline and the connection idle
//! longest included. One worker owns a table; nothing here is shared.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::limits::{
    HTTP_DRAIN_MILLIS_MAX, HTTP_HEAD_MILLIS_MAX, HTTP_IDLE_MILLIS_MAX, HTTP_WRITE_MILLIS_MAX,
};

use super::admission::Seat;

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first byte of a request.
    Idle,
    /// The client to see an error reply and go, while what it still sends is dropped.
    Drain,
    /// The rest of a head.
    Head,
    /// The client to take a reply.
    Write,
}

impl Phase {
    const ALL: [Phase; 4] = [Phase::Idle, Phase::Drain, Phase::Head, Phase::Write];

    fn millis_max(self) -> u64 {
        match self {
            Phase::Idle => HTTP_IDLE_MILLIS_MAX,
            Phase::Drain => HTTP_DRAIN_MILLIS_MAX,
            Phase::Head => HTTP_HEAD_MILLIS_MAX,
            Phase::Write => HTTP_WRITE_MILLIS_MAX,
        }
    }
}

/// One connection that is kept.
#[derive(Debug)]
pub struct Connection {
    /// The socket; dropping it closes the connection.
    pub socket: OwnedFd,
    /// The other side's address; `None` on a Unix socket.
    pub remote: Option<IpAddr>,
    /// What has arrived and is not served yet; allocated only then.
    pub input: Vec<u8>,
    /// How much of `input` has been searched for the end of a head.
    pub searched: usize,
    /// What the socket has not taken yet; allocated only then.
    pub output: Vec<u8>,
    /// How much of `output` it has taken.
    pub written: usize,
    /// What happens when `output` has been taken.
    pub afterwards: Afterwards,
    /// Bytes read and dropped while draining.
    pub drained: usize,
    /// Its place among those that are kept, once it is.
    pub seat: Option<Seat>,
}

/// What happens to a connection once its replies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It waits for bytes.
    Wait,
    /// It has more requests that were held back until replies were taken.
    Resume,
    /// It is the operator's from here on: `input` begins with that request.
    HandOver,
    /// It is closed.
    Close,
    /// It is closed, but what the client is still sending is read first: closing a socket with
    /// unread bytes resets it, and the client would lose the reply (RFC 9112 section 9.6).
    Drain,
}

impl Connection {
    /// A connection on which nothing has happened yet.
    #[must_use]
    pub fn new(socket: OwnedFd, remote: Option<IpAddr>) -> Connection {
        Connection {
            socket,
            remote,
            input: Vec::new(),
            searched: 0,
            output: Vec::new(),
            written: 0,
            afterwards: Afterwards::Wait,
            drained: 0,
            seat: None,
        }
    }
}

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Entry {
    connection: Connection,
    phase: Phase,
    since: u64,
    older: u32,
    newer: u32,
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    oldest: u32,
    newest: u32,
}

/// The connections of one worker. Tokens are used again after a removal.
#[derive(Debug)]
pub struct Table {
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    queues: [Queue; Phase::ALL.len()],
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new() -> Table {
        let empty = Queue { oldest: NONE, newest: NONE };
        Table { slots: Vec::new(), free: Vec::new(), queues: [empty; Phase::ALL.len()] }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a connection; returns its token.
    pub fn insert(&mut self, connection: Connection, phase: Phase, now: u64) -> u32 {
        let token = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        if let Some(slot) = self.slots.get_mut(token as usize) {
            *slot = Some(Entry { connection, phase, since: now, older: NONE, newer: NONE });
        }
        self.enqueue(token, phase, now);
        token
    }

    /// Takes a connection out.
    pub fn remove(&mut self, token: u32) -> Option<Connection> {
        self.dequeue(token);
        let entry = self.slots.get_mut(token as usize)?.take()?;
        self.free.push(token);
        Some(entry.connection)
    }

    /// The connection and its phase.
    pub fn get_mut(&mut self, token: u32) -> Option<(&mut Connection, Phase)> {
        let entry = self.entry(token)?;
        Some((&mut entry.connection, entry.phase))
    }

    /// Puts a connection into a phase, whose deadline begins now; staying in one prolongs nothing.
    pub fn set_phase(&mut self, token: u32, phase: Phase, now: u64) {
        if self.entry(token).is_some_and(|entry| entry.phase != phase) {
            self.dequeue(token);
            self.enqueue(token, phase, now);
        }
    }

    /// Begins a connection's deadline anew, as when an idle one has just been served.
    pub fn restart_phase(&mut self, token: u32, phase: Phase, now: u64) {
        self.dequeue(token);
        self.enqueue(token, phase, now);
    }

    /// When the first deadline runs out.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        Phase::ALL.into_iter().filter_map(|phase| self.deadline(phase)).map(|(at, _)| at).min()
    }

    /// A connection whose deadline has run out.
    #[must_use]
    pub fn overdue(&self, now: u64) -> Option<u32> {
        let deadlines = Phase::ALL.into_iter().filter_map(|phase| self.deadline(phase));
        deadlines.filter(|&(at, _)| at <= now).map(|(_, token)| token).next()
    }

    /// The connection to give up when there are too many: the one that has kept us waiting longest
    /// for a request, whole or begun (a byte now and then must not be worth more than patience), or
    /// if there is none, the one that is slowest to take its reply.
    #[must_use]
    pub fn most_dispensable(&self) -> Option<u32> {
        self.longest_waiting(1, |_| true).or(self.oldest_where(Phase::Write, 1, |_| true))
    }

    /// Of those that `is` accepts, the one that has kept us waiting longest for a request; only the
    /// `among` oldest of each phase are asked about.
    pub fn longest_waiting(&self, among: usize, is: impl Fn(&Connection) -> bool) -> Option<u32> {
        let phases = [Phase::Head, Phase::Drain, Phase::Idle];
        let tokens = phases.into_iter().filter_map(|phase| self.oldest_where(phase, among, &is));
        tokens.min_by_key(|&token| self.slots.get(token as usize)?.as_ref().map(|e| e.since))
    }

    /// Of the `among` connections longest in `phase`, the first that `is` accepts.
    pub fn oldest_where(
        &self,
        phase: Phase,
        among: usize,
        is: impl Fn(&Connection) -> bool,
    ) -> Option<u32> {
        let mut token = self.queue(phase).oldest;
        for _ in 0..among {
            let entry = self.slots.get(token as usize)?.as_ref()?;
            if is(&entry.connection) {
                return Some(token);
            }
            token = entry.newer;
        }
        None
    }

    /// When the phase's oldest connection runs out, and which it is.
    fn deadline(&self, phase: Phase) -> Option<(u64, u32)> {
        let token = self.queue(phase).oldest;
        let entry = self.slots.get(token as usize)?.as_ref()?;
        Some((entry.since + phase.millis_max(), token))
    }

    fn entry(&mut self, token: u32) -> Option<&mut Entry> {
        self.slots.get_mut(token as usize)?.as_mut()
    }

    fn queue(&self, phase: Phase) -> Queue {
        let [idle, drain, head, write] = self.queues;
        match phase {
            Phase::Idle => idle,
            Phase::Drain => drain,
            Phase::Head => head,
            Phase::Write => write,
        }
    }

    fn queue_mut(&mut self, phase: Phase) -> &mut Queue {
        let [idle, drain, head, write] = &mut self.queues;
        match phase {
            Phase::Idle => idle,
            Phase::Drain => drain,
            Phase::Head => head,
            Phase::Write => write,
        }
    }

    /// Puts an entry that is in no queue at the new end of a phase's.
    fn enqueue(&mut self, token: u32, phase: Phase, now: u64) {
        let queue = self.queue_mut(phase);
        let before = queue.newest;
        queue.newest = token;
        if before == NONE {
            queue.oldest = token;
        }
        if let Some(entry) = self.entry(token) {
            (entry.phase, entry.since) = (phase, now);
            (entry.older, entry.newer) = (before, NONE);
        }
        if let Some(entry) = self.entry(before) {
            entry.newer = token;
        }
    }

    /// Takes an entry out of its phase's queue.
    fn dequeue(&mut self, token: u32) {
        let Some(&mut Entry { phase, older, newer, .. }) = self.entry(token) else { return };
        match self.entry(older) {
            Some(entry) => entry.newer = newer,
            None => self.queue_mut(phase).oldest = newer,
        }
        match self.entry(newer) {
            Some(entry) => entry.older = older,
            None => self.queue_mut(phase).newest = older,
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Table::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn connection() -> Connection {
        Connection::new(File::open("/dev/null").expect("/dev/null").into(), None)
    }

    #[test]
    fn deadlines_run_from_entering_a_phase_and_staying_prolongs_nothing() {
        let mut table = Table::new();
        let a = table.insert(connection(), Phase::Idle, 1_000);
        let b = table.insert(connection(), Phase::Head, 2_000);
        assert_eq!(table.next_deadline(), Some(12_000));
        table.set_phase(b, Phase::Head, 11_000);
        assert_eq!(table.next_deadline(), Some(12_000));
        assert_eq!((table.overdue(11_999), table.overdue(12_000)), (None, Some(b)));
        table.set_phase(b, Phase::Write, 12_000);
        assert_eq!(table.next_deadline(), Some(22_000));
        table.remove(b);
        assert_eq!((table.next_deadline(), table.overdue(31_000)), (Some(31_000), Some(a)));
        table.restart_phase(a, Phase::Idle, 30_000);
        assert_eq!(table.next_deadline(), Some(60_000));
        table.remove(a);
        assert_eq!((table.next_deadline(), table.is_empty()), (None, true));
    }

    #[test]
    fn the_connection_that_waits_longest_for_a_request_is_the_first_to_go() {
        let mut table = Table::new();
        let write = table.insert(connection(), Phase::Write, 0);
        let idle = [1, 2, 4].map(|now| table.insert(connection(), Phase::Idle, now));
        let head = table.insert(connection(), Phase::Head, 3);
        table.restart_phase(idle[0], Phase::Idle, 5);
        assert_eq!(table.longest_waiting(1, |_| false), None);
        for wanted in [idle[1], head, idle[2], idle[0], write] {
            assert_eq!(table.most_dispensable(), Some(wanted));
            assert!(table.remove(wanted).is_some());
        }
        assert_eq!(table.most_dispensable(), None);
    }

    #[test]
    fn queues_stay_whole_through_random_changes() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut table, mut model) = (Table::new(), Vec::<(u32, Phase)>::new());
        for now in 0..5_000 {
            let phase = Phase::ALL[random.usize(0..4)];
            match random.u8(0..3) {
                0 if model.len() < 50 => {
                    model.push((table.insert(connection(), phase, now), phase));
                }
                1 if !model.is_empty() => {
                    let (token, _) = model.remove(random.usize(0..model.len()));
                    assert!(table.remove(token).is_some());
                    assert!(table.get_mut(token).is_none());
                }
                _ if !model.is_empty() => {
                    let (token, _) = model.remove(random.usize(0..model.len()));
                    table.restart_phase(token, phase, now);
                    model.push((token, phase));
                }
                _ => {}
            }
            for phase in Phase::ALL {
                let wanted: Vec<u32> =
                    model.iter().filter(|(_, p)| *p == phase).map(|&(token, _)| token).collect();
                let mut listed = Vec::new();
                let mut token = table.queue(phase).oldest;
                while let Some(entry) = table.entry(token) {
                    listed.push(token);
                    token = entry.newer;
                }
                assert_eq!(listed, wanted, "{phase:?}");
                assert_eq!(table.queue(phase).newest, wanted.last().copied().unwrap_or(NONE));
            }
        }
    }
}
