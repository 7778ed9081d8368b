//! Asking a tracker: what `muster announce`, `scrape`, `add` and `stats` stand on.
//!
//! A tracker is somebody else's program, so what it sends is treated as bytes from the network:
//! bounded in size and time, never a reason to panic, and an error says in one line which URL was
//! asked, what happened and what to do about it. `tracker_url` is what people type, `http` the way
//! there over HTTP and HTTPS.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;
use std::time::Duration;

pub mod http;
pub mod tracker_url;

/// Which addresses of a host name are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressFamily {
    /// Whichever the system prefers; the others when that one fails.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// How a tracker is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// One request has this long, from the look-up of the name to the last byte of the reply.
    pub timeout: Duration,
    /// See [`AddressFamily`].
    pub family: AddressFamily,
    /// A reply with more bytes than this in its body is refused.
    pub reply_bytes_max: usize,
}

/// Why there is no reply: one line that names the URL, what happened and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line, without an end.
    pub text: String,
    /// Whether the same request may succeed in a moment: the tracker was not reached, or went away
    /// within its reply. Not so for a name that does not exist or a certificate that is wrong.
    pub may_pass: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
