//! A UDP socket that answers from the address it was asked on.
//!
//! A socket on one address answers from that one by itself. One on all addresses of the host would
//! answer from whichever the route prefers, and a client of a host with several drops what does not
//! come from where it asked; so it has the kernel say where each packet was sent to (packet info:
//! RFC 3542 section 6, ip(7)) and hands that back with the reply. A socket per local address would
//! need none of it: 1.32 us of CPU an announce at best and 2.37 in the median of 21 rounds, against
//! 1.57 and 2.67 (`cargo bench --bench udp`). But it would be deaf on every address that comes
//! later, a lease, a VPN, an IPv6 privacy address, and that costs whole clients.
//!
//! Receiving blocks; sending never does, since a reply that finds the queue full may be lost.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt,
};

use crate::limits::{STOP_MILLIS_MAX, UDP_RECEIVE_BUFFER_BYTES, UDP_SEND_BUFFER_BYTES};

#[cfg(target_os = "linux")]
use super::packet_info::{self, Asked, CONTROL_BYTES};

#[cfg(not(target_os = "linux"))]
const CONTROL_BYTES: usize = 0;
/// Where a packet was sent to: known on Linux alone.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
pub struct Asked;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    address: SocketAddr,
    /// Whether somebody else has opened it, and keeps it when we go.
    passed: bool,
    /// Bytes that the kernel queues until they are received, and until they are sent.
    granted: (usize, usize),
}

/// Room for one packet and what the kernel says about it.
#[derive(Debug)]
pub struct Buffer {
    packet: Box<[u8]>,
    control: Vec<u8>,
}

impl Buffer {
    /// Room for a packet of so many bytes; a longer one is cut.
    #[must_use]
    pub fn new(bytes: usize) -> Buffer {
        Buffer { packet: vec![0; bytes].into(), control: vec![0; CONTROL_BYTES] }
    }

    /// The first bytes of the packet received last.
    #[must_use]
    pub fn packet(&self, length: usize) -> &[u8] {
        self.packet.get(..length).unwrap_or_default()
    }
}

/// A packet that has come; its bytes are in the [`Buffer`].
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// How many bytes.
    pub length: usize,
    /// Who sent it, and is sent the reply.
    pub source: SocketAddr,
    /// Where it was sent to; `None` if the socket has one address only.
    asked: Option<Asked>,
}

impl Socket {
    /// Binds a socket to the address; `[::]` takes IPv4 as well, and is `0.0.0.0` where the host
    /// has no IPv6.
    pub fn open(address: SocketAddr) -> io::Result<Socket> {
        let opened = match bind(address) {
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
                if address.is_ipv6() && address.ip().is_unspecified() =>
            {
                bind((Ipv4Addr::UNSPECIFIED, address.port()).into())
            }
            opened => opened,
        };
        Ok(opened?)
    }

    /// Takes over a socket that is bound already, and sets it up as one of our own.
    pub fn passed(socket: UdpSocket) -> io::Result<Socket> {
        // Whoever opened it may have read from it without waiting.
        socket.set_nonblocking(false)?;
        let address = socket.local_addr()?;
        let fd = OwnedFd::from(socket);
        let granted = set_up(&fd, address)?;
        let socket = Socket { fd, address, passed: true, granted };
        socket.wait_at_most(STOP_MILLIS_MAX)?;
        Ok(socket)
    }

    /// Lets [`Socket::receive`] wait this long at the most.
    pub fn wait_at_most(&self, millis: u64) -> io::Result<()> {
        // A passed one cannot be woken for certain at a stop.
        let millis = if self.passed { millis.min(STOP_MILLIS_MAX) } else { millis };
        let wait = Some(Duration::from_millis(millis));
        Ok(sockopt::set_socket_timeout(&self.fd, sockopt::Timeout::Recv, wait)?)
    }

    /// The address listened on, with the port that the system chose if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The sizes that the kernel grants its queues for what is received and what is sent, in the
    /// bytes they are asked for in.
    #[must_use]
    pub fn granted(&self) -> (usize, usize) {
        self.granted
    }

