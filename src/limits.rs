//! Every bound of muster in one place, unit last in the name, one line of why each.
//!
//! What an operator may change has its default and its range here and its option in `config`; the
//! rest are constants. The asserts at the end hold the relations between them at compile time.
//! Nothing here allocates or knows of any other module.

// -- what clients are told ------------------------------------------------------------------------

/// A peer silent for this long is forgotten. The original tracker's value.
pub const PEER_TIMEOUT_SECONDS_DEFAULT: u32 = 1800;
/// The range of the peer timeout: under a minute no client keeps up, over a day nobody is there.
pub const PEER_TIMEOUT_SECONDS_RANGE: (u32, u32) = (60, 86_400);

/// How long a client is asked to wait between announces. Half the peer timeout: a client told to
/// wait the whole timeout would be expired just before it calls again, and one lost announce must
/// not cost it its place.
pub const ANNOUNCE_INTERVAL_SECONDS_DEFAULT: u32 = 900;
/// The range of the announce interval.
pub const ANNOUNCE_INTERVAL_SECONDS_RANGE: (u32, u32) = (10, 43_200);
/// Each reply adds up to interval / this, at random, so that clients that started together (after a
/// restart of the tracker, say) drift apart instead of calling in one burst for ever.
pub const ANNOUNCE_JITTER_DIVISOR: u32 = 16;

/// How soon a client may announce again on a person's request.
pub const MIN_INTERVAL_SECONDS_DEFAULT: u32 = 60;
/// The range of the min interval.
pub const MIN_INTERVAL_SECONDS_RANGE: (u32, u32) = (1, 43_200);

/// Peers in a reply when the client does not say how many (BEP 3's common default).
pub const NUMWANT_DEFAULT: u16 = 50;
/// Peers in an HTTP reply at the most: what libtorrent asks for.
pub const NUMWANT_HTTP_MAX: u16 = 200;
/// Peers in any reply at the most: those of 6 bytes that fit a UDP reply.
pub const NUMWANT_MAX: u16 = NUMWANT_UDP_V4_MAX;

// -- what is remembered ---------------------------------------------------------------------------

/// Torrents tracked at once; about 700 bytes each when small, everything counted.
pub const TORRENTS_MAX_DEFAULT: u32 = 200_000;
/// Peers tracked at once, over all torrents; at most 80 bytes each for IPv4.
pub const PEERS_MAX_DEFAULT: u32 = 2_000_000;
/// What a torrent and a peer take at the most, whatever swarms they are in, and the process by
/// itself, of which 12 MiB were measured (a debug build; a quarter more is for what glibc keeps);
/// see `tests/it/limits/memory.rs`. With these a flood fills 86 % of what it may.
pub const TORRENT_MEMORY_BYTES: u64 = 800;
/// See [`TORRENT_MEMORY_BYTES`].
pub const PEER_MEMORY_BYTES: u64 = 160;
/// See [`TORRENT_MEMORY_BYTES`].
pub const PROCESS_MEMORY_BYTES: u64 = 16 << 20;
/// What a worker thread for HTTP and one for UDP take more: 77 KB was measured, and its buffers
/// grow to what the largest replies take.
pub const WORKER_MEMORY_BYTES: u64 = 256 << 10;
/// What the state file has of a torrent and of a peer: it stands in memory while it is loaded. A
/// peer of both families whose id is no text has 334.
pub const TORRENT_FILE_BYTES: u64 = 300;
/// See [`TORRENT_FILE_BYTES`].
pub const PEER_FILE_BYTES: u64 = 340;
/// What a kept connection takes at the most: a head that is not whole, or requests that wait, and
/// replies that its client does not take, of which the last may begin just below the bound.
pub const CONNECTION_MEMORY_BYTES: u64 =
    (HTTP_HEAD_BYTES_MAX + HTTP_READ_BYTES + HTTP_OUTPUT_BYTES_MAX + HTTP_REPLY_BYTES_MAX) as u64;
