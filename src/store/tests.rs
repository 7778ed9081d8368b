//! Saves, journals and loads on a real file system, in folders of their own.

mod damage;
mod formats;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::request::{
    AnnounceRequest, Endpoint6, Event, Families, Fault, Identity, NumWant, PeerBuf, PeerId, Proof,
    Retry,
};
use crate::tracker::{Peer, Tolerance, TorrentSummary, TrackerLimits};

const NOW: Seconds = Seconds(90_000);
const UNIX_NOW: Duration = Duration::from_secs(1_763_688_656);
const PEER_TIMEOUT: u32 = 1800;

/// A folder for one test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muster-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the temporary folder is ours to write");
        Scratch(path.canonicalize().expect("it has just been made"))
    }

    fn state(&self) -> PathBuf {
        self.0.join("tracker_state.json")
    }

    fn file(&self, suffix: &str) -> PathBuf {
        self.0.join(format!("tracker_state.json{suffix}"))
    }

    /// The names in the folder after the state file's own, sorted.
    fn suffixes(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).expect("the folder").map(|entry| {
            let name = entry.expect("an entry").file_name().into_string().expect("ASCII");
            name.strip_prefix("tracker_state.json").unwrap_or(&name).to_owned()
        });
        let mut names: Vec<_> = names.filter(|name| name != ".lock").collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn limits_of(torrents_max: u32) -> TrackerLimits {
    let tolerance = Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 };
    let (torrents_per_ip_max, peers_max) = (torrents_max, 100_000);
    TrackerLimits {
        peer_timeout: PEER_TIMEOUT,
        torrents_max,
        torrents_per_ip_max,
        peers_max,
        tolerance,
    }
}

fn tracker_of(torrents_max: u32) -> Tracker {
    Tracker::new(limits_of(torrents_max))
}

fn tracker() -> Tracker {
    tracker_of(10_000)
}

fn open(scratch: &Scratch, tracker: &Tracker) -> (Store, Loaded) {
    opened(scratch, tracker).expect("the state opens")
}

fn opened(scratch: &Scratch, tracker: &Tracker) -> Result<(Store, Loaded), String> {
    Store::open(&scratch.state(), tracker, NOW, UNIX_NOW, PEER_TIMEOUT)
}

fn save(store: &Store, tracker: &Tracker) -> Saved {
    store.save(tracker, NOW, UNIX_NOW).expect("a save")
}

fn hash(number: u32) -> InfoHash {
    let mut bytes = [0xee; 20];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    InfoHash(bytes)
}

fn registration(name: &str) -> Registration {
    Registration {
        name: name.to_owned(),
        size: 1 << 40,
        piece_length: 262_144,
        comment: "tab\there, \"quotes\" and a line\nend".to_owned(),
        created_by: "m\u{fc}ster \u{1f5c4}".to_owned(),
        creation_date: 1_700_000_001,
    }
}

fn register(store: &Store, tracker: &Tracker, number: u32) {
    let name = format!("film {number}");
    store.register(tracker, &hash(number), registration(&name), NOW).expect("a registration");
}

/// Whether the torrents of these numbers are registered, under their names.
fn are_registered(tracker: &Tracker, numbers: impl IntoIterator<Item = u32>) -> bool {
    numbers.into_iter().all(|number| {
        let registration = tracker.summary(&hash(number)).and_then(|torrent| torrent.registration);
        registration.is_some_and(|known| known.name == format!("film {number}"))
    })
}

fn peer(number: u32) -> Peer {
    let mut peer_id = *b"-TR4060-%\"\\\n\xff\x00abcdef";
    peer_id[16..].copy_from_slice(&number.to_be_bytes());
    let [.., high, low] = number.to_be_bytes();
    let v4 = Ipv4Addr::from_bits(0x0a00_0000 + number);
    let mut peer = Peer::new(Identity { peer_id: PeerId(peer_id), proof: Proof::from_key(number) });
    let [a, b, c, d] = v4.octets();
    peer.v4 = Some([a, b, c, d, high | 0x10, low]);
    peer.left = u64::from(number % 3);
    peer.uploaded = u64::from(number) * 1_000_003;
    peer.downloaded = u64::from(number) * 7;
    peer.last_seen = Seconds(NOW.0 - number % PEER_TIMEOUT);
    peer
}

/// The peer with something changed.
fn but(mut peer: Peer, change: impl FnOnce(&mut Peer)) -> Peer {
    change(&mut peer);
    peer
}

fn endpoint6(number: u8) -> Endpoint6 {
    let mut endpoint = [0; 18];
    endpoint[..16].copy_from_slice(&Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 9).octets());
    endpoint[15..].copy_from_slice(&[number, 0x1b, 0x0a]);
    endpoint
}

