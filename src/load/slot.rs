//! One connection and the announce that is under way on it, if any.
//!
//! A slot stands for a part of the crowd and announces for its peers in turn, one at a time, so
//! that a peer always comes from the same address. Nothing here blocks: each call goes as far as
//! the socket lets it and says what came of it. What is not as it should be ends the announce and
//! the connection; the next announce opens a new one.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::crowd::{Crowd, Lane};
use super::message::Messages;
use super::reply::{Answer, Packet, check_http, check_udp};
use super::socket::{self, Trouble};
use super::tally::{Fault, Kind};
use super::{Plan, Way};
use crate::limits::{LOAD_REPLY_BYTES_MAX, LOAD_UDP_ID_MILLIS};
use crate::request::Event;
use crate::udp::packet::{ConnectionId, Family, Request, Transaction, encode_request};

/// Where an announce stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is none.
    Idle,
    /// Its bytes are not all sent.
    Sending,
    /// Over UDP: an id was asked for, the announce comes after.
    Connecting,
    /// Its reply is awaited.
    Waiting,
    /// Its reply is there, and the tracker is about to close the connection.
    Leaving,
}

/// What has come of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing yet.
    Waits,
    /// A reply with so many peers.
    Answered(u32),
    /// The tracker has closed the connection, as it had said.
    Left,
}

/// What all slots of a thread use in turn.
#[derive(Debug)]
pub struct Means<'p> {
    /// What is to be done.
    pub plan: &'p Plan,
    /// Who announces.
    pub crowd: &'p Crowd,
    /// Says which slots are ready, by their tokens.
    pub epoll: OwnedFd,
    /// Writes the announces.
    pub messages: Messages,
    /// What was received last.
    pub buffer: Vec<u8>,
    /// The event of the announces.
    pub event: Event,
}

/// See the module.
#[derive(Debug)]
pub struct Slot {
    token: u64,
    source: Option<SocketAddr>,
    lane: Lane,
    socket: Option<OwnedFd>,
    /// What epoll is asked to report; nothing before the first time.
    interest: epoll::EventFlags,
    phase: Phase,
    peer: u32,
    request: Vec<u8>,
    sent: usize,
    /// What has come of a reply that comes in pieces.
    reply: Vec<u8>,
    transaction: Transaction,
    /// Over UDP, and since when, in nanoseconds.
    connection_id: Option<(ConnectionId, u64)>,
    /// When the announce was due, in nanoseconds.
    pub due: u64,
    /// When it is given up.
    pub deadline: u64,
    /// Announces that it may still begin.
    pub quota: u64,
}

impl Slot {
    /// A slot without a connection; `token` is what epoll calls it.
    #[must_use]
    pub fn new(token: u64, source: Option<SocketAddr>, lane: Lane) -> Slot {
        Slot {
            token,
            source,
            lane,
            socket: None,
            interest: epoll::EventFlags::empty(),
            phase: Phase::Idle,
            peer: 0,
            request: Vec::new(),
            sent: 0,
            reply: Vec::new(),
            transaction: Transaction(0),
            connection_id: None,
            due: 0,
            deadline: 0,
            quota: u64::MAX,
        }
    }

    /// Peers that it announces for.
    #[must_use]
    pub fn peers(&self) -> u32 {
        self.lane.length()
    }

    /// Whether it may begin an announce.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Begins the next peer's announce.
    pub fn begin(&mut self, means: &mut Means<'_>, now: u64) -> Result<Turn, Trouble> {
        self.peer = self.lane.next_peer();
        self.quota -= 1;
        if self.socket.is_none() {
            self.socket = Some(socket::open(means.plan, self.source)?);
        }
        self.reply.clear();
        self.request.clear();
        if means.plan.way == Way::Udp {
            let age = |since: u64| now.saturating_sub(since) / 1_000_000;
            return match self.connection_id {
                Some((id, since)) if age(since) < LOAD_UDP_ID_MILLIS => {
                    self.send_announce_udp(means, id)
                }
                _ => self.send_connect(means),
            };
        }
        let member = means.crowd.member(self.peer);
        means.messages.encode_http(&mut self.request, &member, means.event);
        self.send(means, Phase::Waiting)
    }

    /// Goes on after epoll has said that the socket is ready.
    pub fn go_on(&mut self, means: &mut Means<'_>, now: u64) -> Result<Turn, Trouble> {
        let udp = means.plan.way == Way::Udp;
        match self.phase {
            Phase::Sending if udp && self.connection_id.is_none() => {
                self.send(means, Phase::Connecting)
            }
            Phase::Sending => self.send(means, Phase::Waiting),
            _ if udp => self.receive_packet(means, now),
            _ => self.receive(means),
        }
    }

    /// Gives up what has not ended by its deadline.
    pub fn give_up(&mut self) -> Result<Turn, Trouble> {
        if self.phase == Phase::Leaving {
            self.disconnect();
            return Ok(Turn::Left);
        }
        Err(Trouble::Fault(Fault::new(Kind::TimedOut, "")))
    }

    /// Closes the connection and forgets what was under way on it.
    pub fn disconnect(&mut self) {
        // Closing takes it out of the epoll instance.
        self.socket = None;
        self.interest = epoll::EventFlags::empty();
        self.connection_id = None;
        self.phase = Phase::Idle;
    }

