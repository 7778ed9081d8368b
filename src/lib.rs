//! muster, a private BitTorrent tracker: it tells the clients of a torrent about one another.
//!
//! One small binary for a VPS or a Raspberry Pi, synchronous, without unsafe code. This page is the
//! map of the house; each module's own page says what it is for and where it ends.
//!
//! # The path of an announce
//!
//! Whatever the engine, an announce takes this path and no other: one lock, no channel, no
//! allocation that grows with the input.
//!
//! ```text
//! HTTP  readable -> http::head::parse -> http::query::parse_announce -> Tracker::announce
//!                -> Swarm::announce -> http::reply::encode_announce -> write
//! UDP   receive -> udp::packet::parse_request -> connection_id::Key::verify -> Tracker::announce
//!               -> Swarm::announce -> udp::packet::encode_announced -> reply
//! ```
//!
//! [`http::Service::answer`] walks it from the parsed head to the encoded body. On the epoll engine
//! a client that sends its request at once costs accept, recv, send and close; nothing is
//! remembered of its connection ([`http::epoll`]). [`udp::Service::answer`] walks it from packet to
//! packet, between two system calls; nothing is remembered but the peer.
//!
//! # The map
//!
//! Arrows point down only: a room imports from rooms below it, and a test holds the table
//! (`tests/it/tidy`).
//!
//! | room | what it is |
//! |---|---|
//! | [`cli`] | what was typed, what is done, the exit code |
//! | [`load`] | the load generator of `muster bench` |
//! | `load::driver`, `load::slot`, `load::socket` | ... a thread, a connection of it, its socket |
//! | [`load::crowd`], [`load::pace`] | ... who announces, and when |
//! | `load::message`, `load::reply` | ... what is sent, what is checked |
//! | [`load::tally`], [`load::histogram`], [`load::process`] | ... what came of it, what it cost |
//! | [`serve`] | wiring: starts every thread, stops it again |
//! | [`config`] | one table of options, from flags, variables and a file |
//! | [`listen`], [`addresses`] | the sockets listened on, the host's own addresses |
//! | [`sockets`] | ... all of a start: opened, or passed by systemd |
//! | [`descriptors`] | the limit on open files |
//! | [`signals`], [`log`] | the rest of the host: signals in, lines on stderr out |
//! | `log::queue` | ... its lines on their way, which nobody waits for |
//! | [`notify`], [`watchdog`] | ... systemd: what it is told, and that nobody hangs |
//! | [`store`] | state that survives: the state file, the journal, their load |
//! | `store::folder`, `store::journal` | ... the files beside it, what came since |
//! | `store::encode`, `store::parse`, `store::scalar` | ... tracker to text and back |
//! | `store::loaded`, `store::crc` | ... what a start has found, what tells damage |
//! | [`content`] | the files that a torrent describes, on disk |
//! | [`content::walk`], [`content::check`] | ... what there is, what there is of a torrent |
//! | [`content::pieces`] | ... the hashes of its pieces, on all cores |
//! | [`sweeper`] | forgets peers that have timed out, in small steps |
//! | [`http`] | one function that answers a request |
//! | [`http::epoll`] | the engine for Linux: threads and their events |
//! | [`http::desk`], [`http::table`] | ... one connection's turn, which is next |
//! | [`http::admission`] | ... how many connections, and whose |
//! | [`http::wakers`] | ... what makes its threads look up |
//! | [`http::tiny`] | the portable engine, for behind a reverse proxy |
//! | [`http::conn`] | one connection as bytes in, bytes out |
//! | [`http::head`], [`http::query`], [`http::forwarded`] | bytes to request |
//! | [`http::reply`], [`http::status`] | answer to bytes |
//! | [`udp`] | one function that answers a packet, the threads that feed it |
//! | [`udp::socket`], `udp::packet_info` | ... its sockets, which address was asked |
//! | [`udp::key_file`] | ... the key of connection ids, which outlives a run |
//! | [`udp::packet`] | bytes to request, answer to bytes, and back |
//! | [`udp::connection_id`] | ... who receives what is sent to its address |
//! | [`tracker`] | the core: swarms in shards behind one door |
//! | `tracker::shard`, `tracker::origins` | ... torrents behind a lock, who brought them up |
//! | `tracker::swarm`, `tracker::index` | ... the peers of a torrent, how they are found |
//! | `tracker::keys`, [`siphash`] | ... under which keys that nobody knows, and the keyed hash |
//! | `tracker::similar` | ... which hash a mistyped one may have meant |
//! | [`stats`], [`rounds`] | counters, and who still goes round |
//! | [`client`] | asking a tracker, this one or another |
//! | [`client::http`], [`client::udp`] | ... the ways there |
//! | [`client::tracker_url`], [`client::question`] | ... what people type, what is asked |
//! | [`client::answer`], [`client::faults`] | ... what came back, what is wrong with it |
//! | [`metainfo`] | torrent files: bytes to torrent, and what is wrong with it |
//! | `metainfo::layout`, `metainfo::layers` | ... its files, the hashes of v2 |
//! | `metainfo::tracker_list`, [`metainfo::magnet`] | ... where its clients meet, its link |
//! | `metainfo::flaws`, `metainfo::fields`, `metainfo::path` | ... its flaws, keys, names |
//! | [`metainfo::build`] | ... torrent to bytes |
//! | [`budget`] | how much is tracked, from how much memory |
//! | [`rate_limit`] | how often one address may do something |
//! | [`stats`] | counters |
//! | [`bencode`], [`percent`] | the two encodings |
//! | [`bytes`] | where a byte stands among bytes |
//! | [`bencode::json`], [`hex_dump`] | ... the one as JSON for people, bytes from hexdumps |
//! | [`request`], [`registration`], [`subnet`] | the vocabulary: asked and told, addresses |
//! | [`printable`], [`utc`] | ... bytes and times as people read them |
//! | [`limits`] | every bound |
//! | [`clock`] | the one file that reads the time |
//!
//! # What always holds
//!
//! - Bytes from the network never panic, never grow memory without a bound ([`limits`]) and never
//!   hold a thread: parsers are pure functions, deadlines close what lingers, and no socket blocks
//!   but in a UDP thread's wait for its next packet.
//! - Only [`request::Refused`] reaches a client as an error, UDP's word for a foreign id, and what
//!   [`http::head`] says to who does not speak HTTP.
//! - Under a shard's lock there is no system call, no log line, no encoding; nobody holds two.
//! - The core knows no socket, no encoding, no clock: time is an argument.
//! - What is acknowledged to the operator is on the disk; no announce waits for a disk.
//! - An address past the edge is canonical: never an IPv4-mapped IPv6 address
//!   ([`subnet::canonical`]).

pub mod addresses;
pub mod bencode;
pub mod budget;
pub mod bytes;
pub mod cli;
pub mod client;
pub mod client_name;
pub mod clock;
pub mod config;
pub mod content;
pub mod descriptors;
pub mod hash_text;
pub mod hex_dump;
pub mod http;
pub mod limits;
pub mod listen;
#[cfg(target_os = "linux")]
pub mod load;
pub mod log;
pub mod metainfo;
pub mod notify;
pub mod percent;
pub mod printable;
pub mod rate_limit;
pub mod registration;
pub mod request;
pub mod rounds;
pub mod serve;
pub mod signals;
pub mod siphash;
pub mod sockets;
pub mod stats;
pub mod store;
pub mod subnet;
pub mod sweeper;
pub mod token;
pub mod tracker;
pub mod udp;
pub mod utc;
pub mod watchdog;
