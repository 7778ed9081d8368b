//! The tracker as the text of a state file, a piece at a time.
//!
//! JSON that people can read: a line for each peer and for each part of a torrent, and a superset
//! of what the original tracker wrote. The last line but one is the checksum of all bytes before
//! that line; it begins with its comma, so that whoever edits the file by hand deletes that one
//! line and has valid JSON again.
//!
//! Torrents are copied out of the tracker in its own small steps. No lock is held while anything
//! here formats or writes. `store::parse` reads what this writes.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use crate::limits::STATE_WRITE_BYTES;
use crate::percent;
use crate::registration::Registration;
use crate::request::{Endpoint4, Endpoint6, InfoHash, Seconds, split_endpoint4, split_endpoint6};
use crate::tracker::{Peer, Tracker};

use super::crc::Crc;

/// The version of the format. The original tracker's files have none.
pub const VERSION: u64 = 1;
/// What stands between the checksum's digits and the bytes it covers, and after them.
pub const CHECKSUM_BEFORE: &str = "\n,\"checksum\": \"";
/// See [`CHECKSUM_BEFORE`].
pub const CHECKSUM_AFTER: &str = "\"\n}\n";

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Torrents.
    pub torrents: u32,
    /// Peers.
    pub peers: u32,
    /// Bytes of the file.
    pub bytes: u64,
}

/// When it is, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// On the tracker's clock.
    pub now: Seconds,
    /// Seconds since 1970 UTC.
    pub unix: u64,
}

impl Moment {
    /// One moment on both clocks.
    pub fn new(now: Seconds, unix_now: Duration) -> Moment {
        Moment { now, unix: unix_now.as_secs() }
    }
}

/// Text on its way to the file, in pieces of [`STATE_WRITE_BYTES`].
struct Sheet<'w> {
    file: &'w mut dyn Write,
    crc: Crc,
    text: String,
    bytes: u64,
}

impl Sheet<'_> {
    fn flush(&mut self) -> io::Result<()> {
        self.crc.feed(self.text.as_bytes());
        self.file.write_all(self.text.as_bytes())?;
        self.bytes += self.text.len() as u64;
        self.text.clear();
        Ok(())
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.text.len() >= STATE_WRITE_BYTES { self.flush() } else { Ok(()) }
    }
}

/// Writes everything the tracker knows. `journal` is the first generation of the journal whose
/// entries are not all in it.
pub fn encode_state(
    tracker: &Tracker,
    journal: u64,
    moment: Moment,
    file: &mut dyn Write,
) -> io::Result<Written> {
    let text = String::with_capacity(STATE_WRITE_BYTES + STATE_WRITE_BYTES / 4);
    let mut sheet = Sheet { file, crc: Crc::new(), text, bytes: 0 };
    let mut written = Written::default();
    sheet.text.push_str("{\n\"version\": ");
    push_number(&mut sheet.text, VERSION);
    sheet.text.push_str(",\n\"journal\": ");
    push_number(&mut sheet.text, journal);
    sheet.text.push_str(",\n\"saved\": ");
    push_number(&mut sheet.text, moment.unix);
    sheet.text.push_str(",\n\"torrents\": {");
    let mut peers = Vec::new();
    for info_hash in tracker.info_hashes() {
        encode_torrent(tracker, &info_hash, moment, &mut peers, &mut sheet, &mut written)?;
    }
    sheet.text.push_str("\n}");
    sheet.flush()?;
    let checksum = sheet.crc.value();
    let _ = write!(sheet.text, "{CHECKSUM_BEFORE}{checksum:08x}{CHECKSUM_AFTER}");
    sheet.flush()?;
    Ok(Written { bytes: sheet.bytes, ..written })
}

/// What a torrent's peers amount to.
#[derive(Default)]
struct Sums {
    complete: u32,
    incomplete: u32,
    uploaded: u64,
    downloaded: u64,
}