/// Peers for which there is room, to each torrent, where both follow from the memory.
pub const PEERS_PER_TORRENT: u64 = 10;
/// The range of the memory that bounds are derived from: under the least nothing worth having is
/// left beside what the process takes by itself.
pub const MEMORY_BYTES_RANGE: (u64, u64) = (32 << 20, 1 << 40);
/// Of all torrents, one in so many may have been brought up by one address: it takes eight of them
/// to fill the tracker, and a seedbox may still bring up 25,000.
pub const TORRENTS_PER_IP_DIVISOR: u32 = 8;
/// Counters of the torrents that addresses have brought up: 64 KiB of them.
pub const ORIGINS_COUNT: usize = 16_384;
/// Peers of one torrent: what the 24 bits of a slot in `tracker::index` can number.
pub const SWARM_PEERS_MAX: u32 = (1 << 24) - 2;
/// The largest torrent and peer counts an operator may set.
pub const TRACKED_COUNT_MAX: u32 = 100_000_000;
/// Shards of the tracker, each behind its own lock.
pub const SHARDS_COUNT: usize = 256;
/// Uploaded, downloaded and left are kept in 48 bits; larger values (256 TiB and more, or the
/// 2^63 - 1 of a magnet link that knows no size yet) stay at this one, "unknown".
pub const PEER_COUNTER_BYTES_MAX: u64 = (1 << 48) - 1;

/// Bytes of a registered torrent's name, of its comment and of its maker's name: file systems allow
/// 255 for a name, torrents in the wild stay under these.
pub const NAME_BYTES_MAX: usize = 1024;
/// See [`NAME_BYTES_MAX`].
pub const COMMENT_BYTES_MAX: usize = 4096;
/// See [`NAME_BYTES_MAX`].
pub const CREATED_BY_BYTES_MAX: usize = 256;
/// Torrents compared for each block of digits that a similar hash could share: random hashes share
/// none, and a crowd made to share one must not cost more than this.
pub const SIMILAR_CANDIDATES_MAX: usize = 256;
/// Percent of the digits that similar hashes have in common: below 85 a sixth of the digits may
/// differ, and the blocks that must not become too short to be worth an index.
pub const SIMILAR_PERCENT_DEFAULT: u32 = 95;
/// See [`SIMILAR_PERCENT_DEFAULT`].
pub const SIMILAR_PERCENT_RANGE: (u32, u32) = (85, 100);
/// The first and the last digits that similar hashes have in common, as in the original tracker.
pub const SIMILAR_FIRST_DIGITS_DEFAULT: u32 = 10;
/// See [`SIMILAR_FIRST_DIGITS_DEFAULT`].
pub const SIMILAR_LAST_DIGITS_DEFAULT: u32 = 5;
/// Names by which the operator may reach the tracker.
pub const HOST_NAMES_COUNT_MAX: usize = 64;
/// Finished downloads that wait to be written down; more are in the next full save.
pub const COMPLETED_QUEUE_MAX: usize = 65_536;
/// Peers copied under one hold of a shard lock for a save or a page: about 100 microseconds.
pub const COPY_STEP_PEERS_MAX: usize = 8192;

// -- the sweeper ----------------------------------------------------------------------------------

/// The pause between two sweeps: a peer outlives its timeout by this much at the most.
pub const SWEEP_INTERVAL_SECONDS: u32 = 30;
/// Peers looked at under one hold of a shard lock: some 10 microseconds of work, or half a
/// millisecond when all of them have timed out.
pub const SWEEP_STEP_PEERS_MAX: usize = 512;
/// The sweeper works this long, then rests `SWEEP_REST_MILLIS`: a fifth of one core at most, and no
/// longer at a time than an announce may wait for the core.
pub const SWEEP_BUDGET_MILLIS: u64 = 1;
/// The rest after each budget of work.
pub const SWEEP_REST_MILLIS: u64 = 4;

// -- HTTP -----------------------------------------------------------------------------------------

