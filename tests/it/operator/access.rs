//! Who is the operator, over the wire: where a request comes from and what it says decide.
//!
//! Everything here comes from this host, so a stranger is whoever came through a proxy, as a header
//! line says. Each way in is tried on every operator route: what the operator gets, what a stranger
//! gets instead, and that a refused request has done nothing.

use std::process::Command;

use serde_json::json;

use crate::connection::{Connection, announce, hash, loopback, peer};
use crate::harness::{Address, Engine, Folder, Server, eventually};

use super::page::{Ask, Page};

const TOKEN: &str = "0123456789abcdef";
const STRANGER: &str = "X-Forwarded-For: 203.0.113.7";
const RIGHT: &str = "Authorization: Bearer 0123456789abcdef";
const HEX: &str = "d1101a2b9d202811a05e8c57c557a20bf974dc8a";

/// The texts of a 403.
const ONLY_THE_OPERATOR: &str = "only the operator may do this: from the tracker's own host and \
                                 not through a proxy, or with the header Authorization: Bearer \
                                 TOKEN";
const WRONG_TOKEN: &str = "authorization: this is not the operator's token";
const FOREIGN_HOST: &str = "host: neither an IP address nor one of host-names; call the tracker \
                            by its address or add the name there";
const FOREIGN_ORIGIN: &str = "origin: another site's page may not do this";

/// Who somebody is taken for.
#[derive(Clone, Copy, Debug)]
enum Taken {
    /// For the operator.
    Operator,
    /// For somebody else, who may see totals.
    Stranger,
    /// For somebody who is up to something, with this text.
    Suspect(&'static str),
}

use Taken::{Operator, Stranger, Suspect};

/// A server with the token in its environment, and one registered torrent.
fn with_token(engine: Engine, listen: &str, options: &[&str]) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["serve", "--listen", listen, "--http-engine", engine.name()]).args(options);
    command.env("MUSTER_TOKEN", TOKEN);
    let server = Server::of(command, 1);
    let body = json!({ "info_hash": HEX, "name": "a secret name" }).to_string();
    let page = Ask::register(body).line(STRANGER).line(RIGHT).of(&server);
    assert_eq!(page.good()["matched"], "new");
    server
}

/// Asks every operator route with these header lines and holds the answers to who asks. The one
/// torrent stays as it is.
fn expect(taken: Taken, lines: &[&str], connect: impl Fn() -> Connection) {
    let ask = |ask: Ask| ask.lines(lines).over(connect());
    let stats = ask(Ask::get("/stats"));
    let register = json!({ "info_hash": HEX, "name": "a secret name" }).to_string();
    let asked =
        [ask(Ask::register(register)), ask(Ask::get("/save_state")), ask(Ask::post("/save_state"))];
    let scrape = ask(Ask::get("/scrape?format=json")).good();
    if let Operator = taken {
        assert_eq!(stats.good()[HEX]["name"], "a secret name", "{lines:?}");
        assert_eq!(asked[0].good()["matched"], "exact", "{lines:?}");
        for save in &asked[1..] {
            assert_ne!(save.status, 403, "{lines:?}");
        }
        assert_eq!(scrape["files"][HEX]["complete"], 0, "{lines:?}: {scrape}");
        return;
    }
    let reason = match taken {
        Suspect(reason) => reason,
        _ => ONLY_THE_OPERATOR,
    };
    let wanted = (403, reason.to_owned());
    for page in asked.into_iter().chain([ask(Ask::post("/shutdown"))]) {
        assert_eq!(page.error(), wanted, "{lines:?}");
    }
    assert_eq!(scrape["failure reason"], "info_hash: missing", "{lines:?}");
    match taken {
        Stranger => expect_totals(&stats),
        _ => assert_eq!(stats.error(), wanted, "{lines:?}"),
    }
}

/// Totals, and nothing that tells one torrent from another.
fn expect_totals(page: &Page) {
    let totals = page.good();
    let Some(fields) = totals.as_object() else { panic!("not an object: {totals}") };
    assert_eq!(totals["torrents"], 1, "{totals}");
    assert!(fields.values().all(serde_json::Value::is_u64), "numbers and nothing else: {totals}");
    let known = ["peers", "seeders", "leechers", "announces", "scrapes", "connections"];
    assert!(known.iter().all(|name| fields.contains_key(*name)), "{totals}");
}

fn expect_all(server: &Server, rows: &[(&[&str], Taken)]) {
    for &(lines, taken) in rows {
        expect(taken, lines, || server.connect());
    }
    // Nobody has stopped it.
    assert_eq!(server.get("/health").status, 200);
}

pub fn whoever_asks_from_the_host_itself_is_the_operator(engine: Engine) {
    let server = with_token(engine, "127.0.0.1:0", &[]);
    let address = server.tcp();
    for last in [1, 9] {
        expect(Operator, &[], || Connection::from(loopback(last), address));
    }
    expect_all(
        &server,
        &[
            // A token is not needed here, and a wrong one does not matter.
            (&["Authorization: Bearer wrong"], Operator),
            (&["Authorization: Basic dXNlcjpwYXNz"], Operator),
            (&[RIGHT], Operator),
        ],
    );
    let over_ipv6 = with_token(engine, "[::1]:0", &[]);
    let host = format!("Host: {}", over_ipv6.tcp());
    expect(Operator, &[&host], || over_ipv6.connect());
}

