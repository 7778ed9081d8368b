//! The HTTP engine for Linux: a few threads, each with an epoll instance and the connections it
//! keeps.
//!
//! The listeners are shared by all workers (`EPOLLEXCLUSIVE`), so that a socket passed in by
//! systemd works as it is. An announce on a connection of its own takes accept, recv, send and
//! close: the request is read right after accept, and only a connection that has something to wait
//! for is kept.
//!
//! Bounded in everything: connections in all and for each user ([`Admission`]), bytes and time of a
//! request (`limits`, [`Table`]). At a bound the connection that has kept its worker waiting
//! longest goes. Running out of descriptors is survived: accepting pauses for a moment. Nothing
//! here parses or answers: that is done at the worker's [`Desk`].

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, SocketFlags};

use crate::limits::{
    HTTP_ACCEPT_BURST, HTTP_ACCEPT_PAUSE_MILLIS, HTTP_BACKLOG, HTTP_DRAIN_BYTES_MAX, HTTP_EVENTS,
    HTTP_OWN_SEARCH_MAX, HTTP_READ_BYTES, STOP_IDLE_MILLIS, STOP_MILLIS_MAX,
};
use crate::listen::Listener;
use crate::log::{self, Cause, Level, Offence};
use crate::request::Seconds;
use crate::rounds::{Round, Rounds};
use crate::subnet::{canonical, user_network};

use super::Service;
use super::admission::{Admission, ConnectionLimits, Full, Seat};
use super::desk::{Desk, Onward, Received, receive};
use super::handover::{Handover, Job, busy_reply, timespec};
use super::table::{Connection, Phase, Table};
use super::wakers::Wakers;

/// The epoll token of the eventfd that wakes a worker; connections have their table's tokens.
const WAKE: u64 = u64::MAX;
/// Set in the tokens of listeners, below it their number.
const LISTENER: u64 = 1 << 63;

/// What the workers have in common.
#[derive(Debug)]
struct Shared {
    listeners: Vec<Listener>,
    /// Where the operator's requests go.
    handover: Handover,
    /// When a stop must be over, in milliseconds of the clock; `u64::MAX` while serving.
    stop_at: AtomicU64,
    /// How long a worker may wait for events, while somebody watches over it.
    wait_millis_max: Option<u64>,
    admission: Arc<Admission>,
    wakers: Wakers,
}

/// The running engine.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts `workers` threads that serve all `listeners`, with `rounds` watching over them.
    pub fn start(
        listeners: Vec<Listener>,
        service: &Arc<Service>,
        workers: usize,
        limits: ConnectionLimits,
        rounds: &Rounds,
    ) -> Result<Engine, String> {
        let failed = |error: Errno| format!("cannot set up epoll: {error}");
        let handover = Handover::start(service)?;
        let stop_at = AtomicU64::new(u64::MAX);
        let wait_millis_max = rounds.wait_millis_max();
        let admission = Admission::new(limits, workers);
        let wakers = Wakers::new(workers).map_err(failed)?;
        let shared = Shared { listeners, handover, stop_at, wait_millis_max, admission, wakers };
        let mut engine = Engine { shared: Arc::new(shared), workers: Vec::new() };
        for nth in 0..workers {
            let shared = Arc::clone(&engine.shared);
            let name = format!("http-{nth}");
            let round = rounds.watch(&name, service.clock.millis());
            let worker = Worker::new(service, shared, nth, round).map_err(failed)?;
            let thread = thread::Builder::new().name(name).spawn(move || worker.run());
            engine.workers.push(thread.map_err(|error| format!("cannot start a thread: {error}"))?);
        }
        Ok(engine)
    }

    /// Makes every worker look at the clock and at what it has been told.
    pub fn wake(&self) {
        self.shared.wakers.wake();
    }

    /// Stops accepting, lets what is in flight finish within [`STOP_MILLIS_MAX`], and returns.
    pub fn stop(self, now_millis: u64) {
        let stop_at = now_millis + STOP_MILLIS_MAX;
        self.shared.stop_at.store(stop_at, Ordering::Relaxed);
        self.shared.wakers.wake();
        for worker in self.workers {
            let _ = worker.join();
        }
        if let Some(shared) = Arc::into_inner(self.shared) {
            shared.handover.stop(stop_at);
        }
    }
}

