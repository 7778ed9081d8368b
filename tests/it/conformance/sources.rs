//! Cases about where a request comes from: both families on one listener, and proxies in front.
//!
//! What the tracker takes for the source is seen in `external ip` (BEP 24). All connections come
//! from addresses of this host; forwarded addresses are those set aside for documentation (RFC
//! 5737, RFC 3849), so that none of them is local.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::answer::{Announced, announced, failed};
use crate::connection::{Connection, announce, get_and_close, hash, peer};
use crate::harness::{Address, Engine, Folder, Server};

/// A server on one listener for both families, and how to reach it over each.
fn dual_stack(engine: Engine) -> (Server, SocketAddr, SocketAddr) {
    let server = Server::listening(&["[::]:0"], &allowing_remote(engine));
    let port = server.tcp().port();
    assert_eq!(server.addresses.len(), 1, "one listener for both");
    let over_ipv4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let over_ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    (server, over_ipv4, over_ipv6)
}

fn allowing_remote(engine: Engine) -> Vec<&'static str> {
    let mut options = vec!["--http-engine", engine.name()];
    if engine == Engine::TinyHttp {
        options.push("--allow-tiny-http-remote-crash");
    }
    options
}

pub fn one_listener_serves_ipv4_and_ipv6(engine: Engine) {
    let (_server, over_ipv4, over_ipv6) = dual_stack(engine);
    for (address, port, source) in [(over_ipv4, 6884, "127.0.0.1"), (over_ipv6, 6886, "::1")] {
        let target = announce(&hash(1), &peer(port as u8), port, 0, "");
        let answer = announced(&Connection::to(address).ask_once(target));
        assert_eq!(answer.external_ip.to_string(), source);
    }
    let target = announce(&hash(1), &peer(1), 6881, 1, "");
    let answer = announced(&Connection::to(over_ipv4).ask_once(target));
    assert_eq!(answer.counts(), (2, 1, 0));
    assert_eq!(shown(&answer), ["127.0.0.1:6884", "[::1]:6886"]);
}

pub fn one_key_over_both_families_is_one_peer_with_two_endpoints(engine: Engine) {
    let (_server, over_ipv4, over_ipv6) = dual_stack(engine);
    for address in [over_ipv4, over_ipv6] {
        let target = announce(&hash(1), &peer(1), 6881, 0, "&key=5EED5EED&event=started");
        let answer = announced(&Connection::to(address).ask_once(target));
        assert_eq!(answer.counts(), (1, 0, 0), "over {address}");
    }
    for address in [over_ipv4, over_ipv6] {
        let target = announce(&hash(1), &peer(2), 6882, 1, "&key=1EEC");
        let answer = announced(&Connection::to(address).ask_once(target));
        assert_eq!(answer.counts(), (1, 1, 0));
        assert_eq!(shown(&answer), ["127.0.0.1:6881", "[::1]:6881"], "over {address}");
    }
    let target = announce(&hash(1), &peer(1), 6881, 0, "&key=5EED5EED&event=stopped");
    let answer = announced(&Connection::to(over_ipv6).ask_once(target));
    assert_eq!(answer.counts(), (0, 1, 0), "it leaves with both");
}

fn shown(answer: &Announced) -> Vec<String> {
    answer.peers.iter().map(SocketAddr::to_string).collect()
}

/// An announce with more headers.
fn with_headers(headers: &str) -> String {
    let target = announce(&hash(1), &peer(1), 6881, 1, "&key=1");
    let request = String::from_utf8(get_and_close(target)).expect("a target in ASCII");
    request.replace("\r\n\r\n", &format!("\r\n{headers}\r\n"))
}

/// Announces through a connection with more headers; the address the tracker sees.
fn seen(mut connection: Connection, headers: &str) -> String {
    connection.send(with_headers(headers));
    let answer = announced(&connection.reply());
    connection.expect_end();
    answer.external_ip.to_string()
}

/// Only what runs on this host reaches the socket, and it speaks for others.
pub fn a_unix_socket_trusts_the_forwarded_address(engine: Engine) {
    let folder = Folder::new();
    let path = folder.join("muster.sock");
    let listener = format!("unix:{}", path.display());
    let server = Server::listening(&[&listener], &["--http-engine", engine.name()]);
    assert_eq!(server.addresses, [Address::Unix(path)]);
    for (forwarded, expected) in [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ] {
        let header = format!("X-Forwarded-For: {forwarded}\r\n");
        assert_eq!(seen(server.connect(), &header), expected);
    }
}

/// Over a Unix socket and from a proxy, a client without an address cannot be listed.
pub fn a_forwarded_address_that_is_none_is_refused(engine: Engine) {
    let folder = Folder::new();
    let listener = format!("unix:{}", folder.join("muster.sock").display());
    let options = ["--http-engine", engine.name(), "--trusted-proxies", "127.0.0.2"];
    let server = Server::listening(&[&listener, "127.0.0.1:0"], &options);
    let ask = |mut connection: Connection, headers: &str| {
        connection.send(with_headers(headers));
        let refusal = failed(&connection.reply());
        assert_eq!(refusal.retry, "never");
        refusal.reason
    };
    assert_eq!(
        ask(server.connect(), ""),
        "x-forwarded-for: missing, and a Unix socket has no address of its own"
    );
    let unknown = "X-Forwarded-For: 203.0.113.7, unknown\r\n";
    for connection in [server.connect(), server.connect_from("127.0.0.2")] {
        let reason = ask(connection, unknown);
        assert_eq!(reason, "x-forwarded-for: \"unknown\" is not an address");
    }
    assert_eq!(seen(server.connect_from("127.0.0.3"), unknown), "127.0.0.3");
    assert_eq!(server.get("/health").status, 200, "who asks for nothing of the kind needs none");
}

pub fn forwarded_addresses_count_from_trusted_proxies_only(engine: Engine) {
    let header = "X-Forwarded-For: 203.0.113.7\r\n";
    let options = ["--http-engine", engine.name(), "--trusted-proxies", "127.0.0.2"];
    let server = Server::start(&options);
    assert_eq!(seen(server.connect_from("127.0.0.2"), header), "203.0.113.7");
    assert_eq!(seen(server.connect_from("127.0.0.3"), header), "127.0.0.3", "no proxy of ours");
    assert_eq!(seen(server.connect_from("127.0.0.2"), ""), "127.0.0.2", "it asks for itself");

    let nobody = Server::with(engine, &[]);
    assert_eq!(seen(nobody.connect(), header), "127.0.0.1", "nobody is trusted unless named");
}

pub fn the_rightmost_address_that_is_no_proxy_counts(engine: Engine) {
    let proxies = "127.0.0.2,10.0.0.0/8,2001:db8::/32";
    let server = Server::with(engine, &["--trusted-proxies", proxies]);
    for (headers, expected) in [
        // The client wrote the first by itself, to pass for another.
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n", "203.0.113.7"),
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.1.2.3, 2001:db8::9\r\n", "203.0.113.7"),
        ("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7"),
        ("x-forwarded-for:203.0.113.7,10.1.2.3\r\n", "203.0.113.7"),
    ] {
        assert_eq!(seen(server.connect_from("127.0.0.2"), headers), expected, "{headers}");
    }
}
