//! Thousands of clients with bad manners, on one thread and one epoll.
//!
//! Each sends its opening as far as the socket takes it, and then a byte a second, or nothing. Who
//! is closed by the tracker comes again after a while. The thread ends with the crowd, and all its
//! connections with it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::harness::PATIENCE;

/// A round: of the clients that send a byte a second, a fiftieth sends it.
const ROUND: Duration = Duration::from_millis(20);
const ROUNDS_A_SECOND: usize = 50;
/// What a client reads at once.
const READ_BYTES: usize = 16 * 1024;

/// The kernel takes about so much for a client that reads nothing.
const UNREAD_BYTES: usize = 4096;

/// How a client behaves.
#[derive(Clone)]
pub struct Manner {
    /// Its address: 127.0.x.y.
    pub source: IpAddr,
    /// What it sends first.
    pub opening: Arc<[u8]>,
    /// Whether it then sends a byte a second, for ever.
    pub drips: bool,
    /// Whether it reads what it is sent.
    pub reads: bool,
    /// When it comes again after it was closed.
    pub returns: Option<Duration>,
}

/// What has happened to all of them.
#[derive(Default)]
pub struct Tally {
    /// Connected now.
    pub standing: AtomicUsize,
    /// Closed by the tracker.
    pub closed: AtomicUsize,
    /// Bytes read.
    pub read: AtomicUsize,
    /// Nobody comes again from now on.
    stay_away: AtomicBool,
    ended: AtomicBool,
}

impl Tally {
    pub fn standing(&self) -> usize {
        self.standing.load(Ordering::Relaxed)
    }

    pub fn closed(&self) -> usize {
        self.closed.load(Ordering::Relaxed)
    }
}

/// The crowd, until it is dropped.
pub struct Crowd {
    pub tally: Arc<Tally>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// One client for each manner goes for the server.
    pub fn gather(server: SocketAddr, manners: Vec<Manner>) -> Crowd {
        let tally = Arc::new(Tally::default());
        let thread = std::thread::spawn({
            let tally = Arc::clone(&tally);
            move || run(server, manners, &tally)
        });
        Crowd { tally, thread: Some(thread) }
    }

    /// Waits until what has happened to them is as it should be.
    pub fn wait_until(&self, wanted: impl Fn(&Tally) -> bool) {
        let give_up = Instant::now() + 3 * PATIENCE;
        while !wanted(&self.tally) {
            let (standing, closed) = (self.tally.standing(), self.tally.closed());
            assert!(Instant::now() < give_up, "{standing} are connected, {closed} were closed");
            std::thread::park_timeout(ROUND);
        }
    }

    /// From now on who is closed does not come again.
    pub fn stay_away(&self) {
        self.tally.stay_away.store(true, Ordering::Relaxed);
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.tally.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Member {
    manner: Manner,
    socket: Option<OwnedFd>,
    sent: usize,
    comes_at: Option<Instant>,
}

fn run(server: SocketAddr, manners: Vec<Manner>, tally: &Tally) {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
    let begun = Instant::now();
    let member = |manner| Member { manner, socket: None, sent: 0, comes_at: Some(begun) };
    let mut members: Vec<Member> = manners.into_iter().map(member).collect();
    let mut events = Vec::with_capacity(512);
    let mut rounds = 0;
    while !tally.ended.load(Ordering::Relaxed) {
        let timeout = Timespec { tv_sec: 0, tv_nsec: ROUND.as_nanos() as i64 / 4 };
        events.clear();
        let waited = epoll::wait(&epoll, spare_capacity(&mut events), Some(&timeout));
        assert!(matches!(waited, Ok(_) | Err(Errno::INTR)), "{waited:?}");
        for event in &events {
            members[event.data.u64() as usize].go_on(event.flags, tally);
        }
        let now = Instant::now();
        let may_come = !tally.stay_away.load(Ordering::Relaxed);
        for (number, member) in members.iter_mut().enumerate() {
            if may_come && member.comes_at.is_some_and(|at| at <= now) {
                member.come(server, &epoll, number as u64, now);
            }
        }
        let due = (now.duration_since(begun).as_millis() / ROUND.as_millis()) as usize;
        for round in rounds..due {
            let dripping = members.iter_mut().skip(round % ROUNDS_A_SECOND);
            dripping.step_by(ROUNDS_A_SECOND).for_each(|member| member.drip(tally));
        }
        rounds = due;
    }
}

impl Member {
    /// Connects. If that fails, for want of a port say, it tries again in a second.
    fn come(&mut self, server: SocketAddr, epoll: &OwnedFd, number: u64, now: Instant) {
        self.sent = 0;
        self.socket = connect(server, &self.manner).ok();
        self.comes_at = self.socket.is_none().then(|| now + Duration::from_secs(1));
        if let Some(socket) = &self.socket {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
            let data = epoll::EventData::new_u64(number);
            epoll::add(epoll, socket, data, flags | epoll::EventFlags::ET).expect("a new socket");
        }
    }

    /// Does what the socket allows now.
    fn go_on(&mut self, flags: epoll::EventFlags, tally: &Tally) {
        let Some(socket) = &self.socket else { return };
        if flags.contains(epoll::EventFlags::OUT) && self.sent == 0 {
            // The first time; 1 more than was sent, so that there is no second.
            self.sent = 1;
            tally.standing.fetch_add(1, Ordering::Relaxed);
        }
        let ends = epoll::EventFlags::HUP | epoll::EventFlags::RDHUP | epoll::EventFlags::ERR;
        let mut over = flags.intersects(ends);
        if self.manner.reads {
            over |= !read_all(socket, tally);
        }
        if over || !self.open() {
            self.leave(tally);
        }
    }

    /// Sends more of the opening; false if the connection is broken.
    fn open(&mut self) -> bool {
        let Some(socket) = &self.socket else { return false };
        while self.sent > 0 && self.sent <= self.manner.opening.len() {
            let rest = &self.manner.opening[self.sent - 1..];
            match rustix::net::send(socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => self.sent += sent,
                Err(error) => return matches!(error, Errno::AGAIN | Errno::INTR),
            }
        }
        true
    }

    fn drip(&mut self, tally: &Tally) {
        let opened = self.manner.drips && self.sent > self.manner.opening.len();
        let Some(socket) = self.socket.as_ref().filter(|_| opened) else { return };
        let sent = rustix::net::send(socket, b"a", SendFlags::NOSIGNAL);
        if !matches!(sent, Ok(_) | Err(Errno::AGAIN | Errno::INTR)) {
            self.leave(tally);
        }
    }

    /// After the tracker has closed the connection.
    fn leave(&mut self, tally: &Tally) {
        if self.sent > 0 {
            tally.standing.fetch_sub(1, Ordering::Relaxed);
        }
        tally.closed.fetch_add(1, Ordering::Relaxed);
        self.socket = None;
        self.comes_at = self.manner.returns.map(|pause| Instant::now() + pause);
    }
}

/// Reads what has come; false if the connection is over.
fn read_all(socket: &OwnedFd, tally: &Tally) -> bool {
    loop {
        match rustix::net::recv(socket, &mut [0; READ_BYTES][..], RecvFlags::empty()) {
            Ok((0, _)) => return false,
            Ok((length, _)) => _ = tally.read.fetch_add(length, Ordering::Relaxed),
            Err(error) => return matches!(error, Errno::AGAIN | Errno::INTR),
        }
    }
}

fn connect(server: SocketAddr, manner: &Manner) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    if !manner.reads {
        sockopt::set_socket_recv_buffer_size(&socket, UNREAD_BYTES)?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(manner.source, 0))?;
    match rustix::net::connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}