/// Everything a tracker knows, in an order that does not depend on how it came there.
fn everything(tracker: &Tracker) -> Vec<(TorrentSummary, Vec<Peer>)> {
    let torrents = tracker.info_hashes().into_iter().map(|info_hash| {
        let summary = tracker.summary(&info_hash).expect("it was listed");
        let (mut all, mut some, mut from) = (Vec::new(), Vec::new(), Some(0));
        while let Some(at) = from {
            from = tracker.copy_peers(&info_hash, at, &mut some);
            all.append(&mut some);
        }
        all.sort_by_key(|peer: &Peer| (peer.identity.peer_id.0, peer.identity.proof.0));
        (summary, all)
    });
    torrents.collect()
}

/// The announce of a finished download.
fn completed(info_hash: &InfoHash, number: u32) -> AnnounceRequest {
    AnnounceRequest {
        info_hash: *info_hash,
        identity: peer(number).identity,
        v4: Some(Ipv4Addr::from_bits(0x0a00_0000 + number)),
        v6: None,
        port: 6881,
        uploaded: 0,
        downloaded: 7,
        left: 0,
        event: Event::Completed,
        numwant: NumWant::from_wire(None, 200),
        families: Families::V4ThenV6,
        peer_ids: false,
        sender: None,
    }
}

#[test]
fn everything_comes_back_as_it_was() {
    let (scratch, old) = (Scratch::new(), tracker());
    let (store, loaded) = open(&scratch, &old);
    assert_eq!(loaded, Loaded::default());
    let peers = [
        peer(1),
        but(peer(2), |peer| (peer.v4, peer.v6) = (None, Some(endpoint6(2)))),
        but(peer(3), |peer| peer.v6 = Some(endpoint6(3))),
        // Port 0: counted, not listed.
        but(peer(4), |peer| peer.v4 = None),
        but(peer(5), |peer| (peer.paused, peer.completed, peer.left) = (true, true, 9)),
        but(peer(6), |peer| (peer.uploaded, peer.left) = ((1 << 48) - 1, (1 << 48) - 1)),
        but(peer(7), |peer| {
            peer.identity.proof = Proof::from_source(IpAddr::V6(Ipv6Addr::LOCALHOST));
        }),
    ];
    old.restore(&hash(1), 12, &peers, NOW);
    old.restore(&hash(2), 0, &(10..20_010).map(peer).collect::<Vec<_>>(), NOW);
    register(&store, &old, 2);
    register(&store, &old, 3);
    old.restore(&hash(3), 7, &[], NOW);
    let saved = save(&store, &old);
    let bytes = fs::metadata(scratch.state()).expect("the file").len();
    assert_eq!((saved.torrents, saved.peers, saved.bytes), (3, 20_007, bytes));
    drop(store);

    let new = tracker();
    let (_store, loaded) = open(&scratch, &new);
    assert_eq!((loaded.registered, loaded.peers, loaded.notes.len()), (2, 20_007, 0));
    assert_eq!(everything(&new), everything(&old));
}

#[test]
fn peers_keep_their_own_time_and_go_by_it() {
    let (scratch, old) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &old);
    let seen = |ago: u32, number| but(peer(number), |peer| peer.last_seen = Seconds(NOW.0 - ago));
    old.restore(&hash(1), 0, &[seen(0, 1), seen(1700, 2), seen(1701, 3)], NOW);
    save(&store, &old);
    drop(store);
    // A hundred seconds later, on a clock that has just started.
    let (new, start) = (tracker(), Seconds(86_400));
    let later = UNIX_NOW + Duration::from_secs(100);
    let loaded = Store::open(&scratch.state(), &new, start, later, PEER_TIMEOUT).expect("a load").1;
    assert_eq!((loaded.peers, loaded.expired), (2, 1));
    let mut peers = Vec::new();
    new.copy_peers(&hash(1), 0, &mut peers);
    let mut seen: Vec<u32> = peers.iter().map(|peer| start.since(peer.last_seen)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [100, 1800]);
    // A clock set back makes nobody younger than now.
    let (new, earlier) = (tracker(), UNIX_NOW.saturating_sub(Duration::from_secs(5000)));
    Store::open(&scratch.state(), &new, start, earlier, PEER_TIMEOUT).expect("a load");
    new.copy_peers(&hash(1), 0, &mut peers);
    assert!(peers.iter().all(|peer| peer.last_seen == start), "{peers:?}");
}

#[test]
fn a_registration_is_there_without_any_save() {
    let (scratch, old) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &old);
    (1..=3).for_each(|number| register(&store, &old, number));
    drop(store);
    for start in 0..3 {
        let new = tracker();
        let (_store, loaded) = open(&scratch, &new);
        assert_eq!((loaded.registered, loaded.entries), (3, 3), "start {start}");
        assert_eq!(everything(&new), everything(&old), "start {start}");
    }
}

