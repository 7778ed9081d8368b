//! HTTP: one function that answers a request, and the engines that feed it.
//!
//! [`Service::answer`] takes a parsed head and leaves a body in [`Work`]; the engines (`epoll` on
//! Linux, `tiny` anywhere) do sockets and nothing else, so both answer alike to the byte. Whatever
//! goes wrong with an announce or a scrape is a 200 with a bencoded `failure reason`, since clients
//! ignore the body of anything else; the other statuses are for requests that are wrong as HTTP.
//! What is the operator's goes on to [`Service::serve_operator`].
//! Nothing here allocates with the size of the input: buffers in [`Work`] are used again.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod access;
#[cfg(target_os = "linux")]
pub mod admission;
#[cfg(target_os = "linux")]
pub mod body;
pub mod conn;
#[cfg(target_os = "linux")]
pub mod desk;
#[cfg(target_os = "linux")]
pub mod epoll;
pub mod forwarded;
#[cfg(target_os = "linux")]
pub mod handover;
pub mod head;
pub mod operator;
pub mod overview;
pub mod query;
pub mod reply;
pub mod status;
pub mod stream;
pub mod table;
pub mod tiny;
#[cfg(target_os = "linux")]
pub mod wakers;

use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Clock;
use crate::limits::SCRAPE_HASHES_MAX;
use crate::log::{self, Cause, Level, Offence};
use crate::rate_limit::PerAddress;
use crate::request::{Fault, InfoHash, PeerBuf, Refused, Seconds, SwarmCounts, with_jitter};
use crate::stats::Stats;
use crate::subnet::{Subnet, is_local, user_network};
use crate::tracker::Tracker;

use access::Denied;
use forwarded::Client;
use head::{Body, Head, Method};
use operator::Operator;
use query::{OperatorRoute, Route};
use reply::{Announced, Scraped};
use status::Status;

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

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
    /// What any one address may ask for.
    pub per_address: Arc<PerAddress>,
    /// What the operator can do.
    pub operator: Operator,
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
    /// Whether the last request was wrong.
    wrong: bool,
}

impl Work {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Work {
        Work {
            body: Vec::new(),
            peers: PeerBuf::new(),
            hashes: Vec::with_capacity(SCRAPE_HASHES_MAX),
            wrong: false,
        }
    }
}

impl Default for Work {
    fn default() -> Self {
        Work::new()
    }
}

/// Whose request it is, and when it came.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// The canonical address it came from; `None` on a Unix socket.
    pub remote: Option<IpAddr>,
    /// Tells the canonical address it came to; asked only where that matters.
    pub local: &'a dyn Fn() -> Option<IpAddr>,
    /// The time.
    pub now: Seconds,
}

impl Caller<'_> {
    /// The time in milliseconds, as the log counts it.
    #[must_use]
    pub fn now_millis(&self) -> u64 {
        u64::from(self.now.0) * 1000
    }
}

/// A request, and for whom it is made.
struct Asked<'a> {
    head: &'a Head<'a>,
    caller: Caller<'a>,
    /// Who sent it, perhaps through a proxy.
    client: Result<Client, Refused>,
    /// The client's address, if there are bounds for it.
    bounded: Option<IpAddr>,
}

