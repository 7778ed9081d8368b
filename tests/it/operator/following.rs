//! Following a download, as the guide of the original tracker does: `/stats` again and again while
//! a client announces its progress.

use serde_json::{Value, json};

use muster::request::InfoHash;

use crate::answer::announced;
use crate::connection::{announce, hash, percent};
use crate::harness::{Engine, Server};

use super::page::Ask;

const SEEDER: &[u8; 20] = b"-qB4500-seederseeder";
const LEECHER: &[u8; 20] = b"-TR4060-leecherleech";
const SIZE: u64 = 1_000_000;

/// The torrent's counts, and of each peer in the order of their ports: client, state, uploaded,
/// downloaded and left.
fn followed(server: &Server) -> (Value, Vec<Value>) {
    let page = Ask::get("/stats").of(server).good();
    let torrent = page[InfoHash(hash(1)).to_string()].clone();
    let counts = &torrent["stats"];
    let counts = ["complete", "incomplete", "completed", "uploaded", "downloaded"]
        .map(|name| counts[name].clone());
    let mut peers = torrent["peers"].as_array().expect("a list of peers").clone();
    peers.sort_by_key(|peer| peer["port"].as_u64());
    let peer = |peer: &Value| {
        let fields = ["client", "state", "uploaded", "downloaded", "left"];
        fields.map(|name| peer[name].clone()).to_vec().into()
    };
    (counts.to_vec().into(), peers.iter().map(peer).collect())
}

pub fn a_download_can_be_followed_with_curl(engine: Engine) {
    let server = Server::with(engine, &[]);
    // What a client says on its way: uploaded, downloaded, left, and the event.
    let says = |peer: &[u8; 20], port: u16, (up, down, left): (u64, u64, u64), event: &str| {
        let target = announce(&hash(1), peer, port, left, event);
        let target = target.replace("uploaded=0", &format!("uploaded={up}"));
        let target = target.replace("&downloaded=0", &format!("&downloaded={down}"));
        assert!(target.contains(&percent(peer)), "{target}");
        announced(&server.get(target)).counts()
    };
    let seeder = |up: u64| json!(["qBittorrent 4.5.0", "seeder", up, 0, 0]);
    let leecher =
        |state: &str, down: u64, left: u64| json!(["Transmission 4.0.6", state, 0, down, left]);

    says(SEEDER, 6881, (0, 0, 0), "&event=started");
    assert_eq!(followed(&server), (json!([1, 0, 0, 0, 0]), vec![seeder(0)]));

    says(LEECHER, 6882, (0, 0, SIZE), "&event=started");
    let peers = vec![seeder(0), leecher("leecher", 0, SIZE)];
    assert_eq!(followed(&server), (json!([1, 1, 0, 0, 0]), peers));

    for done in [250_000, 600_000, 999_999] {
        says(SEEDER, 6881, (done, 0, 0), "");
        says(LEECHER, 6882, (0, done, SIZE - done), "");
        let peers = vec![seeder(done), leecher("leecher", done, SIZE - done)];
        assert_eq!(followed(&server), (json!([1, 1, 0, done, done]), peers));
    }

    says(SEEDER, 6881, (SIZE, 0, 0), "");
    says(LEECHER, 6882, (0, SIZE, 0), "&event=completed");
    let peers = vec![seeder(SIZE), leecher("seeder", SIZE, 0)];
    assert_eq!(followed(&server), (json!([2, 0, 1, SIZE, SIZE]), peers));

    says(SEEDER, 6881, (SIZE, 0, 0), "&event=stopped");
    let peers = vec![leecher("seeder", SIZE, 0)];
    assert_eq!(followed(&server), (json!([1, 0, 1, 0, SIZE]), peers));
}
