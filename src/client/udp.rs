//! Asking a tracker over UDP (BEP 15): a connection id first, then one packet there and one back.
//!
//! A packet that is lost is sent again after a fifteenth of the timeout, then after twice as long
//! each time. An id is used for a minute and then asked for anew. Packets that answer nothing we
//! have asked are told as faults and waited past; the deadline ends all waiting. Where a name has
//! several addresses, one that refuses gives way to the next. Path and query of the URL travel as
//! options (BEP 41).

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

use super::faults::Faults;
use super::http::{in_words, unknown_host};
use super::tracker_url::TrackerUrl;
use super::{AddressFamily, Failure, Settings};
use crate::clock::Clock;
use crate::limits::{CLIENT_ID_MILLIS, CLIENT_RESEND_DIVISOR, UDP_URL_BYTES_MAX};
use crate::request::quoted;
use crate::udp::packet::{
    ConnectionId, ERROR_HEAD_BYTES, Family, Reply, Request, Transaction, encode_request,
    encode_url, parse_reply,
};

/// The largest packet that UDP can carry.
const PACKET_BYTES_MAX: usize = 65_535;

/// Speaks with one tracker.
#[derive(Debug)]
pub struct Session {
    url: TrackerUrl,
    settings: Settings,
    clock: Clock,
    random: fastrand::Rng,
    socket: UdpSocket,
    family: Family,
    /// Addresses of the same name that have not been tried, the next one last.
    untried: Vec<SocketAddr>,
    /// The options behind each announce.
    options: Vec<u8>,
    id: Option<GivenId>,
    /// The transactions of all requests. A tracker that is slow answers each packet that was sent
    /// again, so that answers come to what has been answered.
    sent: Vec<Transaction>,
    /// How many packets came to the present request that answer none of ours.
    strays: u32,
}

/// A connection id and how it has been used.
#[derive(Clone, Copy, Debug)]
struct GivenId {
    id: ConnectionId,
    since_millis: u64,
    used: bool,
}

/// Why a request did not come to its reply.
enum Broken {
    Failure(Failure),
    /// The tracker refused before the request was even sent: its packet.
    Refused(Vec<u8>),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Broken {
        Broken::Failure(failure)
    }
}

impl Session {
    /// Looks the tracker up; sends nothing yet.
    pub fn new(url: &TrackerUrl, settings: Settings) -> Result<Session, Failure> {
        let mut options = Vec::new();
        if url.target.len() > UDP_URL_BYTES_MAX {
            let text = format!("{url}: a path and query of more than {UDP_URL_BYTES_MAX} bytes");
            return Err(Failure::lasting(text));
        }
        encode_url(&mut options, url.target.as_bytes());
        let mut untried = look_up(url, settings);
        untried.reverse();
        if untried.is_empty() {
            let text = format!("{url}: {}", unknown_host(url, settings.family));
            return Err(Failure::passing(text));
        }
        let none = ErrorKind::AddrNotAvailable.into();
        let (socket, family) =
            open_next(&mut untried, none).map_err(|error| failed(url, &error))?;
        Ok(Session {
            url: url.clone(),
            settings,
            clock: Clock::new(),
            random: fastrand::Rng::new(),
            socket,
            family,
            untried,
            options,
            id: None,
            sent: Vec::new(),
            strays: 0,
        })
    }

    /// The family of the addresses in replies.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// Sends the request that `encode` makes of an id, a transaction and the options of the URL,
    /// and returns the packet that answers it, which has 8 bytes at least. An id that is refused
    /// although it has served before is asked for anew, once, and told as a fault.
    pub fn ask(
        &mut self,
        encode: impl Fn(ConnectionId, Transaction, &[u8]) -> Vec<u8>,
        faults: &mut Faults,
    ) -> Result<Vec<u8>, Failure> {
        let reused = self.id.is_some_and(|id| id.used && self.holds(id));
        let first = self.ask_once(&encode, faults)?;
        if !reused || !is_error(&first) {
            return Ok(first);
        }
        self.id = None;
        let second = self.ask_once(&encode, faults)?;
        if !is_error(&second) {
            faults.add("a connection id was refused at its second use, within a minute (BEP 15)");
        }
        Ok(second)
    }

