//! Threads for the operator's requests, which may be slow: they never run on an announce worker.
//!
//! A worker of the epoll engine that has a request of the operator's gives the whole connection
//! away: the socket and what has been read from it. Here it becomes a blocking one with timeouts,
//! the body is read, the reply streamed, and the connection closed. That replaces a mailbox through
//! which every piece of a stream would have to go back to the worker. The queue is short: when it
//! is full the worker answers 503 itself. A client that takes nothing for 10 s is cut off; at a
//! stop, whoever is not done in time.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_send_buffer_size, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::limits::{
    HTTP_BODY_MILLIS_MAX, HTTP_DRAIN_BYTES_MAX, HTTP_DRAIN_MILLIS_MAX, HTTP_READ_BYTES,
    HTTP_WRITE_MILLIS_MAX, OPERATOR_QUEUE_MAX, OPERATOR_SEND_BYTES, OPERATOR_THREADS,
};

use super::Service;
use super::body;
use super::head::{self, Body, Head, Parsed, Problem};
use super::operator::encode_operator_problem;
use super::status::Status;
use super::stream::ReplyStream;

/// A connection whose next request is the operator's.
#[derive(Debug)]
pub struct Job {
    /// The connection.
    pub socket: OwnedFd,
    /// What has been read from it: a whole head, and perhaps some of a body.
    pub received: Vec<u8>,
}

/// The threads, and the way to them.
#[derive(Debug)]
pub struct Handover {
    jobs: SyncSender<Job>,
    threads: Vec<JoinHandle<()>>,
    office: Arc<Office>,
    service: Arc<Service>,
}

/// What the threads share.
#[derive(Debug)]
struct Office {
    jobs: Mutex<Receiver<Job>>,
    at_work: Mutex<AtWork>,
}

#[derive(Debug)]
struct AtWork {
    /// Threads that have not ended.
    threads: usize,
    /// The connections that they serve.
    sockets: Vec<Arc<OwnedFd>>,
    /// Whether the time for serving is over.
    closed: bool,
}

impl Handover {
    /// Starts the threads.
    pub fn start(service: &Arc<Service>) -> Result<Handover, String> {
        let (jobs, receiver) = sync_channel(OPERATOR_QUEUE_MAX);
        let at_work = AtWork { threads: OPERATOR_THREADS, sockets: Vec::new(), closed: false };
        let office = Office { jobs: Mutex::new(receiver), at_work: Mutex::new(at_work) };
        let office = Arc::new(office);
        let mut threads = Vec::new();
        for nth in 0..OPERATOR_THREADS {
            let (service, office) = (Arc::clone(service), Arc::clone(&office));
            let thread = thread::Builder::new()
                .name(format!("operator-{nth}"))
                .spawn(move || run(&service, &office))
                .map_err(|error| format!("cannot start a thread: {error}"))?;
            threads.push(thread);
        }
        Ok(Handover { jobs, threads, office, service: Arc::clone(service) })
    }