pub fn whoever_came_through_a_proxy_is_a_stranger_without_the_token(engine: Engine) {
    let strangers: &[(&[&str], Taken)] = &[
        (&[STRANGER], Stranger),
        // By the name that the proxy goes by, which is everybody's to use.
        (&[STRANGER, "Host: tracker.example.org"], Stranger),
        (&[STRANGER, "Host: tracker.example.org", RIGHT], Suspect(FOREIGN_HOST)),
        (&[STRANGER, "Origin: https://evil.example"], Stranger),
        // Anybody can write this into a request; a proxy adds to it.
        (&["X-Forwarded-For: 127.0.0.1"], Stranger),
        (&["X-Forwarded-For:"], Stranger),
        (&["x-forwarded-for: ::1"], Stranger),
        (&["Via: 1.1 proxy.example"], Stranger),
        (&["Forwarded: for=127.0.0.1"], Stranger),
        (&[STRANGER, RIGHT], Operator),
        (&["Via: 1.1 proxy.example", "Authorization: bearer 0123456789abcdef"], Operator),
        (&[STRANGER, "Authorization: Bearer 0123456789abcdeX"], Suspect(WRONG_TOKEN)),
        (&[STRANGER, "Authorization: Bearer 0123456789abcde"], Suspect(WRONG_TOKEN)),
        (&[STRANGER, "Authorization: Bearer 0123456789abcdef0"], Suspect(WRONG_TOKEN)),
        (&[STRANGER, "Authorization: Bearer "], Suspect(WRONG_TOKEN)),
        (&[STRANGER, "Authorization:"], Suspect(WRONG_TOKEN)),
        (&[STRANGER, "Authorization: 0123456789abcdef"], Suspect(WRONG_TOKEN)),
        (&[STRANGER, "Authorization: Basic 0123456789abcdef"], Suspect(WRONG_TOKEN)),
    ];
    expect_all(&with_token(engine, "127.0.0.1:0", &[]), strangers);
    // A proxy whose word counts speaks for others: what comes through it is not the host's own.
    let trusting = with_token(engine, "127.0.0.1:0", &["--trusted-proxies", "127.0.0.0/8,::1"]);
    expect_all(&trusting, strangers);
}

pub fn pages_of_other_sites_reach_nothing_even_with_the_token(engine: Engine) {
    let server = with_token(engine, "127.0.0.1:0", &["--host-names", "tracker.example"]);
    expect_all(
        &server,
        &[
            (&["Origin: https://evil.example"], Suspect(FOREIGN_ORIGIN)),
            (&["Origin: https://evil.example", RIGHT], Suspect(FOREIGN_ORIGIN)),
            (&["Origin: null"], Suspect(FOREIGN_ORIGIN)),
            (&["Origin: http://localhost:8080"], Suspect(FOREIGN_ORIGIN)),
            (&["Origin: http://localhost.evil.example"], Suspect(FOREIGN_ORIGIN)),
            (&["Origin: http://localhost"], Operator),
            (&["Host: tracker.example:6969", "Origin: http://tracker.example:6969"], Operator),
            // evil.example has been made to resolve to this host: the page is of the same site.
            (
                &["Host: evil.example:6969", "Origin: http://evil.example:6969"],
                Suspect(FOREIGN_HOST),
            ),
            (&["Host: evil.example", RIGHT], Suspect(FOREIGN_HOST)),
        ],
    );
}

pub fn the_host_answers_to_its_addresses_and_to_configured_names(engine: Engine) {
    let names = "tracker.example,muster.lan";
    let server = with_token(engine, "127.0.0.1:0", &["--host-names", names]);
    expect_all(
        &server,
        &[
            (&["Host: 127.0.0.1:6969"], Operator),
            (&["Host: 192.0.2.7"], Operator),
            (&["Host: [::1]:6969"], Operator),
            (&["Host: LocalHost"], Operator),
            (&["Host: Tracker.Example"], Operator),
            (&["Host: muster.lan:80"], Operator),
            (&["Host: tracker"], Suspect(FOREIGN_HOST)),
            (&["Host: 127.0.0.1.evil.example"], Suspect(FOREIGN_HOST)),
            (&["Host: tracker.example.evil.example"], Suspect(FOREIGN_HOST)),
            (&["Host: nottracker.example"], Suspect(FOREIGN_HOST)),
            (&["Host: "], Suspect(FOREIGN_HOST)),
        ],
    );
    // The target overrules the Host line (RFC 9112 section 3.2.2).
    let ask = Ask::get("http://evil.example/stats").line("Host: localhost");
    assert_eq!(ask.of(&server).error(), (403, FOREIGN_HOST.to_owned()));
    let ask = Ask::get("http://localhost/stats").line("Host: evil.example");
    assert_eq!(ask.of(&server).good()[HEX]["name"], "a secret name");
}

