//! What stands in the files: ours byte by byte, the original tracker's as it writes them.

use super::*;

/// Golden bytes: every field with a value of its own.
const GOLDEN: &str = include_str!("../../../tests/vectors/state_golden.json");
/// As the original tracker's `json.dump` leaves it.
const ORIGINAL: &str = include_str!("../../../tests/vectors/state_original.json");

fn golden_tracker() -> Tracker {
    let tracker = tracker();
    let first = InfoHash(
        *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x01\x02\x03\x04",
    );
    let second = InfoHash([0xfe; 20]);
    let registration = Registration {
        name: "a \"film\".mkv".to_owned(),
        size: 20_000_001,
        piece_length: 262_144,
        comment: "two\nlines".to_owned(),
        created_by: "m\u{fc}ster".to_owned(),
        creation_date: 1_700_000_002,
    };
    tracker.register(&first, registration, NOW).expect("room");
    let identity = |peer_id: &[u8; 20], proof| Identity { peer_id: PeerId(*peer_id), proof };
    let seeder = identity(b"-TR4060-az_.~\x00\xff %\"+\n", Proof::from_key(0xc0ff_ee01));
    let seeder = but(Peer::new(seeder), |peer| {
        peer.v4 = Some([192, 0, 2, 7, 0x1a, 0xe1]);
        peer.v6 = Some(endpoint6(5));
        (peer.uploaded, peer.downloaded) = (11, 20_000_001);
        peer.last_seen = Seconds(NOW.0 - 3);
        peer.completed = true;
    });
    let leecher = identity(b"-qB5000-0123456789ab", Proof(0x0200_0000_7f00_0001));
    let leecher = but(Peer::new(leecher), |peer| {
        peer.v6 = Some(endpoint6(6));
        (peer.uploaded, peer.downloaded, peer.left) = (21, 22, 23);
        peer.last_seen = Seconds(NOW.0 - 4);
        peer.paused = true;
    });
    let unlisted = Peer::new(identity(b"-BI2500-0123456789ab", Proof(5)));
    let unlisted = but(unlisted, |peer| (peer.left, peer.last_seen) = (31, NOW));
    tracker.restore(&first, 41, &[seeder], NOW);
    tracker.restore(&second, 0, &[leecher, unlisted], NOW);
    // Nothing is known of it, so nothing is written.
    tracker.restore(&InfoHash([7; 20]), 0, &[], NOW);
    tracker
}

#[test]
fn a_state_file_has_these_bytes() {
    let mut bytes = Vec::new();
    let moment = Moment::new(NOW, UNIX_NOW);
    let written = encode::encode_state(&golden_tracker(), 51, moment, &mut bytes).expect("memory");
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert_eq!(text, GOLDEN);
    assert_eq!(written, Written { torrents: 2, peers: 3, bytes: GOLDEN.len() as u64 });
}

#[test]
fn the_golden_file_is_json_that_others_read_and_the_checksum_line_can_be_deleted() {
    let json: serde_json::Value = serde_json::from_str(GOLDEN).expect("JSON");
    let seeder = &json["torrents"]["00112233445566778899aabbccddeeff01020304"];
    assert_eq!(seeder["peers_info"][0]["left"], 0);
    assert_eq!(seeder["info"]["creation_date"], 1_700_000_002);
    let edited: Vec<&str> =
        GOLDEN.lines().filter(|line| !line.starts_with(",\"checksum\"")).collect();
    let edited = edited.join("\n").replace("20000001, \"piece", "20000002, \"piece");
    let scratch = Scratch::new();
    fs::write(scratch.state(), &edited).expect("a file");
    let tracker = tracker();
    let (_store, loaded) = open(&scratch, &tracker);
    assert_eq!((loaded.peers, &loaded.notes[..]), (3, &[][..]));
    let summary = tracker.summary(&tracker.info_hashes()[0]).expect("listed");
    assert_eq!(summary.registration.expect("registered").size, 20_000_002);
}

#[test]
fn the_golden_file_loads() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    fs::write(scratch.state(), GOLDEN).expect("a file");
    let (_store, loaded) = open(&scratch, &tracker);
    assert_eq!((loaded.registered, loaded.peers, loaded.notes.len()), (1, 3, 0));
    let wanted = everything(&golden_tracker());
    let known = wanted.iter().filter(|(torrent, _)| torrent.info_hash != InfoHash([7; 20]));
    assert_eq!(everything(&tracker), known.cloned().collect::<Vec<_>>());
}

/// What is said of a state file that was not taken in as a whole.
fn kept_text(scratch: &Scratch, unix_seconds: u64) -> String {
    let state = scratch.state();
    let state = state.display();
    format!(
        "{state}: not all of it was taken in; as it was it stays in {state}.original-{unix_seconds}"
    )
}

/// Its moments are around this one.
const ORIGINAL_NOW: Duration = Duration::from_secs(1_740_000_000);

