//! The sockets muster listens on: TCP over IPv4 and IPv6, and Unix sockets for a proxy on the host.
//!
//! An IPv6 any-address takes IPv4 as well, on one socket; where the host has no IPv6, IPv4 alone is
//! listened on instead. A socket that somebody else has opened is set up as our own are. Errors are
//! one line that names the address and says what to do.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::config::Listen;
use crate::limits::HTTP_BACKLOG;

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket and its path, which is removed when this is dropped if it is ours.
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Opens the socket that `listen` asks for.
    pub fn open(listen: &Listen) -> Result<Listener, String> {
        match listen {
            Listen::Tcp(address) => open_tcp(*address).map_err(|error| in_words(*address, error)),
            Listen::Unix(path) => open_unix(path),
        }
    }

    /// Takes over a TCP socket that listens already.
    pub fn passed_tcp(listener: TcpListener) -> io::Result<Listener> {
        set_up_tcp(&listener)?;
        listener.set_nonblocking(true)?;
        Ok(Listener::Tcp(listener))
    }

    /// Takes over a Unix socket that listens already. Its path stays when we go.
    pub fn passed_unix(listener: UnixListener) -> io::Result<Listener> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let path = address.as_pathname().unwrap_or(Path::new("")).to_owned();
        Ok(Listener::Unix(listener, SocketFile { path, ours: false }))
    }

    /// Where it listens: the address with the port that the system chose if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.address()) {
            (Listener::Unix(_, file), _) => write!(f, "unix:{}", file.path.display()),
            (_, Some(address)) => write!(f, "{address}"),
            (_, None) => f.write_str("an unnamed socket"),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// The file of a Unix socket.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Whether we have made it, and remove it.
    ours: bool,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open_tcp(address: SocketAddr) -> Result<Listener, Errno> {
    match bind_tcp(address) {
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
            if address.is_ipv6() && address.ip().is_unspecified() =>
        {
            bind_tcp((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        opened => opened,
    }
}

fn bind_tcp(address: SocketAddr) -> Result<Listener, Errno> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = rustix::net::socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // Without it a restart would have to wait for the last connections' TIME_WAIT to pass.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
    }
    rustix::net::bind(&socket, &address)?;
    set_up_tcp(&socket)?;
    Ok(Listener::Tcp(TcpListener::from(socket)))
}

/// What a bound TCP socket of either origin is given.
fn set_up_tcp(socket: &impl AsFd) -> Result<(), Errno> {
    // Accepted sockets inherit it: the last reply of a pipeline must not wait for an
    // acknowledgement.
    sockopt::set_tcp_nodelay(socket, true)?;
    // Of one that listens already this changes the backlog alone.
    rustix::net::listen(socket, HTTP_BACKLOG)
}

fn in_words(address: SocketAddr, error: Errno) -> String {
    let advice = match error {
        Errno::ADDRINUSE => {
            "another program listens there: end it, or choose another port with --listen"
        }
        Errno::ACCESS => "ports under 1024 need privileges: choose a higher one with --listen",
        Errno::ADDRNOTAVAIL => "this host has no such address: see `ip address`",
        Errno::AFNOSUPPORT => "this host has no IPv6: use an IPv4 address",
        _ => "choose another address with --listen",
    };
    format!("cannot listen on {address}: {}; {advice}", io::Error::from(error))
}

fn open_unix(path: &Path) -> Result<Listener, String> {
    let shown = path.display();
    let failed = |error: io::Error| format!("cannot listen on unix:{shown}: {error}");
    // The socket of a muster that was killed stays behind; nobody answers on it.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket {
        if UnixStream::connect(path).is_ok() {
            return Err(format!("cannot listen on unix:{shown}: another program listens there"));
        }
        fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(Listener::Unix(listener, SocketFile { path: path.to_owned(), ours: true }))
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> OwnedFd {
        match listener {
            Listener::Tcp(listener) => listener.into(),
            Listener::Unix(listener, _) => listener.into(),
        }
    }
}