#[test]
fn finished_downloads_are_journaled_as_counts_that_may_be_read_twice() {
    let (scratch, old) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &old);
    register(&store, &old, 1);
    let mut out = PeerBuf::new();
    for number in 0..4 {
        old.announce(&completed(&hash(1), number), NOW, &mut out).expect("room");
    }
    store.write_completed(&old).expect("a write");
    // Of one that is not registered nothing is journaled; and a count alone brings nothing back.
    old.announce(&completed(&hash(2), 9), NOW, &mut out).expect("room");
    store.write_completed(&old).expect("a write");
    let again = [Entry::Completed(hash(1), 4), Entry::Completed(hash(9), 4)];
    let disk = store.disk.as_ref().expect("a disk");
    lock(&disk.journal).append(&disk.folder, &again).expect("a write");
    drop(store);
    let new = tracker();
    let (_store, loaded) = open(&scratch, &new);
    assert_eq!(loaded.entries, 4);
    assert_eq!(new.scrape(&hash(1)).expect("registered").downloaded, 4);
    assert_eq!(new.info_hashes(), [hash(1)]);
}

#[test]
fn a_save_makes_older_journals_go_as_soon_as_nothing_needs_them() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &tracker);
    assert_eq!(scratch.suffixes(), [".journal-1"]);
    register(&store, &tracker, 1);
    save(&store, &tracker);
    assert_eq!(scratch.suffixes(), ["", ".journal-1", ".journal-2"]);
    register(&store, &tracker, 2);
    save(&store, &tracker);
    assert_eq!(scratch.suffixes(), ["", ".journal-2", ".journal-3", ".previous"]);
    register(&store, &tracker, 3);
    save(&store, &tracker);
    assert_eq!(scratch.suffixes(), ["", ".journal-3", ".journal-4", ".previous"]);
    // Nothing new: the generation that is empty serves again.
    save(&store, &tracker);
    assert_eq!(scratch.suffixes(), ["", ".journal-4", ".previous"]);
}

#[test]
fn a_journal_never_begins_below_the_generation_that_the_file_names() {
    let scratch = Scratch::new();
    fs::write(scratch.state(), r#"{"version": 1, "journal": 50, "torrents": {}}"#).expect("a file");
    let old = tracker();
    let (store, _) = open(&scratch, &old);
    register(&store, &old, 1);
    drop(store);
    let new = tracker();
    let (_store, _) = open(&scratch, &new);
    assert!(are_registered(&new, [1]));
}

#[test]
fn a_full_tracker_refuses_and_writes_nothing() {
    let (scratch, old) = (Scratch::new(), tracker_of(1));
    let (store, _) = open(&scratch, &old);
    register(&store, &old, 1);
    let bytes = fs::metadata(scratch.file(".journal-1")).expect("the journal").len();
    let refused = store.register(&old, &hash(2), registration("b"), NOW);
    let reason = "this tracker is full: it tracks 1 torrents, as many as it may".to_owned();
    let wanted =
        RegisterError::Refused(Refused { reason, retry: Retry::Minutes(15), fault: Fault::Full });
    assert_eq!(refused, Err(wanted));
    assert_eq!(fs::metadata(scratch.file(".journal-1")).expect("the journal").len(), bytes);
    register(&store, &old, 1);
}

#[test]
fn registered_torrents_that_do_not_fit_stop_the_start() {
    let (scratch, old) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &old);
    (1..=3).for_each(|number| register(&store, &old, number));
    save(&store, &old);
    drop(store);
    let before = scratch.suffixes();
    let wanted = format!(
        "{}: 1 registered torrents do not fit: raise max-torrents",
        scratch.state().display()
    );
    assert_eq!(opened(&scratch, &tracker_of(2)).map(|_| ()), Err(wanted));
    assert_eq!(scratch.suffixes(), before);
}

#[test]
fn without_a_path_nothing_is_kept() {
    let tracker = tracker();
    let (store, _) = Store::open(Path::new(""), &tracker, NOW, UNIX_NOW, 1800).expect("no disk");
    register(&store, &tracker, 1);
    assert_eq!((store.path(), are_registered(&tracker, [1])), (None, true));
    let refused = "state-file is empty: nothing is kept on disk".to_owned();
    assert_eq!(store.save(&tracker, NOW, UNIX_NOW), Err(refused));
    assert_eq!(store.save_if_due(&tracker, 1, 1, Seconds(u32::MAX), UNIX_NOW), None);
}

#[test]
fn a_save_by_the_clock_happens_when_it_is_due_and_something_has_changed() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let (store, _) = open(&scratch, &tracker);
    let at = |seconds: u32, activity| {
        let now = Seconds(NOW.0 + seconds);
        store.save_if_due(&tracker, 300, activity, now, UNIX_NOW).is_some()
    };
    assert!(!at(300, 0), "nothing has happened");
    assert!(!at(299, 1), "it is early");
    assert!(at(300, 1));
    assert!(!at(599, 2), "it is early again");
    assert!(at(600, 2));
    assert!(!at(9000, 2), "nothing has happened again");
    register(&store, &tracker, 1);
    assert!(at(9000, 2), "a registration");
    assert!(!at(9300, 2));
    assert!(store.save_if_due(&tracker, 0, 3, Seconds(u32::MAX), UNIX_NOW).is_none(), "never");
}
