//! The head of a reply: its status line and the few headers that clients need (RFC 9112 section 4).
//!
//! Every announce is answered 200, a refusal too, since clients ignore the body of anything else;
//! the other statuses are for requests that are wrong as HTTP. No `Date` and no `Server`: each byte
//! here is sent with every announce. Bodies are `http::reply`'s.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use crate::bencode::encode_digits;

/// The statuses muster answers (RFC 9110 section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200
    Ok,
    /// 400
    BadRequest,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405, with the methods that the route takes: `GET, HEAD`.
    MethodNotAllowed {
        /// The value of the `Allow` line.
        allow: &'static str,
    },
    /// 413
    ContentTooLarge,
    /// 414
    TargetTooLong,
    /// 417
    ExpectationFailed,
    /// 429 (RFC 6585 section 4)
    TooManyRequests,
    /// 431
    HeadTooLarge,
    /// 500
    InternalError,
    /// 501
    NotImplemented,
    /// 503
    Unavailable,
    /// 505
    VersionNotSupported,
}

impl Status {
    /// The number and its phrase, as in the status line: `404 Not Found`.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::Forbidden => "403 Forbidden",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed { .. } => "405 Method Not Allowed",
            Status::ContentTooLarge => "413 Content Too Large",
            Status::TargetTooLong => "414 URI Too Long",
            Status::ExpectationFailed => "417 Expectation Failed",
            Status::TooManyRequests => "429 Too Many Requests",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::InternalError => "500 Internal Server Error",
            Status::NotImplemented => "501 Not Implemented",
            Status::Unavailable => "503 Service Unavailable",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// What a reply says about the connection (RFC 9112 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Nothing: it stays open, as HTTP/1.1 expects.
    Unsaid,
    /// It stays open, as the HTTP/1.0 client asked.
    KeepAlive,
    /// It closes after this reply.
    Close,
}

/// Appends the head of a reply whose body has `content_length` bytes.
pub fn encode_head(
    out: &mut Vec<u8>,
    status: Status,
    content_type: &str,
    content_length: usize,
    connection: Connection,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.text().as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: ");
    out.extend_from_slice(content_type.as_bytes());
    out.extend_from_slice(b"\r\nContent-Length: ");
    encode_digits(out, content_length as u64);
    if let Status::MethodNotAllowed { allow } = status {
        out.extend_from_slice(b"\r\nAllow: ");
        out.extend_from_slice(allow.as_bytes());
    }
    out.extend_from_slice(match connection {
        Connection::Unsaid => b"\r\n\r\n",
        Connection::KeepAlive => b"\r\nConnection: keep-alive\r\n\r\n",
        Connection::Close => b"\r\nConnection: close\r\n\r\n",
    });
}

/// Appends the head of a reply of unknown length, which is sent in chunks or else ends with the
/// connection (RFC 9112 section 6.3).
pub fn encode_stream_head(out: &mut Vec<u8>, content_type: &str, chunked: bool) {
    out.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Type: ");
    out.extend_from_slice(content_type.as_bytes());
    if chunked {
        out.extend_from_slice(b"\r\nTransfer-Encoding: chunked");
    }
    out.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(status: Status, content_length: usize, connection: Connection) -> String {
        let mut out = Vec::new();
        encode_head(&mut out, status, "text/plain", content_length, connection);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_reply_head_is_as_short_as_it_can_be() {
        assert_eq!(
            encoded(Status::Ok, 123_456, Connection::Unsaid),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 123456\r\n\r\n"
        );
    }

    #[test]
    fn a_reply_head_says_what_becomes_of_the_connection() {
        let rest = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n";
        assert_eq!(
            encoded(Status::Ok, 0, Connection::Close),
            format!("{rest}Connection: close\r\n\r\n")
        );
        assert_eq!(
            encoded(Status::Ok, 0, Connection::KeepAlive),
            format!("{rest}Connection: keep-alive\r\n\r\n")
        );
    }

    #[test]
    fn a_method_that_is_not_allowed_is_told_which_are() {
        let status = Status::MethodNotAllowed { allow: "GET, HEAD" };
        assert_eq!(
            encoded(status, 9, Connection::Close),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\
             Allow: GET, HEAD\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn every_status_has_its_number_and_phrase() {
        for (status, text) in [
            (Status::Ok, "200 OK"),
            (Status::BadRequest, "400 Bad Request"),
            (Status::Forbidden, "403 Forbidden"),
            (Status::NotFound, "404 Not Found"),
            (Status::ContentTooLarge, "413 Content Too Large"),
            (Status::TargetTooLong, "414 URI Too Long"),
            (Status::ExpectationFailed, "417 Expectation Failed"),
            (Status::HeadTooLarge, "431 Request Header Fields Too Large"),
            (Status::InternalError, "500 Internal Server Error"),
            (Status::NotImplemented, "501 Not Implemented"),
            (Status::Unavailable, "503 Service Unavailable"),
            (Status::VersionNotSupported, "505 HTTP Version Not Supported"),
        ] {
            assert!(
                encoded(status, 0, Connection::Unsaid).starts_with(&format!("HTTP/1.1 {text}\r\n"))
            );
        }
    }
}