/// The request line and headers of one request. A scrape of 60 hashes by Transmission is 4 KB.
pub const HTTP_HEAD_BYTES_MAX: usize = 8 * 1024;
/// Header lines of one request.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Bytes read from a socket at once; a whole head always fits.
pub const HTTP_READ_BYTES: usize = 16 * 1024;
/// Replies to pipelined requests gathered before the client has to take some.
pub const HTTP_OUTPUT_BYTES_MAX: usize = 16 * 1024;
/// One reply on the announce path at the most: of 200 peers as JSON, or of the most torrents that
/// can be asked for in bencode. Scrapes as JSON show as many torrents as fit.
pub const HTTP_REPLY_BYTES_MAX: usize = 36 * 1024;
/// What of it is head, braces and counts, and what a reply has at the most of a peer as JSON and of
/// a torrent in bencode: the largest numbers there can be, a peer id of escapes alone.
pub const HTTP_REPLY_FRAME_BYTES: usize = 1024;
/// See [`HTTP_REPLY_FRAME_BYTES`].
pub const PEER_JSON_BYTES_MAX: usize = 170;
/// See [`HTTP_REPLY_FRAME_BYTES`].
pub const SCRAPED_BYTES_MAX: usize = 123;
/// The body of a request, where a route takes one.
pub const HTTP_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Commas between the values of such a body, unknown ones included: in memory a value takes up to
/// 140 bytes, however short it is.
pub const HTTP_BODY_COMMAS_MAX: usize = 10_000;
/// The line with a chunk's size and extensions, or a trailer line.
pub const HTTP_CHUNK_LINE_BYTES_MAX: usize = 1024;
/// A part of a streamed reply.
pub const HTTP_STREAM_BYTES: usize = 64 * 1024;
/// What a refused client may still send before it is cut off: some send all they have before they
/// look at the reply.
pub const HTTP_DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A whole head must arrive within this of its first byte.
pub const HTTP_HEAD_MILLIS_MAX: u64 = 10_000;
/// A connection may wait this long for a request, the first or the next.
pub const HTTP_IDLE_MILLIS_MAX: u64 = 30_000;
/// A whole body must arrive within this.
pub const HTTP_BODY_MILLIS_MAX: u64 = 30_000;
/// A reply must be taken by the client within this.
pub const HTTP_WRITE_MILLIS_MAX: u64 = 10_000;
/// After an error reply, what the client still sends is read and dropped for this long, so that the
/// reply is not lost to a connection reset.
pub const HTTP_DRAIN_MILLIS_MAX: u64 = 2_000;
/// Descriptors that connections leave alone: the state file, the one before, its journals and lock,
/// and what was just accepted.
pub const DESCRIPTORS_SPARE: u64 = 12;
/// Those of a worker: its epoll and what wakes it.
pub const WORKER_DESCRIPTORS: u64 = 2;
/// Connections kept open at once when the operator does not say: this, or 3/4 of the descriptor
/// limit if that is less, or what is left beside files and listeners. Most announces never count:
/// they are answered and closed at once.
pub const HTTP_CONNECTIONS_MAX_DEFAULT: u32 = 8192;
/// Connections kept open at once from one IPv4 address or IPv6 /64.
pub const HTTP_CONNECTIONS_PER_IP_DEFAULT: u32 = 128;
/// The largest bound on connections an operator may set: Linux's own on descriptors of one process
/// (`fs.nr_open`) unless raised.
pub const HTTP_CONNECTIONS_COUNT_MAX: u32 = 1_048_576;
/// Connections accepted in a row before others get their turn.
pub const HTTP_ACCEPT_BURST: usize = 64;
/// How long accepting pauses when there are no descriptors left.
pub const HTTP_ACCEPT_PAUSE_MILLIS: u64 = 100;
/// Events taken from the kernel at once.
pub const HTTP_EVENTS: usize = 256;
/// How many of the connections that wait longest are searched for one of a user who has too many.
pub const HTTP_OWN_SEARCH_MAX: usize = 256;
/// Connections the kernel holds for us until they are accepted.
pub const HTTP_BACKLOG: i32 = 4096;
/// Threads for the operator's requests, and requests that may wait for one.
pub const OPERATOR_THREADS: usize = 2;
/// See [`OPERATOR_THREADS`].
pub const OPERATOR_QUEUE_MAX: usize = 16;
/// Bytes of an operator's page that the kernel takes before the client does. It says that there is
/// room again when a third of them has gone: little enough for a slow line to take within
/// [`HTTP_WRITE_MILLIS_MAX`] (it doubles the number, so 5 KB/s will do).
pub const OPERATOR_SEND_BYTES: usize = 64 * 1024;
/// Worker threads at the most, whatever the host or the operator says.
pub const WORKERS_MAX: usize = 256;
/// Torrents in one scrape: no more can stand in one head (`info_hash=` and 20 bytes each).
pub const SCRAPE_HASHES_MAX: usize = HTTP_HEAD_BYTES_MAX / 31 + 1;