/// A server whose token stands in a file with this text.
fn with_token_file(engine: Engine, text: &[u8]) -> (Folder, String, Command) {
    let folder = Folder::new();
    let path = folder.join("token");
    std::fs::write(&path, text).expect("a file in a folder of ours");
    let path = path.to_str().expect("a UTF-8 path").to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--http-engine", engine.name()]);
    command.args(["--token-file", &path]);
    (folder, path, command)
}

pub fn the_token_may_stand_in_a_file(engine: Engine) {
    let (_folder, _, command) = with_token_file(engine, b"  a-token-of-its-own\n");
    let server = Server::of(command, 1);
    let ask = |token: &str| {
        let authorization = format!("Authorization: Bearer {token}");
        Ask::get("/stats").line(STRANGER).line(&authorization).of(&server)
    };
    assert_eq!(ask("a-token-of-its-own").good(), json!({}));
    assert_eq!(ask(TOKEN).error(), (403, WRONG_TOKEN.to_owned()));

    let (_folder, _, mut command) = with_token_file(engine, b"a-token-of-its-own\n");
    command.env("MUSTER_TOKEN", TOKEN);
    let server = Server::of(command, 1);
    let ask = Ask::get("/stats").line(STRANGER);
    assert_eq!(ask.clone().line(RIGHT).of(&server).good(), json!({}), "the variable wins");
    let ask = ask.line("Authorization: Bearer a-token-of-its-own");
    assert_eq!(ask.of(&server).error(), (403, WRONG_TOKEN.to_owned()));
}

pub fn a_token_file_that_cannot_be_used_ends_the_start(engine: Engine) {
    let short = "a token has at least 16 printable characters and no space; make one with: head \
                 -c 24 /dev/urandom | base64";
    for (text, problem) in [
        (&b"too-short\n"[..], short),
        (b"", short),
        (b"\xff not text at all", "stream did not contain valid UTF-8"),
    ] {
        let (_folder, path, command) = with_token_file(engine, text);
        let mut server = Server::launch(command);
        assert_eq!(server.wait().code(), Some(1), "{problem}");
        expect_last_words(&server, &format!("token-file {path}: {problem}"));
    }
    let (folder, path, command) = with_token_file(engine, b"");
    std::fs::remove_file(folder.join("token")).expect("it is ours");
    let mut server = Server::launch(command);
    assert_eq!(server.wait().code(), Some(1));
    let problem = "No such file or directory (os error 2)";
    expect_last_words(&server, &format!("token-file {path}: {problem}"));
}

/// One line of the log, and nothing to say that it serves.
fn expect_last_words(server: &Server, problem: &str) {
    let log = server.stderr();
    assert!(log.ends_with(&format!(" error {problem}\n")), "{log}");
    assert_eq!((log.lines().count(), server.stdout().as_str()), (1, ""), "{log}");
}

pub fn without_a_token_configured_no_token_is_right(engine: Engine) {
    let server = Server::with(engine, &[]);
    for shown in ["", "Bearer", "Bearer ", "Bearer x", "Bearer 0123456789abcdef"] {
        let authorization = format!("Authorization: {shown}");
        let page = Ask::post("/shutdown").line(STRANGER).line(&authorization).of(&server);
        assert_eq!(page.error(), (403, WRONG_TOKEN.to_owned()), "{shown}");
    }
    let page = Ask::post("/shutdown").line(STRANGER).of(&server);
    assert_eq!(page.error(), (403, ONLY_THE_OPERATOR.to_owned()));
    assert_eq!(Ask::get("/stats").of(&server).good(), json!({}), "still the operator's");
}

/// A proxy is on its other side, whether or not that says so.
pub fn a_unix_socket_needs_the_token(engine: Engine) {
    let folder = Folder::new();
    let listen = format!("unix:{}", folder.join("muster.sock").display());
    let server = with_token(engine, &listen, &[]);
    assert!(matches!(server.addresses[..], [Address::Unix(_)]));
    expect_all(
        &server,
        &[
            (&[], Stranger),
            (&[STRANGER], Stranger),
            (&[RIGHT], Operator),
            (&[STRANGER, RIGHT], Operator),
            (&["Authorization: Bearer wrong"], Suspect(WRONG_TOKEN)),
        ],
    );
}

pub fn refusals_of_strangers_are_counted(engine: Engine) {
    let server = Server::with(engine, &[]);
    server.get(announce(&hash(1), &peer(1), 6881, 0, ""));
    for denied in 1..=3 {
        assert_eq!(Ask::post("/shutdown").line(STRANGER).of(&server).status, 403);
        eventually(&json!(denied), || {
            Ask::get("/stats?totals=1").of(&server).good()["operator_denied"].clone()
        });
    }
    // Totals are everybody's: to look at them is no offence.
    let theirs = Ask::get("/stats").line(STRANGER).of(&server).good();
    assert_eq!((&theirs["operator_denied"], &theirs["seeders"]), (&json!(3), &json!(1)));
    assert_eq!((&theirs["torrents"], &theirs["leechers"]), (&json!(1), &json!(0)));
}
