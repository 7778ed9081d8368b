//! How long a state takes to save and to load, how large it is, what memory it needs, and how long
//! announces wait meanwhile: `make bench-state`, or `cargo bench --bench state -- PEERS TORRENTS`.
//!
//! Saving and loading run in a process each, so that each shows its own peak of memory. Beside the
//! save a thread announces without a pause; the longest announce bounds what one waits for a lock.
//! On a busy machine it shows the scheduler too: the same without a save is printed for comparison.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use muster::clock::unix_time;
use muster::request::{
    AnnounceRequest, Event, Families, Identity, InfoHash, NumWant, PeerBuf, PeerId, Proof, Seconds,
};
use muster::store::Store;
use muster::tracker::{Peer, Tolerance, Tracker, TrackerLimits};

const NOW: Seconds = Seconds(90_000);
const PEER_TIMEOUT: u32 = 1800;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |at: usize, default| {
        words.get(at).map_or(default, |word| word.parse().expect("a number of peers, of torrents"))
    };
    match words.first().map(String::as_str) {
        Some("save") => save(Path::new(&words[1]), number(2, 0), number(3, 0)),
        Some("load") => load(Path::new(&words[1])),
        _ => run(number(0, 1_000_000), number(1, 10_000)),
    }
}

/// Runs both halves in processes of their own.
fn run(peers: u32, torrents: u32) {
    let folder = PathBuf::from(format!("{}/bench-state", env!("CARGO_TARGET_TMPDIR")));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the target folder is ours");
    let state = folder.join("tracker_state.json");
    let this = std::env::current_exe().expect("a program");
    for what in ["save", "load"] {
        let mut half = Command::new(&this);
        half.arg(what).arg(&state).args([peers.to_string(), torrents.to_string()]);
        assert!(half.status().expect("it starts").success(), "{what} failed");
    }
    let _ = std::fs::remove_dir_all(&folder);
}

fn empty() -> Tracker {
    Tracker::new(TrackerLimits {
        peer_timeout: PEER_TIMEOUT,
        torrents_max: 10_000_000,
        torrents_per_ip_max: 10_000_000,
        peers_max: 100_000_000,
        tolerance: Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 },
    })
}

fn open(state: &Path, tracker: &Tracker) -> Store {
    Store::open(state, tracker, NOW, unix_time(), PEER_TIMEOUT).expect("a state").0
}

fn hash(torrent: u32) -> InfoHash {
    let mut random = fastrand::Rng::with_seed(u64::from(torrent));
    InfoHash(std::array::from_fn(|_| random.u8(..)))
}

/// A client that chose its peer id at random after its name, as most do.
fn identity(peer: u32) -> Identity {
    let mut random = fastrand::Rng::with_seed(u64::from(peer) << 32);
    let mut peer_id = *b"-qB5040-............";
    peer_id[8..].fill_with(|| random.u8(..));
    Identity { peer_id: PeerId(peer_id), proof: Proof::from_key(random.u32(..)) }
}

fn filled(peers: u32, torrents: u32) -> Tracker {
    let tracker = empty();
    let mut random = fastrand::Rng::with_seed(1);
    for torrent in 0..torrents {
        let share = (torrent..peers).step_by(torrents as usize).map(|number| {
            let mut peer = Peer::new(identity(number));
            let [a, b, c, d] = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
            peer.v4 = Some([a, b, c, d, random.u8(..) | 1, random.u8(..)]);
            peer.uploaded = random.u64(..1 << 36);
            peer.downloaded = random.u64(..1 << 36);
            peer.left = random.u64(..1 << 33) * u64::from(number % 2);
            // A minute of age is left, so that all are there when they are loaded.
            peer.last_seen = Seconds(NOW.0 - random.u32(..PEER_TIMEOUT - 60));
            peer
        });
        tracker.restore(&hash(torrent), 0, &share.collect::<Vec<_>>(), NOW);
    }
    tracker
}

fn save(state: &Path, peers: u32, torrents: u32) {
    let tracker = filled(peers, torrents);
    let store = open(state, &tracker);
    println!("memory: {} MB hold the tracker", peak_megabytes());
    // The first save of a folder has nothing to keep; the second is the usual one.
    store.save(&tracker, NOW, unix_time()).expect("a save");
    let saved = store.save(&tracker, NOW, unix_time()).expect("a save");
    println!("save:   {saved}, {} MB at the peak", peak_megabytes());
    let alone = longest_announces(&tracker, torrents, || {
        let until = Instant::now() + Duration::from_millis(saved.millis.max(500));
        while Instant::now() < until {
            std::thread::yield_now();
        }
    });
    let beside = longest_announces(&tracker, torrents, || {
        println!(
            "        {} beside announces",
            store.save(&tracker, NOW, unix_time()).expect("ok")
        );
    });
    for (what, (count, longest, late)) in [("without a save", alone), ("beside it", beside)] {
        println!("        {what}: {count} announces, the longest {longest:.1?}, {late} above 1 ms");
    }
}

/// Announces without a pause while something runs: how many, the longest, those above 1 ms.
fn longest_announces(
    tracker: &Tracker,
    torrents: u32,
    meanwhile: impl FnOnce(),
) -> (u32, Duration, u32) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let announcing = scope.spawn(|| {
            let (mut random, mut out) = (fastrand::Rng::with_seed(2), PeerBuf::new());
            let (mut count, mut longest, mut late) = (0, Duration::ZERO, 0);
            while !done.load(Ordering::Relaxed) {
                let torrent = random.u32(..torrents);
                let request = announce(torrent, torrent + torrents * random.u32(..10));
                let started = Instant::now();
                tracker.announce(&request, NOW, &mut out).expect("a known peer");
                let took = started.elapsed();
                count += 1;
                longest = longest.max(took);
                late += u32::from(took > Duration::from_millis(1));
            }
            (count, longest, late)
        });
        meanwhile();
        done.store(true, Ordering::Relaxed);
        announcing.join().expect("no panic")
    })
}

fn announce(torrent: u32, peer: u32) -> AnnounceRequest {
    AnnounceRequest {
        info_hash: hash(torrent),
        identity: identity(peer),
        v4: None,
        v6: None,
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: Event::Update,
        numwant: NumWant::from_wire(None, 200),
        families: Families::V4ThenV6,
        peer_ids: false,
        sender: None,
    }
}

fn load(state: &Path) {
    let tracker = empty();
    let started = Instant::now();
    let _store = open(state, &tracker);
    let millis = started.elapsed().as_millis();
    let totals = tracker.totals();
    println!(
        "load:   {} torrents and {} peers in {millis} ms, {} MB at the peak",
        totals.torrents,
        totals.peers,
        peak_megabytes()
    );
}

/// The most memory this process ever held, on Linux.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
