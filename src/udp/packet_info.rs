//! Packet info: the address a UDP packet was sent to, and the one its reply comes from.
//!
//! As control messages of recvmsg and sendmsg (RFC 3542 section 6, ip(7)), through nix, which has
//! them as safe code; rustix does not yet. Linux alone. A socket for both families has IPv4
//! addresses in their mapped form here and there.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};

/// Room for the longer of the two, head and padding included.
pub const CONTROL_BYTES: usize = 64;

/// Where a packet was sent to.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// On an IPv4 socket.
    V4(in_pktinfo),
    /// On an IPv6 socket; mapped IPv4 addresses among them.
    V6(in6_pktinfo),
}

impl Asked {
    /// From what the kernel says about a packet, made into what it is told about the reply: the
    /// address alone, so that the reply takes the route it would take anyway. An IPv6
    /// link-local address means nothing without its interface.
    fn from_control(message: &ControlMessageOwned) -> Option<Asked> {
        match message {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Asked::V4(in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: info.ipi_spec_dst,
                ipi_addr: in_addr { s_addr: 0 },
            })),
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let ip = std::net::Ipv6Addr::from(info.ipi6_addr.s6_addr);
                let interface = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
                Some(Asked::V6(in6_pktinfo { ipi6_ifindex: interface, ..*info }))
            }
            _ => None,
        }
    }
}

/// Has the kernel say where packets were sent to.
pub fn ask_for(fd: &OwnedFd, address: SocketAddr) -> Result<(), rustix::io::Errno> {
    let asked = match address {
        SocketAddr::V4(_) => setsockopt(fd, sockopt::Ipv4PacketInfo, &true),
        SocketAddr::V6(_) => setsockopt(fd, sockopt::Ipv6RecvPacketInfo, &true),
    };
    asked.map_err(|error| rustix::io::Errno::from_raw_os_error(error as i32))
}

/// The length of a packet, who sent it, and where it was sent to.
pub type Received = (usize, SocketAddr, Option<Asked>);

/// Waits for a packet; `None` if a signal came, the socket was woken or has waited long enough.
pub fn receive(
    fd: &OwnedFd,
    packet: &mut [u8],
    control: &mut [u8],
) -> io::Result<Option<Received>> {
    let mut room = [IoSliceMut::new(packet)];
    let message = match recvmsg::<SockaddrStorage>(
        fd.as_raw_fd(),
        &mut room,
        Some(control),
        MsgFlags::empty(),
    ) {
        Ok(message) => message,
        Err(Errno::EINTR | Errno::EAGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(source) = message.address.as_ref().and_then(socket_address) else {
        return Ok(None);
    };
    let asked = message.cmsgs()?.find_map(|message| Asked::from_control(&message));
    Ok(Some((message.bytes, source, asked)))
}

/// Sends a reply from the address that was asked.
pub fn send(fd: &OwnedFd, to: SocketAddr, from: Asked, reply: &[u8]) -> io::Result<()> {
    let info = match &from {
        Asked::V4(info) => ControlMessage::Ipv4PacketInfo(info),
        Asked::V6(info) => ControlMessage::Ipv6PacketInfo(info),
    };
    let to = SockaddrStorage::from(to);
    let bytes = [IoSlice::new(reply)];
    sendmsg(fd.as_raw_fd(), &bytes, &[info], MsgFlags::MSG_DONTWAIT, Some(&to))?;
    Ok(())
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}