    /// Waits for a packet. `None` if there is none for another reason: a signal, the socket was
    /// woken, or the wait was long enough.
    pub fn receive(&self, buffer: &mut Buffer) -> io::Result<Option<Received>> {
        #[cfg(target_os = "linux")]
        if self.address.ip().is_unspecified() {
            let Buffer { packet, control } = buffer;
            let received = packet_info::receive(&self.fd, packet, control)?;
            return Ok(received.map(|(length, source, asked)| Received { length, source, asked }));
        }
        match rustix::net::recvfrom(&self.fd, &mut *buffer.packet, RecvFlags::empty()) {
            Ok((length, _, source)) => {
                let source = source.and_then(|source| SocketAddr::try_from(source).ok());
                Ok(source.map(|source| Received { length, source, asked: None }))
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends the reply to a packet, from the address that packet was sent to.
    pub fn reply(&self, received: &Received, reply: &[u8]) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(asked) = received.asked {
            return packet_info::send(&self.fd, received.source, asked, reply);
        }
        rustix::net::sendto(&self.fd, reply, SendFlags::DONTWAIT, &received.source)?;
        Ok(())
    }

    /// Wakes every thread that waits for a packet, and those that will.
    pub fn wake(&self, threads: usize) {
        if !self.passed {
            // Linux says that the socket is not connected, and wakes them all the same.
            let _ = rustix::net::shutdown(&self.fd, Shutdown::Read);
        }
        // The next process would find a passed socket shut down too, and never wait on it again.
        if self.passed || cfg!(not(target_os = "linux")) {
            // A packet for each has to do.
            let mut own = self.address;
            if own.ip().is_unspecified() {
                own.set_ip(match own.ip() {
                    IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                });
            }
            for _ in 0..threads {
                let _ = rustix::net::sendto(&self.fd, b"", SendFlags::DONTWAIT, &own);
            }
        }
    }
}

fn bind(address: SocketAddr) -> Result<Socket, Errno> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let fd = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, !address.ip().is_unspecified())?;
    }
    let granted = set_up(&fd, address)?;
    rustix::net::bind(&fd, &address)?;
    let address = SocketAddr::try_from(rustix::net::getsockname(&fd)?)?;
    Ok(Socket { fd, address, passed: false, granted })
}

/// What a socket of either origin is given; returns the sizes of its queues.
fn set_up(fd: &OwnedFd, address: SocketAddr) -> Result<(usize, usize), Errno> {
    // Linux adds as much again for its own bookkeeping, and says the sum.
    let share = if cfg!(target_os = "linux") { 2 } else { 1 };
    // The kernel grants what net.core.rmem_max and wmem_max allow, and never says no. systemd is
    // granted more: asking once more would make less of it.
    if sockopt::socket_recv_buffer_size(fd)? / share < UDP_RECEIVE_BUFFER_BYTES {
        let _ = sockopt::set_socket_recv_buffer_size(fd, UDP_RECEIVE_BUFFER_BYTES);
    }
    if sockopt::socket_send_buffer_size(fd)? / share < UDP_SEND_BUFFER_BYTES {
        let _ = sockopt::set_socket_send_buffer_size(fd, UDP_SEND_BUFFER_BYTES);
    }
    let receive = sockopt::socket_recv_buffer_size(fd)? / share;
    let send = sockopt::socket_send_buffer_size(fd)? / share;
    #[cfg(target_os = "linux")]
    if address.ip().is_unspecified() {
        packet_info::ask_for(fd, address)?;
    }
    Ok((receive, send))
}

/// An error of [`Socket::open`] in words that say what to do.
#[must_use]
pub fn in_words(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program uses that port: end it, choose another with --udp-listen, or do \
             without UDP: --udp=false"
        }
        io::ErrorKind::PermissionDenied => {
            "ports under 1024 need privileges: choose a higher one with --udp-listen"
        }
        io::ErrorKind::AddrNotAvailable => "this host has no such address: see `ip address`",
        _ => "choose another address with --udp-listen, or do without UDP: --udp=false",
    };
    format!("cannot listen on udp {address}: {error}; {advice}")
}
