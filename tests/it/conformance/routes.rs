//! Cases about what is served where, to clients and to people.
//!
//! Clients get bencode with status 200 whatever happens, since they read no other; people get text
//! or JSON. Sources: BEP 3, 23, 31 and 48, RFC 9110 section 15.5.

use muster::request::InfoHash;
use serde_json::Value;

use crate::answer::{Scraped, announced, failed, listed, scraped, scraped_all};
use crate::connection::{Reply, announce, get, hash, peer, percent, scrape};
use crate::harness::{Engine, Server};

pub fn unknown_paths_are_404_and_keep_the_connection(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for target in ["/nothing", "/nothing/here?info_hash=x", "/favicon.ico", "/%61nnounce"] {
        let reply = connection.get(target);
        assert_eq!((reply.status, reply.says_close()), (404, false), "{target}: {reply:?}");
    }
    assert_eq!(connection.get("/health").status, 200);
}

pub fn other_methods_are_405_and_say_which_are_allowed(engine: Engine) {
    let server = Server::with(engine, &[]);
    for (method, target) in
        [("POST", "/announce"), ("PUT", "/scrape"), ("DELETE", "/health"), ("POST", "/")]
    {
        let mut connection = server.connect();
        connection.send(format!("{method} {target} HTTP/1.1\r\nHost: t\r\n\r\n"));
        let reply = connection.reply();
        assert_eq!(reply.status, 405, "{method} {target}: {reply:?}");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"), "{method} {target}");
        assert_eq!(connection.get("/health").status, 200, "after {method} {target}");
    }
}

pub fn every_form_of_the_announce_and_scrape_paths_is_served(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    let query = announce(&hash(1), &peer(1), 6881, 1, "");
    let query = query.strip_prefix("/announce?").expect("what announce() begins with");
    for path in ["/announce", "/announce/", "/announce/K3y", "/announce/K3y/", "/K3y/announce"] {
        let reply = connection.get(format!("{path}?{query}"));
        assert_eq!(announced(&reply).counts(), (0, 1, 0), "{path}");
    }
    let reply = connection.get(format!("/announce?passkey=K3y&{query}"));
    assert_eq!(announced(&reply).counts(), (0, 1, 0));
    // What clients make of those by putting "scrape" for the last "announce".
    for path in ["/scrape", "/scrape/", "/scrape/K3y", "/K3y/scrape", "/announce/K3y/scrape"] {
        let reply = connection.get(format!("{path}?passkey=K3y&info_hash={}", percent(&hash(1))));
        assert_eq!(scraped(&reply, &hash(1)).incomplete, 1, "{path}");
    }
}

pub fn the_root_explains_itself_to_people_and_announces_for_clients(engine: Engine) {
    let server = Server::with(engine, &[]);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    let kind = page.header("content-type").expect("a page says what it is");
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert!(page.text().contains("/announce"), "where to point a client: {}", page.text());

    let target = announce(&hash(1), &peer(1), 6881, 1, "").replace("/announce?", "/?");
    assert_eq!(announced(&server.get(target)).counts(), (0, 1, 0));
}

pub fn health_is_200(engine: Engine) {
    let server = Server::with(engine, &[]);
    let reply = server.get("/health");
    assert_eq!((reply.status, reply.version.as_str()), (200, "HTTP/1.1"));
}

pub fn refusals_are_bencoded_and_http_200(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    let good = announce(&hash(1), &peer(1), 6881, 1, "");
    let without = |name: &str| good.replace(&format!("{name}="), &format!("no_{name}="));
    let with_hash = |hash: &[u8]| format!("/announce?info_hash={}", percent(hash));
    let cases = [
        (without("info_hash"), "info_hash: "),
        (with_hash(&hash(1)[..19]), "info_hash: 19 bytes, expected 20"),
        (with_hash(&[b'x'; 21]), "info_hash: 21 bytes, expected 20"),
        (without("peer_id"), "peer_id: "),
        (good.replace("peer_id=%2d", "peer_id="), "peer_id: 19 bytes, expected 20"),
        (without("port"), "port: "),
        (good.replace("port=6881", "port=x"), "port: "),
        ("/scrape?info_hash=short".to_owned(), "info_hash: 5 bytes, expected 20"),
    ];
    for (target, reason) in cases {
        let reply = connection.get(&target);
        let answer = failed(&reply);
        assert!(answer.reason.starts_with(reason), "{target}: {answer:?}");
        assert!(answer.reason.len() > "port: ".len(), "{target}: {answer:?}");
        assert_eq!(answer.retry, "never", "{target}: the same request fails for ever");
        assert!((900..=956).contains(&answer.interval), "{target}: {answer:?}");
        assert!(!reply.says_close(), "{target}");
    }
    assert_eq!(announced(&connection.get(good)).counts(), (0, 1, 0));
}