impl Asked<'_> {
    /// The client's address, or else that of the connection.
    fn from(&self) -> Option<IpAddr> {
        self.client.as_ref().ok().map(|client| client.ip).or(self.caller.remote)
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is answered.
    Answered(Answer),
    /// It is the operator's and goes to [`Service::serve_operator`], on a thread that may wait.
    Operator,
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
    /// Answers one request, or finds that it is the operator's.
    pub fn answer(&self, head: &Head<'_>, caller: Caller<'_>, work: &mut Work) -> Outcome {
        work.body.clear();
        work.wrong = false;
        let (lines, trusted) = (&head.forwarded_for, &self.settings.trusted_proxies);
        let client = forwarded::client_address(caller.remote, lines, head.proxied, trusted);
        let known = client.as_ref().ok();
        let bounded = known.and_then(|client| self.per_address.bounded(client.ip));
        let asked = Asked { head, caller, client, bounded };
        match self.answer_route(&asked, work) {
            Outcome::Answered(answer) if work.wrong => {
                Outcome::Answered(self.count_error(answer, &asked, work))
            }
            outcome => outcome,
        }
    }

    fn answer_route(&self, asked: &Asked<'_>, work: &mut Work) -> Outcome {
        let Asked { head, .. } = *asked;
        let route = Route::of(head.path, head.query);
        let (methods, allow) = allowed_methods(&route);
        let takes_body = matches!(route, Route::Operator(OperatorRoute::AddTorrentInfo));
        if !allow.is_empty() && !methods.contains(&head.method) {
            let status = Status::MethodNotAllowed { allow };
            let text = format!("method: use {allow} here");
            return Outcome::Answered(self.explain(route, status, &text, work));
        }
        if !allow.is_empty() && head.body != Body::None && !takes_body {
            let text = "body: none is taken here";
            return Outcome::Answered(self.explain(route, Status::ContentTooLarge, text, work));
        }
        Outcome::Answered(match route {
            Route::Announce { .. } => self.answer_announce(asked, work),
            Route::Scrape { .. } if query::has_info_hash(head.query) => {
                self.answer_scrape(asked, work)
            }
            Route::Scrape { .. } if self.check_operator(asked).is_ok() => {
                return Outcome::Operator;
            }
            Route::Scrape { .. } => {
                self.refuse(&Refused::parameter("info_hash", "missing"), asked, work)
            }
            Route::Operator(operator_route) => match self.check_operator(asked) {
                Ok(()) => return Outcome::Operator,
                Err(denied) => self.deny(operator_route, denied, work),
            },
            Route::Health => self.plain(work, Status::Ok, "ok\n"),
            Route::Root => self.plain(work, Status::Ok, &self.introduction(head)),
            Route::NotFound => self.plain(
                work,
                Status::NotFound,
                "nothing is here; this is a BitTorrent tracker, announce at /announce\n",
            ),
        })
    }

    /// Counts a wrong request, which has been answered; where its address has made too many, that
    /// is all that it is told.
    fn count_error(&self, answer: Answer, asked: &Asked<'_>, work: &mut Work) -> Answer {
        let Err(refused) = self.take_error(asked.bounded, asked.caller) else { return answer };
        work.body.clear();
        if answer.status == Status::Ok {
            return self.encode_refusal(&refused, asked, work);
        }
        work.body.extend_from_slice(format!("{}\n", refused.reason).as_bytes());
        Answer { status: Status::TooManyRequests, content_type: TEXT }
    }

    fn take_error(&self, bounded: Option<IpAddr>, caller: Caller<'_>) -> Result<(), Refused> {
        let taken = self.per_address.take_error(bounded, caller.now_millis());
        if let (Err(_), Some(ip)) = (&taken, bounded) {
            self.stats.refused_error_rate.add();
            log::refused(Offence::Errors, ip, caller.now_millis());
        }
        taken
    }

    /// Counts what came over a connection and was no request; false if its address has sent too
    /// much of that to be answered.
    #[must_use]
    pub fn explains_errors_to(&self, caller: Caller<'_>) -> bool {
        self.stats.http_errors.add();
        let remote = caller.remote.filter(|&ip| !self.is_trusted_proxy(ip));
        let bounded = remote.and_then(|ip| self.per_address.bounded(ip));
        self.take_error(bounded, caller).is_ok()
    }

    /// A token is looked at only while its address may be wrong once more: or it could be guessed.
    fn check_operator(&self, asked: &Asked<'_>) -> Result<(), Denied> {
        let Asked { head, caller, bounded, .. } = *asked;
        if head.authorization.is_some() {
            let check = self.per_address.check_error(bounded, caller.now_millis());
            check.map_err(|_| Denied::TooMany)?;
        }
        let checked = access::check(&self.operator.access, head, caller.remote, (caller.local)());
        if let (Err(Denied::WrongToken), Some(ip)) = (&checked, bounded) {
            log::refused(Offence::Token, ip, caller.now_millis());
        }
        checked
    }

    /// Answers who is not the operator: with totals where there are some for everybody.
    fn deny(&self, route: OperatorRoute, denied: Denied, work: &mut Work) -> Answer {
        if route == OperatorRoute::Stats && denied == Denied::Stranger {
            overview::encode_totals(&mut work.body, &self.tracker, &self.stats.snapshot());
            return Answer { status: Status::Ok, content_type: JSON };
        }
        self.stats.operator_denied.add();
        self.explain(Route::Operator(route), Status::Forbidden, &denied.to_string(), work)
    }

    /// What is wrong with a request as HTTP: in JSON on the operator's routes, else in a line of
    /// text.
    fn explain(&self, route: Route<'_>, status: Status, text: &str, work: &mut Work) -> Answer {
        if !matches!(route, Route::Operator(_)) {
            return self.plain(work, status, &format!("{text}\n"));
        }
        work.wrong = true;
        let error = serde_json::json!({ "error": text });
        work.body.extend_from_slice(format!("{error}\n").as_bytes());
        Answer { status, content_type: JSON }
    }

    /// Whether what a proxy at this address says about its clients counts.
    #[must_use]
    pub fn is_trusted_proxy(&self, ip: IpAddr) -> bool {
        self.settings.trusted_proxies.iter().any(|subnet| subnet.contains(ip))
    }

    /// Whose connection it is for the bound on one user's; a trusted proxy speaks for many.
    #[must_use]
    pub fn user(&self, remote: Option<IpAddr>) -> Option<IpAddr> {
        remote.filter(|&ip| !self.is_trusted_proxy(ip)).map(user_network)
    }

    fn answer_announce(&self, asked: &Asked<'_>, work: &mut Work) -> Answer {
        match self.announce(asked, work) {
            Ok(content_type) => {
                self.stats.announces.add();
                Answer { status: Status::Ok, content_type }
            }
            Err(refused) => self.refuse(&refused, asked, work),
        }
    }

    fn announce(&self, asked: &Asked<'_>, work: &mut Work) -> Result<&'static str, Refused> {
        let Asked { head, caller, bounded, .. } = *asked;
        self.per_address.take_announce(bounded, caller.now_millis())?;
        let client = asked.client.clone()?;
        if head.proxied && is_local(client.ip) && !self.is_trusted_proxy(client.ip) {
            log::limited(Cause::ProxyUnknown, Level::Warn, caller.now_millis(), || {
                format!(
                    "announces come through a proxy at {} that is not in trusted-proxies: its \
                     clients are all listed with its address",
                    client.ip
                )
            });
        }
        let mut announce = query::parse_announce(head.query, client.ip, client.may_name_address)?;
        announce.request.sender = bounded;
        let counts = self.tracker.announce(&announce.request, caller.now, &mut work.peers)?;
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

    fn answer_scrape(&self, asked: &Asked<'_>, work: &mut Work) -> Answer {
        let Asked { head, caller, bounded, .. } = *asked;
        let taken = self.per_address.take_announce(bounded, caller.now_millis());
        let parsed = taken.and_then(|()| query::parse_scrape(head.query, &mut work.hashes));
        if let Err(refused) = parsed {
            return self.refuse(&refused, asked, work);
        }
        self.stats.scrapes.add();
        if wants_json(head) {
            let hashes = work.hashes.iter();
            let files = hashes.map(|hash| self.scraped(*hash, self.tracker.scrape(hash)));
            reply::encode_scrape_json(&mut work.body, files);
            return Answer { status: Status::Ok, content_type: JSON };
        }
        // libtorrent takes a reply without the hash it asked for as an error: unknown is all zeros.
        let counts = |hash: &InfoHash| (*hash, self.tracker.scrape(hash).unwrap_or_default());
        reply::encode_scrape(&mut work.body, work.hashes.iter().map(counts));
        Answer { status: Status::Ok, content_type: TEXT }
    }

    /// A torrent in a scrape for people; `counts` are `None` if it is not tracked.
    fn scraped(&self, info_hash: InfoHash, counts: Option<SwarmCounts>) -> Scraped {
        let registration =
            self.tracker.summary(&info_hash).and_then(|torrent| torrent.registration);
        let similar = if counts.is_none() { self.tracker.similar(&info_hash) } else { None };
        let name = registration.map(|registration| registration.name).unwrap_or_default();
        Scraped { info_hash, counts: counts.unwrap_or_default(), name, similar }
    }

    fn refuse(&self, refused: &Refused, asked: &Asked<'_>, work: &mut Work) -> Answer {
        self.stats.refusals.add();
        self.stats.count_fault(refused.fault);
        work.wrong = refused.fault == Fault::Request;
        log::refusal(refused, asked.from(), asked.caller.now_millis());
        self.encode_refusal(refused, asked, work)
    }

    fn encode_refusal(&self, refused: &Refused, asked: &Asked<'_>, work: &mut Work) -> Answer {
        let interval = self.interval(&mut work.peers.random);
        if wants_json(asked.head) {
            reply::encode_refusal_json(&mut work.body, refused, interval);
            return Answer { status: Status::Ok, content_type: JSON };
        }
        reply::encode_refusal(&mut work.body, refused, interval);
        Answer { status: Status::Ok, content_type: TEXT }
    }

    fn interval(&self, random: &mut fastrand::Rng) -> u32 {
        with_jitter(self.settings.announce_interval, random)
    }

    fn plain(&self, work: &mut Work, status: Status, text: &str) -> Answer {
        if status != Status::Ok {
            self.stats.http_errors.add();
            work.wrong = true;
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

/// The methods that a route takes, and how that is said; HEAD is a GET. None for what does not
/// exist.
fn allowed_methods(route: &Route<'_>) -> (&'static [Method], &'static str) {
    match route {
        Route::Operator(OperatorRoute::AddTorrentInfo | OperatorRoute::Shutdown) => {
            (&[Method::Post], "POST")
        }
        Route::Operator(OperatorRoute::SaveState) => {
            (&[Method::Get, Method::Head, Method::Post], "GET, POST")
        }
        Route::NotFound => (&[], ""),
        _ => (&[Method::Get, Method::Head], "GET, HEAD"),
    }
}

/// Whether the answer is for a person or a program that is no BitTorrent client.
fn wants_json(head: &Head<'_>) -> bool {
    head.accept_json || query::asks_for_json(head.query)
}
