//! Where a worker of the epoll engine serves one connection at a time: bytes in, replies out to the
//! socket.
//!
//! A [`Desk`] belongs to one worker. It has the buffers that every reply goes through, writes what
//! the socket takes at once, and leaves in the [`Connection`] only what has to wait. It never
//! blocks and never decides how long to wait: that is the worker's, by the [`Phase`] that it is
//! told.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::request::Seconds;
use crate::subnet::canonical;

use super::conn;
use super::table::{Afterwards, Connection, Phase};
use super::{Caller, Service, Work};

/// What becomes of a connection after it was served; `None` if it is over.
pub type Next = Option<Onward>;

/// See [`Next`].
#[derive(Clone, Copy, Debug)]
pub enum Onward {
    /// It is the operator's: it leaves the worker.
    HandOver,
    /// It waits.
    Waits {
        /// What it waits for.
        phase: Phase,
        /// Whether the phase's time begins now: something was served since it last did.
        anew: bool,
    },
}

/// Where a worker serves: the service and buffers that are used again and again.
#[derive(Debug)]
pub struct Desk {
    /// What answers.
    pub service: Arc<Service>,
    work: Work,
    out: Vec<u8>,
    /// The time for what is served now.
    pub now: Seconds,
    /// Whether each reply is the last of its connection.
    pub stopping: bool,
}

impl Desk {
    /// A desk with empty buffers.
    #[must_use]
    pub fn new(service: &Arc<Service>) -> Desk {
        Desk {
            service: Arc::clone(service),
            work: Work::new(),
            out: Vec::new(),
            now: service.clock.seconds(),
            stopping: false,
        }
    }

    /// The desk after a panic at this one: its buffers may be half written.
    #[must_use]
    pub fn anew(&self) -> Desk {
        Desk { stopping: self.stopping, ..Desk::new(&self.service) }
    }

    /// Serves what has arrived and writes the replies.
    pub fn progress(&mut self, connection: &mut Connection, fresh: &[u8]) -> Next {
        let mut held = mem::take(&mut connection.input);
        if !held.is_empty() {
            held.extend_from_slice(fresh);
        }
        let mut input = if held.is_empty() { fresh } else { &held };
        let mut anew = false;
        loop {
            self.out.clear();
            let searched = mem::take(&mut connection.searched);
            let local = || local_address(&connection.socket);
            let caller = Caller { remote: connection.remote, local: &local, now: self.now };
            let (work, out) = (&mut self.work, &mut self.out);
            let served =
                conn::serve(&self.service, caller, self.stopping, (input, searched), work, out);
            anew |= served.consumed > 0;
            input = input.get(served.consumed..).unwrap_or_default();
            connection.searched = served.searched;
            let sent = send(&connection.socket, &self.out)?;
            if sent < self.out.len() {
                connection.output = self.out.get(sent..).unwrap_or_default().to_vec();
                connection.written = 0;
                connection.afterwards = served.afterwards;
                connection.input = input.to_vec();
                return Some(Onward::Waits { phase: Phase::Write, anew: true });
            }
            match served.afterwards {
                Afterwards::Resume => {}
                Afterwards::Wait => {
                    connection.input = input.to_vec();
                    let phase = if input.is_empty() { Phase::Idle } else { Phase::Head };
                    return Some(Onward::Waits { phase, anew });
                }
                ends => {
                    connection.input = input.to_vec();
                    return end(connection, ends);
                }
            }
        }
    }

    /// Writes on where the socket would take no more.
    pub fn flush(&mut self, connection: &mut Connection) -> Next {
        let rest = connection.output.get(connection.written..).unwrap_or_default();
        let sent = send(&connection.socket, rest)?;
        connection.written += sent;
        if connection.written < connection.output.len() {
            return Some(Onward::Waits { phase: Phase::Write, anew: false });
        }
        connection.output = Vec::new();
        match connection.afterwards {
            Afterwards::Wait | Afterwards::Resume
                if self.stopping && connection.input.is_empty() =>
            {
                None
            }
            Afterwards::Wait | Afterwards::Resume => {
                Some(match self.progress(connection, &[])? {
                    Onward::Waits { phase, .. } => Onward::Waits { phase, anew: true },
                    Onward::HandOver => Onward::HandOver,
                })
            }
            ends => end(connection, ends),
        }
    }
}

fn end(connection: &Connection, how: Afterwards) -> Next {
    match how {
        Afterwards::HandOver => Some(Onward::HandOver),
        Afterwards::Drain => {
            rustix::net::shutdown(&connection.socket, Shutdown::Write).ok()?;
            Some(Onward::Waits { phase: Phase::Drain, anew: true })
        }
        _ => None,
    }
}

/// The address a connection came to; `None` on a Unix socket.
fn local_address(socket: &OwnedFd) -> Option<IpAddr> {
    let address = SocketAddr::try_from(rustix::net::getsockname(socket).ok()?).ok()?;
    Some(canonical(address.ip()))
}

/// What a read from a socket gave.
#[derive(Clone, Copy, Debug)]
pub enum Received {
    /// So many; 0 when the client has closed its side.
    Bytes(usize),
    /// Nothing has come yet.
    Nothing,
    /// The connection is broken.
    Failed,
}

/// Reads what has arrived, as far as it fits.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Received {
    match rustix::net::recv(socket, buffer, RecvFlags::empty()) {
        Ok((length, _)) => Received::Bytes(length),
        Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
        Err(_) => Received::Failed,
    }
}

/// Sends what the socket takes now: all, less or nothing; `None` when it is broken.
fn send(socket: impl AsFd, bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() {
        return Some(0);
    }
    match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(sent) => Some(sent),
        Err(Errno::AGAIN | Errno::INTR) => Some(0),
        Err(_) => None,
    }
}
