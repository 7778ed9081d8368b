//! UDP: one function that answers a packet, and the threads that feed it.
//!
//! ```text
//! receive -> packet::parse_request -> connection_id::verify -> Tracker::announce
//!         -> Swarm::announce -> packet::encode_announced -> reply
//! ```
//!
//! Each thread has one buffer and blocks in a receive: batches (recvmmsg) measured slower for
//! traffic of one request, one reply. A packet that is no request is dropped without a word, so
//! nobody learns or gains anything by sending rubbish; one with a connection id that is not the
//! sender's gets an error, at a bounded rate. Without a valid id no reply is
//! larger than its request; with one none is above [`UDP_REPLY_BYTES_MAX`]. Buffers are used again.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod connection_id;
pub mod key_file;
pub mod packet;
#[cfg(target_os = "linux")]
pub mod packet_info;
pub mod socket;

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::clock::{Clock, unix_time};
use crate::limits::{
    NUMWANT_UDP_V4_MAX, NUMWANT_UDP_V6_MAX, UDP_ERROR_MILLIS, UDP_ERRORS_BURST, UDP_PAUSE_MILLIS,
    UDP_REPLY_BYTES_MAX, UDP_REQUEST_BYTES_MAX,
};
use crate::log::{self, Cause, Level};
use crate::rate_limit::{Bucket, PerAddress, Rate};
use crate::request::{
    AnnounceRequest, Families, Fault, Identity, InfoHash, NumWant, PeerBuf, Proof, Refused,
    Seconds, with_jitter,
};
use crate::rounds::{Round, Rounds};
use crate::stats::Stats;
use crate::subnet::{canonical, is_local, is_reachable};
use crate::tracker::Tracker;

use connection_id::Key;
use packet::{
    Announce, Announced, ERROR_HEAD_BYTES, Peers, Request, SHORTEST_WITH_ID_BYTES, Scrape,
    Transaction, parse_request,
};
use socket::{Buffer, Socket};

/// What a packet with a foreign or stale id is answered with.
const UNKNOWN_ID: &[u8] = b"unknown id, connect again";
const _: () = assert!(
    ERROR_HEAD_BYTES + UNKNOWN_ID.len() <= SHORTEST_WITH_ID_BYTES,
    "an error must not be larger than the request it answers"
);

/// Answers packets. Shared by every thread.
#[derive(Debug)]
pub struct Service {
    tracker: Arc<Tracker>,
    stats: Arc<Stats>,
    clock: Arc<Clock>,
    key: Key,
    /// Seconds a client is asked to wait between announces; a little is added at random.
    announce_interval: u32,
    /// Unix time when the clock showed 0, in seconds. Connection ids count from here: the clock
    /// alone starts anew with each run, and the time of day jumps.
    clock_began: u64,
    /// Errors to addresses that nobody has vouched for, and to those that ask too much: whoever
    /// shows no valid id may have written somebody else's address on the packet.
    errors: Bucket,
    per_address: Arc<PerAddress>,
}

/// Buffers of one thread, used again for every packet.
#[derive(Debug)]
pub struct Work {
    reply: Vec<u8>,
    peers: PeerBuf,
}

impl Work {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Work {
        Work { reply: Vec::with_capacity(UDP_REPLY_BYTES_MAX), peers: PeerBuf::new() }
    }
}

impl Default for Work {
    fn default() -> Self {
        Work::new()
    }
}

impl Service {
    /// Answers for a tracker. `key` makes the connection ids, `announce_interval` is in seconds.
    #[must_use]
    pub fn new(
        tracker: &Arc<Tracker>,
        stats: &Arc<Stats>,
        clock: &Arc<Clock>,
        per_address: &Arc<PerAddress>,
        key: Key,
        announce_interval: u32,
    ) -> Service {
        let began = unix_time().as_secs().saturating_sub(clock.millis() / 1000);
        Service {
            tracker: Arc::clone(tracker),
            stats: Arc::clone(stats),
            clock: Arc::clone(clock),
            key,
            announce_interval,
            clock_began: began,
            errors: Bucket::new(Rate::every_millis(UDP_ERROR_MILLIS, UDP_ERRORS_BURST)),
            per_address: Arc::clone(per_address),
        }
    }

