//! What becomes of a registered torrent: it is remembered though nobody has it.

use serde_json::json;

use muster::config::Config;
use muster::request::InfoHash;
use muster::serve::start;

use crate::answer::announced;
use crate::connection::{Connection, announce, hash, peer};
use crate::harness::{Engine, Server, eventually};

use super::page::Ask;

fn hex(number: u8) -> String {
    InfoHash(hash(number)).to_string()
}

/// Its peers leave and time out, hours pass; a torrent that nobody registered is forgotten then.
pub fn a_registered_torrent_outlives_its_peers(engine: Engine) {
    // In this process, so that hours pass at once.
    let options = [
        ("listen", "127.0.0.1:0"),
        ("http-engine", engine.name()),
        ("workers", "1"),
        ("state-file", ""),
    ];
    let options = options.map(|(key, value)| (key, value.to_owned()));
    let config = Config::load(&options, &[], None).expect("valid options");
    let running = start(&config).expect("a free port");
    let connect = || Connection::to(running.addresses()[0]);

    let body = json!({ "info_hash": hex(1), "name": "kept", "size": 7 }).to_string();
    assert_eq!(Ask::register(body).over(connect()).good()["matched"], "new");
    for (torrent, port) in [(1, 6881), (2, 6882)] {
        for (number, left) in [(1, 0), (2, 1)] {
            let target =
                announce(&hash(torrent), &peer(number), port + 10 * left, u64::from(left), "");
            announced(&connect().ask_once(target));
        }
    }
    let stopped = announce(&hash(1), &peer(1), 6881, 0, "&event=stopped");
    announced(&connect().ask_once(stopped));
    let shown = || {
        let page = Ask::get("/stats").over(connect()).good();
        let counts = |torrent: u8| page.get(hex(torrent)).map(|t| t["stats"]["peers"].clone());
        let name = page[hex(1)]["name"].clone();
        (counts(1), counts(2), name)
    };
    assert_eq!(shown(), (Some(json!(1)), Some(json!(2)), json!("kept")));
    // Peers go after half an hour, the torrent that is left without any half an hour later.
    for _ in 0..4 {
        running.advance(1_900_000);
    }
    eventually(&(Some(json!(0)), None, json!("kept")), || {
        running.advance(30_000);
        shown()
    });
    let page = Ask::get("/stats").over(connect()).good();
    assert_eq!((&page[hex(1)]["size"], &page[hex(1)]["peers"]), (&json!(7), &json!([])), "{page}");
    running.stop().expect("there is no state to save");
}

pub fn a_registration_replaces_the_one_before(engine: Engine) {
    let server = Server::with(engine, &[]);
    announced(&server.get(announce(&hash(1), &peer(1), 6881, 0, "")));
    let first = json!({ "info_hash": hex(1), "name": "first", "comment": "gone", "size": 1 });
    assert_eq!(Ask::register(first.to_string()).of(&server).good()["matched"], "exact");
    let second = json!({ "info_hash": hex(1), "name": "second" });
    assert_eq!(Ask::register(second.to_string()).of(&server).good()["matched"], "exact");
    let page = Ask::get("/stats").of(&server).good();
    let torrent = &page[hex(1)];
    let shown = ["name", "comment", "size"].map(|field| torrent[field].clone());
    assert_eq!(shown, [json!("second"), json!(""), json!(0)], "{page}");
    assert_eq!(torrent["stats"]["peers"], 1, "its peers stay: {page}");
}