fn encode_torrent(
    tracker: &Tracker,
    info_hash: &InfoHash,
    moment: Moment,
    peers: &mut Vec<Peer>,
    sheet: &mut Sheet,
    written: &mut Written,
) -> io::Result<()> {
    // One that has gone since the hashes were listed is gone.
    let Some(summary) = tracker.summary(info_hash) else { return Ok(()) };
    let counts = summary.counts;
    if summary.registration.is_none()
        && counts.complete + counts.incomplete + counts.downloaded == 0
    {
        return Ok(()); // Nothing is known about it but that somebody once asked.
    }
    let text = &mut sheet.text;
    text.push_str(if written.torrents == 0 { "\n\"" } else { ",\n\"" });
    let _ = write!(text, "{info_hash}\": {{\n \"info\": ");
    encode_info(info_hash, summary.registration.as_ref(), text);
    text.push_str(",\n \"peers_info\": [");
    let (mut sums, mut from) = (Sums::default(), Some(0));
    while let Some(at) = from {
        from = tracker.copy_peers(info_hash, at, peers);
        for peer in &*peers {
            let first = sums.complete + sums.incomplete == 0;
            sheet.text.push_str(if first { "\n  " } else { ",\n  " });
            encode_peer(peer, moment, &mut sheet.text);
            sums.complete += u32::from(peer.is_seeder());
            sums.incomplete += u32::from(!peer.is_seeder());
            sums.uploaded = sums.uploaded.saturating_add(peer.uploaded);
            sums.downloaded = sums.downloaded.saturating_add(peer.downloaded);
            sheet.flush_if_full()?;
        }
    }
    let Sums { complete, incomplete, uploaded, downloaded } = sums;
    let (present, completed) = (complete + incomplete, counts.downloaded);
    let _ = write!(
        sheet.text,
        "],\n \"stats\": {{\"complete\": {complete}, \"incomplete\": {incomplete}, \
         \"downloaded\": {downloaded}, \"uploaded\": {uploaded}, \"peers\": {present}, \
         \"completed\": {completed}}}}}"
    );
    written.torrents += 1;
    written.peers += present;
    sheet.flush_if_full()
}

/// What the operator has said of a torrent, on one line; of one nobody spoke of, that.
pub fn encode_info(info_hash: &InfoHash, registration: Option<&Registration>, out: &mut String) {
    let registered = registration.is_some();
    let nothing = Registration::default();
    let Registration { name, size, piece_length, comment, created_by, creation_date } =
        registration.unwrap_or(&nothing);
    let _ = write!(out, "{{\"info_hash\": \"{info_hash}\", \"name\": ");
    push_text(out, name);
    let _ = write!(
        out,
        ", \"size\": {size}, \"piece_length\": {piece_length}, \"creation_date\": \
         {creation_date}, \"comment\": "
    );
    push_text(out, comment);
    out.push_str(", \"created_by\": ");
    push_text(out, created_by);
    let _ = write!(out, ", \"registered\": {registered}}}");
}

/// A peer on one line. Its first endpoint is its IPv4 one if it has one; a peer that listens
/// nowhere has no address and port 0.
fn encode_peer(peer: &Peer, moment: Moment, out: &mut String) {
    let silent_seconds = u64::from(moment.now.since(peer.last_seen));
    out.push_str("{\"peer_id\": \"");
    percent::encode(&peer.identity.peer_id.0, out);
    out.push_str("\", \"ip\": \"");
    match (peer.v4, peer.v6) {
        (Some(v4), _) => push_endpoint4(out, v4, "\", \"port\": "),
        (None, Some(v6)) => push_endpoint6(out, v6, "\", \"port\": "),
        (None, None) => out.push_str("\", \"port\": 0"),
    }
    for (key, number) in [
        (", \"last_seen\": ", moment.unix.saturating_sub(silent_seconds)),
        (", \"uploaded\": ", peer.uploaded),
        (", \"downloaded\": ", peer.downloaded),
        (", \"left\": ", peer.left),
    ] {
        out.push_str(key);
        push_number(out, number);
    }
    out.push_str(if peer.is_seeder() { ", \"is_seeder\": true" } else { ", \"is_seeder\": false" });
    out.push_str(", \"proof\": \"");
    push_hex(out, peer.identity.proof.0);
    out.push('"');
    if let (Some(_), Some(v6)) = (peer.v4, peer.v6) {
        out.push_str(", \"ip6\": \"");
        push_endpoint6(out, v6, "\", \"port6\": ");
    }
    if peer.paused {
        out.push_str(", \"paused\": true");
    }
    if peer.completed {
        out.push_str(", \"completed\": true");
    }
    out.push('}');
}

fn push_endpoint4(out: &mut String, endpoint: Endpoint4, between: &str) {
    let (ip, port) = split_endpoint4(endpoint);
    for (nth, byte) in ip.octets().into_iter().enumerate() {
        if nth > 0 {
            out.push('.');
        }
        push_number(out, u64::from(byte));
    }
    out.push_str(between);
    push_number(out, u64::from(port));
}

fn push_endpoint6(out: &mut String, endpoint: Endpoint6, between: &str) {
    let (ip, port) = split_endpoint6(endpoint);
    let _ = write!(out, "{ip}{between}{port}");
}

/// As `write!` would, in a fifth of the time: a million peers have six million numbers.
fn push_number(out: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend(digits[at..].iter().map(|&digit| char::from(digit)));
}

fn push_hex(out: &mut String, number: u64) {
    for nth in (0..16).rev() {
        let digit = (number >> (nth * 4) & 15) as u8;
        out.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
    }
}

fn push_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
