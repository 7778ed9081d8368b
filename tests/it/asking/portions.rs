//! `muster scrape` with more torrents than one request carries, against the real tracker.

use super::{json_of, printed};
use crate::harness::{Engine, Server};
use muster::limits::{CLIENT_SCRAPE_HASHES_MAX, UDP_SCRAPE_HASHES_MAX};

/// 75 failed over UDP, 200 over HTTP, and 2,000 could not even be asked for.
#[test]
fn many_torrents_are_asked_for_in_portions_and_told_together() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let server = Server::with(engine, &[]);
        let hashes: Vec<String> = (1..=2000).map(|number| format!("{number:040x}")).collect();
        let known = &hashes[UDP_SCRAPE_HASHES_MAX];
        let http = server.tcp().to_string();
        printed(&["announce", "--event=started", "--left=0", &http, known]);
        for url in [http, format!("udp://{}", server.udp()[0])] {
            let edges = [CLIENT_SCRAPE_HASHES_MAX, UDP_SCRAPE_HASHES_MAX];
            let edges = edges.into_iter().flat_map(|edge| [edge, edge + 1]);
            for count in edges.chain([200, 2000]) {
                let asked = hashes[..count].iter().map(String::as_str);
                let arguments: Vec<&str> =
                    ["scrape", "--json", &url].into_iter().chain(asked).collect();
                let told = json_of(&arguments);
                assert_eq!(told["faults"].as_array().map(Vec::len), Some(0), "{url}: {count}");
                let files = told["files"].as_object().expect("a dictionary");
                let seeders: u64 =
                    files.values().map(|file| file["complete"].as_u64().expect("a count")).sum();
                let wanted = u64::from(hashes[..count].contains(known));
                assert_eq!(seeders, wanted, "{url}: {count}");
                let all = files.keys().all(|hash| hashes[..count].contains(hash));
                assert!(all, "{url}: {count}");
                if url.starts_with("udp") {
                    assert_eq!(files.len(), count);
                }
            }
        }
    }
}