    /// Gives a connection away; back it comes when the queue is full.
    pub fn give(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(job)
            | std::sync::mpsc::TrySendError::Disconnected(job) => job,
        })
    }

    /// Lets the threads finish what they have until `deadline_millis` of the clock, cuts off the
    /// clients that are left, and ends the threads. What writes to a disk is waited for.
    pub fn stop(self, deadline_millis: u64) {
        drop(self.jobs);
        let office = self.office;
        self.service.clock.wait(deadline_millis, || office.at_work().threads == 0);
        office.close();
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// What is answered where the queue is full.
#[must_use]
pub fn busy_reply() -> Vec<u8> {
    let text = "the operator's threads are busy: try again in a moment".to_owned();
    let mut reply = Vec::new();
    encode_operator_problem(&mut reply, &Problem { status: Status::Unavailable, text });
    reply
}

impl Office {
    fn at_work(&self) -> MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_job(&self) -> Option<Job> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    /// Notes that a connection is being served; false when it is too late for that.
    fn begin(&self, socket: &Arc<OwnedFd>) -> bool {
        let mut at_work = self.at_work();
        at_work.sockets.push(Arc::clone(socket));
        !at_work.closed
    }

    fn end(&self, socket: &Arc<OwnedFd>) {
        self.at_work().sockets.retain(|other| !Arc::ptr_eq(other, socket));
    }

    /// Wakes every thread that waits for its client.
    fn close(&self) {
        let mut at_work = self.at_work();
        at_work.closed = true;
        for socket in &at_work.sockets {
            let _ = rustix::net::shutdown(socket, Shutdown::Both);
        }
    }
}

fn run(service: &Service, office: &Office) {
    while let Some(job) = office.next_job() {
        let socket = Arc::new(job.socket);
        if office.begin(&socket) {
            // An error means that the client has gone: nobody is left to be told. After a panic,
            // which is logged already, the next request finds its thread.
            let serving = || serve(service, &socket, &job.received);
            if panic::catch_unwind(AssertUnwindSafe(serving)).is_err() {
                service.stats.panics.add();
            }
        }
        office.end(&socket);
    }
    office.at_work().threads -= 1;
    service.clock.wake();
}

fn serve(service: &Service, socket: &OwnedFd, received: &[u8]) -> io::Result<()> {
    // A job comes with a whole head: the worker has parsed it.
    let Parsed::Complete(head, length) = head::parse(received) else { return Ok(()) };
    rustix::io::ioctl_fionbio(socket, false)?;
    set_socket_timeout(socket, Timeout::Recv, Some(Duration::from_millis(HTTP_WRITE_MILLIS_MAX)))?;
    set_socket_send_buffer_size(socket, OPERATOR_SEND_BYTES)?;
    let rest = received.get(length..).unwrap_or_default().to_vec();
    let mut sink = Sink(socket);
    match read_body(service, &head, rest, socket) {
        Ok(body) => {
            service.serve_operator(&head, &body, &mut ReplyStream::new(&mut sink, &head))?;
        }
        Err(problem) => {
            let mut reply = Vec::new();
            encode_operator_problem(&mut reply, &problem);
            sink.write_all(&reply)?;
        }
    }
    close_gently(service, socket)
}

fn read_body(
    service: &Service,
    head: &Head<'_>,
    received: Vec<u8>,
    socket: &OwnedFd,
) -> Result<Vec<u8>, Problem> {
    body::check_length(head.body)?;
    let deadline = service.clock.millis() + HTTP_BODY_MILLIS_MAX;
    let mut sink = Sink(socket);
    if head.expect_continue && head.body != Body::None && received.is_empty() {
        // A client that is not told goes on by itself after a moment (RFC 9110 section 10.1.1).
        let _ = sink.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let mut buffer = [0; HTTP_READ_BYTES];
    body::read(head.body, received, |bytes| {
        if service.clock.millis() > deadline {
            return false;
        }
        let length = receive(socket, &mut buffer);
        bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        length > 0
    })
}

/// Waits for bytes; none at the end, and when nothing has come for as long as the socket waits.
fn receive(socket: &OwnedFd, buffer: &mut [u8; HTTP_READ_BYTES]) -> usize {
    loop {
        match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
            // A signal: a socket with a timeout does not go on by itself (signal(7)).
            Err(Errno::INTR) => {}
            received => return received.map_or(0, |(length, _)| length),
        }
    }
}

/// Reads what the client still sends before closing, so that it sees the reply and no reset.
fn close_gently(service: &Service, socket: &OwnedFd) -> io::Result<()> {
    rustix::net::shutdown(socket, Shutdown::Write)?;
    let patience = Some(Duration::from_millis(HTTP_DRAIN_MILLIS_MAX));
    set_socket_timeout(socket, Timeout::Recv, patience)?;
    let deadline = service.clock.millis() + HTTP_DRAIN_MILLIS_MAX;
    let mut buffer = [0; HTTP_READ_BYTES];
    let mut drained = 0;
    while drained < HTTP_DRAIN_BYTES_MAX && service.clock.millis() < deadline {
        match receive(socket, &mut buffer) {
            0 => break,
            length => drained += length,
        }
    }
    Ok(())
}

/// Milliseconds as the kernel wants them.
#[must_use]
pub fn timespec(millis: u64) -> Timespec {
    Timespec {
        tv_sec: (millis / 1000).cast_signed(),
        tv_nsec: (millis % 1000 * 1_000_000).cast_signed(),
    }
}

/// A socket to write to, which waits for room. A client that takes nothing for
/// `HTTP_WRITE_MILLIS_MAX` is an error.
struct Sink<'a>(&'a OwnedFd);

impl Sink<'_> {
    /// Waits until the socket takes bytes again. (A send with a timeout of its own would begin it
    /// anew after each part that it could hand over, and never notice a client that takes nothing.)
    fn wait_for_room(&self) -> io::Result<()> {
        let patience = timespec(HTTP_WRITE_MILLIS_MAX);
        let mut sockets = [PollFd::new(self.0, PollFlags::OUT)];
        match poll(&mut sockets, Some(&patience)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_for_room()?,
                sent => return Ok(sent?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