    fn ask_once(
        &mut self,
        encode: &impl Fn(ConnectionId, Transaction, &[u8]) -> Vec<u8>,
        faults: &mut Faults,
    ) -> Result<Vec<u8>, Failure> {
        let deadline = self.clock.millis() + self.timeout_millis();
        self.strays = 0;
        let mut sent = false;
        let transaction = self.transaction();
        let asked = self.repeat(deadline, transaction, faults, |session, faults| {
            let id = session.connection_id(deadline, faults)?;
            sent = true;
            Ok(encode(id, transaction, &session.options))
        });
        if let Some(id) = &mut self.id {
            id.used = true;
        }
        match asked {
            Ok(packet) | Err(Broken::Refused(packet)) => Ok(packet),
            Err(Broken::Failure(failure)) => Err(Failure { sent, ..failure }),
        }
    }

    /// One that belongs to no request yet.
    fn transaction(&mut self) -> Transaction {
        let mut transaction = Transaction(self.random.u32(..));
        while self.sent.contains(&transaction) {
            transaction = Transaction(self.random.u32(..));
        }
        self.sent.push(transaction);
        transaction
    }

    /// The id we have, or one that is asked for now.
    fn connection_id(
        &mut self,
        deadline: u64,
        faults: &mut Faults,
    ) -> Result<ConnectionId, Broken> {
        if let Some(given) = self.id.filter(|id| self.holds(*id)) {
            return Ok(given.id);
        }
        let transaction = self.transaction();
        let packet = self.repeat(deadline, transaction, faults, |_, _| {
            let mut packet = Vec::new();
            encode_request(&mut packet, &Request::Connect(transaction));
            Ok(packet)
        })?;
        match parse_reply(&packet, self.family) {
            Some(Reply::Connected(_, id)) => {
                let since_millis = self.clock.millis();
                self.id = Some(GivenId { id, since_millis, used: false });
                Ok(id)
            }
            Some(Reply::Error(..)) => Err(Broken::Refused(packet)),
            _ => Err(Broken::Failure(Failure::lasting(format!(
                "{}: the answer to a connect is no connection id (BEP 15): {}",
                self.url,
                quoted(&packet)
            )))),
        }
    }

    fn holds(&self, id: GivenId) -> bool {
        self.clock.millis().saturating_sub(id.since_millis) < CLIENT_ID_MILLIS
    }

    /// Sends a packet again and again, made anew each time, until one with its transaction comes.
    fn repeat(
        &mut self,
        deadline: u64,
        transaction: Transaction,
        faults: &mut Faults,
        mut make: impl FnMut(&mut Session, &mut Faults) -> Result<Vec<u8>, Broken>,
    ) -> Result<Vec<u8>, Broken> {
        let mut wait = self.timeout_millis() / u64::from(CLIENT_RESEND_DIVISOR);
        loop {
            let packet = make(self, faults)?;
            let until = deadline.min(self.clock.millis() + wait.max(1));
            match self.exchange(&packet, transaction, until, faults) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) if self.clock.millis() >= deadline => {
                    return Err(Broken::Failure(self.timed_out()));
                }
                Ok(None) => wait = wait.saturating_mul(2),
                Err(error) => self.next_address(error)?,
            }
        }
    }

    /// Sends a packet and waits for its answer until then.
    fn exchange(
        &mut self,
        packet: &[u8],
        transaction: Transaction,
        until: u64,
        faults: &mut Faults,
    ) -> io::Result<Option<Vec<u8>>> {
        self.socket.send(packet)?;
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        loop {
            let left = until.saturating_sub(self.clock.millis());
            if left == 0 {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(Duration::from_millis(left)))?;
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let reply = buffer.get(..length).unwrap_or_default();
            match transaction_of(reply) {
                Some(found) if found == transaction => return Ok(Some(reply.to_vec())),
                Some(found) if self.sent.contains(&found) => continue,
                Some(_) => faults.add("a packet with a transaction id that is not ours (BEP 15)"),
                None => faults.add(format!("a packet of {length} bytes, no reply (BEP 15)")),
            }
            self.strays += 1;
        }
    }

    /// Goes on to the next address where one refuses; an error if it was the last.
    fn next_address(&mut self, error: io::Error) -> Result<(), Failure> {
        let (socket, family) =
            open_next(&mut self.untried, error).map_err(|error| failed(&self.url, &error))?;
        (self.socket, self.family, self.id) = (socket, family, None);
        Ok(())
    }

    fn timeout_millis(&self) -> u64 {
        u64::try_from(self.settings.timeout.as_millis()).unwrap_or(u64::MAX)
    }

    fn timed_out(&self) -> Failure {
        let why = match self.strays {
            0 => format!(
                "is the tracker up, and does a firewall let UDP port {} through?",
                self.url.port
            ),
            strays => format!("packets that came: {strays}, none of them an answer"),
        };
        let patience = in_words(self.settings.timeout);
        Failure::passing(format!("{}: no answer within {patience}; {why}", self.url))
    }
}