// -- rates ----------------------------------------------------------------------------------------

/// Announces and scrapes a minute from one IPv4 address or IPv6 /64. A seedbox, or all clients
/// behind one carrier's NAT, with 20,000 torrents announces 22 times a second at the default
/// interval; this is 100 a second, about a thousandth of what one core answers over UDP.
pub const ANNOUNCES_PER_MINUTE_DEFAULT: u32 = 6000;
/// Requests a minute that are wrong, from one address: no client that works makes any, and a person
/// who tries things out makes fewer. Guessing at the operator's token is bounded by this too.
pub const ERRORS_PER_MINUTE_DEFAULT: u32 = 60;
/// The largest rate to be set: 1,000 a second, of which each is 16 units of `rate_limit`'s time.
pub const RATE_PER_MINUTE_MAX: u32 = 60_000;
/// So many minutes' worth may come at once: at the default 30,000 announces, those of a client that
/// starts with as many torrents.
pub const RATE_BURST_MINUTES: u64 = 5;
/// Cache lines in each table of buckets, eight users each: 16,384 users in 128 KiB. Only those who
/// have used some of their bucket need room. Two million peers that announce every 15 minutes are
/// 2,200 announces a second, each made up for after 10 ms: 22 users at a time.
pub const RATE_LINES_COUNT: usize = 2048;
/// Networks that no rate applies to, searched for each request that a rate could apply to.
pub const UNLIMITED_NETWORKS_COUNT_MAX: usize = 256;
/// Between two log lines of one cause and one address, which fail2ban counts.
pub const LOG_ADDRESS_MILLIS: u64 = 60_000;
/// Such lines at once, of all addresses together, and one more every so often: 20 a second.
pub const LOG_ADDRESSES_BURST: u64 = 200;
/// See [`LOG_ADDRESSES_BURST`].
pub const LOG_ADDRESSES_MILLIS: u64 = 50;

// -- UDP ------------------------------------------------------------------------------------------

/// Bytes of a packet that are read; a full scrape has 1,496. A longer packet is read up to here.
pub const UDP_REQUEST_BYTES_MAX: usize = 2048;
/// A reply at the most: with the heads of IPv6 and UDP it passes unfragmented where 1,448 bytes do,
/// which leaves room for a tunnel in an Ethernet frame of 1,500.
pub const UDP_REPLY_BYTES_MAX: usize = 1400;
/// Peers in a UDP reply over IPv4: what fits behind its head of 20 bytes (BEP 15).
pub const NUMWANT_UDP_V4_MAX: u16 = (UDP_REPLY_BYTES_MAX as u16 - 20) / 6;
/// Peers in a UDP reply over IPv6.
pub const NUMWANT_UDP_V6_MAX: u16 = (UDP_REPLY_BYTES_MAX as u16 - 20) / 18;
/// Torrents in one UDP scrape (BEP 15: "up to about 74").
pub const UDP_SCRAPE_HASHES_MAX: usize = 74;
/// The path and query of an announce URL in the options of a UDP announce (BEP 41).
pub const UDP_URL_BYTES_MAX: usize = 1024;
/// A connection id holds for this long at the least and twice as long at the most. BEP 15 asks for
/// two minutes; uTorrent keeps its ids for five.
pub const UDP_ID_BUCKET_SECONDS: u64 = 300;
/// Errors about connection ids that may go out at once, to addresses nobody has vouched for.
pub const UDP_ERRORS_BURST: u64 = 100;
/// One more such error every so often: 100 a second.
pub const UDP_ERROR_MILLIS: u64 = 10;
/// The kernel's queue of packets not yet received. Linux takes twice this and counts 832 bytes for
/// an announce, so it is 20,000 of them, less than a tenth of a second's work. Granted as far as
/// `net.core.rmem_max` goes.
pub const UDP_RECEIVE_BUFFER_BYTES: usize = 8 * 1024 * 1024;
/// The kernel's queue of replies not yet sent. Granted as far as `net.core.wmem_max` goes.
pub const UDP_SEND_BUFFER_BYTES: usize = 1024 * 1024;
/// The pause after a receive that failed.
pub const UDP_PAUSE_MILLIS: u64 = 100;
/// Ports tried until one is free for both TCP and UDP, where any will do.
pub const PORT_TRIES_MAX: usize = 32;

