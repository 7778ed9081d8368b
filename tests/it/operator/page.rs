//! What is asked of the operator's routes, and what comes back, whole or streamed.
//!
//! An [`Ask`] is a request of the operator's as curl writes it, with header lines added or
//! replaced. A [`Page`] is everything up to the end of the connection, held to the rules of such
//! replies: it says that it closes, and its body is framed in exactly one way (RFC 9112 section 6).

use std::fmt;

use serde_json::Value;

use crate::connection::Connection;
use crate::harness::Server;

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    start: String,
    lines: Vec<String>,
    body: Vec<u8>,
}

impl Ask {
    /// A request with nothing but a `Host` line and one that asks for a close.
    pub fn new(method: &str, target: &str) -> Ask {
        let lines = ["Host: localhost", "Connection: close"].map(str::to_owned).to_vec();
        Ask { start: format!("{method} {target} HTTP/1.1"), lines, body: Vec::new() }
    }

    pub fn get(target: &str) -> Ask {
        Ask::new("GET", target)
    }

    pub fn post(target: &str) -> Ask {
        Ask::new("POST", target)
    }

    /// A registration with this body.
    pub fn register(body: impl AsRef<[u8]>) -> Ask {
        let length = format!("Content-Length: {}", body.as_ref().len());
        let ask = Ask::post("/add_torrent_info").line("Content-Type: application/json");
        Ask { body: body.as_ref().to_vec(), ..ask.line(&length) }
    }

    /// With a header line, in place of one of the same name.
    pub fn line(mut self, line: &str) -> Ask {
        let name = |line: &str| line.split(':').next().map(str::to_lowercase);
        self.lines.retain(|other| name(other) != name(line));
        self.lines.push(line.to_owned());
        self
    }

    /// With these header lines.
    pub fn lines(self, lines: &[&str]) -> Ask {
        lines.iter().fold(self, |ask, line| ask.line(line))
    }

    /// In HTTP/1.0.
    pub fn old(mut self) -> Ask {
        self.start = self.start.replace("HTTP/1.1", "HTTP/1.0");
        self
    }

    /// The request line and the header lines, with the empty one.
    pub fn head(&self) -> Vec<u8> {
        format!("{}\r\n{}\r\n\r\n", self.start, self.lines.join("\r\n")).into_bytes()
    }

    /// The whole request.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }

    /// Asks over a connection of its own to the first listener.
    pub fn of(&self, server: &Server) -> Page {
        self.over(server.connect())
    }

    /// Asks over a connection, which ends with the reply.
    pub fn over(&self, mut connection: Connection) -> Page {
        connection.send(self.bytes());
        Page::read(connection)
    }
}

/// A reply, read to the end of its connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    /// The status line and the header lines.
    head: String,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// The sizes of the chunks, without the last of 0; none in a reply that is not chunked.
    pub chunks: Vec<usize>,
}

/// As it came, so that a failed test shows something a person can read.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(4000)];
        writeln!(f, "{}\n\n\"{}\" ({} bytes)", self.head, shown.escape_ascii(), self.body.len())
    }
}

impl Page {
    /// Reads a reply up to the end of the connection.
    pub fn read(mut connection: Connection) -> Page {
        Page::parse(&connection.rest()).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The reply in all that was received.
    pub fn parse(received: &[u8]) -> Result<Page, String> {
        let shown = || received[..received.len().min(4000)].escape_ascii().to_string();
        let end = received.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or_else(|| format!("no head: \"{}\"", shown()))?;
        let head =
            String::from_utf8(received[..end].to_vec()).map_err(|error| error.to_string())?;
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| digits.parse().ok());
        let status = status.ok_or_else(|| format!("no status line: {head}"))?;
        let (body, chunks) = (received[end + 4..].to_vec(), Vec::new());
        let mut page = Page { status, head, body, chunks };
        if page.header("connection") != Some("close") {
            return Err(format!("does not say that it closes: {page:?}"));
        }
        match (page.header("content-length"), page.header("transfer-encoding")) {
            (Some(length), None) if length == page.body.len().to_string() => {}
            (None, Some("chunked")) => page.join_chunks()?,
            (None, None) => {}
            _ => return Err(format!("the body is not what was announced: {page:?}")),
        }
        Ok(page)
    }

    fn join_chunks(&mut self) -> Result<(), String> {
        let mut joined = Vec::new();
        let mut rest = self.body.as_slice();
        loop {
            let line_end = rest.iter().position(|&byte| byte == b'\n');
            let (line, after) = rest.split_at(line_end.ok_or("cut before a chunk's size")? + 1);
            let digits = line.strip_suffix(b"\r\n").ok_or("a chunk's size without CRLF")?;
            let digits = std::str::from_utf8(digits).map_err(|error| error.to_string())?;
            let size = usize::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
            let (chunk, after) = after.split_at_checked(size).ok_or("cut within a chunk")?;
            rest = after.strip_prefix(b"\r\n").ok_or("a chunk without CRLF behind it")?;
            if size == 0 {
                break;
            }
            joined.extend_from_slice(chunk);
            self.chunks.push(size);
        }
        if !rest.is_empty() {
            return Err(format!("more than a reply: {}", rest.escape_ascii()));
        }
        self.body = joined;
        Ok(())
    }

    /// A header's value; panics if it stands there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut all = pairs.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let first = all.next().map(|(_, value)| value);
        assert!(all.next().is_none(), "two {name} headers: {self:?}");
        first
    }

    /// The body as JSON; whatever the status, it says that it is.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert_eq!(
            self.body.last(),
            Some(&b'\n'),
            "a terminal's next prompt is below it: {self:?}"
        );
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a reply that is 200.
    pub fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The status and the text of a refusal, in which nothing else stands.
    pub fn error(&self) -> (u16, String) {
        let answer = self.json();
        let fields = answer.as_object().map(serde_json::Map::len);
        let error = answer["error"].as_str();
        assert_eq!((error.is_some(), fields), (true, Some(1)), "{self:?}");
        (self.status, error.unwrap_or_default().to_owned())
    }
}
