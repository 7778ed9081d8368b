//! Asking a tracker: what `muster announce`, `scrape`, `add` and `stats` stand on.
//!
//! A tracker is somebody else's program, so what it sends is treated as bytes from the network:
//! bounded in size and time, never a reason to panic, and an error says in one line which URL was
//! asked, what happened and what to do about it. [`tracker_url`] is what people type; [`http`] and
//! [`udp`] are the ways there, [`question`] what is asked, [`answer`] what came back and [`faults`]
//! what is wrong with it. [`Asker`] puts them together.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::limits::{CLIENT_SCRAPE_HASHES_MAX, UDP_SCRAPE_HASHES_MAX};
use crate::printable::printable;
use crate::request::{Event, InfoHash, quoted};
use crate::udp::packet::{
    ANNOUNCED_HEAD_BYTES, Family, Reply as Packet, SCRAPED_HEAD_BYTES, SCRAPED_TORRENT_BYTES,
    parse_reply, parse_scraped,
};
use answer::{Answer, Refusal, Scraped};
use faults::{Asked, Faults, judge_announced, judge_head, judge_scraped};
use question::{Announce, scrape_packet, scrape_query};
use tracker_url::{Scheme, TrackerUrl};

pub mod answer;
pub mod faults;
pub mod http;
pub mod question;
pub mod tracker_url;
pub mod udp;

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
    /// Whether the request may have reached the tracker, which then may have acted on it.
    pub sent: bool,
    /// What came all the same, and is wrong.
    pub faults: Faults,
}

impl Failure {
    /// The same request may succeed in a moment.
    fn passing(text: String) -> Failure {
        Failure { text, may_pass: true, sent: false, faults: Faults::default() }
    }

    /// The same request will fail again.
    fn lasting(text: String) -> Failure {
        Failure { may_pass: false, ..Failure::passing(text) }
    }