#[test]
fn a_file_of_the_original_tracker_loads_as_it_is() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    fs::write(scratch.state(), ORIGINAL).expect("a file");
    let (_, loaded) =
        Store::open(&scratch.state(), &tracker, NOW, ORIGINAL_NOW, PEER_TIMEOUT).expect("it loads");
    assert_eq!((loaded.registered, loaded.peers, loaded.expired), (3, 4, 2));
    assert_eq!((loaded.skipped_torrents, loaded.skipped_peers), (1, 1));
    let texts: Vec<&str> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "torrent \"too short %FF\": its name is no info hash of 20 bytes; left out",
            "1 peers could not be understood and were left out",
            &kept_text(&scratch, ORIGINAL_NOW.as_secs()),
        ]
    );
    let torrent = |bytes: &[u8; 20]| tracker.summary(&InfoHash(*bytes)).expect("it is known");
    // With metadata, a live seeder and a live leecher, an expired peer.
    let film = torrent(b"\xd1\x10\x1a\x2babcdefghijklmnop");
    let wanted = Registration {
        name: "film.mkv".to_owned(),
        size: 20_000_000,
        piece_length: 16_384,
        comment: String::new(),
        created_by: "qBittorrent v5.0.4".to_owned(),
        creation_date: 1_739_990_000,
    };
    assert_eq!(film.registration, Some(wanted));
    assert_eq!((film.counts.complete, film.counts.incomplete), (1, 1));
    let mut peers = Vec::new();
    tracker.copy_peers(&film.info_hash, 0, &mut peers);
    let leecher = peers.iter().find(|peer| !peer.is_seeder()).expect("a leecher");
    assert_eq!(leecher.identity.peer_id.0, *b"-qB5040-\xc3\xa9\xff23456789a");
    let source = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
    assert_eq!(leecher.identity.proof, Proof::from_source(source));
    assert_eq!(leecher.v4, Some([192, 0, 2, 8, 0x1a, 0xe2]));
    let counted = (leecher.uploaded, leecher.downloaded, leecher.left);
    assert_eq!(counted, (1000, 2_000_000, 18_000_000));
    assert_eq!(NOW.since(leecher.last_seen), 61, "1739999939.25");
    // A literal percent sign, from its add_torrent_info.py; nobody there.
    let percent = torrent(b"%41\xffabcdefghijklmnop");
    assert_eq!(percent.registration.expect("registered").name, "percent");
    // Characters instead of escapes: nobody has said anything about it.
    let plain = torrent(b"\xc3\xa9\xc3\xa9ABCDEFGHIJKLMNOP");
    assert_eq!((plain.registration, plain.counts.incomplete), (None, 1));
    // 40 hex digits, an IPv6 peer.
    let hex = torrent(&[0xab; 20]);
    assert_eq!((hex.registration.is_some(), hex.counts.complete), (true, 1));
    assert_eq!(tracker.totals().torrents, 4, "one had expired peers alone");
}

#[test]
fn over_long_texts_are_cut_at_a_character_and_reported() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let name = format!("x{}", "\u{e9}".repeat(600));
    let text = format!(
        r#"{{"torrents": {{"{}": {{"info": {{"name": "{name}"}}, "peers_info": []}}}}}}"#,
        hash(1)
    );
    fs::write(scratch.state(), text).expect("a file");
    let (_store, loaded) = open(&scratch, &tracker);
    let note = format!(
        "torrent {}: name: 1201 bytes, at most 1024 are kept; what is more was cut off",
        hash(1)
    );
    let texts: Vec<&str> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, [&note, &kept_text(&scratch, UNIX_NOW.as_secs())]);
    assert!(loaded.notes.iter().all(|(level, _)| *level == crate::log::Level::Warn));
    let known = tracker.summary(&hash(1)).and_then(|torrent| torrent.registration);
    assert_eq!(known.map(|known| known.name.len()), Some(1023));
}

#[test]
fn a_file_of_which_something_was_left_out_is_kept_once_as_it_was() {
    let scratch = Scratch::new();
    fs::write(scratch.state(), ORIGINAL).expect("a file");
    for _ in 0..3 {
        // Two starts that save nothing, at moments of their own, and one that does.
        let later = UNIX_NOW + Duration::from_secs(1);
        Store::open(&scratch.state(), &tracker(), NOW, later, PEER_TIMEOUT).expect("it loads");
        open(&scratch, &tracker());
    }
    let tracker = tracker();
    let (store, _) = open(&scratch, &tracker);
    (0..3).for_each(|_| _ = save(&store, &tracker));
    let suffixes = scratch.suffixes();
    let kept: Vec<_> = suffixes.iter().filter(|name| name.starts_with(".original-")).collect();
    assert_eq!(kept, [".original-1763688657"]);
    assert_eq!(fs::read_to_string(scratch.file(kept[0])).expect("kept"), ORIGINAL);
    drop(store);
    // What muster wrote itself is taken in as a whole.
    open(&scratch, &super::tracker());
    let count = scratch.suffixes().iter().filter(|name| name.starts_with(".original-")).count();
    assert_eq!(count, 1);
}