    /// Sends what is left of the request; then comes the next phase.
    fn send(&mut self, means: &Means<'_>, next: Phase) -> Result<Turn, Trouble> {
        let Some(socket) = &self.socket else { return Ok(Turn::Waits) };
        while self.sent < self.request.len() {
            match rustix::net::send(socket, &self.request[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                // Not yet connected, or its queue is full.
                Err(Errno::AGAIN) => {
                    self.phase = Phase::Sending;
                    return self.watch(means, epoll::EventFlags::OUT);
                }
                Err(error) => return Err(Trouble::of(error)),
            }
        }
        self.sent = 0;
        self.phase = next;
        self.watch(means, epoll::EventFlags::IN)
    }

    /// Has epoll report what the slot waits for.
    fn watch(&mut self, means: &Means<'_>, wanted: epoll::EventFlags) -> Result<Turn, Trouble> {
        let Some(socket) = &self.socket else { return Ok(Turn::Waits) };
        let data = epoll::EventData::new_u64(self.token);
        if self.interest.is_empty() {
            epoll::add(&means.epoll, socket, data, wanted).map_err(Trouble::of)?;
        } else if self.interest != wanted {
            epoll::modify(&means.epoll, socket, data, wanted).map_err(Trouble::of)?;
        }
        self.interest = wanted;
        Ok(Turn::Waits)
    }

    // -- HTTP -------------------------------------------------------------------------------------

    fn receive(&mut self, means: &mut Means<'_>) -> Result<Turn, Trouble> {
        let Some(socket) = &self.socket else { return Ok(Turn::Waits) };
        let length = match rustix::net::recv(socket, &mut means.buffer[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Turn::Waits),
            Err(_) if matches!(self.phase, Phase::Leaving | Phase::Idle) => 0,
            Err(error) => return Err(Trouble::of(error)),
        };
        match self.phase {
            Phase::Waiting => self.take_reply(means, length),
            // More than it should send is no reason to wait for less.
            Phase::Leaving if length > 0 => Ok(Turn::Waits),
            Phase::Leaving => {
                self.disconnect();
                Ok(Turn::Left)
            }
            // A tracker may close a connection that has nothing to do; the next announce opens one.
            _ => {
                self.disconnect();
                Ok(Turn::Waits)
            }
        }
    }

    /// Looks whether the reply is whole with these bytes, of which there are none at the end.
    fn take_reply(&mut self, means: &mut Means<'_>, length: usize) -> Result<Turn, Trouble> {
        let fresh = &means.buffer[..length];
        let in_pieces = !self.reply.is_empty();
        if in_pieces {
            self.reply.extend_from_slice(fresh);
        }
        let all = if in_pieces { &self.reply[..] } else { fresh };
        let Some(answer) = check_http(all, length == 0).map_err(Trouble::Fault)? else {
            if !in_pieces {
                self.reply.extend_from_slice(fresh);
            }
            if self.reply.len() > LOAD_REPLY_BYTES_MAX {
                let text = format!("more than {LOAD_REPLY_BYTES_MAX} bytes");
                return Err(Trouble::Fault(Fault::new(Kind::Malformed, text)));
            }
            return Ok(Turn::Waits);
        };
        self.finish_http(means, answer, length == 0)
    }

    /// Keeps the connection, closes it, or waits until the tracker has: whoever closes first is the
    /// one whose port stays taken for a minute (`TIME_WAIT`), and it should be the one that says
    /// so.
    fn finish_http(
        &mut self,
        means: &mut Means<'_>,
        Answer { peers, closes }: Answer,
        ended: bool,
    ) -> Result<Turn, Trouble> {
        match means.plan.way {
            Way::Keep if !closes => self.phase = Phase::Idle,
            Way::Each if !ended => {
                self.phase = Phase::Leaving;
                // Mostly it has closed already, whether it says so (or, as opentracker, does not).
                self.receive(means)?;
                if !closes {
                    self.disconnect();
                }
            }
            _ => self.disconnect(),
        }
        Ok(Turn::Answered(peers))
    }

    // -- UDP --------------------------------------------------------------------------------------

    fn send_connect(&mut self, means: &Means<'_>) -> Result<Turn, Trouble> {
        self.connection_id = None;
        self.transaction.0 = self.transaction.0.wrapping_add(1);
        encode_request(&mut self.request, &Request::Connect(self.transaction));
        self.send(means, Phase::Connecting)
    }

    fn send_announce_udp(
        &mut self,
        means: &mut Means<'_>,
        id: ConnectionId,
    ) -> Result<Turn, Trouble> {
        self.transaction.0 = self.transaction.0.wrapping_add(1);
        let member = means.crowd.member(self.peer);
        let ids = (id, self.transaction);
        self.request.clear();
        means.messages.encode_udp(&mut self.request, &member, means.event, ids);
        self.send(means, Phase::Waiting)
    }

    fn receive_packet(&mut self, means: &mut Means<'_>, now: u64) -> Result<Turn, Trouble> {
        let Some(socket) = &self.socket else { return Ok(Turn::Waits) };
        let length = match rustix::net::recv(socket, &mut means.buffer[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Turn::Waits),
            Err(error) => return Err(Trouble::of(error)),
        };
        let family = if means.plan.address.is_ipv4() { Family::V4 } else { Family::V6 };
        let packet = &means.buffer[..length];
        let checked = check_udp(packet, family, self.transaction).map_err(Trouble::Fault)?;
        match (self.phase, checked) {
            (Phase::Connecting, Packet::Connected(id)) => {
                self.connection_id = Some((id, now));
                self.send_announce_udp(means, id)
            }
            (Phase::Waiting, Packet::Answer(answer)) => {
                self.phase = Phase::Idle;
                Ok(Turn::Answered(answer.peers))
            }
            (_, Packet::Foreign) | (Phase::Idle, _) => Ok(Turn::Waits),
            _ => Err(Trouble::Fault(Fault::new(Kind::Malformed, "a reply of another action"))),
        }
    }
}
