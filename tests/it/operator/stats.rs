//! What `/stats` shows the operator: every torrent with its metadata, its counts and its peers.
//!
//! The page is compared whole, as JSON, but for the order of a swarm's peers, which is nobody's
//! promise. It is a superset of the original tracker's: name, size, `creation_date` and counts
//! under each hash. How it is framed and in how much memory it is made is in `streams`.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use muster::request::InfoHash;

use crate::answer::announced;
use crate::connection::{Connection, announce, hash, peer};
use crate::harness::{Address, Engine, Server};

use super::page::Ask;

/// The hash of a number as people write it.
fn hex(number: u8) -> String {
    InfoHash(hash(number)).to_string()
}

/// Announces over a connection of its own, which must succeed.
fn join(server: SocketAddr, target: &str) {
    announced(&Connection::to(server).ask_once(target));
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs()
}

pub fn an_empty_tracker_shows_an_empty_object(engine: Engine) {
    let server = Server::with(engine, &[]);
    let page = Ask::get("/stats").of(&server);
    assert_eq!(page.good(), json!({}));
    assert_eq!(page.body, b"{\n}\n", "for people too");
    let totals = Ask::get("/stats?totals=1").of(&server).good();
    for name in ["torrents", "peers", "seeders", "leechers", "announces", "refusals"] {
        assert_eq!(totals[name], 0, "{totals}");
    }
}

/// Puts the peers in the order of their ports and takes `last_seen` out of each, once it is seen to
/// be the present.
fn without_last_seen(torrent: &mut Value, since: u64) {
    let peers = torrent["peers"].as_array_mut().expect("a list of peers");
    peers.sort_by_key(|peer| peer["port"].as_u64());
    for peer in peers {
        let fields = peer.as_object_mut().expect("a peer is an object");
        let seen = fields.remove("last_seen").and_then(|seen| seen.as_u64());
        let seen = seen.unwrap_or_else(|| panic!("no last_seen: {fields:?}"));
        assert!((since..=unix_now()).contains(&seen), "{seen} is not between {since} and now");
    }
}

pub fn a_torrent_shows_its_metadata_its_counts_and_its_peers(engine: Engine) {
    let options = ["--http-engine", engine.name()];
    let server = Server::listening(&["127.0.0.1:0", "[::1]:0"], &options);
    let [Address::Tcp(v4), Address::Tcp(v6)] = server.addresses[..] else { panic!("{server:?}") };
    // The clock counts whole seconds, from its own beginning.
    let since = unix_now() - 2;
    let metadata = json!({
        "info_hash": hex(1), "name": "a film", "size": 5_000, "piece_length": 16_384,
        "comment": "no comment", "created_by": "somebody", "creation_date": 1_700_000_000.9,
    });
    assert_eq!(Ask::register(metadata.to_string()).of(&server).good()["matched"], "new");

    let says = |id: &[u8; 20], port: u16, (up, down, left): (u64, u64, u64), more: &str| {
        let target = announce(&hash(1), id, port, left, more);
        let target = target.replace("uploaded=0", &format!("uploaded={up}"));
        target.replace("&downloaded=0", &format!("&downloaded={down}"))
    };
    join(v4, &says(b"-qB4500-abcdefghijkl", 6881, (7_000, 0, 0), "&event=completed"));
    let twice = b"A2-1-36-0-\x00\"\\\n\x7f\xff%a/!";
    join(v4, &says(twice, 6882, (5, 1_000, 4_000), "&key=1&ip=10.0.0.2"));
    join(v6, &says(twice, 7882, (10, 2_000, 3_000), "&key=1"));
    join(v6, &says(b"-XX0000-abcdefghijkl", 6883, (0, 4_000, 1_000), "&event=paused"));
    join(v4, &says(b"-UT3550-abcdefghijkl", 0, (0, 0, 5_000), "&event=started"));

    let mut page = Ask::get("/stats").of(&server).good();
    without_last_seen(&mut page[hex(1)], since);
    let peers = json!([
        {
            "peer_id": "-UT3550-abcdefghijkl", "client": "uTorrent 3.5.5", "ip": "", "port": 0,
            "state": "leecher", "is_seeder": false, "uploaded": 0, "downloaded": 0, "left": 5_000,
        },
        {
            "peer_id": "-qB4500-abcdefghijkl", "client": "qBittorrent 4.5.0", "ip": "127.0.0.1",
            "port": 6881, "state": "seeder", "is_seeder": true, "uploaded": 7_000,
            "downloaded": 0, "left": 0,
        },
        {
            "peer_id": "A2-1-36-0-%00%22%5C%0A%7F%FF%25a%2F%21", "client": "aria2 1.36.0",
            "ip": "10.0.0.2", "port": 6882, "ip6": "::1", "port6": 7882,
            "state": "leecher", "is_seeder": false, "uploaded": 10, "downloaded": 2_000,
            "left": 3_000,
        },
        {
            "peer_id": "-XX0000-abcdefghijkl", "client": "", "ip": "::1", "port": 6883,
            "state": "partial seed", "is_seeder": false, "uploaded": 0, "downloaded": 4_000,
            "left": 1_000,
        },
    ]);
    let stats = json!({
        "complete": 1, "incomplete": 3, "downloaders": 2, "completed": 1, "peers": 4,
        "downloaded": 6_000, "uploaded": 7_010,
    });
    let torrent = json!({
        "info_hash": hex(1), "registered": true, "name": "a film", "size": 5_000,
        "piece_length": 16_384, "creation_date": 1_700_000_000, "comment": "no comment",
        "created_by": "somebody", "peers": peers, "stats": stats,
    });
    assert_eq!(page, json!({ hex(1): torrent }));
}