#[test]
fn what_has_no_room_is_counted_and_kept_and_registered_torrents_come_first() {
    let scratch = Scratch::new();
    let peer = |number: u32| {
        format!(
            r#"{{"peer_id": "-TR4060-{number:012}", "ip": "192.0.2.1", "port": {},
                "last_seen": {}}}"#,
            number + 1,
            UNIX_NOW.as_secs()
        )
    };
    let peers: Vec<String> = (0..30).map(peer).collect();
    let others: Vec<String> = (1..=5)
        .map(|number| format!(r#""{}": {{"peers_info": [{}]}}"#, hash(number), peer(number)))
        .collect();
    let text = format!(
        r#"{{"torrents": {{{}, "{}": {{"peers_info": [{}], "info": {{"name": "film 6"}}}}}}}}"#,
        others.join(", "),
        hash(6),
        peers.join(", ")
    );
    fs::write(scratch.state(), text).expect("a file");
    // One more is registered in the journal.
    let line = journal_line(&Entry::Register(hash(7), registration("film 7")));
    fs::write(scratch.file(".journal-1"), line).expect("a file");
    let mut limits = limits_of(4);
    limits.peers_max = 20;
    let tracker = Tracker::new(limits);
    let (_store, loaded) = open(&scratch, &tracker);
    assert!(are_registered(&tracker, 6..=7));
    assert_eq!((tracker.totals().torrents, tracker.totals().peers, loaded.peers), (4, 20, 20));
    let texts: Vec<&str> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    let wanted = [
        "3 torrents that are not registered had no room and were left out with 3 peers: raise \
         max-torrents",
        "12 peers had no room and were left out: raise max-peers",
        &kept_text(&scratch, UNIX_NOW.as_secs()),
    ];
    assert_eq!(texts, wanted);
    assert!(scratch.file(".original-1763688656").exists());
}

fn journal_line(entry: &Entry) -> String {
    let mut line = String::new();
    journal::encode_line(entry, &mut line);
    line
}

#[test]
fn null_counts_as_missing_wherever_it_stands() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let text = format!(
        r#"{{"version": null, "journal": null, "saved": null, "torrents": {{
        "{}": null,
        "{}": {{"info": null, "peers_info": null, "stats": null}},
        "{}": {{"info": {{"name": null, "size": 5, "registered": null}},
                "peers_info": [null], "stats": {{"completed": null}}}}}}}}"#,
        hash(1),
        hash(2),
        hash(3)
    );
    fs::write(scratch.state(), text).expect("a file");
    let (_store, loaded) = open(&scratch, &tracker);
    assert_eq!((loaded.registered, loaded.peers, loaded.expired), (1, 0, 1), "{loaded:?}");
    assert_eq!(tracker.info_hashes(), [hash(3)]);
}

#[test]
fn a_value_of_a_wrong_type_counts_as_missing() {
    let (scratch, tracker) = (Scratch::new(), tracker());
    let text = format!(
        r#"{{"version": 1, "torrents": {{"{}": {{
        "info": {{"name": ["a"], "size": "77", "piece_length": -1, "comment": {{"b": [1]}}}},
        "peers_info": [
            {{"peer_id": "-TR4060-0123456789ab", "ip": "192.0.2.1", "port": "6881", "left": 1e3,
              "last_seen": 1763688656.9, "uploaded": null, "downloaded": -5, "is_seeder": 1}},
            {{"peer_id": "-TR4060-0123456789ac", "ip": "192.0.2.1", "port": 65537,
              "last_seen": 1763688656}},
            {{"peer_id": 5, "ip": "192.0.2.2", "last_seen": 1763688656}},
            {{"peer_id": "-TR4060-0123456789ad", "ip": "example.org", "last_seen": 1763688656}},
            {{}}
        ], "more": {{"a": [[[]]]}}
        }}}}}}"#,
        hash(1)
    );
    fs::write(scratch.state(), text).expect("a file");
    let (_store, loaded) = open(&scratch, &tracker);
    assert_eq!((loaded.peers, loaded.skipped_peers, loaded.expired), (1, 3, 1));
    let mut peers = Vec::new();
    tracker.copy_peers(&hash(1), 0, &mut peers);
    let known = (peers[0].left, peers[0].uploaded, peers[0].downloaded, peers[0].v4);
    assert_eq!(known, (1000, 0, 0, Some([192, 0, 2, 1, 0x1a, 0xe1])));
    let registration = tracker.summary(&hash(1)).and_then(|torrent| torrent.registration);
    let wanted = Registration { size: 77, ..Registration::default() };
    assert_eq!(registration, Some(wanted));
}
