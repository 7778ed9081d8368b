//! HTTP: one function that answers a request, and the engines that feed it.
//!
//! [`Service::answer`] takes a parsed head and leaves a body in [`Work`]; the engines (`epoll` on
//! Linux, `tiny` anywhere) do sockets and nothing else, so both answer alike to the byte. Whatever
//! goes wrong with an announce or a scrape is a 200 with a bencoded `failure reason`, since clients
//! ignore the body of anything else; the other statuses are for requests that are wrong as HTTP.
//! Nothing here allocates with the size of the input: buffers in [`Work`] are used again.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

#[cfg(target_os = "linux")]
pub mod admission;
pub mod conn;
#[cfg(target_os = "linux")]
pub mod desk;
#[cfg(target_os = "linux")]
pub mod epoll;
pub mod forwarded;
pub mod head;
pub mod query;
pub mod reply;
pub mod status;
pub mod table;
pub mod tiny;

use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Clock;
use crate::limits::{ANNOUNCE_JITTER_DIVISOR, SCRAPE_HASHES_MAX};
use crate::request::{InfoHash, PeerBuf, Refused, Seconds, SwarmCounts};
use crate::stats::Stats;
use crate::subnet::Subnet;
use crate::tracker::Tracker;

use head::{Body, Head, Method};
use query::Route;
use reply::Announced;
use status::Status;

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
/// The methods of every route so far.
const ALLOW: &str = "GET, HEAD";

/// Answers requests. Shared by every thread of an engine.
#[derive(Debug)]
pub struct Service {
    /// The core.
    pub tracker: Arc<Tracker>,
    /// What has happened.
    pub stats: Arc<Stats>,
    /// The time, which the engines pass on to each request.
    pub clock: Arc<Clock>,
    /// What the operator decides about answers.
    pub settings: Settings,
}

/// What the operator decides about answers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seconds a client is asked to wait between announces; a little is added at random.
    pub announce_interval: u32,
    /// Seconds it has to wait.
    pub min_interval: u32,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Subnet>,
}

/// Buffers of one thread, used again for every request.
#[derive(Debug)]
pub struct Work {
    /// The body of the last answer.
    pub body: Vec<u8>,
    peers: PeerBuf,
    hashes: Vec<InfoHash>,
    files: Vec<(InfoHash, SwarmCounts)>,
}

impl Work {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Work {
        Work {
            body: Vec::new(),
            peers: PeerBuf::new(),
            hashes: Vec::with_capacity(SCRAPE_HASHES_MAX),
            files: Vec::with_capacity(SCRAPE_HASHES_MAX),
        }
    }
}

impl Default for Work {
    fn default() -> Self {
        Work::new()
    }
}

/// An answer; its body is in [`Work::body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: Status,
    /// The `Content-Type` of the body.
    pub content_type: &'static str,
}

impl Service {
    /// Answers one request that came from `remote` (`None`: over a Unix socket) at `now`.
    pub fn answer(
        &self,
        head: &Head<'_>,
        remote: Option<IpAddr>,
        now: Seconds,
        work: &mut Work,
    ) -> Answer {
        work.body.clear();
        let route = Route::of(head.path, head.query);
        if route != Route::NotFound && !matches!(head.method, Method::Get | Method::Head) {
            return self.plain(work, Status::MethodNotAllowed { allow: ALLOW }, "use GET here\n");
        }
        if route != Route::NotFound && head.body != Body::None {
            return self.plain(work, Status::ContentTooLarge, "no body is taken here\n");
        }
        match route {
            Route::Announce { .. } => self.answer_announce(head, remote, now, work),
            Route::Scrape { .. } => self.answer_scrape(head, work),
            Route::Health => self.plain(work, Status::Ok, "ok\n"),
            Route::Root => self.plain(work, Status::Ok, &self.introduction(head)),
            Route::NotFound => self.plain(
                work,
                Status::NotFound,
                "nothing is here; this is a BitTorrent tracker, announce at /announce\n",
            ),
        }
    }

    /// Whether what a proxy at this address says about its clients counts.
    #[must_use]
    pub fn is_trusted_proxy(&self, ip: IpAddr) -> bool {
        self.settings.trusted_proxies.iter().any(|subnet| subnet.contains(ip))
    }