/// The keys of the original tracker's page, under the hash: all of them are here.
pub fn a_page_holds_what_the_original_tracker_showed(engine: Engine) {
    let server = Server::with(engine, &[]);
    join(server.tcp(), &announce(&hash(1), &peer(1), 6881, 0, ""));
    let page = Ask::get("/stats").of(&server).good();
    let torrent = page[hex(1)].as_object().expect("a torrent under its hash");
    assert_eq!(torrent["name"], "", "nobody has registered it: {torrent:?}");
    assert!(torrent["size"].is_u64() && torrent["creation_date"].is_u64(), "{torrent:?}");
    for name in ["complete", "incomplete", "downloaded", "uploaded", "peers"] {
        assert!(torrent["stats"][name].is_u64(), "{name}: {torrent:?}");
    }
    assert_eq!(torrent["stats"]["peers"], 1, "{torrent:?}");
}

/// The hashes on a page, in its order, which is that of the text and not the parser's.
fn listed(server: &Server, query: &str) -> Vec<u8> {
    let page = Ask::get(&format!("/stats{query}")).of(server);
    let torrents = page.good();
    let text = String::from_utf8(page.body).expect("JSON is text");
    let mut places: Vec<(usize, u8)> = (1..=5)
        .filter(|&number| torrents.get(hex(number)).is_some())
        .map(|number| (text.find(&format!("\n\"{}\": ", hex(number))).expect("a line"), number))
        .collect();
    places.sort_unstable();
    assert_eq!(places.len(), torrents.as_object().map_or(0, serde_json::Map::len), "{text}");
    places.into_iter().map(|(_, number)| number).collect()
}

pub fn a_listing_can_be_narrowed(engine: Engine) {
    let server = Server::with(engine, &[]);
    for number in [4, 2, 5, 1, 3] {
        join(server.tcp(), &announce(&hash(number), &peer(1), 6881, 0, ""));
    }
    for (query, wanted) in [
        ("", &[1, 2, 3, 4, 5][..]),
        ("?", &[1, 2, 3, 4, 5]),
        ("?limit=2", &[1, 2]),
        ("?limit=2&offset=2", &[3, 4]),
        ("?offset=4&limit=2", &[5]),
        ("?offset=5", &[]),
        ("?offset=99999999999999999999", &[]),
        ("?limit=0", &[]),
        ("?limit=99999999999999999999", &[1, 2, 3, 4, 5]),
        ("?unknown=1&limit=&offset=", &[1, 2, 3, 4, 5]),
        (&format!("?info_hash={}", hex(3)), &[3]),
        (&format!("?info_hash={}", hex(3).to_uppercase()), &[3]),
        (&format!("?info_hash={}", crate::connection::percent(&hash(3))), &[3]),
    ] {
        assert_eq!(listed(&server, query), wanted, "{query}");
    }
    let one = format!("/stats?info_hash={}&peers=0", hex(2));
    let page = Ask::get(&one).of(&server).good();
    let torrent = &page[hex(2)];
    assert_eq!((&torrent["peers"], &torrent["stats"]["peers"]), (&json!([]), &json!(1)), "{page}");
    let totals = Ask::get("/stats?totals=1").of(&server).good();
    assert_eq!((&totals["torrents"], &totals["peers"]), (&json!(5), &json!(5)), "{totals}");
    assert_eq!(totals.get(hex(1)), None, "{totals}");
}

