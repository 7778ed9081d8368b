//! The body of a request, read within bounds (RFC 9112 sections 6 and 7).
//!
//! Only operator routes take one, at most [`HTTP_BODY_BYTES_MAX`], and only after the caller has
//! been found to be the operator. [`read`] pulls bytes from whatever it is given until the body is
//! whole; errors are texts for the reply, with their status.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use crate::limits::{HTTP_BODY_BYTES_MAX, HTTP_CHUNK_LINE_BYTES_MAX};

use super::head::{Body, Problem};
use super::status::Status;

/// Refuses a body that announces itself as too large, before anything of it is read.
pub fn check_length(framing: Body) -> Result<(), Problem> {
    match framing {
        Body::Length(length) if length > HTTP_BODY_BYTES_MAX as u64 => Err(too_large()),
        _ => Ok(()),
    }
}

/// Reads the body that `framing` announces, the first part of which is `received`. `more` appends
/// further bytes to what it is given and says whether there were any.
pub fn read(
    framing: Body,
    received: Vec<u8>,
    mut more: impl FnMut(&mut Vec<u8>) -> bool,
) -> Result<Vec<u8>, Problem> {
    check_length(framing)?;
    let mut bytes = received;
    match framing {
        Body::None => Ok(Vec::new()),
        Body::Length(length) => {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            while bytes.len() < length {
                if !more(&mut bytes) {
                    let text = format!("body: {} bytes, {length} were announced", bytes.len());
                    return Err(Problem { status: Status::BadRequest, text });
                }
            }
            bytes.truncate(length);
            Ok(bytes)
        }
        Body::Chunked => {
            let mut chunks = Chunks::default();
            while !chunks.take(&mut bytes)? {
                if !more(&mut bytes) {
                    let text = "body: ended before its last chunk".to_owned();
                    return Err(Problem { status: Status::BadRequest, text });
                }
            }
            Ok(chunks.body)
        }
    }
}

fn too_large() -> Problem {
    let text = format!("body: at most {HTTP_BODY_BYTES_MAX} bytes are taken");
    Problem { status: Status::ContentTooLarge, text }
}

fn bad_chunk() -> Problem {
    Problem { status: Status::BadRequest, text: "body: a malformed chunk".to_owned() }
}

/// A chunked body as far as it has come.
#[derive(Debug, Default)]
struct Chunks {
    body: Vec<u8>,
    at: Place,
}

#[derive(Debug, Default)]
enum Place {
    /// Before a line with the size of a chunk.
    #[default]
    Size,
    /// Within a chunk of which so many bytes have yet to come.
    Data(usize),
    /// Before the line end behind a chunk.
    End,
    /// In the lines behind the last chunk, which are dropped.
    Trailer,
}

impl Chunks {
    /// Takes as much out of `bytes` as is understood; true when the body is whole.
    fn take(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Problem> {
        let mut rest = bytes.as_slice();
        let whole = loop {
            match self.at {
                Place::Size => {
                    let Some((line, behind)) = take_line(rest)? else { break false };
                    rest = behind;
                    let size = parse_size(line).ok_or_else(bad_chunk)?;
                    if size > HTTP_BODY_BYTES_MAX - self.body.len() {
                        return Err(too_large());
                    }
                    self.at = if size == 0 { Place::Trailer } else { Place::Data(size) };
                }
                Place::Data(left) => {
                    let (data, behind) = rest.split_at(left.min(rest.len()));
                    self.body.extend_from_slice(data);
                    rest = behind;
                    if data.len() < left {
                        self.at = Place::Data(left - data.len());
                        break false;
                    }
                    self.at = Place::End;
                }
                Place::End => match rest {
                    [b'\r', b'\n', behind @ ..] => {
                        rest = behind;
                        self.at = Place::Size;
                    }
                    [] | [b'\r'] => break false,
                    _ => return Err(bad_chunk()),
                },
                Place::Trailer => {
                    let Some((line, behind)) = take_line(rest)? else { break false };
                    rest = behind;
                    if line.is_empty() {
                        break true;
                    }
                }
            }
        };
        *bytes = rest.to_vec();
        Ok(whole)
    }
}

/// A line without its CRLF, and what follows it.
type Line<'a> = (&'a [u8], &'a [u8]);

/// The first line; `None` while it has not ended.
fn take_line(bytes: &[u8]) -> Result<Option<Line<'_>>, Problem> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        // The first byte of its end may be there already.
        let waits = bytes.len() <= HTTP_CHUNK_LINE_BYTES_MAX + 1;
        return if waits { Ok(None) } else { Err(bad_chunk()) };
    };
    if end > HTTP_CHUNK_LINE_BYTES_MAX {
        return Err(bad_chunk());
    }
    Ok(bytes.get(..end).zip(bytes.get(end + 2..)))
}