/// One thread of the engine.
struct Worker {
    epoll: OwnedFd,
    shared: Arc<Shared>,
    /// Which of the wakers is its own.
    nth: usize,
    round: Arc<Round>,
    table: Table,
    desk: Desk,
    /// What was read from a socket last.
    buffer: Box<[u8; HTTP_READ_BYTES]>,
    now: u64,
    accepting: bool,
    /// When accepting goes on after a pause.
    accept_at: Option<u64>,
    /// At a stop: how long a request may still come on a connection without one.
    idle_until: Option<u64>,
}

impl Worker {
    fn new(
        service: &Arc<Service>,
        shared: Arc<Shared>,
        nth: usize,
        round: Arc<Round>,
    ) -> Result<Worker, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = shared.wakers.of(nth).ok_or(Errno::BADF)?;
        epoll::add(&epoll, wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        let mut worker = Worker {
            epoll,
            shared,
            nth,
            round,
            table: Table::new(),
            desk: Desk::new(service),
            buffer: Box::new([0; HTTP_READ_BYTES]),
            now: service.clock.millis(),
            accepting: false,
            accept_at: None,
            idle_until: None,
        };
        worker.begin_accepting()?;
        Ok(worker)
    }

    fn run(mut self) {
        let mut events = Vec::with_capacity(HTTP_EVENTS);
        loop {
            events.clear();
            let timeout = self.timeout();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    log::error(format_args!("a worker ends: epoll: {error}"));
                    return;
                }
            }
            self.now = self.desk.service.clock.millis();
            self.desk.now = Seconds((self.now / 1000) as u32);
            self.round.begin(self.now);
            for event in &events {
                self.handle_or_close(event.data.u64());
            }
            if !self.survives(Worker::keep_time) {
                // What keeps its connections would panic in every round.
                self.table = Table::new();
            }
            if self.desk.stopping && (self.table.is_empty() || self.now >= self.stop_at()) {
                return;
            }
        }
    }

    /// What is due by the clock.
    fn keep_time(&mut self) {
        self.close_overdue();
        self.thin_out(0);
        if self.accept_at.is_some_and(|at| at <= self.now) {
            self.accept_at = None;
            let _ = self.begin_accepting();
        }
        if self.stop_at() != u64::MAX {
            self.begin_stop();
            self.close_idle();
        }
    }

    fn stop_at(&self) -> u64 {
        self.shared.stop_at.load(Ordering::Relaxed)
    }

    /// Does a part of a round. A panic in it is a bug, is logged already, and ends that part alone.
    fn survives<T>(&mut self, part: impl FnOnce(&mut Worker) -> T) -> bool {
        let survived = panic::catch_unwind(AssertUnwindSafe(|| part(self))).is_ok();
        if !survived {
            self.desk = self.desk.anew();
            self.desk.service.stats.panics.add();
        }
        survived
    }

    /// Until the next deadline; for ever if there is none.
    fn timeout(&self) -> Option<Timespec> {
        let round = self.shared.wait_millis_max.map(|millis| self.now + millis);
        let times = [self.table.next_deadline(), self.accept_at, self.idle_until, round];
        let deadlines = times.into_iter().chain([Some(self.stop_at())]);
        let next = deadlines.flatten().min().filter(|&next| next != u64::MAX)?;
        Some(timespec(next.saturating_sub(self.desk.service.clock.millis())))
    }

    fn handle(&mut self, token: u64) {
        if token == WAKE {
            self.shared.wakers.take(self.nth);
        } else if token & LISTENER != 0 {
            self.accept((token & !LISTENER) as usize, HTTP_ACCEPT_BURST);
        } else {
            self.serve(token as u32);
        }
    }

    /// Serves what an event tells of, or else loses the connection that it tells of.
    fn handle_or_close(&mut self, token: u64) {
        let is_connection = token & LISTENER == 0;
        let closes = |worker: &mut Worker| is_connection.then(|| worker.close(token as u32));
        if !self.survives(|worker| worker.handle(token)) && !self.survives(closes) {
            self.table = Table::new();
        }
    }

    // -- accepting --------------------------------------------------------------------------------

    fn begin_accepting(&mut self) -> Result<(), Errno> {
        if !self.accepting && !self.desk.stopping {
            self.accepting = true;
            for (nth, listener) in self.shared.listeners.iter().enumerate() {
                let token = epoll::EventData::new_u64(LISTENER | nth as u64);
                let flags = epoll::EventFlags::IN | epoll::EventFlags::EXCLUSIVE;
                epoll::add(&self.epoll, listener, token, flags)?;
            }
        }
        Ok(())
    }

    fn end_accepting(&mut self) {
        if self.accepting {
            self.accepting = false;
            for listener in &self.shared.listeners {
                let _ = epoll::delete(&self.epoll, listener);
            }
        }
    }

    /// Accepts what has connected, at most `burst` of them.
    fn accept(&mut self, nth: usize, burst: usize) {
        let shared = Arc::clone(&self.shared);
        let Some(listener) = shared.listeners.get(nth) else { return };
        for _ in 0..burst {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match rustix::net::acceptfrom_with(listener, flags) {
                Ok((socket, remote)) => {
                    let remote = remote.and_then(|any| SocketAddr::try_from(any).ok());
                    self.open(socket, remote.map(|remote| canonical(remote.ip())));
                }
                Err(Errno::AGAIN) => return,
                // The client has gone already: the next may be there (accept(2)).
                Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::TIMEDOUT) => {}
                Err(error) => return self.pause_accepting(error),
            }
        }
    }

    /// What fails would fail again at once: makes room if that may help, and lets a moment pass.
    fn pause_accepting(&mut self, error: Errno) {
        self.end_accepting();
        self.accept_at = Some(self.now + HTTP_ACCEPT_PAUSE_MILLIS);
        if !matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) {
            log::limited(Cause::AcceptFailed, Level::Error, self.now, || {
                format!("connections cannot be accepted: {}", std::io::Error::from(error))
            });
            return;
        }
        self.table.most_dispensable().inspect(|&token| self.give_up(token));
        log::limited(Cause::AcceptDescriptors, Level::Warn, self.now, || {
            "no descriptors left to accept connections with: raise the limit (ulimit -n, \
             LimitNOFILE) or lower max-connections"
                .to_owned()
        });
    }

    /// Serves a new connection at once, and keeps it if it has anything to wait for.
    fn open(&mut self, socket: OwnedFd, remote: Option<IpAddr>) {
        self.desk.service.stats.connections.add();
        let mut connection = Connection::new(socket, remote);
        let idle = Onward::Waits { phase: Phase::Idle, anew: true };
        let next = match receive(&connection.socket, &mut self.buffer[..]) {
            Received::Bytes(0) | Received::Failed => None,
            Received::Bytes(length) => {
                let fresh = self.buffer.get(..length).unwrap_or_default();
                self.desk.progress(&mut connection, fresh)
            }
            Received::Nothing => Some(idle),
        };
        let phase = match next {
            None => return,
            Some(Onward::HandOver) => return self.hand_over(connection),
            Some(Onward::Waits { phase, .. }) => phase,
        };
        self.keep(connection, phase);
    }

    /// Keeps a connection, if it may be kept.
    fn keep(&mut self, mut connection: Connection, phase: Phase) {
        let remote = connection.remote;
        connection.seat = self.seat(remote);
        if connection.seat.is_none() {
            self.desk.service.stats.connections_refused.add();
            log::limited(Cause::ConnectionRefused, Level::Warn, self.now, || {
                let from = remote.map_or("a Unix socket".to_owned(), |ip| ip.to_string());
                format!("too many connections: one from {from} was not kept")
            });
            return;
        }
        let token = self.table.insert(connection, phase, self.now);
        if let Some((connection, _)) = self.table.get_mut(token) {
            let data = epoll::EventData::new_u64(u64::from(token));
            if epoll::add(&self.epoll, &connection.socket, data, interest(phase)).is_err() {
                self.close(token);
            }
        }
    }

    /// Counts a connection in, for which another may have to go: one of this worker's, or one of a
    /// worker that has more than its share.
    fn seat(&mut self, remote: Option<IpAddr>) -> Option<Seat> {
        let user = self.desk.service.user(remote);
        let seat = match self.shared.admission.admit(user) {
            Ok(seat) => seat,
            Err(full) => {
                let goes = match full {
                    Full::OfUser => self.longest_waiting_of(user, remote),
                    Full::OfAll => self.table.most_dispensable(),
                };
                self.give_up(goes?);
                self.shared.admission.admit(user).ok()?
            }
        };
        self.thin_out(1);
        if self.shared.admission.is_over() {
            self.shared.wakers.wake();
        }
        Some(seat)
    }

    /// The connection that makes room for the newest of its user.
    fn longest_waiting_of(&self, user: Option<IpAddr>, remote: Option<IpAddr>) -> Option<u32> {
        self.desk.service.stats.connections_refused_per_ip.add();
        if let Some(ip) = remote.and_then(|ip| self.desk.service.per_address.bounded(ip)) {
            log::refused(Offence::Connections, ip, self.now);
        }
        let own = |other: &Connection| other.remote.map(user_network) == user;
        self.table.longest_waiting(HTTP_OWN_SEARCH_MAX, own)
    }

    /// Closes what waits longest, while this worker has to; `coming` are those it will keep too.
    fn thin_out(&mut self, coming: usize) {
        while self.shared.admission.has_to_go(self.table.len() + coming) {
            let Some(token) = self.table.most_dispensable() else { return };
            self.give_up(token);
        }
    }

    /// Closes a connection to make room.
    fn give_up(&mut self, token: u32) {
        self.desk.service.stats.connections_refused.add();
        self.close(token);
    }

    // -- serving ----------------------------------------------------------------------------------

    /// Goes on with a connection that epoll says is ready.
    fn serve(&mut self, token: u32) {
        let Some((connection, phase)) = self.table.get_mut(token) else { return };
        let next = if phase == Phase::Write {
            self.desk.flush(connection)
        } else {
            match receive(&connection.socket, &mut self.buffer[..]) {
                Received::Bytes(0) | Received::Failed => None,
                Received::Nothing => return,
                Received::Bytes(length) if phase == Phase::Drain => {
                    connection.drained += length;
                    let goes_on = connection.drained <= HTTP_DRAIN_BYTES_MAX;
                    goes_on.then_some(Onward::Waits { phase, anew: false })
                }
                Received::Bytes(length) => {
                    let fresh = self.buffer.get(..length).unwrap_or_default();
                    self.desk.progress(connection, fresh)
                }
            }
        };
        let (to, anew) = match next {
            None => return self.close(token),
            Some(Onward::HandOver) => return self.release(token),
            Some(Onward::Waits { phase, anew }) => (phase, anew),
        };
        if interest(phase) != interest(to) {
            let data = epoll::EventData::new_u64(u64::from(token));
            if epoll::modify(&self.epoll, &connection.socket, data, interest(to)).is_err() {
                return self.close(token);
            }
        }
        if anew {
            self.table.restart_phase(token, to, self.now);
        } else {
            self.table.set_phase(token, to, self.now);
        }
    }

    /// Gives a connection that was kept to the operator's threads.
    fn release(&mut self, token: u32) {
        let Some(connection) = self.table.remove(token) else { return };
        let _ = epoll::delete(&self.epoll, &connection.socket);
        self.hand_over(connection);
    }

    fn hand_over(&mut self, connection: Connection) {
        let remote = connection.remote;
        let job = Job { socket: connection.socket, received: connection.input };
        let Err(job) = self.shared.handover.give(job) else { return };
        // A socket takes so little at once, or its client has gone.
        let _ = rustix::net::send(&job.socket, &busy_reply(), SendFlags::NOSIGNAL);
        // A body may still be on its way: unread, it would make of the close a reset that takes the
        // reply away.
        if rustix::net::shutdown(&job.socket, Shutdown::Write).is_ok() {
            self.keep(Connection::new(job.socket, remote), Phase::Drain);
        }
    }

    // -- ending -----------------------------------------------------------------------------------

    fn close(&mut self, token: u32) {
        drop(self.table.remove(token));
    }

    fn close_overdue(&mut self) {
        while let Some(token) = self.table.overdue(self.now) {
            self.desk.service.stats.connections_timed_out.add();
            self.close(token);
        }
    }

    /// Takes in what has connected already, then only finishes what is in flight.
    fn begin_stop(&mut self) {
        if self.desk.stopping {
            return;
        }
        self.desk.stopping = true;
        for nth in 0..self.shared.listeners.len() {
            self.accept(nth, HTTP_BACKLOG as usize);
        }
        self.end_accepting();
        self.accept_at = None;
        self.idle_until = Some(self.now + STOP_IDLE_MILLIS);
    }

    /// At a stop, closes the connections on which nothing has come in the moment they had for it.
    fn close_idle(&mut self) {
        if self.idle_until.is_some_and(|at| at <= self.now) {
            self.idle_until = None;
            while let Some(token) = self.table.oldest_where(Phase::Idle, 1, |_| true) {
                self.close(token);
            }
        }
    }
}

/// What epoll is asked to report in each phase.
fn interest(phase: Phase) -> epoll::EventFlags {
    if phase == Phase::Write { epoll::EventFlags::OUT } else { epoll::EventFlags::IN }
}