// -- asking a tracker -----------------------------------------------------------------------------

/// A tracker has this long to answer a command, unless `--timeout` says otherwise.
pub const CLIENT_TIMEOUT_SECONDS_DEFAULT: u32 = 15;
/// The range of that: over an hour nobody waits.
pub const CLIENT_TIMEOUT_SECONDS_RANGE: (u32, u32) = (1, 3600);
/// The head of a tracker's reply: proxies and content networks add cookies and more.
pub const CLIENT_HEAD_BYTES_MAX: usize = 64 * 1024;
/// The body of a tracker's reply: 58,000 peers as dictionaries of 72 bytes, far over any numwant,
/// and a full scrape of 60,000 torrents.
pub const CLIENT_REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Faults of one reply named one by one: a list of peers may repeat the same a thousand times.
pub const CLIENT_FAULTS_MAX: usize = 20;
/// Torrents in one scrape over HTTP: escaped they are 3,550 bytes at the most, which leaves a URL
/// below 4,096; opentracker answers 64.
pub const CLIENT_SCRAPE_HASHES_MAX: usize = 50;
/// A client may use a connection id for a minute (BEP 15).
pub const CLIENT_ID_MILLIS: u64 = 60_000;
/// A lost packet is sent again after this part of the timeout, then twice as long each time: BEP 15
/// has 15 s, 30 s, 60 s, which is more than a person at a terminal waits.
pub const CLIENT_RESEND_DIVISOR: u32 = 15;
/// The port in an announce is one of these at random unless `--port` says otherwise: the dynamic
/// ones (RFC 6335), where nobody is likely to have put a BitTorrent client.
pub const CLIENT_PORT_RANGE: (u16, u16) = (49_152, 65_535);
/// Bytes that `muster decode` reads and writes.
pub const DECODE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Of a query, whose parameters are put in order before they are shown: as JSON they may take 60
/// times their size.
pub const DECODE_QUERY_BYTES_MAX: usize = 1024 * 1024;