/// The size before a chunk's extensions, which are ignored (RFC 9112 section 7.1.1).
fn parse_size(line: &[u8]) -> Option<usize> {
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii();
    let text = std::str::from_utf8(digits).ok()?;
    let clean = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if clean { usize::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body that arrives in pieces of `step` bytes.
    fn read_in_steps(framing: Body, bytes: &[u8], step: usize) -> Result<Vec<u8>, Problem> {
        let mut pieces = bytes.chunks(step.max(1));
        read(framing, Vec::new(), |into| match pieces.next() {
            Some(piece) => {
                into.extend_from_slice(piece);
                true
            }
            None => false,
        })
    }

    #[test]
    fn bodies_are_whole_however_they_are_cut() {
        let chunked =
            b"5\r\nhello\r\n1;name=value\r\n,\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\nnext";
        for step in 1..chunked.len() {
            let body = read_in_steps(Body::Chunked, chunked, step);
            assert_eq!(body.as_deref(), Ok(&b"hello, world"[..]), "{step}");
            let body = read_in_steps(Body::Length(5), b"hello next", step);
            assert_eq!(body.as_deref(), Ok(&b"hello"[..]), "{step}");
        }
        assert_eq!(read_in_steps(Body::None, b"x", 1).as_deref(), Ok(&b""[..]));
    }

    #[test]
    fn a_body_cut_short_says_how_much_is_missing() {
        let error = read_in_steps(Body::Length(9), b"hello", 2).expect_err("cut");
        assert_eq!(error.text, "body: 5 bytes, 9 were announced");
        let chunked = b"5\r\nhello\r\n0\r\n\r\n";
        for end in 0..chunked.len() {
            let error = read_in_steps(Body::Chunked, &chunked[..end], 3).expect_err("cut");
            assert_eq!(error.text, "body: ended before its last chunk", "{end}");
        }
    }

    #[test]
    fn too_much_is_refused_before_it_is_read() {
        let max = HTTP_BODY_BYTES_MAX;
        let too_large = Problem {
            status: Status::ContentTooLarge,
            text: format!("body: at most {max} bytes are taken"),
        };
        let refuse = |framing, bytes: &[u8]| {
            read(framing, bytes.to_vec(), |_| panic!("nothing more is read")).expect_err("too much")
        };
        assert_eq!(refuse(Body::Length(max as u64 + 1), b""), too_large);
        assert_eq!(refuse(Body::Length(u64::MAX), b""), too_large);
        assert_eq!(refuse(Body::Chunked, format!("{:x}\r\n", max + 1).as_bytes()), too_large);
        let two = format!("1\r\nx\r\n{max:x}\r\n");
        assert_eq!(refuse(Body::Chunked, two.as_bytes()), too_large);
    }

    #[test]
    fn malformed_chunks_are_refused() {
        let long = format!("1;{}\r\n", "x".repeat(HTTP_CHUNK_LINE_BYTES_MAX));
        for bytes in [
            "x\r\n",
            "-1\r\n",
            "\r\n",
            "+5\r\nhello\r\n",
            "5\r\nhelloX\r\n",
            &long,
            "ffffffffffffffffff\r\n",
            "0x5\r\nhello\r\n",
        ] {
            let error = read_in_steps(Body::Chunked, bytes.as_bytes(), 1000).expect_err(bytes);
            assert_eq!(error.text, "body: a malformed chunk", "{bytes}");
        }
    }
}