    /// The reply to a packet from this canonical address, empty if there is none. `now_millis` is
    /// the clock's.
    pub fn answer<'w>(
        &self,
        packet: &[u8],
        source: IpAddr,
        now_millis: u64,
        work: &'w mut Work,
    ) -> &'w [u8] {
        work.reply.clear();
        let unix_seconds = self.clock_began + now_millis / 1000;
        let issued = |id| self.key.verify(id, source, unix_seconds);
        match parse_request(packet) {
            None => self.stats.udp_malformed.add(),
            Some(Request::Connect(transaction)) => {
                self.stats.udp_connects.add();
                let id = self.key.issue(source, unix_seconds);
                packet::encode_connected(&mut work.reply, transaction, id);
            }
            Some(Request::Announce(announce)) if issued(announce.connection_id) => {
                self.answer_announce(&announce, source, now_millis, work);
            }
            Some(Request::Scrape(scrape)) if issued(scrape.connection_id) => {
                self.answer_scrape(&scrape, source, now_millis, work);
            }
            Some(
                Request::Announce(Announce { transaction, .. })
                | Request::Scrape(Scrape { transaction, .. }),
            ) => self.reject(transaction, now_millis, work),
        }
        &work.reply
    }

    /// The only reply besides a connection id that goes to an address nobody has vouched for.
    fn reject(&self, transaction: Transaction, now_millis: u64, work: &mut Work) {
        if self.errors.take(now_millis) {
            self.stats.udp_unknown_ids.add();
            packet::encode_error(&mut work.reply, transaction, UNKNOWN_ID);
        } else {
            self.stats.udp_unknown_ids_dropped.add();
        }
    }

    fn answer_announce(
        &self,
        announce: &Announce<'_>,
        source: IpAddr,
        now_millis: u64,
        work: &mut Work,
    ) {
        let sender = self.per_address.bounded(source);
        let request = AnnounceRequest { sender, ..announce_request(announce, source) };
        let now = Seconds((now_millis / 1000) as u32);
        let taken = self.per_address.take_announce(sender, now_millis);
        match taken.and_then(|()| self.tracker.announce(&request, now, &mut work.peers)) {
            Ok(counts) => {
                self.stats.announces.add();
                self.stats.udp_announces.add();
                let interval = with_jitter(self.announce_interval, &mut work.peers.random);
                let peers = match request.families {
                    Families::V6 => Peers::V6(&work.peers.v6),
                    _ => Peers::V4(&work.peers.v4),
                };
                let (leechers, seeders) = (counts.incomplete, counts.complete);
                let announced = Announced { interval, leechers, seeders, peers };
                packet::encode_announced(&mut work.reply, announce.transaction, &announced);
            }
            Err(refused) => {
                self.refuse(&refused, (announce.transaction, source), now_millis, work);
            }
        }
    }

    fn answer_scrape(&self, scrape: &Scrape<'_>, source: IpAddr, now_millis: u64, work: &mut Work) {
        let sender = self.per_address.bounded(source);
        if let Err(refused) = self.per_address.take_announce(sender, now_millis) {
            return self.refuse(&refused, (scrape.transaction, source), now_millis, work);
        }
        self.stats.scrapes.add();
        self.stats.udp_scrapes.add();
        // Unknown is all zeros: the order is all that tells the torrents apart.
        let hashes = scrape.hashes.iter().map(|hash| InfoHash(*hash));
        let torrents = hashes.map(|hash| self.tracker.scrape(&hash).unwrap_or_default());
        packet::encode_scraped(&mut work.reply, scrape.transaction, torrents);
    }

    /// Says why not; to an address that asks too often only within the budget of errors.
    fn refuse(
        &self,
        refused: &Refused,
        (transaction, source): (Transaction, IpAddr),
        now_millis: u64,
        work: &mut Work,
    ) {
        self.stats.refusals.add();
        self.stats.udp_refusals.add();
        self.stats.count_fault(refused.fault);
        log::refusal(refused, Some(source), now_millis);
        if refused.fault != Fault::Rate || self.errors.take(now_millis) {
            encode_refusal(&mut work.reply, transaction, refused);
        }
    }
}

/// What an announce from this canonical address means.
fn announce_request(announce: &Announce<'_>, source: IpAddr) -> AnnounceRequest {
    let (v4, v6, families, max) = match source {
        IpAddr::V4(source) => {
            // Otherwise anyone could list anyone.
            let named = is_local(source.into()) && is_reachable(announce.ip.into());
            let v4 = if named { announce.ip } else { source };
            (Some(v4), None, Families::V4, NUMWANT_UDP_V4_MAX)
        }
        IpAddr::V6(source) => (None, Some(source), Families::V6, NUMWANT_UDP_V6_MAX),
    };
    AnnounceRequest {
        info_hash: announce.info_hash,
        identity: Identity { peer_id: announce.peer_id, proof: proof(announce, source) },
        v4,
        v6,
        port: announce.port,
        uploaded: announce.uploaded,
        downloaded: announce.downloaded,
        left: announce.left,
        event: announce.event,
        numwant: NumWant::from_wire(Some(announce.numwant.into()), max),
        families,
        peer_ids: false,
        sender: None,
    }
}

