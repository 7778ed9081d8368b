//! Saving and stopping, and what each route takes.
//!
//! What a saved file holds, and that none is ever half written, is in `state`; here it is what the
//! operator is told. Refusals are `{"error": "..."}`, whatever the route; a scrape without a hash,
//! the operator's alone, is answered as every scrape is.

use serde_json::json;

use crate::answer::{Scraped, failed, scraped_of};
use crate::connection::{announce, hash, peer};
use crate::harness::{Engine, Folder, Server};

use super::page::Ask;

pub fn without_a_state_file_a_save_says_that_there_is_none(engine: Engine) {
    let server = Server::with(engine, &["--state-file", ""]);
    for ask in [Ask::get("/save_state"), Ask::post("/save_state")] {
        let wanted = "state-file: empty, so there is nothing to save to".to_owned();
        assert_eq!(ask.of(&server).error(), (400, wanted), "{ask:?}");
    }
}

pub fn a_save_says_what_was_saved_where(engine: Engine) {
    let folder = Folder::new();
    let file = folder.join("state.json");
    let name = file.to_str().expect("a UTF-8 path");
    let server = Server::with(engine, &["--state-file", name]);
    for (number, ask) in [(1, Ask::get("/save_state")), (2, Ask::post("/save_state"))] {
        server.get(announce(&hash(number), &peer(1), 6881, 0, ""));
        let mut saved = ask.of(&server).good();
        let millis = saved.as_object_mut().and_then(|fields| fields.remove("milliseconds"));
        assert!(millis.is_some_and(|millis| millis.is_u64()), "{saved}");
        let bytes = std::fs::metadata(&file).expect("it is there").len();
        let wanted = json!({
            "message": "Tracker state saved", "file": name, "torrents": number, "peers": number,
            "bytes": bytes,
        });
        assert_eq!(saved, wanted, "{ask:?}");
    }
}

pub fn a_save_that_fails_says_why(engine: Engine) {
    let folder = Folder::new();
    let inner = folder.join("inner");
    std::fs::create_dir(&inner).expect("a folder of ours");
    let file = inner.join("state.json");
    let server = Server::with(engine, &["--state-file", file.to_str().expect("a UTF-8 path")]);
    server.get(announce(&hash(1), &peer(1), 6881, 0, ""));
    std::fs::remove_dir_all(&inner).expect("it is ours");
    let (status, error) = Ask::get("/save_state").of(&server).error();
    assert_eq!(status, 500, "{error}");
    assert!(error.contains("state.json") && error.contains("No such file"), "{error}");
    assert_eq!(server.get("/health").status, 200, "it serves on");
}

pub fn a_shutdown_is_answered_and_then_the_program_ends(engine: Engine) {
    // As curl asks, and as an HTTP/1.0 client does.
    for ask in [Ask::post("/shutdown"), Ask::post("/shutdown/").old()] {
        let mut server = Server::with(engine, &[]);
        let page = ask.of(&server);
        assert_eq!(page.good(), json!({ "message": "Server shutting down..." }));
        assert_eq!(server.wait().code(), Some(0));
        assert!(server.stderr().contains("stopped after"), "{}", server.stderr());
    }
}

pub fn a_shutdown_takes_a_post_and_no_body(engine: Engine) {
    let mut server = Server::with(engine, &[]);
    for ask in [Ask::get("/shutdown"), Ask::new("HEAD", "/shutdown"), Ask::get("/shutdown?x=1")] {
        let mut connection = server.connect();
        connection.send(ask.bytes());
        assert_eq!(connection.reply_to_head().status, 405, "{ask:?}");
    }
    // curl -d '' and -X POST send a length of 0.
    let page = Ask::post("/shutdown").line("Content-Length: 0").of(&server);
    assert_eq!(page.status, 200);
    assert_eq!(server.wait().code(), Some(0));
}

pub fn what_each_route_takes_is_said_in_allow(engine: Engine) {
    let server = Server::with(engine, &[]);
    for (method, path, allow) in [
        ("GET", "/add_torrent_info", "POST"),
        ("PUT", "/add_torrent_info", "POST"),
        ("GET", "/shutdown", "POST"),
        ("DELETE", "/shutdown", "POST"),
        ("POST", "/stats", "GET, HEAD"),
        ("DELETE", "/save_state", "GET, POST"),
    ] {
        let page = Ask::new(method, path).of(&server);
        assert_eq!(page.error(), (405, format!("method: use {allow} here")), "{method} {path}");
        assert_eq!(page.header("allow"), Some(allow), "{method} {path}");
    }
    for path in ["/stats", "/save_state"] {
        let mut connection = server.connect();
        connection.send(Ask::new("GET", path).line("Content-Length: 2").bytes());
        connection.send("{}");
        let reply = connection.reply();
        assert_eq!((reply.status, reply.says_close()), (413, true), "{path}");
        assert_eq!(reply.text(), "{\"error\":\"body: none is taken here\"}\n", "{path}");
    }
}

pub fn a_scrape_of_everything_is_the_operators(engine: Engine) {
    let server = Server::with(engine, &[]);
    let stranger = "X-Forwarded-For: 203.0.113.7";
    let all = |target: &str| scraped_of(&Ask::get(target).of(&server).body);
    assert_eq!(all("/scrape"), []);

    server.get(announce(&hash(3), &peer(1), 6881, 0, ""));
    server.get(announce(&hash(1), &peer(1), 6881, 1, ""));
    let leeched = Scraped { incomplete: 1, downloaders: 1, ..Scraped::default() };
    let seeded = Scraped { complete: 1, ..Scraped::default() };
    for target in ["/scrape", "/scrape?info_hash=", "/scrape/"] {
        assert_eq!(all(target), [(hash(1), leeched), (hash(3), seeded)], "{target}");

        let mut connection = server.connect();
        connection.send(Ask::get(target).line(stranger).bytes());
        assert_eq!(failed(&connection.reply()).reason, "info_hash: missing", "{target}");
    }
    let page = Ask::get("/scrape").line("Accept: application/json").of(&server).good();
    let hex = muster::request::InfoHash(hash(3)).to_string();
    assert_eq!(page["files"].as_object().map(serde_json::Map::len), Some(2), "{page}");
    assert_eq!(page["files"][&hex]["complete"], 1, "{page}");
}
