//! Connections that are reset (`SO_LINGER` of 0) wherever a request can be cut.

use std::time::Duration;

use rustix::net::sockopt;

use crate::connection::{Connection, announce, get, hash, peer};
use crate::tracker::Tracker;

/// Rounds in a run of the usual length.
const ROUNDS: usize = 4;

/// Sends what there is and resets the connection.
fn reset(mut connection: Connection, bytes: &[u8], reads: bool) {
    sockopt::set_socket_linger(connection.stream(), Some(Duration::ZERO)).expect("a socket");
    // It may have been closed already.
    let sent = connection.try_send(bytes).is_ok();
    if sent && reads {
        let _ = connection.has_more();
    }
}

/// Cut before each byte of an announce, of a page for the operator and of a body; with the reply
/// waited for and not.
pub fn a_reset_at_any_byte_costs_nothing(tracker: &Tracker) -> String {
    let post = "POST /add_torrent_info HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 40\r\n\r\n";
    let chunks = "POST /add_torrent_info HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: \
                  chunked\r\n\r\n5\r\n{\"inf\r\n20\r\no_hash";
    let requests = [
        get(announce(&hash(1), &peer(98), 6998, 1, "")),
        [post.as_bytes(), b"{\"info_hash\": \"0123456789012345678901234"].concat(),
        chunks.as_bytes().to_vec(),
        b"GET /stats HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec(),
    ];
    let mut count = 0;
    for round in 0..ROUNDS {
        for request in &requests {
            for end in 0..=request.len() {
                let connection = tracker.attacker(6, 1 + (end % 200) as u8);
                let whole = end == request.len();
                reset(connection, &request[..end], whole && round % 2 == 0);
                count += 1;
            }
        }
    }
    assert!(tracker.count("connections") >= count);
    format!("{count} resets")
}
