//! A reply of any size, written as it is made: what the operator pages go through.
//!
//! [`ReplyStream`] writes to a sink that blocks (a socket with timeouts, or `tiny_http`'s writer),
//! at most [`HTTP_STREAM_BYTES`] at a time, so a million peers never become one buffer. HTTP/1.1
//! gets chunks (RFC 9112 section 7.1), HTTP/1.0 a body that ends with the connection. The
//! connection closes after each, and the reply says so.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::io::{self, Write};

use crate::limits::HTTP_STREAM_BYTES;

use super::head::{Head, Method};
use super::status::{Connection, Status, encode_head, encode_stream_head};

/// One reply to one request.
pub struct ReplyStream<'a> {
    sink: &'a mut dyn Write,
    head_only: bool,
    chunked: bool,
    /// Written so far and not yet sent.
    buffer: Vec<u8>,
}

impl<'a> ReplyStream<'a> {
    /// The reply to a request, into `sink`.
    pub fn new(sink: &'a mut dyn Write, head: &Head<'_>) -> ReplyStream<'a> {
        let head_only = head.method == Method::Head;
        ReplyStream { sink, head_only, chunked: !head.http_1_0, buffer: Vec::new() }
    }

    /// Sends a reply that is there already.
    pub fn send(&mut self, status: Status, content_type: &str, body: &[u8]) -> io::Result<()> {
        let mut reply = Vec::new();
        encode_head(&mut reply, status, content_type, body.len(), Connection::Close);
        if !self.head_only {
            reply.extend_from_slice(body);
        }
        self.sink.write_all(&reply)?;
        self.sink.flush()
    }

    /// Begins a reply of unknown length, with status 200; [`ReplyStream::end`] ends it.
    pub fn begin(&mut self, content_type: &str) -> io::Result<()> {
        let mut head = Vec::new();
        encode_stream_head(&mut head, content_type, self.chunked);
        self.sink.write_all(&head)
    }

    /// Where the next part of the body is written to.
    pub fn body(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Sends what has been written if there is enough of it.
    pub fn advance(&mut self) -> io::Result<()> {
        if self.buffer.len() >= HTTP_STREAM_BYTES { self.send_buffer() } else { Ok(()) }
    }

    /// Sends the rest of the body.
    pub fn end(&mut self) -> io::Result<()> {
        self.send_buffer()?;
        if self.chunked && !self.head_only {
            self.sink.write_all(b"0\r\n\r\n")?;
        }
        self.sink.flush()
    }

    fn send_buffer(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() && !self.head_only {
            if self.chunked {
                write!(self.sink, "{:x}\r\n", self.buffer.len())?;
                self.buffer.extend_from_slice(b"\r\n");
            }
            self.sink.write_all(&self.buffer)?;
        }
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(head: &str, parts: &[&str]) -> String {
        let request = format!("{head}\r\nHost: h\r\n\r\n");
        let super::super::head::Parsed::Complete(head, _) =
            super::super::head::parse(request.as_bytes())
        else {
            panic!("a good head: {head}")
        };
        let mut sink = Vec::new();
        let mut reply = ReplyStream::new(&mut sink, &head);
        reply.begin("text/plain").expect("a Vec takes everything");
        for part in parts {
            reply.body().extend_from_slice(part.as_bytes());
            reply.advance().expect("a Vec takes everything");
        }
        reply.end().expect("a Vec takes everything");
        String::from_utf8(sink).expect("text")
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";

    #[test]
    fn http_1_1_gets_chunks_and_http_1_0_a_body_that_ends_with_the_connection() {
        let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        assert_eq!(
            stream("GET / HTTP/1.1", &["ab", "c"]),
            format!("{chunked}3\r\nabc\r\n0\r\n\r\n")
        );
        assert_eq!(stream("HEAD / HTTP/1.1", &["ab", "c"]), chunked);
        assert_eq!(
            stream("GET / HTTP/1.0", &["ab", "c"]),
            format!("{HEAD}Connection: close\r\n\r\nabc")
        );
        assert_eq!(stream("GET / HTTP/1.1", &[]), format!("{chunked}0\r\n\r\n"));
    }

    #[test]
    fn a_long_body_leaves_in_pieces() {
        let part = "x".repeat(HTTP_STREAM_BYTES - 1);
        let sent = stream("GET / HTTP/1.1", &[&part, "yz", "end"]);
        let first = format!("{:x}\r\n{part}yz\r\n3\r\nend\r\n0\r\n\r\n", HTTP_STREAM_BYTES + 1);
        assert!(sent.ends_with(&first), "{}", &sent[sent.len() - 40..]);
    }
}