/// Of a tracker's words about a refusal, so many characters are shown.
pub const SERVER_WORDS_CHARS_MAX: usize = 300;
/// How often `add` tries one torrent, as the original script does; the range is that of `--tries`.
pub const ADD_TRIES_DEFAULT: u32 = 3;
/// Over 20 tries nobody waits: the pauses between them grow.
pub const ADD_TRIES_RANGE: (u32, u32) = (1, 20);
/// The least pause before the second try, as in the original script.
pub const ADD_RETRY_DELAY_SECONDS_DEFAULT: u32 = 2;
/// The range of that.
pub const ADD_RETRY_DELAY_SECONDS_RANGE: (u32, u32) = (0, 3600);
/// A pause does not grow beyond this, unless it begins there.
pub const ADD_RETRY_DELAY_SECONDS_MAX: u32 = 60;
/// How long `add` waits for one answer, as the original script does.
pub const ADD_TIMEOUT_SECONDS_DEFAULT: u32 = 30;
/// How many torrents `add` registers at once; the tracker has two threads for them, and 16 places.
pub const ADD_JOBS_DEFAULT: u32 = 4;
/// The range of that.
pub const ADD_JOBS_RANGE: (u32, u32) = (1, 64);
/// Torrents that `stats` asks for at once: about 2 MB of them.
pub const STATS_PAGE_TORRENTS: usize = 4000;
/// So many with the longest texts there can be, each byte of them escaped.
pub const STATS_REPLY_BYTES_MAX: usize = 160 * 1024 * 1024;
/// Torrents that `stats` shows at most, ten times what a tracker holds by default: some 250 MB of
/// them, or 2 GB with the longest names.
pub const STATS_TORRENTS_MAX: usize = 10 * TORRENTS_MAX_DEFAULT as usize;
/// All pages together may take so many times what one may: a million torrents are 250 pages, most
/// of which take some 20 ms.
pub const STATS_TIMEOUTS_MAX: u64 = 4;
/// How often `stats --watch` looks.
pub const STATS_WATCH_SECONDS_DEFAULT: u32 = 2;
/// The range of that.
pub const STATS_WATCH_SECONDS_RANGE: (u32, u32) = (1, 86_400);
/// How long a watched screen may take to see that a signal has come.
pub const STATS_KEY_WAIT_MILLIS: u64 = 250;
/// How long it may take to see that the tracker has answered.
pub const STATS_ANSWER_WAIT_MILLIS: u64 = 50;
/// The torrents that failed are named again at the end, up to so many.
pub const ADD_FAILED_NAMES_MAX: usize = 10;

// -- the process ----------------------------------------------------------------------------------

/// What is in flight at a stop has this long to finish.
pub const STOP_MILLIS_MAX: u64 = 5_000;
/// A request may still come within this on a connection that has none at a stop: it may be on its
/// way, from the other side of the world and after a packet that was lost.
pub const STOP_IDLE_MILLIS: u64 = 1_000;
/// Between two status lines for systemd, which come only when the counts have changed.
pub const STATUS_INTERVAL_SECONDS: u32 = 5;
/// How often a stop looks whether the threads of `tiny_http` have ended.
pub const TINY_STOP_LOOK_MILLIS: u64 = 20;
/// Lines of the log on their way to stderr; what more there is while nobody reads it is lost.
pub const LOG_QUEUE_LINES: usize = 1024;
/// At the end of the process, whoever reads the log has this long to take what is on its way.
pub const LOG_FLUSH_MILLIS: u64 = 1_000;
/// How often the end looks whether there is room in a full queue.
pub const LOG_FLUSH_LOOK_MILLIS: u64 = 10;
/// Between two log lines of the same cause.
pub const LOG_CAUSE_MILLIS: u64 = 1_000;
/// Between two log lines about what lasts until somebody acts: no descriptors left, no room left.
pub const LOG_LASTING_MILLIS: u64 = 60_000;
/// A value quoted in an error text is cut to this many bytes.
pub const QUOTED_BYTES_MAX: usize = 40;
/// The port of HTTP and UDP, by custom a tracker's since the first one.
pub const PORT_DEFAULT: u16 = 6969;
/// Addresses and sockets to listen on; each is a descriptor every worker watches.
pub const LISTEN_COUNT_MAX: usize = 64;
/// Bytes in the path of a Unix socket: `sun_path` has 108 on Linux, the last of them 0.
pub const UNIX_PATH_BYTES_MAX: usize = 107;
/// Subnets of trusted proxies, searched for each forwarded request; the largest content networks
/// publish some twenty.
pub const TRUSTED_PROXIES_COUNT_MAX: usize = 256;
/// A configuration file larger than this is not one.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

// -- the state file -------------------------------------------------------------------------------

