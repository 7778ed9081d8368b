//! What time does: registered torrents outlive their peers, and a body has to come in time.
//!
//! The tracker runs in this process and its clock is moved by hand, so that hours pass at once.
//! What waits on a socket waits in real time: the distances are seconds.

use std::io::Read as _;
use std::time::{Duration, Instant};

use serde_json::json;

use muster::config::Config;
use muster::request::InfoHash;
use muster::serve::{Running, start};

use crate::answer::announced;
use crate::connection::{Connection, announce, hash, peer};
use crate::harness::{Engine, eventually};

use super::page::{Ask, Page};

fn hex(number: u8) -> String {
    InfoHash(hash(number)).to_string()
}

fn start_tracker(engine: Engine) -> Running {
    let options = [
        ("listen", "127.0.0.1:0"),
        ("http-engine", engine.name()),
        ("workers", "1"),
        ("state-file", ""),
    ];
    let options = options.map(|(key, value)| (key, value.to_owned()));
    let config = Config::load(&options, &[], None).expect("valid options");
    start(&config).expect("a free port")
}

/// Its peers leave and time out, hours pass; a torrent that nobody registered is forgotten then.
pub fn a_registered_torrent_outlives_its_peers(engine: Engine) {
    let running = start_tracker(engine);
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

/// Bytes that come on and on prolong nothing.
pub fn a_body_has_thirty_seconds_to_come(engine: Engine) {
    let running = start_tracker(engine);
    let body = json!({ "info_hash": hex(1) }).to_string();
    let begin = || {
        let mut connection = Connection::to(running.addresses()[0]);
        let ask = Ask::register(&body).line("Expect: 100-continue");
        connection.send(ask.head());
        let mut told = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        connection.stream().read_exact(&mut told).expect("it is waited for");
        connection.send(&body[..10]);
        connection
    };
    let mut in_time = begin();
    running.advance(25_000);
    in_time.send(&body[10..]);
    assert_eq!(Page::read(in_time).good()["matched"], "new");

    let mut late = begin();
    running.advance(31_000);
    late.send(&body[10..20]);
    let sent_at = Instant::now();
    let (status, error) = Page::read(late).error();
    let length = body.len();
    assert_eq!(status, 400, "{error}");
    assert!(error.ends_with(&format!(" bytes, {length} were announced")), "{error}");
    // Nobody has waited the ten seconds for more of it.
    assert!(sent_at.elapsed() < Duration::from_secs(8), "refused after {:?}", sent_at.elapsed());
    running.stop().expect("there is no state to save");
}