pub fn what_is_wrong_with_a_listing_is_named(engine: Engine) {
    let server = Server::with(engine, &[]);
    for (query, error) in [
        ("limit=x", "limit: \"x\" is not a number"),
        ("limit=-1", "limit: is below 0"),
        ("offset=1.5", "offset: \"1.5\" is not a number"),
        ("offset=-9", "offset: is below 0"),
        ("info_hash=abc", "info_hash: 3 bytes, expected 20"),
        ("info_hash=%zz", "info_hash: \"%zz\" is not a percent escape"),
    ] {
        let page = Ask::get(&format!("/stats?{query}")).of(&server);
        assert_eq!(page.error(), (400, error.to_owned()), "{query}");
    }
}

pub fn a_hash_that_is_not_tracked_is_404_and_names_the_similar_one(engine: Engine) {
    let server = Server::with(engine, &[]);
    let asked = hex(9);
    let ask = Ask::get(&format!("/stats?info_hash={asked}"));
    let error = format!("info_hash: {asked} is not tracked");
    let page = ask.of(&server);
    assert_eq!((page.status, page.json()), (404, json!({ "error": error, "similar": null })));

    // All but the last digit agree.
    join(server.tcp(), &announce(&hash(8), &peer(1), 6881, 0, ""));
    let page = ask.of(&server);
    assert_eq!((page.status, page.json()), (404, json!({ "error": error, "similar": hex(8) })));
}

pub fn whatever_names_and_peer_ids_hold_the_page_is_json(engine: Engine) {
    // The hashes are like one another.
    let nothing_similar =
        ["--similar-first-digits=0", "--similar-last-digits=0", "--similar-threshold=100"];
    let server = Server::with(engine, &nothing_similar);
    let names = [
        "\"},{\"x\": \"",
        "\\",
        "\u{0}\u{1}\r\n\t\u{7f}\u{85}",
        "</script>\u{2028}\u{feff}\u{202e}gnp.exe",
        "\u{1f600} \u{ffff} %00 %s",
    ];
    for (number, name) in (1..).zip(names) {
        let texts = json!({
            "info_hash": hex(number), "name": name, "comment": name, "created_by": name,
        });
        assert_eq!(Ask::register(texts.to_string()).of(&server).good()["matched"], "new");
    }
    // Every byte there is, in the peer ids of thirteen clients.
    let mut ids = Vec::new();
    for (port, first) in (6000..).zip((0..=255).step_by(20)) {
        let id: [u8; 20] = std::array::from_fn(|nth| (first + nth) as u8);
        join(server.tcp(), &announce(&hash(1), &id, port, 1, ""));
        ids.push(id);
    }
    // What looks like a client and is none.
    for (port, id) in (7000..).zip([b"-qB\"\\\n\x00-abcdefghijkl", b"M\"-\"--\"-------------"]) {
        join(server.tcp(), &announce(&hash(1), id, port, 1, ""));
        ids.push(*id);
    }
    let page = Ask::get("/stats").of(&server).good();
    for (number, name) in (1..).zip(names) {
        let torrent = &page[hex(number)];
        for field in ["name", "comment", "created_by"] {
            assert_eq!(torrent[field], *name, "{field}");
        }
    }
    let peers = page[hex(1)]["peers"].as_array().expect("a list of peers");
    let mut peers = peers.clone();
    peers.sort_by_key(|peer| peer["port"].as_u64());
    let shown = peers.iter().map(|peer| {
        let text = peer["peer_id"].as_str().expect("a text");
        let mut id = [0; 20];
        assert_eq!(muster::percent::decode(text.as_bytes(), &mut id), Ok(20), "{text}");
        id
    });
    assert_eq!(shown.collect::<Vec<_>>(), ids);
    let scrape = Ask::get("/scrape?format=json").of(&server).good();
    assert_eq!(scrape["files"][hex(1)]["name"], names[0]);
}
