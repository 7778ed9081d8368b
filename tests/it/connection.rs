//! A client's end of a connection: bytes go out as they are, replies come in one at a time.
//!
//! Every [`Reply`] is held to the rules of all replies when it is read: one `Content-Length`, not
//! chunked, not compressed. Reads and writes give up after [`PATIENCE`] with a panic that shows
//! what had come until then. The functions at the end write the requests that most tests send.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::harness::PATIENCE;

/// One HTTP reply, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status line's version: `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// Names as they came, and values.
    pub headers: Vec<(String, String)>,
    /// The body; empty for a reply to HEAD.
    pub body: Vec<u8>,
}

/// As it came, so that a failed test shows something a person can read.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.version, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        writeln!(f, "\n\"{}\"", self.body.escape_ascii())
    }
}

impl Reply {
    /// A header's value; panics if it stands there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = all.next().map(|(_, value)| value.as_str());
        assert!(all.next().is_none(), "two {name} headers: {self:?}");
        first
    }

    /// Whether the server says that it closes the connection (RFC 9112 section 9.6).
    pub fn says_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The body as text, what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads the head of a reply and holds it to what is true of every reply.
    fn from_head(head: &[u8]) -> Reply {
        let text = std::str::from_utf8(head).expect("a reply's head is text");
        let mut lines = text.split("\r\n");
        let status_line = lines.next().expect("split gives one item at least");
        let (version, rest) = status_line.split_once(' ').expect("a status line");
        let (status, _) = rest.split_once(' ').expect("a status and a reason");
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("header {line:?}"));
            (name.to_owned(), value.to_owned())
        });
        let reply = Reply {
            version: version.to_owned(),
            status: status.parse().unwrap_or_else(|_| panic!("status line {status_line:?}")),
            headers: headers.collect(),
            body: Vec::new(),
        };
        assert!(reply.header("content-length").is_some(), "no Content-Length: {text}");
        assert_eq!(reply.header("transfer-encoding"), None, "{text}");
        assert_eq!(reply.header("content-encoding"), None, "{text}");
        reply
    }
}

/// A client's side of one connection, TCP or Unix.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Bytes read beyond the last reply.
    unread: Vec<u8>,
}