    fn answer_announce(
        &self,
        head: &Head<'_>,
        remote: Option<IpAddr>,
        now: Seconds,
        work: &mut Work,
    ) -> Answer {
        match self.announce(head, remote, now, work) {
            Ok(content_type) => {
                self.stats.announces.add();
                Answer { status: Status::Ok, content_type }
            }
            Err(refused) => self.refuse(&refused, head, work),
        }
    }

    fn announce(
        &self,
        head: &Head<'_>,
        remote: Option<IpAddr>,
        now: Seconds,
        work: &mut Work,
    ) -> Result<&'static str, Refused> {
        let trusted = &self.settings.trusted_proxies;
        let client = forwarded::client_address(remote, &head.forwarded_for, trusted)?;
        let announce = query::parse_announce(head.query, client.ip, client.may_name_address)?;
        let counts = self.tracker.announce(&announce.request, now, &mut work.peers)?;
        let interval = self.interval(&mut work.peers.random);
        let announced = Announced {
            counts,
            interval,
            min_interval: self.settings.min_interval,
            external_ip: client.ip,
            peers: &work.peers,
            warning: announce.warning.as_deref(),
        };
        if announce.json || head.accept_json {
            reply::encode_announce_json(&mut work.body, &announced);
            return Ok(JSON);
        }
        reply::encode_announce(&mut work.body, &announced, announce.form);
        Ok(TEXT)
    }

    fn answer_scrape(&self, head: &Head<'_>, work: &mut Work) -> Answer {
        if let Err(refused) = query::parse_scrape(head.query, &mut work.hashes) {
            return self.refuse(&refused, head, work);
        }
        self.stats.scrapes.add();
        work.files.clear();
        for hash in &work.hashes {
            // libtorrent takes a reply without the hash it asked for as an error: unknown is all
            // zeros.
            work.files.push((*hash, self.tracker.scrape(hash).unwrap_or_default()));
        }
        let files = work.files.iter().copied();
        if wants_json(head) {
            reply::encode_scrape_json(&mut work.body, files);
            return Answer { status: Status::Ok, content_type: JSON };
        }
        reply::encode_scrape(&mut work.body, files);
        Answer { status: Status::Ok, content_type: TEXT }
    }

    fn refuse(&self, refused: &Refused, head: &Head<'_>, work: &mut Work) -> Answer {
        self.stats.refusals.add();
        let interval = self.interval(&mut work.peers.random);
        if wants_json(head) {
            reply::encode_refusal_json(&mut work.body, refused, interval);
            return Answer { status: Status::Ok, content_type: JSON };
        }
        reply::encode_refusal(&mut work.body, refused, interval);
        Answer { status: Status::Ok, content_type: TEXT }
    }

    /// The announce interval and up to a sixteenth more, so that clients do not call in step.
    fn interval(&self, random: &mut fastrand::Rng) -> u32 {
        let interval = self.settings.announce_interval;
        interval + random.u32(0..=interval / ANNOUNCE_JITTER_DIVISOR)
    }

    fn plain(&self, work: &mut Work, status: Status, text: &str) -> Answer {
        if status != Status::Ok {
            self.stats.http_errors.add();
        }
        work.body.extend_from_slice(text.as_bytes());
        Answer { status, content_type: TEXT }
    }

    /// What a person sees who opens the tracker in a browser.
    fn introduction(&self, head: &Head<'_>) -> String {
        let clean = |byte: &u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(byte);
        let host = head.host.filter(|host| !host.is_empty() && host.iter().all(clean));
        let host = host.and_then(|host| std::str::from_utf8(host).ok()).unwrap_or("THIS-HOST:6969");
        let (totals, stats) = (self.tracker.totals(), self.stats.snapshot());
        format!(
            "This is muster {version}, a BitTorrent tracker: it tells the clients of a torrent \
             about one another.\n\n\
             Make a torrent with this announce URL, and open it in your client:\n\n    \
             http://{host}/announce\n\n\
             To see how many have a torrent (HASH is its info hash, 40 hex digits):\n\n    \
             curl 'http://{host}/scrape?info_hash=HASH&format=json'\n\n\
             Now tracking {torrents} torrents with {peers} peers; {announces} announces \
             answered so far.\n",
            version = env!("CARGO_PKG_VERSION"),
            torrents = totals.torrents,
            peers = totals.peers,
            announces = stats.announces,
        )
    }
}

/// Whether the answer is for a person or a program that is no BitTorrent client.
fn wants_json(head: &Head<'_>) -> bool {
    head.accept_json || query::asks_for_json(head.query)
}