/// The state file, where the operator does not say: the original tracker's name for it.
pub const STATE_FILE_DEFAULT: &str = "tracker_state.json";
/// The pause between two saves without anybody's asking.
pub const AUTOSAVE_INTERVAL_SECONDS_DEFAULT: u32 = 300;
/// The range of that pause; 0 is never.
pub const AUTOSAVE_INTERVAL_SECONDS_RANGE: (u32, u32) = (0, 86_400);
/// The pause between two looks for finished downloads to write down: what a power cut may cost.
pub const JOURNAL_INTERVAL_SECONDS: u32 = 3;
/// A state file larger than half of the host's memory is not read; this, where that is not known.
pub const STATE_FILE_BYTES_FALLBACK_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of the state file formatted before they are written, with no lock held.
pub const STATE_WRITE_BYTES: usize = 256 * 1024;
/// Things the load of a state complains about one by one; more are only counted.
pub const STATE_NOTES_MAX: usize = 50;
/// Symlinks followed from the state file's path: the kernel's own bound (`MAXSYMLINKS`).
pub const SYMLINKS_MAX: usize = 40;

// -- the files of a torrent -----------------------------------------------------------------------

/// Bytes of a piece of a torrent that we make, at the most: more than any client likes, and enough
/// for 200 TiB in one torrent file.
pub const PIECE_BYTES_CREATED_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a piece when nobody says: imdl's bound, and what clients handle without trouble.
pub const PIECE_BYTES_CHOSEN_MAX: u64 = 16 * 1024 * 1024;
/// Things left out of a torrent that are named one by one; the rest are counted.
pub const LEFT_OUT_LINES_MAX: usize = 10;
/// Files that are not whole, and ranges of a file's pieces, that `verify` shows; `--files` shows
/// all files.
pub const VERIFY_LINES_MAX: usize = 50;
/// Read at once while hashing: with the hashing it stays within a core's second-level cache.
pub const CONTENT_READ_BYTES: usize = 256 * 1024;
/// What a thread reads and hashes in a row: a disk seeks once for it, and no thread has much more
/// to do at the end than the others.
pub const CONTENT_RUN_BYTES: u64 = 8 * 1024 * 1024;
/// Folders that are entered again because symlinks lead there, before `create` gives up: 22 folders
/// with two links each to the next would be four million, and as many more with each further one.
pub const CONTENT_FOLDERS_AGAIN_MAX: usize = 100_000;

// -- the load generator ---------------------------------------------------------------------------

/// A reply that the load generator takes in: 200 peers as dictionaries of 70 bytes, and as much
/// again.
pub const LOAD_REPLY_BYTES_MAX: usize = 32 * 1024;
/// Announces in a row that come to nothing until one thread gives up.
pub const LOAD_FAILURES_MAX: u64 = 1000;
/// A UDP connection id is used for so long (BEP 15: until one minute after it has come).
pub const LOAD_UDP_ID_MILLIS: u64 = 60_000;
/// Descriptors that are left to everything but the connections of the load generator.
pub const LOAD_SPARE_DESCRIPTORS: u64 = 64;
/// Torrents and peers that announce: their numbers fit in 31 bits.
pub const LOAD_CROWD_MAX: u32 = 100_000_000;
/// Threads of the load generator; each needs a core of its own to be of use.
pub const LOAD_THREADS_MAX: u32 = 64;

// -- bencode --------------------------------------------------------------------------------------

/// Lists and dictionaries within one another.
pub const BENCODE_DEPTH_MAX: usize = 32;
/// Keys among which one that stands twice is looked for where they are out of order: 40 MB.
pub const BENCODE_KEYS_COMPARED_MAX: usize = 1_000_000;

// -- torrent files --------------------------------------------------------------------------------

