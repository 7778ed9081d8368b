//! Threads for the operator's requests, which may be slow: they never run on an announce worker.
//!
//! A worker of the epoll engine that has a request of the operator's gives the whole connection
//! away: the socket and what has been read from it. Here it becomes a blocking one with timeouts,
//! the body is read, the reply streamed, and the connection closed. That replaces a mailbox through
//! which every piece of a stream would have to go back to the worker. The queue is short: when it
//! is full the worker answers 503 itself.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::limits::{
    HTTP_BODY_MILLIS_MAX, HTTP_DRAIN_BYTES_MAX, HTTP_DRAIN_MILLIS_MAX, HTTP_READ_BYTES,
    HTTP_WRITE_MILLIS_MAX, OPERATOR_QUEUE_MAX, OPERATOR_THREADS,
};

use super::Service;
use super::body;
use super::head::{self, Body, Head, Parsed};
use super::operator::encode_operator_problem;
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
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Handover {
    /// Starts the threads.
    pub fn start(service: &Arc<Service>) -> Result<Handover, String> {
        let (jobs, receiver) = sync_channel(OPERATOR_QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::new();
        for nth in 0..OPERATOR_THREADS {
            let (service, receiver) = (Arc::clone(service), Arc::clone(&receiver));
            let thread = thread::Builder::new()
                .name(format!("operator-{nth}"))
                .spawn(move || run(&service, &receiver))
                .map_err(|error| format!("cannot start a thread: {error}"))?;
            threads.push(thread);
        }
        Ok(Handover { jobs, threads: Mutex::new(threads) })
    }

    /// Gives a connection away; back it comes when the queue is full.
    pub fn give(&self, job: Job) -> Result<(), Job> {
        self.jobs.try_send(job).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(job)
            | std::sync::mpsc::TrySendError::Disconnected(job) => job,
        })
    }

    /// Lets the threads finish what they have, and ends them.
    pub fn stop(self) {
        drop(self.jobs);
        let threads = self.threads.into_inner().unwrap_or_else(PoisonError::into_inner);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn run(service: &Service, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The client has gone: nobody is left to be told.
        let _ = serve(service, job);
    }
}

fn serve(service: &Service, job: Job) -> io::Result<()> {
    let Job { socket, received } = job;
    // A job comes with a whole head: the worker has parsed it.
    let Parsed::Complete(head, length) = head::parse(&received) else { return Ok(()) };
    rustix::io::ioctl_fionbio(&socket, false)?;
    let patience = Some(Duration::from_millis(HTTP_WRITE_MILLIS_MAX));
    set_socket_timeout(&socket, Timeout::Recv, patience)?;
    set_socket_timeout(&socket, Timeout::Send, patience)?;
    let rest = received.get(length..).unwrap_or_default().to_vec();
    let mut sink = Sink(&socket);
    match read_body(service, &head, rest, &socket) {
        Ok(body) => {
            service.serve_operator(&head, &body, &mut ReplyStream::new(&mut sink, &head))?;
        }
        Err(problem) => {
            let mut reply = Vec::new();
            encode_operator_problem(&mut reply, &problem);
            sink.write_all(&reply)?;
        }
    }
    close_gently(&socket)
}

fn read_body(
    service: &Service,
    head: &Head<'_>,
    received: Vec<u8>,
    socket: &OwnedFd,
) -> Result<Vec<u8>, head::Problem> {
    body::check_length(head.body)?;
    let mut sink = Sink(socket);
    if head.expect_continue && head.body != Body::None && received.is_empty() {
        // A client that is not told goes on by itself after a moment (RFC 9110 section 10.1.1).
        let _ = sink.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    let deadline = service.clock.millis() + HTTP_BODY_MILLIS_MAX;
    let mut buffer = [0; HTTP_READ_BYTES];
    body::read(head.body, received, |bytes| {
        if service.clock.millis() > deadline {
            return false;
        }
        let Ok((length, _)) = rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) else {
            return false;
        };
        bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        length > 0
    })
}

/// Reads what the client still sends before closing, so that it sees the reply and no reset.
fn close_gently(socket: &OwnedFd) -> io::Result<()> {
    rustix::net::shutdown(socket, Shutdown::Write)?;
    let patience = Some(Duration::from_millis(HTTP_DRAIN_MILLIS_MAX));
    set_socket_timeout(socket, Timeout::Recv, patience)?;
    let mut buffer = [0; HTTP_READ_BYTES];
    let mut drained = 0;
    while drained < HTTP_DRAIN_BYTES_MAX {
        match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((0, _)) | Err(_) => break,
            Ok((length, _)) => drained += length,
        }
    }
    Ok(())
}

/// A blocking socket to write to. A client that takes nothing for `HTTP_WRITE_MILLIS_MAX` is an
/// error.
struct Sink<'a>(&'a OwnedFd);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
