//! The sockets of the load generator: opened towards the tracker without waiting, from an address
//! of their own where several clients are to be seen, and what their errors mean.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::tally::{Fault, Kind};
use super::{Plan, Way};

/// What stands in the way of an announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It came to nothing; others may not.
    Fault(Fault),
    /// Nothing measured from here on would be true: why, and what to do.
    Fatal(String),
}

impl Trouble {
    /// What an error of a socket means.
    #[must_use]
    pub fn of(error: Errno) -> Trouble {
        let kind = match error {
            Errno::CONNREFUSED => Kind::Refused,
            Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED => Kind::Reset,
            Errno::TIMEDOUT => Kind::TimedOut,
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => {
                let text = "no local port is left: connections closed a moment ago keep theirs \
                            for a minute; use --connect keep, a lower --rate, or --clients 16 on \
                            loopback, whose ports are 16 times as many";
                return Trouble::Fatal(text.to_owned());
            }
            Errno::MFILE | Errno::NFILE => {
                let text = "no file descriptor is left: raise the limit (ulimit -n), or lower \
                            --connections";
                return Trouble::Fatal(text.to_owned());
            }
            error => {
                return Trouble::Fatal(std::io::Error::from(error).to_string());
            }
        };
        Trouble::Fault(Fault::new(kind, ""))
    }
}

/// Opens a socket towards the tracker. Over TCP the connection may still be on its way.
pub fn open(plan: &Plan, source: Option<SocketAddr>) -> Result<OwnedFd, Trouble> {
    let family = if plan.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = if plan.way == Way::Udp { SocketType::DGRAM } else { SocketType::STREAM };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, kind, flags, None).map_err(Trouble::of)?;
    if let Some(source) = source {
        // Otherwise a port would be taken for the address alone, not for the connection.
        setsockopt(&socket, IpBindAddressNoPort, &true)
            .map_err(|error| Trouble::Fatal(format!("IP_BIND_ADDRESS_NO_PORT: {error}")))?;
        rustix::net::bind(&socket, &source).map_err(Trouble::of)?;
    }
    if plan.way == Way::Keep {
        // A request that waits for the acknowledgement of the last one would measure that.
        sockopt::set_tcp_nodelay(&socket, true).map_err(Trouble::of)?;
    }
    match rustix::net::connect(&socket, &plan.address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(Trouble::of(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_tracker_are_counted_and_those_of_this_host_end_the_run() {
        for (error, wanted) in [
            (Errno::CONNREFUSED, Some(Kind::Refused)),
            (Errno::CONNRESET, Some(Kind::Reset)),
            (Errno::PIPE, Some(Kind::Reset)),
            (Errno::TIMEDOUT, Some(Kind::TimedOut)),
            (Errno::ADDRNOTAVAIL, None),
            (Errno::MFILE, None),
            (Errno::NETUNREACH, None),
        ] {
            let kind = match Trouble::of(error) {
                Trouble::Fault(fault) => Some(fault.kind),
                Trouble::Fatal(_) => None,
            };
            assert_eq!(kind, wanted, "{error:?}");
        }
    }
}