/// What shows that an announce comes from the client that announced before: its key, the same as
/// over HTTP. Where that shows nothing its address counts instead, which the connection id vouches
/// for, as over HTTP without a key: rqbit and WebTorrent send 0 for want of a key, which anybody
/// can; aria2 draws a new one for each UDP announce (`DefaultBtAnnounce.cc`), and could not even
/// stop.
fn proof(announce: &Announce<'_>, source: IpAddr) -> Proof {
    if announce.key == 0 || announce.peer_id.is_aria2() {
        return Proof::from_source(source);
    }
    Proof::from_key(announce.key)
}

fn encode_refusal(out: &mut Vec<u8>, transaction: Transaction, refused: &Refused) {
    let reason = refused.reason.as_bytes();
    let room = UDP_REPLY_BYTES_MAX - ERROR_HEAD_BYTES;
    packet::encode_error(out, transaction, reason.get(..room).unwrap_or(reason));
}

/// The running threads; by default there are none.
#[derive(Debug, Default)]
pub struct Engine {
    sockets: Vec<Arc<Socket>>,
    threads: Vec<JoinHandle<()>>,
    threads_each: usize,
    stopping: Arc<AtomicBool>,
}

impl Engine {
    /// Starts `threads` threads over all sockets, one for each socket at the least; `rounds` watch
    /// over them.
    pub fn start(
        sockets: Vec<Socket>,
        service: &Arc<Service>,
        threads: usize,
        rounds: &Rounds,
    ) -> Result<Engine, String> {
        let threads_each = threads.div_ceil(sockets.len().max(1)).max(1);
        let stopping = Arc::new(AtomicBool::new(false));
        let mut engine =
            Engine { sockets: Vec::new(), threads: Vec::new(), threads_each, stopping };
        for socket in sockets {
            if let Some(millis) = rounds.wait_millis_max() {
                let watched = socket.wait_at_most(millis);
                watched.map_err(|error| format!("udp {}: {error}", socket.address()))?;
            }
            let socket = Arc::new(socket);
            engine.sockets.push(Arc::clone(&socket));
            for _ in 0..threads_each {
                let (socket, service) = (Arc::clone(&socket), Arc::clone(service));
                let stopping = Arc::clone(&engine.stopping);
                let name = format!("udp-{}", engine.threads.len());
                let round = rounds.watch(&name, service.clock.millis());
                let thread = thread::Builder::new()
                    .name(name)
                    .spawn(move || serve(&socket, &service, &stopping, &round, Service::answer));
                match thread {
                    Ok(thread) => engine.threads.push(thread),
                    Err(error) => {
                        engine.stop();
                        return Err(format!("cannot start a thread: {error}"));
                    }
                }
            }
        }
        Ok(engine)
    }

    /// The addresses listened on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.sockets.iter().map(|socket| socket.address())
    }

    /// Lets each thread finish the packet it has, and returns.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Relaxed);
        for socket in &self.sockets {
            socket.wake(self.threads_each);
        }
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// One thread: receives, answers as [`Service::answer`] does and replies, until it is told to stop.
fn serve<A>(socket: &Socket, service: &Service, stopping: &AtomicBool, round: &Round, answer: A)
where
    A: for<'w> Fn(&Service, &[u8], IpAddr, u64, &'w mut Work) -> &'w [u8],
{
    let (mut buffer, mut work) = (Buffer::new(UDP_REQUEST_BYTES_MAX), Work::new());
    let stop = || stopping.load(Ordering::Relaxed);
    while !stop() {
        let received = socket.receive(&mut buffer);
        let now = service.clock.millis();
        round.begin(now);
        let received = match received {
            Ok(Some(received)) => received,
            Ok(None) => continue,
            Err(error) => {
                log::limited(Cause::SocketFailed, Level::Warn, now, || {
                    format!("receiving on udp {}: {error}", socket.address())
                });
                // What lasts must not keep the thread spinning.
                service.clock.wait(now + UDP_PAUSE_MILLIS, stop);
                continue;
            }
        };
        let packet = buffer.packet(received.length);
        let source = canonical(received.source.ip());
        // A bug costs the packet that meets it, not the thread. What its locks guard stays in use
        // after a panic everywhere, and the buffers, left half written, are replaced.
        let answered = AssertUnwindSafe(|| {
            answer(service, packet, source, now, &mut work);
        });
        if catch_unwind(answered).is_err() {
            service.stats.panics.add();
            work = Work::new();
        }
        let reply = &work.reply;
        if reply.is_empty() {
            continue;
        }
        if let Err(error) = socket.reply(&received, reply) {
            service.stats.udp_replies_lost.add();
            log::limited(Cause::UdpReplyFailed, Level::Debug, now, || {
                format!("replying to {} on udp {}: {error}", received.source, socket.address())
            });
        }
    }
}

#[cfg(test)]
mod tests;