/// A torrent file larger than this is not read. The largest in the wild are tens of MB: a million
/// pieces take 20 MB.
pub const METAINFO_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Files of one torrent; each is about 100 bytes in memory, its path not counted.
pub const METAINFO_FILES_MAX: usize = 1_000_000;
/// Trackers, web seeds or DHT nodes that one torrent names; the longest lists in the wild have some
/// hundred.
pub const METAINFO_URLS_MAX: usize = 10_000;
/// Bytes of a path within a torrent: Linux opens none longer (`PATH_MAX`).
pub const METAINFO_PATH_BYTES_MAX: usize = 4096;
/// Bytes of all paths of a torrent. A file tree (BEP 52) writes a folder's name once for all that
/// lies in it, so that a small one could make more paths than memory holds.
pub const METAINFO_PATHS_BYTES_MAX: usize = METAINFO_BYTES_MAX;
/// Bytes of a piece at the most, for whoever reads one into memory; libtorrent makes none larger
/// than half of this.
pub const PIECE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of a piece at the least: a block, what clients ask each other for at once (BEP 52 requires
/// it).
pub const PIECE_BYTES_MIN: u64 = 16 * 1024;
/// Bytes of a torrent's content, so that each offset is a positive integer of bencode too.
pub const CONTENT_BYTES_MAX: u64 = i64::MAX as u64;
/// Bytes of one component of a path: file systems take no longer one (`NAME_MAX`).
pub const PATH_COMPONENT_BYTES_MAX: usize = 255;
/// Files or trackers named one by one for each thing that is wrong with them; the rest are counted.
pub const FLAW_FILES_MAX: usize = 3;
/// Lines of a torrent's tree of files, where nobody asks for all of them: two screens.
pub const TREE_LINES_MAX: usize = 100;

const _: () = {
    assert!(
        ANNOUNCE_INTERVAL_SECONDS_DEFAULT
            + ANNOUNCE_INTERVAL_SECONDS_DEFAULT / ANNOUNCE_JITTER_DIVISOR
            < PEER_TIMEOUT_SECONDS_DEFAULT,
        "a client that obeys must not expire"
    );
    assert!(MIN_INTERVAL_SECONDS_DEFAULT <= ANNOUNCE_INTERVAL_SECONDS_DEFAULT);
    assert!(NUMWANT_DEFAULT <= NUMWANT_HTTP_MAX);
    assert!(NUMWANT_DEFAULT <= NUMWANT_UDP_V6_MAX);
    assert!(20 + 6 * NUMWANT_UDP_V4_MAX as usize <= UDP_REPLY_BYTES_MAX);
    assert!(20 + 18 * NUMWANT_UDP_V6_MAX as usize <= UDP_REPLY_BYTES_MAX);
    assert!(NUMWANT_UDP_V4_MAX <= NUMWANT_MAX && NUMWANT_UDP_V6_MAX <= NUMWANT_MAX);
    assert!(NUMWANT_HTTP_MAX <= NUMWANT_MAX);
    assert!(8 + 12 * UDP_SCRAPE_HASHES_MAX <= UDP_REPLY_BYTES_MAX);
    assert!(16 + 20 * UDP_SCRAPE_HASHES_MAX <= UDP_REQUEST_BYTES_MAX);
    assert!(98 + 2 * UDP_URL_BYTES_MAX.div_ceil(255) + UDP_URL_BYTES_MAX <= UDP_REQUEST_BYTES_MAX);
    assert!(HTTP_HEAD_BYTES_MAX <= HTTP_READ_BYTES, "one read must be able to hold a head");
    assert!(
        HTTP_REPLY_FRAME_BYTES + NUMWANT_HTTP_MAX as usize * PEER_JSON_BYTES_MAX
            <= HTTP_REPLY_BYTES_MAX
    );
    assert!(HTTP_REPLY_FRAME_BYTES + SCRAPE_HASHES_MAX * SCRAPED_BYTES_MAX <= HTTP_REPLY_BYTES_MAX);
    assert!(ORIGINS_COUNT < u16::MAX as usize, "a torrent keeps the number of its in 16 bits");
    assert!(SHARDS_COUNT.is_power_of_two(), "a shard is chosen by the top bits of a hash");
    assert!(SWARM_PEERS_MAX < (1 << 24) - 1, "the all-ones slot means empty");
    assert!(HTTP_IDLE_MILLIS_MAX >= HTTP_HEAD_MILLIS_MAX);
    assert!(PIECE_BYTES_CHOSEN_MAX <= PIECE_BYTES_CREATED_MAX);
    assert!(PIECE_BYTES_CREATED_MAX <= PIECE_BYTES_MAX);
    assert!(PIECE_BYTES_MIN < PIECE_BYTES_MAX && PIECE_BYTES_MAX < CONTENT_BYTES_MAX);
    assert!(METAINFO_PATH_BYTES_MAX < METAINFO_BYTES_MAX);
};
