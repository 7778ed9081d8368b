//! The announces of real clients, byte for byte as they send them, against the running program.
//!
//! Each [`Client`] is one capture with its changing parts in capitals. It goes through a download:
//! started, an update, completed, stopped, each sent twice, and every reply is compared with the
//! bytes it must be made of; only `interval` has jitter and is read out and checked first. What the
//! rules behind it are is in `rules` and `identity`.

mod clients;
mod rules;

use std::net::SocketAddr;

use crate::answer::announced;
use crate::connection::{Connection, announce, get_and_close, peer};
use crate::harness::Server;

/// The torrent of all captures: bytes that every client escapes in its own way.
pub const HASH: [u8; 20] = *b"\x124\xab\xcd\xef+-_!~.*()Az0 \x00\xff";

/// One client, as a capture shows it.
pub struct Client {
    /// The request in which `HOST` is the tracker's address, `EVENT` what the event adds and `LEFT`
    /// the bytes still missing.
    pub announce: &'static str,
    /// What the client sends for the event of an update: nothing, or an empty event.
    pub update: &'static str,
    /// Its scrape; empty if it sends none.
    pub scrape: &'static str,
    /// Where others reach it, as far as its request says so and the tracker believes it; `None`
    /// with port 0.
    pub listed: Option<&'static str>,
}

impl Client {
    /// The bytes of one announce.
    pub fn request(&self, host: SocketAddr, event: &str, left: u64) -> String {
        let host = host.to_string();
        let filled = self.announce.replace("HOST", &host).replace("EVENT", event);
        filled.replace("LEFT", &left.to_string())
    }

    /// Whether it asks for a close, as most do.
    fn closes(&self) -> bool {
        self.announce.to_ascii_lowercase().contains("connection: close")
    }
}

/// Another client's seed in the same swarm, at 127.0.0.9:7009.
const SEED: &[u8; 6] = b"\x7f\x00\x00\x09\x1b\x61";

/// Takes a client through a download with a seed in its swarm, each request sent twice.
fn follow(client: &Client) {
    let server = Server::start(&[]);
    server.get_from("127.0.0.9", announce(&HASH, &peer(9), 7009, 0, "&event=started"));
    // The seed and what the client is itself, as a seeder or as a leecher; completed downloads.
    for (event, left, complete, incomplete, downloaded) in [
        ("&event=started", 7, 1, 1, 0),
        (client.update, 7, 1, 1, 0),
        ("&event=completed", 0, 2, 0, 1),
        (client.update, 0, 2, 0, 1),
        ("&event=stopped", 0, 1, 0, 1),
    ] {
        // A seeder is told of no seeder, and who leaves of nobody.
        let peers: &[u8] = if incomplete == 1 { SEED } else { b"" };
        for time in ["first", "second"] {
            let (interval, body) = exchange(&server, client, event, left);
            let head = format!(
                "d8:completei{complete}e10:downloadedi{downloaded}e\
                 11:external ip4:\x7f\0\0\x0110:incompletei{incomplete}e\
                 8:intervali{interval}e12:min intervali60e5:peers{}:",
                peers.len()
            );
            let expected = [head.as_bytes(), peers, b"e"].concat().escape_ascii().to_string();
            let place = format!("the {time} {event:?}, left {left}");
            assert_eq!(body.escape_ascii().to_string(), expected, "{place}");
        }
        if event == "&event=started" {
            expect_listed(&server, client);
            expect_scrape(&server, client);
        }
    }
}

/// Sends one announce as the client does; the interval it is told, and the reply's body.
fn exchange(server: &Server, client: &Client, event: &str, left: u64) -> (i64, Vec<u8>) {
    let mut connection = server.connect();
    connection.send(client.request(server.tcp(), event, left));
    let reply = connection.reply();
    let length = reply.body.len().to_string();
    let mut headers = vec![("Content-Type", "text/plain"), ("Content-Length", &length)];
    if client.closes() {
        headers.push(("Connection", "close"));
    }
    let found: Vec<(&str, &str)> =
        reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(found, headers, "few headers, and none but these");
    assert_eq!((reply.version.as_str(), reply.status), ("HTTP/1.1", 200));
    let interval = announced(&reply).interval;
    assert!((900..=956).contains(&interval), "900 s and up to a sixteenth more: {interval}");
    if client.closes() {
        connection.expect_end();
    }
    (interval, reply.body)
}

