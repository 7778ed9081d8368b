//! A client's end of UDP: one socket, one server, requests out and replies in.
//!
//! Packets are written and read with `udp::packet`, whose bytes its golden vectors hold. A reply
//! has to come from the very address that was asked, as for a client that has connected its socket.
//! One that does not come within [`PATIENCE`] fails the test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use muster::request::{Event, InfoHash, PeerId};
use muster::udp::packet::{
    Announce, ConnectionId, Family, Options, Peers, Reply, Request, Scrape, Transaction,
    encode_request, parse_reply, parse_scraped,
};

use crate::connection::{hash, peer};
use crate::harness::PATIENCE;

/// What every request here says it is.
pub const TRANSACTION: Transaction = Transaction(0x7e57_1d00);

/// A socket of a client.
#[derive(Debug)]
pub struct Caller {
    socket: UdpSocket,
    server: SocketAddr,
}

/// The answer to an announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Seconds until the next announce.
    pub interval: u32,
    /// Leechers and seeders.
    pub counts: (u32, u32),
    /// The peers, sorted.
    pub peers: Vec<SocketAddr>,
}

impl Caller {
    /// A socket on `source`, an address of this host, that asks `server`.
    pub fn new(source: &str, server: SocketAddr) -> Caller {
        let source: IpAddr = source.parse().expect("a test's address");
        let socket = UdpSocket::bind((source, 0)).expect("an address of this host");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        Caller { socket, server }
    }

    fn family(&self) -> Family {
        if self.server.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Sends bytes as they are.
    pub fn send(&self, packet: &[u8]) {
        self.socket.send_to(packet, self.server).expect("the packet is sent");
    }

    /// Waits for the next packet, which has to come from where the last request went.
    pub fn reply(&self) -> Vec<u8> {
        let mut packet = vec![0; 4096];
        let (length, source) = self.socket.recv_from(&mut packet).expect("a reply");
        assert_eq!(source, self.server, "a reply from another address than was asked");
        packet.truncate(length);
        packet
    }

    /// Sends a request and waits for its reply.
    pub fn ask(&self, request: &Request<'_>) -> Vec<u8> {
        let mut packet = Vec::new();
        encode_request(&mut packet, request);
        self.send(&packet);
        self.reply()
    }

    /// A connection id. Whatever was sent before has been taken in by one thread or another.
    pub fn id(&self) -> ConnectionId {
        let reply = self.ask(&Request::Connect(TRANSACTION));
        match parse_reply(&reply, self.family()) {
            Some(Reply::Connected(TRANSACTION, id)) => id,
            _ => panic!("no connection id: {}", reply.escape_ascii()),
        }
    }

    /// Announces with a fresh connection id.
    pub fn announce(&self, announce: Announce<'_>) -> Answer {
        self.try_announce(announce).unwrap_or_else(|refused| panic!("refused: {refused}"))
    }

    /// Announces with a fresh connection id; an error is what the server says.
    pub fn try_announce(&self, announce: Announce<'_>) -> Result<Answer, String> {
        self.ask_announce(Announce { connection_id: self.id(), ..announce })
    }

    fn ask_announce(&self, announce: Announce<'_>) -> Result<Answer, String> {
        let reply = self.ask(&Request::Announce(announce));
        match parse_reply(&reply, self.family()) {
            Some(Reply::Announced(TRANSACTION, found)) => Ok(Answer {
                interval: found.interval,
                counts: (found.leechers, found.seeders),
                peers: sorted(found.peers),
            }),
            Some(Reply::Error(TRANSACTION, message)) => {
                Err(String::from_utf8_lossy(message).into_owned())
            }
            _ => panic!("neither served nor refused: {}", reply.escape_ascii()),
        }
    }

    /// Scrapes with a fresh connection id: seeders, downloads, leechers of each torrent.
    pub fn scrape(&self, hashes: &[[u8; 20]]) -> Vec<[u32; 3]> {
        let scrape = Scrape { connection_id: self.id(), transaction: TRANSACTION, hashes };
        let reply = self.ask(&Request::Scrape(scrape));
        match parse_reply(&reply, self.family()) {
            Some(Reply::Scraped(TRANSACTION, found)) => found.iter().map(parse_scraped).collect(),
            _ => panic!("refused: {}", reply.escape_ascii()),
        }
    }

    /// What an announce with this connection id is refused with; `None` if it is served.
    pub fn refusal(&self, connection_id: ConnectionId) -> Option<String> {
        self.ask_announce(Announce { connection_id, ..leecher(99) }).err()
    }
}

/// An announce of a leecher of the torrent that tests share; the connection id is still to come.
pub fn leecher(number: u8) -> Announce<'static> {
    Announce {
        connection_id: ConnectionId(0),
        transaction: TRANSACTION,
        info_hash: InfoHash(hash(1)),
        peer_id: PeerId(peer(number)),
        downloaded: 0,
        left: 1,
        uploaded: 0,
        event: Event::Started,
        ip: Ipv4Addr::UNSPECIFIED,
        key: 0xc0ff_ee00 | u32::from(number),
        numwant: -1,
        port: 6880 + u16::from(number),
        options: Options(&[]),
    }
}

fn sorted(peers: Peers<'_>) -> Vec<SocketAddr> {
    let mut peers: Vec<SocketAddr> = match peers {
        Peers::V4(peers) => {
            let one = |&[a, b, c, d, high, low]: &[u8; 6]| {
                (Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()
            };
            peers.iter().map(one).collect()
        }
        Peers::V6(peers) => {
            let one = |peer: &[u8; 18]| {
                let ip: [u8; 16] = peer[..16].try_into().expect("sixteen of eighteen");
                (Ipv6Addr::from(ip), u16::from_be_bytes([peer[16], peer[17]])).into()
            };
            peers.iter().map(one).collect()
        }
    };
    peers.sort_unstable();
    peers
}
