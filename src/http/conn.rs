//! What happens on one connection, as bytes in and bytes out: the same for every socket, and for
//! none.
//!
//! [`serve`] answers every whole request in what has arrived, in order (RFC 9112 section 9.3.2),
//! and says what comes next. The epoll engine does the reading, the writing and the waiting.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use crate::limits::{HTTP_HEAD_BYTES_MAX, HTTP_OUTPUT_BYTES_MAX};
use crate::log::{self, Cause, Level};

use super::head::{self, Body, Head, Method, Parsed, Problem};
use super::status::{Connection, encode_head};
use super::table::Afterwards;
use super::{Answer, Caller, Outcome, Service, Work};

/// What [`serve`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// Bytes behind those that hold no end of a head; to be passed with the next call.
    pub searched: usize,
    /// What happens once the output is written.
    pub afterwards: Afterwards,
}

/// Answers the requests in `input` by appending to `out`, until it holds no whole one any more or
/// `out` has grown to [`HTTP_OUTPUT_BYTES_MAX`]. Of `input`, `searched` bytes are known to hold no
/// end of a head. When `stopping`, each reply is the last of its connection.
pub fn serve(
    service: &Service,
    caller: Caller<'_>,
    stopping: bool,
    (input, searched): (&[u8], usize),
    work: &mut Work,
    out: &mut Vec<u8>,
) -> Served {
    let mut rest = input;
    let mut searched = searched;
    let afterwards = loop {
        if out.len() >= HTTP_OUTPUT_BYTES_MAX && !rest.is_empty() {
            break Afterwards::Resume;
        }
        // A head that comes in small pieces is parsed once, when its end is there.
        let waits = rest.len() <= HTTP_HEAD_BYTES_MAX
            && (rest.is_empty() || searched > 0 && head::find_end(rest, searched).is_none());
        if waits {
            searched = rest.len();
            break Afterwards::Wait;
        }
        searched = 0;
        match &head::parse(rest) {
            Parsed::Partial => {
                searched = rest.len();
                break Afterwards::Wait;
            }
            Parsed::Bad(problem) => {
                if !service.explains_errors_to(caller) {
                    break Afterwards::Close;
                }
                log::limited(Cause::BadRequest, Level::Debug, caller.now_millis(), || {
                    format!("not a request: {}", problem.text)
                });
                encode_problem(out, problem);
                break Afterwards::Drain;
            }
            Parsed::Complete(head, length) => {
                let Outcome::Answered(reply) = service.answer(head, caller, work) else {
                    break Afterwards::HandOver;
                };
                rest = rest.get(*length..).unwrap_or_default();
                match encode_reply(reply, head, stopping, work, out) {
                    Afterwards::Wait => {}
                    ends => break ends,
                }
            }
        }
    };
    Served { consumed: input.len() - rest.len(), searched, afterwards }
}

/// Appends a reply; what follows from it for the connection.
fn encode_reply(
    reply: Answer,
    head: &Head<'_>,
    stopping: bool,
    work: &Work,
    out: &mut Vec<u8>,
) -> Afterwards {
    // A body is read for the operator alone: one that somebody else sends ends the connection.
    let unread = head.body != Body::None;
    let closing = unread || stopping || !head.keep_alive;
    let connection = head.connection(closing);
    encode_head(out, reply.status, reply.content_type, work.body.len(), connection);
    if head.method != Method::Head {
        out.extend_from_slice(&work.body);
    }
    match (unread, closing) {
        (true, _) => Afterwards::Drain,
        (false, true) => Afterwards::Close,
        (false, false) => Afterwards::Wait,
    }
}

/// The reply to something that was not a request.
pub fn encode_problem(out: &mut Vec<u8>, problem: &Problem) {
    let body = format!("{}: {}\n", problem.status.text(), problem.text);
    encode_head(out, problem.status, "text/plain", body.len(), Connection::Close);
    out.extend_from_slice(body.as_bytes());
}