/// Another leecher is told of the client, if it can be reached.
fn expect_listed(server: &Server, client: &Client) {
    let target = announce(&HASH, &peer(8), 7008, 1, "");
    let answer = announced(&server.get_from("127.0.0.8", target));
    assert_eq!(answer.counts(), (1, 2, 0));
    let endpoints = client.listed.iter().flat_map(|all| all.split(' ')).chain(["127.0.0.9:7009"]);
    let mut expected: Vec<SocketAddr> =
        endpoints.map(|endpoint| endpoint.parse().expect("an endpoint")).collect();
    expected.sort_unstable();
    assert_eq!(answer.peers, expected);
    server.get_from("127.0.0.8", announce(&HASH, &peer(8), 7008, 1, "&event=stopped"));
}

/// The client's scrape tells of the torrent it asked for.
fn expect_scrape(server: &Server, client: &Client) {
    if client.scrape.is_empty() {
        return;
    }
    let mut connection = server.connect();
    connection.send(client.scrape.replace("HOST", &server.tcp().to_string()));
    let reply = connection.reply();
    let expected = [
        b"d5:filesd20:".as_slice(),
        &HASH,
        b"d8:completei1e10:downloadedi0e11:downloadersi1e10:incompletei1eeee",
    ];
    let expected = expected.concat().escape_ascii().to_string();
    assert_eq!(reply.body.escape_ascii().to_string(), expected);
}

#[test]
fn libtorrent_is_served() {
    follow(&clients::LIBTORRENT);
}

#[test]
fn transmission_is_served() {
    follow(&clients::TRANSMISSION);
}

#[test]
fn rtorrent_is_served() {
    follow(&clients::RTORRENT);
}

#[test]
fn aria2_is_served() {
    follow(&clients::ARIA2);
}

#[test]
fn utorrent_is_served() {
    follow(&clients::UTORRENT);
}

#[test]
fn bitcomet_is_served() {
    follow(&clients::BITCOMET);
}

#[test]
fn biglybt_is_served() {
    follow(&clients::BIGLYBT);
}

#[test]
fn anacrolix_is_served() {
    follow(&clients::ANACROLIX);
}

#[test]
fn rqbit_is_served() {
    follow(&clients::RQBIT);
}

/// Transmission announces once over each family, with one peer id and key; a partial seed says
/// `paused` in place of every event but `stopped` (BEP 21).
#[test]
fn a_partial_seed_of_transmission_over_both_families_is_one_peer() {
    let server = Server::listening(&["[::]:0"], &[]);
    let port = server.tcp().port();
    let hosts = [format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
    let hosts = hosts.map(|host| host.parse::<SocketAddr>().expect("an address"));
    let tell = |host: SocketAddr, event: &str, left: u64| {
        let mut connection = Connection::to(host);
        connection.send(clients::TRANSMISSION.request(host, event, left));
        announced(&connection.reply())
    };
    // A magnet link: how much is missing is not known yet.
    for host in hosts {
        let answer = tell(host, "&event=started", 9_223_372_036_854_775_807);
        assert_eq!((answer.counts(), answer.peers), ((0, 1, 0), vec![]), "over {host}");
        assert_eq!(answer.external_ip, host.ip());
    }
    for host in hosts {
        assert_eq!(tell(host, "&event=paused", 7).counts(), (0, 1, 0), "over {host}");
    }
    let scrape = |connection: &mut Connection| {
        connection.send(clients::TRANSMISSION.scrape.replace("HOST", &hosts[0].to_string()));
        crate::answer::scraped(&connection.reply(), &HASH)
    };
    let counts = scrape(&mut Connection::to(hosts[0]));
    assert_eq!((counts.incomplete, counts.downloaders), (1, 0), "it needs nothing more");

    let mut leecher = Connection::from([127, 0, 0, 8].into(), hosts[0]);
    leecher.send(get_and_close(announce(&HASH, &peer(8), 7008, 1, "")));
    let found = announced(&leecher.reply()).peers;
    let found: Vec<String> = found.iter().map(SocketAddr::to_string).collect();
    assert_eq!(found, ["127.0.0.1:51413", "[::1]:51413"], "a partial seed is worth knowing");

    assert_eq!(tell(hosts[1], "&event=stopped", 7).counts(), (0, 1, 0), "only the leecher is left");
    assert_eq!(tell(hosts[0], "&event=stopped", 7).counts(), (0, 1, 0), "and again");
}
