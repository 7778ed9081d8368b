//! Crowds that hold connections and do nothing with them, or as little as they can.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use muster::limits::{CONNECTION_MEMORY_BYTES, HTTP_HEAD_BYTES_MAX};

use crate::connection::get;
use crate::crowd::{Crowd, Manner};
use crate::tracker::{Tracker, resident};

/// What is promised of this crowd: an announce is answered within this in 99 of 100 cases.
const MILLIS_MAX: f64 = 100.0;
/// A machine on which quiet announces take long has other troubles; then so many times as long.
const TIMES_QUIET_MAX: f64 = 4.0;

const IDLE: usize = 2_000;
const SLOW: usize = 500;
/// Clients that read nothing, and the requests of each: a page of 600 bytes each time.
const DEAF: usize = 30;
const DEAF_REQUESTS: usize = 20_000;
/// What connections may hold that have sent nothing or little, heads without their end, and those
/// whose replies nobody reads.
const WAITING_BYTES: u64 = (IDLE + SLOW) as u64 * 1024;
pub const HEADS_BYTES: u64 = (IDLE * (HTTP_HEAD_BYTES_MAX + 1024)) as u64;
pub const DEAF_BYTES: u64 = 2 * DEAF as u64 * CONNECTION_MEMORY_BYTES;
/// Clients on each address, within `max-connections-per-ip` of 128 and each worker's share of it.
const ON_AN_ADDRESS: usize = 20;

/// Clients that come again a second after they were closed, from addresses 127.0.`group`.1 on.
fn clients(group: u8, count: usize, opening: &[u8], drips: bool, reads: bool) -> Vec<Manner> {
    let opening: Arc<[u8]> = opening.into();
    let manner = |number: usize| {
        let source = IpAddr::from([127, 0, group, (1 + number / ON_AN_ADDRESS) as u8]);
        let returns = Some(Duration::from_secs(1));
        Manner { source, opening: Arc::clone(&opening), drips, reads, returns }
    };
    (0..count).map(manner).collect()
}

/// Idle ones are closed after 30 s, slow ones after 10 s, and all come again: the crowd stands.
pub fn two_thousand_idle_and_five_hundred_slow_connections_delay_nobody(tracker: &mut Tracker) {
    let latencies =
        tracker.attack(("2,000 idle and 500 slow connections", WAITING_BYTES), |tracker| {
            let before = resident(tracker.pid(), "VmRSS");
            let idle = clients(2, IDLE, b"", false, true);
            let slow = clients(3, SLOW, b"GET /announce?info_hash=", true, true);
            let crowd = Crowd::gather(tracker.address(), [idle, slow].concat());
            crowd.wait_until(|tally| tally.standing() >= IDLE + SLOW);
            let grown = resident(tracker.pid(), "VmRSS").saturating_sub(before);
            let timed_out = tracker.count("connections_timed_out");
            tracker.last(40);
            let timed_out = tracker.count("connections_timed_out") - timed_out;
            let standing = crowd.tally.standing();
            assert!(standing >= (IDLE + SLOW) * 3 / 4, "{standing} stand");
            assert!(timed_out >= (IDLE + SLOW) as u64 / 2, "{timed_out} were cut off");
            let bytes = grown / (IDLE + SLOW) as u64;
            format!("{standing} stood at the end, {timed_out} were cut off; {bytes} bytes each")
        });
    let (p99, quiet) = (latencies.millis(990), tracker.quiet().millis(990));
    let bound = MILLIS_MAX.max(TIMES_QUIET_MAX * quiet);
    println!("p99 beside the crowd {p99:.1} ms, of a quiet tracker {quiet:.1} ms");
    assert!(latencies.count() > 1_000, "{} announces", latencies.count());
    assert!(p99 < bound, "p99 {p99} ms, at most {bound} ms; {quiet} ms on a quiet tracker");
}

/// Each holds as much as a head may have, all but the last byte.
pub fn unfinished_heads_are_bounded(tracker: &Tracker) -> String {
    let mut head = b"GET /health HTTP/1.1\r\nHost: t\r\nX: ".to_vec();
    head.resize(HTTP_HEAD_BYTES_MAX - 1, b'x');
    hold(tracker, clients(4, IDLE, &head, false, true))
}

/// Each asks for more than the kernel holds for it, several MB, and reads nothing.
pub fn unread_replies_are_bounded(tracker: &Tracker) -> String {
    hold(tracker, clients(5, DEAF, &get("/").repeat(DEAF_REQUESTS), false, false))
}

/// Each asks for 250 torrents at once, of which a reply as JSON shows as many as it has room for.
pub fn unread_scrapes_are_bounded(tracker: &Tracker) -> String {
    let letter = |number: u8| char::from(b'a' + number);
    let hashes = (0..250).map(|number: u8| {
        let [first, second] = [letter(number / 16), letter(number % 16)];
        format!("&info_hash={first}{second}{}", "z".repeat(18))
    });
    let request = get(format!("/scrape?format=json{}", hashes.collect::<String>()));
    hold(tracker, clients(15, 2 * DEAF, &request.repeat(500), false, false))
}

/// The crowd stands for longer than it is suffered.
fn hold(tracker: &Tracker, clients: Vec<Manner>) -> String {
    let count = clients.len();
    let crowd = Crowd::gather(tracker.address(), clients);
    crowd.wait_until(|tally| tally.standing() >= count * 9 / 10);
    tracker.last(13);
    crowd.wait_until(|tally| tally.closed() >= count / 2);
    let closed = crowd.tally.closed();
    format!("{count} connections, {closed} cut off")
}