impl Connection {
    /// Connects over TCP, each send on its way at once.
    pub fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Connection::over(stream)
    }

    /// Connects over TCP from a source address of this host.
    pub fn from(source: IpAddr, address: SocketAddr) -> Connection {
        Connection::with_room(source, address, None)
    }

    /// Connects as [`Connection::from`] does, with room for so many bytes that come in and are not
    /// read yet. (The kernel has a smallest size of its own, about 2 KiB.)
    pub fn with_room(source: IpAddr, address: SocketAddr, room: Option<usize>) -> Connection {
        let family = if source.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        // A server that another test starts meanwhile must not inherit it.
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None);
        let socket = socket.expect("a socket");
        rustix::net::bind(&socket, &SocketAddr::new(source, 0)).expect("an address of this host");
        if let Some(room) = room {
            sockopt::set_socket_recv_buffer_size(&socket, room).expect("a socket");
        }
        rustix::net::connect(&socket, &address).expect("the server listens");
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).expect("a TCP socket");
        let connection = Connection::over(stream);
        if room.is_some() {
            // A sender whose receiver has taken nothing for a while asks ever more seldom whether
            // it does again (RFC 9293 section 3.8.6.1).
            let patience = Some(6 * PATIENCE);
            connection.stream.set_read_timeout(patience).expect("a timeout above zero");
        }
        connection
    }

    /// Connects to a Unix socket.
    pub fn to_unix(path: &Path) -> Connection {
        let stream = UnixStream::connect(path).expect("the server listens");
        // Reading, writing, timeouts and shutdown are the same system calls for both kinds of
        // socket.
        Connection::over(TcpStream::from(OwnedFd::from(stream)))
    }

    fn over(stream: TcpStream) -> Connection {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout above zero");
        Connection { stream, unread: Vec::new() }
    }

    /// The socket itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes in one write.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes what is sent");
    }

    /// Sends bytes; an error if the server has closed the connection.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Closes the sending direction.
    pub fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection stands");
    }

    /// Asks with GET, leaving the connection open, and reads the reply.
    pub fn get(&mut self, target: impl AsRef<[u8]>) -> Reply {
        self.send(get(target));
        self.reply()
    }

    /// Asks with GET and `Connection: close`; the reply says the same, and nothing follows it.
    pub fn ask_once(mut self, target: impl AsRef<[u8]>) -> Reply {
        self.send(get_and_close(target));
        let reply = self.reply();
        assert!(reply.says_close(), "the server closes and does not say so: {reply:?}");
        self.expect_end();
        reply
    }

    /// Reads exactly one reply.
    pub fn reply(&mut self) -> Reply {
        let mut reply = self.reply_to_head();
        let length = reply.header("content-length").expect("checked when read");
        let length: usize = length.parse().expect("Content-Length is a number");
        while self.unread.len() < length {
            self.read_more(&format!("the rest of the body after {reply:?}"));
        }
        reply.body = self.unread.drain(..length).collect();
        reply
    }

    /// Reads the reply to a HEAD request: its head alone.
    pub fn reply_to_head(&mut self) -> Reply {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let reply = Reply::from_head(&self.unread[..end]);
                self.unread.drain(..end + 4);
                return reply;
            }
            self.read_more("a reply");
        }
    }

    /// Reads what has come, at least a byte.
    fn read_more(&mut self, wanted: &str) {
        let mut chunk = [0; 16 * 1024];
        let count = match self.stream.read(&mut chunk) {
            Ok(count) => count,
            Err(error) => panic!("waiting for {wanted}: {error}; so far: {}", self.unread_text()),
        };
        assert!(count > 0, "closed instead of {wanted}; so far: {}", self.unread_text());
        self.unread.extend_from_slice(&chunk[..count]);
    }

    fn unread_text(&self) -> String {
        format!("\"{}\"", self.unread.escape_ascii())
    }

    /// Reads to the end. A reset counts as an end: what was unread when the server closed is lost
    /// then.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.unread);
        let mut chunk = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return rest,
                Ok(count) => rest.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return rest,
                Err(error) => panic!("not closed: {error}; so far: \"{}\"", rest.escape_ascii()),
            }
        }
    }

    /// The server has closed, or closes now, and sends nothing more.
    pub fn expect_end(mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "more than was asked for: \"{}\"", rest.escape_ascii());
    }

    /// As [`Connection::expect_end`], but the end must have come already: none of it is waited for.
    pub fn expect_ended(self) {
        assert!(!self.is_silent(), "the connection still stands");
        self.expect_end();
    }

    /// Waits for a byte or the end; whether it was a byte.
    pub fn has_more(&self) -> bool {
        !self.unread.is_empty() || self.stream.peek(&mut [0]).is_ok_and(|count| count > 0)
    }

    /// Whether neither a byte nor an end has come.
    pub fn is_silent(&self) -> bool {
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("a socket");
        self.unread.is_empty() && peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// A GET request that leaves the connection open.
pub fn get(target: impl AsRef<[u8]>) -> Vec<u8> {
    [b"GET ", target.as_ref(), b" HTTP/1.1\r\nHost: tracker\r\n\r\n"].concat()
}

/// A GET request that asks for a close.
pub fn get_and_close(target: impl AsRef<[u8]>) -> Vec<u8> {
    let tail: &[u8] = b" HTTP/1.1\r\nHost: tracker\r\nConnection: close\r\n\r\n";
    [b"GET ", target.as_ref(), tail].concat()
}

/// Every byte outside `[A-Za-z0-9]` as `%xx`, the way most clients escape a hash.
pub fn percent(bytes: &[u8]) -> String {
    let escaped = bytes.iter().map(|&byte| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02x}")
        }
    });
    escaped.collect()
}

/// A hash for tests: one for each number, with bytes in it that parsers stumble over.
pub fn hash(number: u8) -> [u8; 20] {
    let mut hash = *b"\x00\xff%+&=?#/\\ \r\n\"\x80Must\0";
    hash[19] = number;
    hash
}

/// A peer id for tests: one for each number.
pub fn peer(number: u8) -> [u8; 20] {
    let mut peer = *b"-MU0100-\x00\xff%+&= \x80:;.\0";
    peer[19] = number;
    peer
}

/// The target of an announce of what every client says, and `more` (`&event=stopped`).
pub fn announce(hash: &[u8; 20], peer: &[u8; 20], port: u16, left: u64, more: &str) -> String {
    format!(
        "/announce?info_hash={}&peer_id={}&port={port}&uploaded=0&downloaded=0&left={left}\
         &compact=1{more}",
        percent(hash),
        percent(peer)
    )
}

/// The target of a scrape of these hashes.
pub fn scrape(hashes: &[[u8; 20]]) -> String {
    let asked: Vec<String> =
        hashes.iter().map(|hash| format!("info_hash={}", percent(hash))).collect();
    format!("/scrape?{}", asked.join("&"))
}

/// 127.0.0.`last`: one of the addresses of this host that a client can come from.
pub fn loopback(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}
