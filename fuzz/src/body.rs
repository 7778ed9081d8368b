//! Bodies of requests: the same in one piece and byte by byte, and never larger than the bound.

use muster::http::body::read;
use muster::http::head::{Body, Problem};
use muster::limits::{HTTP_BODY_BYTES_MAX, HTTP_CHUNK_LINE_BYTES_MAX};

/// Holds what is said above, of the bytes as chunks and as a body of a length.
pub fn check(bytes: &[u8]) {
    for framing in [Body::Chunked, Body::Length(bytes.len() as u64 / 2 + 1), Body::None] {
        let whole = read_in_steps(framing, bytes, bytes.len());
        for step in [1, 2, 7] {
            assert_eq!(read_in_steps(framing, bytes, step), whole, "in steps of {step}");
        }
        if let Ok(body) = whole {
            assert!(body.len() <= bytes.len().min(HTTP_BODY_BYTES_MAX));
            let line = bytes.windows(2).position(|pair| pair == b"\r\n");
            assert!(framing != Body::Chunked || line <= Some(HTTP_CHUNK_LINE_BYTES_MAX));
        }
    }
}

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