fn is_error(packet: &[u8]) -> bool {
    matches!(parse_reply(packet, Family::V4), Some(Reply::Error(..)))
}

/// The transaction id of a reply; `None` if it is too short to be one.
fn transaction_of(packet: &[u8]) -> Option<Transaction> {
    let (_, rest) = packet.split_first_chunk::<4>()?;
    let (transaction, _) = rest.split_first_chunk()?;
    const { assert!(ERROR_HEAD_BYTES == 8, "an error is the shortest reply") };
    Some(Transaction(u32::from_be_bytes(*transaction)))
}

/// The addresses of the tracker's name. The system has no bound for a look-up, so a thread makes it
/// and may outlive our patience.
fn look_up(url: &TrackerUrl, settings: Settings) -> Vec<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    let place = (url.host.clone(), url.port);
    std::thread::spawn(move || {
        let found = place.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Whoever waited may have given up.
        let _ = sender.send(found);
    });
    let found = receiver.recv_timeout(settings.timeout).ok().and_then(Result::ok);
    let wanted = |address: &SocketAddr| match settings.family {
        AddressFamily::Any => true,
        AddressFamily::V4 => address.is_ipv4(),
        AddressFamily::V6 => address.is_ipv6(),
    };
    found.unwrap_or_default().into_iter().filter(wanted).collect()
}

/// A socket for the last of these addresses that takes one, the others before it tried; `error` if
/// there is none.
fn open_next(
    untried: &mut Vec<SocketAddr>,
    mut error: io::Error,
) -> io::Result<(UdpSocket, Family)> {
    while let Some(to) = untried.pop() {
        match open(to) {
            Ok(opened) => return Ok(opened),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

/// A socket that speaks with this address alone.
fn open(to: SocketAddr) -> io::Result<(UdpSocket, Family)> {
    let (from, family) = match to {
        SocketAddr::V4(_) => (SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), Family::V4),
        SocketAddr::V6(_) => (SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), Family::V6),
    };
    let socket = UdpSocket::bind(from)?;
    socket.connect(to)?;
    Ok((socket, family))
}

fn failed(url: &TrackerUrl, error: &io::Error) -> Failure {
    let text = match error.kind() {
        ErrorKind::ConnectionRefused => format!(
            "{url}: nobody listens there; is the tracker running, and is {} its UDP port?",
            url.port
        ),
        _ => format!("{url}: {error}"),
    };
    Failure::passing(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_opened_gives_way_to_the_next() {
        // Nobody may send to all without asking for it, so the kernel refuses to connect.
        let refused: SocketAddr = "255.255.255.255:9".parse().expect("an address");
        let taken: SocketAddr = "127.0.0.1:9".parse().expect("an address");
        let none = || io::Error::from(ErrorKind::AddrNotAvailable);
        let (socket, _) = open_next(&mut vec![taken, refused], none()).expect("the second");
        assert_eq!(socket.peer_addr().expect("connected"), taken);
        let error = open_next(&mut vec![refused], none()).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let error = open_next(&mut Vec::new(), none()).expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    }
}