    /// The request may have reached the tracker.
    fn once_sent(self) -> Failure {
        Failure { sent: true, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a reply says; why it says nothing, if it is not what trackers send.
pub type Reading = Result<Answer, String>;

/// What a tracker has told, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The body or packet as it came; one behind the other where a scrape took several.
    pub raw: Vec<u8>,
    /// Whether the tracker has surely not acted on the request: it refuses it, in words or by a
    /// status from 300 to 499 with nothing to read behind it.
    pub refused: bool,
    /// See [`Reading`].
    pub answer: Reading,
    /// What is wrong with it.
    pub faults: Faults,
}

/// Asks one tracker, as often as needed.
#[derive(Debug)]
pub struct Asker {
    url: TrackerUrl,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Http(http::Caller),
    Udp(Box<udp::Session>),
}

impl Asker {
    /// Prepares to ask; nothing is sent yet.
    pub fn new(url: &TrackerUrl, settings: Settings) -> Result<Asker, Failure> {
        let way = match url.scheme {
            Scheme::Http | Scheme::Https => Way::Http(http::Caller::new(url, settings)?),
            Scheme::Udp => Way::Udp(Box::new(udp::Session::new(url, settings)?)),
        };
        Ok(Asker { url: url.clone(), way })
    }

    /// Announces; `own` are the addresses that are surely ours.
    pub fn announce(&mut self, announce: &Announce, own: &[IpAddr]) -> Result<Told, Failure> {
        let mut faults = Faults::default();
        let (raw, status, answer) = match self.announced(announce, &mut faults) {
            Ok(reply) => reply,
            Err(failure) => return Err(Failure { faults, ..failure }),
        };
        if let Ok(Answer::Announced(announced)) = &answer {
            let asked = Asked {
                own: own.to_vec(),
                port: announce.port,
                peer_id: announce.peer_id,
                numwant: announce.numwant,
                stopped: announce.event == Event::Stopped,
            };
            judge_announced(announced, &asked, &mut faults);
        }
        let refused = match &answer {
            Ok(answer) => matches!(answer, Answer::Refused(_)),
            Err(_) => (300..500).contains(&status),
        };
        Ok(Told { raw, refused, answer, faults })
    }

    /// The reply to an announce, its status (200 over UDP) and what it says.
    fn announced(
        &mut self,
        announce: &Announce,
        faults: &mut Faults,
    ) -> Result<(Vec<u8>, u16, Reading), Failure> {
        match &mut self.way {
            Way::Http(caller) => {
                let reply = caller.query(&self.url, &announce.query())?;
                let ids_due = !self.url.target.contains("no_peer_id=1");
                let parse = |body: &[u8], faults: &mut Faults| {
                    answer::parse_announced(body, ids_due, faults)
                };
                let answer = read_http(&reply, parse, false, faults);
                Ok((reply.body, reply.status, answer))
            }
            Way::Udp(session) => {
                let encode =
                    |id, transaction, options: &[u8]| announce.packet(id, transaction, options);
                let packet = session.ask(encode, faults)?;
                let answer = read_announced_packet(&packet, session.family(), faults);
                Ok((packet, 200, answer))
            }
        }
    }

    /// Scrapes; without a hash, everything that the tracker tells. More hashes than one request
    /// carries are asked for in several, each with the whole timeout; the first that is not
    /// answered ends it. An announce URL is turned into the scrape URL that belongs to it.
    pub fn scrape(&mut self, hashes: &[InfoHash]) -> Result<Told, Failure> {
        let most = match self.way {
            Way::Http(_) => CLIENT_SCRAPE_HASHES_MAX,
            Way::Udp(_) => UDP_SCRAPE_HASHES_MAX,
        };
        let portions = if hashes.is_empty() { vec![hashes] } else { hashes.chunks(most).collect() };
        let (mut raw, mut all, mut faults) = (Vec::new(), Vec::new(), Faults::default());
        for portion in portions {
            let (reply, answer) = match self.scraped(portion, &mut faults) {
                Ok(reply) => reply,
                Err(failure) => return Err(Failure { faults, ..failure }),
            };
            raw.extend(reply);
            let Ok(Answer::Scraped(torrents)) = answer else {
                let refused = matches!(answer, Ok(Answer::Refused(_)));
                return Ok(Told { raw, refused, answer, faults });
            };
            judge_scraped(&torrents, portion, &mut faults);
            all.extend(torrents);
        }
        Ok(Told { raw, refused: false, answer: Ok(Answer::Scraped(all)), faults })
    }

    /// The reply to one scrape and what it says.
    fn scraped(
        &mut self,
        hashes: &[InfoHash],
        faults: &mut Faults,
    ) -> Result<(Vec<u8>, Reading), Failure> {
        match &mut self.way {
            Way::Http(caller) => {
                let url = self.url.scrape().ok_or_else(|| {
                    Failure::lasting(format!(
                        "{}: no scrape URL belongs to this announce URL, since its path does not \
                         end in announce (BEP 48); give the scrape URL itself",
                        self.url
                    ))
                })?;
                let reply = match hashes {
                    [] => caller.get(&url, &[])?,
                    hashes => caller.query(&url, &scrape_query(hashes))?,
                };
                let answer = read_http(&reply, answer::parse_scraped, hashes.is_empty(), faults);
                Ok((reply.body, answer))
            }
            Way::Udp(session) => {
                if hashes.is_empty() {
                    return Err(Failure::lasting(format!(
                        "{}: which torrents? Over UDP no tracker tells all it has (BEP 15)",
                        self.url
                    )));
                }
                let encode = |id, transaction, _: &[u8]| scrape_packet(hashes, id, transaction);
                let packet = session.ask(encode, faults)?;
                let answer = read_scraped_packet(&packet, hashes, faults);
                Ok((packet, answer))
            }
        }
    }
}

/// What an HTTP reply says, status and all.
fn read_http(
    reply: &http::Reply,
    parse: impl Fn(&[u8], &mut Faults) -> Reading,
    of_everything: bool,
    faults: &mut Faults,
) -> Reading {
    if let Some(to) = reply.redirect() {
        return Err(format!("HTTP status {}, which leads to {to}; ask there", reply.status));
    }
    judge_head(reply.status, |name| reply.header(name), of_everything, faults);
    parse(&reply.body, faults).map_err(|error| match reply.status {
        200 => error,
        status => format!("HTTP status {status}, and {error}"),
    })
}

/// What a packet in answer to an announce says.
fn read_announced_packet(packet: &[u8], family: Family, faults: &mut Faults) -> Reading {
    match parse_reply(packet, family) {
        Some(Packet::Announced(_, announced)) => {
            let bytes_of_peer = match family {
                Family::V4 => 6,
                Family::V6 => 18,
            };
            let rest = packet.len().saturating_sub(ANNOUNCED_HEAD_BYTES) % bytes_of_peer;
            if rest != 0 {
                faults.add(format!("{rest} bytes behind the last whole peer (BEP 15)"));
            }
            Ok(Answer::Announced(answer::from_packet(&announced)))
        }
        None if is_cut_announced(packet) => Err(format!(
            "an announce reply of {} bytes, at least {ANNOUNCED_HEAD_BYTES} are due (BEP 15); \
             opentracker sends 8 for a torrent that it does not allow",
            packet.len()
        )),
        reply => read_error_packet(packet, reply, faults),
    }
}

/// Whether a packet begins as an answer to an announce does, and ends within its head.
fn is_cut_announced(packet: &[u8]) -> bool {
    let mut whole = packet.to_vec();
    whole.resize(packet.len().max(ANNOUNCED_HEAD_BYTES), 0);
    matches!(parse_reply(&whole, Family::V4), Some(Packet::Announced(..)))
}

/// What a packet in answer to a scrape says.
fn read_scraped_packet(packet: &[u8], hashes: &[InfoHash], faults: &mut Faults) -> Reading {
    match parse_reply(packet, Family::V4) {
        Some(Packet::Scraped(_, torrents)) => {
            let (found, asked) = (torrents.len(), hashes.len());
            if found != asked {
                faults.add(format!("torrents told: {found}, asked for: {asked} (BEP 15)"));
            }
            let rest = packet.len().saturating_sub(SCRAPED_HEAD_BYTES) % SCRAPED_TORRENT_BYTES;
            if rest != 0 {
                faults.add(format!("{rest} bytes behind the last whole torrent (BEP 15)"));
            }
            let each = hashes.iter().zip(torrents).map(|(hash, torrent)| {
                let [complete, downloaded, incomplete] = parse_scraped(torrent).map(answer::signed);
                Scraped {
                    info_hash: *hash,
                    complete: Some(complete),
                    incomplete: Some(incomplete),
                    downloaded: Some(downloaded),
                    name: None,
                }
            });
            Ok(Answer::Scraped(each.collect()))
        }
        reply => read_error_packet(packet, reply, faults),
    }
}

/// What a packet says that is not what was asked for: a refusal, or nothing.
fn read_error_packet(packet: &[u8], reply: Option<Packet<'_>>, faults: &mut Faults) -> Reading {
    let Some(Packet::Error(_, message)) = reply else {
        let (length, start) = (packet.len(), quoted(packet));
        return Err(format!("a packet of {length} bytes that answers something else: {start}"));
    };
    if message.is_empty() {
        faults.add("an error without a word of why (BEP 15)");
    }
    // Some end the message as C does.
    let message = message.strip_suffix(b"\0").unwrap_or(message);
    Ok(Answer::Refused(Refusal { reason: printable(message), retry_in: None }))
}

#[cfg(test)]
mod tests;