pub fn a_hash_may_be_forty_hex_digits(engine: Engine) {
    let server = Server::with(engine, &[]);
    let hex = InfoHash(hash(7)).to_string();
    let rest = "peer_id=-MU0100-aaaaaaaaaaaa&port=6881&left=0&compact=1";
    let reply = server.get(format!("/announce?info_hash={}&{rest}", hex.to_uppercase()));
    assert_eq!(announced(&reply).counts(), (1, 0, 0));
    let reply = server.get(format!("/scrape?info_hash={hex}"));
    assert_eq!(scraped(&reply, &hash(7)).complete, 1, "it is the same torrent");
}

pub fn people_get_json(engine: Engine) {
    let server = Server::with(engine, &[]);
    let json = |reply: &Reply| -> Value {
        let kind = reply.header("content-type").expect("JSON says so");
        assert!(kind.starts_with("application/json"), "{kind}");
        serde_json::from_slice(&reply.body).expect("JSON")
    };
    server.get(announce(&hash(1), &peer(1), 6881, 0, ""));
    let target = announce(&hash(1), &peer(2), 6882, 1, "");
    let answer = json(&server.get(format!("{target}&format=json")));
    assert_eq!((&answer["complete"], &answer["incomplete"]), (&Value::from(1), &Value::from(1)));
    assert!((900..=956).contains(&answer["interval"].as_i64().expect("a number")), "{answer}");
    assert_eq!(answer["peers"][0]["ip"], "127.0.0.1", "{answer}");
    assert_eq!(answer["peers"][0]["port"], 6881, "{answer}");

    let mut connection = server.connect();
    connection.send(format!(
        "GET {} HTTP/1.1\r\nHost: t\r\nAccept: application/json\r\n\r\n",
        scrape(&[hash(1)])
    ));
    let answer = json(&connection.reply());
    let hash = InfoHash(hash(1)).to_string();
    assert_eq!(answer["files"][&hash]["complete"], 1, "{answer}");

    let refusal = json(&server.get("/announce?format=json"));
    assert!(refusal["failure reason"].as_str().is_some_and(|reason| !reason.is_empty()));
}

pub fn a_scrape_answers_for_every_hash_asked_for(engine: Engine) {
    let server = Server::with(engine, &[]);
    server.get(announce(&hash(3), &peer(1), 6881, 0, ""));
    server.get(announce(&hash(1), &peer(1), 6881, 1, ""));
    let seeded = Scraped { complete: 1, ..Scraped::default() };
    let leeched = Scraped { incomplete: 1, downloaders: 1, ..Scraped::default() };
    let unknown = Scraped::default();
    let all = scraped_all(&server.get(scrape(&[hash(3), hash(1), hash(2)])));
    assert_eq!(all, [(hash(1), leeched), (hash(2), unknown), (hash(3), seeded)]);
    let twice = scraped_all(&server.get(scrape(&[hash(3), hash(3)])));
    assert_eq!(twice, [(hash(3), seeded)], "a key cannot stand twice");
}

/// The largest replies there are: nothing in them is cut, chunked or the requester itself.
pub fn two_hundred_peers_come_in_one_reply(engine: Engine) {
    let server = Server::with(engine, &[]);
    let mut connection = server.connect();
    for number in 0..=220 {
        let port = 6000 + u16::from(number);
        connection.send(get(announce(&hash(1), &peer(number), port, 1, "&numwant=0")));
        assert_eq!(announced(&connection.reply()).peers, []);
    }
    let target = announce(&hash(1), &peer(220), 6220, 1, "&numwant=1000");
    let answer = announced(&connection.get(&target));
    let mut ports: Vec<u16> = answer.peers.iter().map(std::net::SocketAddr::port).collect();
    ports.dedup();
    assert_eq!(ports.len(), 200, "each is there once");
    assert!(ports.iter().all(|port| (6000..6220).contains(port)), "{ports:?}");

    let peers = listed(&connection.get(target.replace("&compact=1", "&compact=0")));
    assert_eq!(peers.len(), 200);
    for listed in peers {
        let number = u8::try_from(listed.address.port() - 6000).expect("one of the ports above");
        assert_eq!(listed.id.as_deref(), Some(peer(number).as_slice()));
    }
}
