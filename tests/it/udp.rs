//! UDP as the real program serves it: sockets, addresses, ports, restarts, floods, identity.
//!
//! What a packet is answered with is tested beside the code, without sockets; here is what only the
//! whole program shows. All addresses are loopback ones, of which 127.0.0.0/8 has plenty.

pub mod caller;

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use muster::request::Event;
use muster::udp::packet::{Announce, ConnectionId, Request, encode_request};
use rustix::process::Signal;

use crate::answer::{announced, scraped};
use crate::connection::{announce, hash, peer, scrape};
use crate::harness::{Engine, Folder, Server, eventually};
use caller::{Caller, TRANSACTION, leecher};

/// The address asked: the server's port on one of the host's addresses.
fn at(address: &str, server: &Server) -> SocketAddr {
    SocketAddr::new(address.parse().expect("a test's address"), server.udp()[0].port())
}

fn addresses(peers: &[&str]) -> Vec<SocketAddr> {
    peers.iter().map(|peer| peer.parse().expect("an address and port")).collect()
}

// -- sockets --------------------------------------------------------------------------------------

#[test]
fn udp_is_served_on_the_port_of_http_beside_either_engine() {
    for engine in [Engine::Epoll, Engine::TinyHttp] {
        let server = Server::with(engine, &[]);
        assert_eq!(server.udp(), [server.tcp()]);
        let answer = Caller::new("127.0.0.1", server.tcp()).announce(leecher(1));
        assert_eq!((answer.counts, answer.peers), ((1, 0), vec![]));
        assert!((900..=956).contains(&answer.interval), "{}", answer.interval);
        let url = format!(
            "announce URL: http://{0}/announce\nannounce URL: udp://{0}/announce\n\
                           listening on udp {0}\nlistening on {0}\n",
            server.tcp()
        );
        assert_eq!(server.stdout(), url);
        server.wait_for_log(" info  udp: the kernel grants queues of ");
    }
}

#[test]
fn both_families_are_served_on_one_socket_each_with_its_own_peers() {
    let server = Server::listening(&["[::]:0"], &[]);
    let [v4, v6] = ["127.0.0.1", "::1"].map(|ip| Caller::new(ip, at(ip, &server)));
    v4.announce(leecher(1));
    v6.announce(leecher(2));
    let answer = v4.announce(leecher(3));
    assert_eq!((answer.counts, answer.peers), ((3, 0), addresses(&["127.0.0.1:6881"])));
    let answer = v6.announce(leecher(4));
    assert_eq!((answer.counts, answer.peers), ((4, 0), addresses(&["[::1]:6882"])));
}

#[test]
fn a_reply_comes_from_the_address_that_was_asked() {
    for listener in ["[::]:0", "0.0.0.0:0"] {
        let server = Server::listening(&[listener], &[]);
        for asked in ["127.0.0.1", "127.0.0.5", "127.9.8.7"] {
            for source in ["127.0.0.1", "127.0.0.9", "127.0.0.5"] {
                let caller = Caller::new(source, at(asked, &server));
                assert_eq!(caller.refusal(caller.id()), None, "{source} asks {asked}");
            }
        }
        if listener.starts_with('[') {
            let caller = Caller::new("::1", at("::1", &server));
            assert_eq!(caller.refusal(caller.id()), None);
        }
    }
}

#[test]
fn a_socket_on_one_address_answers_from_it() {
    let server = Server::listening(&["127.0.0.6:0", "[::1]:0"], &[]);
    let [v4, v6] = server.udp()[..] else { panic!("two sockets: {:?}", server.udp()) };
    assert_eq!([v4.ip().to_string(), v6.ip().to_string()], ["127.0.0.6", "::1"]);
    let caller = Caller::new("127.0.0.2", v4);
    assert_eq!(caller.refusal(caller.id()), None);
    let caller = Caller::new("::1", v6);
    assert_eq!(caller.refusal(caller.id()), None);
}

/// How many UDP sockets the server has open, by the kernel's own lists: the tenth column is the
/// number that a descriptor of the socket links to.
fn udp_sockets(server: &Server) -> usize {
    let lists = ["udp", "udp6"].map(|list| {
        let path = format!("/proc/{}/net/{list}", server.pid());
        // A host without IPv6 has no udp6.
        std::fs::read_to_string(path).unwrap_or_default()
    });
    let known: Vec<String> = lists
        .iter()
        .flat_map(|list| list.lines().filter_map(|line| line.split_ascii_whitespace().nth(9)))
        .map(|number| format!("socket:[{number}]"))
        .collect();
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs");
    // One that was closed meanwhile leads nowhere.
    let open = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    open.filter(|target| known.iter().any(|socket| target.as_os_str() == socket.as_str())).count()
}

#[test]
fn udp_can_be_left_out_or_listen_elsewhere() {
    let without = Server::start(&["--udp=false"]);
    assert_eq!(without.udp(), []);
    assert!(!without.stdout().contains("udp"), "{}", without.stdout());
    assert_eq!(udp_sockets(&without), 0);
    let told = Server::start(&["--udp=false", "--udp-listen", "127.0.0.7:0"]);
    assert_eq!((told.udp(), udp_sockets(&told)), (vec![], 0));
    told.wait_for_log(" warn  udp is false: nothing listens on udp-listen 127.0.0.7:0\n");

    let listen = ["--udp-listen", "127.0.0.7:0", "--udp-listen", "[::1]:0"];
    let elsewhere = Server::start(&listen);
    let ips: Vec<String> = elsewhere.udp().iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(ips, ["127.0.0.7", "::1"]);
    assert_eq!(udp_sockets(&elsewhere), 2);
    Caller::new("127.0.0.1", elsewhere.udp()[0]).announce(leecher(1));
    let url = format!("announce URL: udp://{}/announce\n", elsewhere.udp()[0]);
    assert!(elsewhere.stdout().contains(&url), "{}", elsewhere.stdout());
}

#[test]
fn behind_a_unix_socket_udp_listens_where_it_is_told() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.join("s").display());
    let silent = Server::listening(&[&unix], &[]);
    assert_eq!(silent.udp(), []);
    drop(silent);
    let server = Server::listening(&[&unix], &["--udp-listen", "127.0.0.1:0"]);
    Caller::new("127.0.0.1", server.udp()[0]).announce(leecher(1));
}

#[test]
fn a_port_that_is_taken_for_udp_is_an_error_that_says_what_to_do() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound socket");
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    // HTTP elsewhere: somebody else may have this number there.
    command.args(["--listen", "127.0.0.1:0", "--udp-listen", &address.to_string()]);
    let mut server = Server::launch(command);
    assert_eq!(server.wait().code(), Some(1));
    let wanted = format!(
        "cannot listen on udp {address}: Address already in use (os error 98); another program \
         uses that port: end it, choose another with --udp-listen, or do without UDP: --udp=false"
    );
    assert!(server.stderr().contains(&wanted), "{}", server.stderr());
    assert_eq!(server.stdout(), "");
}

#[test]
fn a_stop_does_not_wait_for_a_packet() {
    let mut server = Server::listening(&["127.0.0.1:0", "[::]:0"], &["--workers", "4"]);
    Caller::new("127.0.0.1", server.udp()[0]).announce(leecher(1));
    let asked = Instant::now();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert!(server.stderr().contains("stopped after 1 announces"), "{}", server.stderr());
}

// -- connection ids -------------------------------------------------------------------------------

/// What a foreign or stale id is refused with.
const UNKNOWN: &str = "unknown id, connect again";

#[test]
fn an_id_from_another_address_is_refused() {
    let server = Server::listening(&["[::]:0"], &[]);
    let [one, two] = ["127.0.0.2", "127.0.0.3"].map(|ip| Caller::new(ip, at("127.0.0.1", &server)));
    let six = Caller::new("::1", at("::1", &server));
    let id = one.id();
    assert_eq!(one.refusal(id), None);
    assert_eq!(two.refusal(id).as_deref(), Some(UNKNOWN));
    assert_eq!(six.refusal(id).as_deref(), Some(UNKNOWN));
    assert_eq!(one.refusal(ConnectionId(id.0 ^ 1)).as_deref(), Some(UNKNOWN));
    // Another port of the same address is the same client behind its router.
    assert_eq!(Caller::new("127.0.0.2", at("127.0.0.1", &server)).refusal(id), None);
}

/// A server whose state lies in this folder.
fn server_in(folder: &Folder) -> Server {
    let state = folder.join("state.json").display().to_string();
    Server::start(&["--state-file", &state])
}

#[test]
fn ids_survive_a_restart_even_after_kill_9() {
    let folder = Folder::new();
    let before = server_in(&folder);
    let id = Caller::new("127.0.0.1", before.tcp()).id();
    before.signal(Signal::KILL);
    drop(before);
    let after = server_in(&folder);
    assert_eq!(Caller::new("127.0.0.1", after.tcp()).refusal(id), None);
    drop(after);
    // With another key they are foreign; so they are to a tracker elsewhere.
    std::fs::write(folder.join("udp_connection_key"), "rubbish").expect("our folder");
    let damaged = server_in(&folder);
    damaged.wait_for_log("udp_connection_key does not hold a key: replaced by a new one");
    let refusal = Caller::new("127.0.0.1", damaged.tcp()).refusal(id);
    assert_eq!(refusal.as_deref(), Some(UNKNOWN));
}

#[test]
fn without_a_state_file_no_key_is_kept() {
    let server = Server::start(&["--state-file", ""]);
    Caller::new("127.0.0.1", server.tcp()).announce(leecher(1));
    let files = std::fs::read_dir(format!("/proc/{}/cwd", server.pid())).expect("it runs");
    assert_eq!(files.count(), 0);
}

// -- floods ---------------------------------------------------------------------------------------

/// The server's counters.
fn totals(server: &Server) -> serde_json::Value {
    let mut connection = server.connect();
    // An operator route is served under a name of this host alone.
    connection.send("GET /stats?totals=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    serde_json::from_slice(&connection.reply().body).expect("JSON")
}

/// The packets that the server has received, by what became of them.
fn taken_in(server: &Server) -> u64 {
    let totals = totals(server);
    let outcomes = [
        "udp_connects",
        "udp_announces",
        "udp_scrapes",
        "udp_refusals",
        "udp_unknown_ids",
        "udp_unknown_ids_dropped",
        "udp_malformed",
        "panics",
    ];
    outcomes.iter().map(|name| totals[name].as_u64().expect("a count")).sum()
}

/// The resident memory of the server, in KiB.
fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A packet of any length: noise, or noise behind the head of one of the requests.
fn random_packet(random: &mut fastrand::Rng, id: ConnectionId) -> Vec<u8> {
    let mut packet = Vec::new();
    match random.u8(..6) {
        0 => encode_request(&mut packet, &Request::Connect(TRANSACTION)),
        // Without their hashes and options; a client with an id may fill the tracker, this is not
        // about that.
        1 => packet.extend([&id.0.to_be_bytes()[..], &2u32.to_be_bytes()].concat()),
        2 => packet.extend([&random.u64(..).to_be_bytes()[..], &1u32.to_be_bytes()].concat()),
        3 => packet.extend([&[0; 8][..], &random.u32(..6).to_be_bytes()].concat()),
        _ => {}
    }
    let longest = [20, 120, 2100][random.usize(..3)];
    let noise = random.usize(..=longest);
    packet.extend(std::iter::repeat_with(|| random.u8(..)).take(noise));
    packet
}

#[test]
fn a_hundred_thousand_random_packets_leave_the_process_the_size_it_was() {
    let server = Server::listening(&["[::]:0"], &[]);
    let caller = Caller::new("127.0.0.1", at("127.0.0.1", &server));
    // What is sent here is not waited for; the replies pile up in the kernel, as far as it lets
    // them.
    let noise = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let noise6 = UdpSocket::bind("[::1]:0").expect("a free port");
    let mut random = fastrand::Rng::with_seed(100_000);
    let mut flood = |packets: usize| {
        let id = caller.id();
        for nth in 0..packets {
            let packet = random_packet(&mut random, id);
            let (socket, address) =
                if nth % 4 == 0 { (&noise6, "::1") } else { (&noise, "127.0.0.1") };
            socket.send_to(&packet, at(address, &server)).expect("the packet is sent");
            // Not faster than they are taken in, or most would never reach the program.
            if nth % 64 == 0 {
                caller.id();
            }
        }
        caller.announce(leecher(1))
    };
    flood(2000);
    let before = resident_kib(&server);
    let answer = flood(100_000);
    let after = resident_kib(&server);
    assert!(after < before + 512, "{before} KiB before, {after} KiB after");
    assert_eq!((answer.counts, answer.peers), ((1, 0), vec![]), "and nobody else was counted");
    let taken = taken_in(&server);
    assert!(taken >= 102_000 / 10 * 9, "a flood that does not arrive shows nothing: {taken}");
}

#[test]
fn every_length_of_every_action_leaves_the_server_serving() {
    let server = Server::start(&[]);
    let caller = Caller::new("127.0.0.1", server.tcp());
    let noise = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let mut packet = [0x5a; 2048];
    for action in 0..5u32 {
        let mut magic = Vec::new();
        encode_request(&mut magic, &Request::Connect(TRANSACTION));
        let first = if action == 0 { magic[..8].to_vec() } else { vec![0x11; 8] };
        packet[..8].copy_from_slice(&first);
        packet[8..12].copy_from_slice(&action.to_be_bytes());
        for length in 0..=packet.len() {
            noise.send_to(&packet[..length], server.tcp()).expect("the packet is sent");
            if length % 64 == 0 {
                caller.id();
            }
        }
    }
    assert_eq!(caller.announce(leecher(1)).counts, (1, 0));
    let (sent, taken) = (5 * 2049, taken_in(&server));
    assert!(taken >= sent / 10 * 9, "of {sent} packets {taken} have arrived");
}

#[test]
fn every_outcome_is_counted() {
    let server = Server::start(&[]);
    let caller = Caller::new("127.0.0.1", server.tcp());
    // The first three ask for an id each.
    caller.announce(leecher(1));
    caller.announce(leecher(2));
    caller.scrape(&[hash(1)]);
    caller.refusal(ConnectionId(1));
    // No requests at all; the id behind them says that they were read.
    caller.send(b"");
    caller.send(&[0xff; 98]);
    caller.id();
    let wanted = [
        ("announces", 2),
        ("scrapes", 1),
        ("udp_connects", 4),
        ("udp_announces", 2),
        ("udp_scrapes", 1),
        ("udp_refusals", 0),
        ("udp_unknown_ids", 1),
        ("udp_unknown_ids_dropped", 0),
        ("udp_malformed", 2),
        ("udp_replies_lost", 0),
        ("panics", 0),
    ];
    // A thread counts what it has received before it receives more, but there is more than one.
    eventually(&wanted.map(|(name, count)| (name, Some(count))), || {
        let stats = totals(&server);
        wanted.map(|(name, _)| (name, stats[name].as_u64()))
    });
}

// -- identity -------------------------------------------------------------------------------------

#[test]
fn one_client_over_http_and_udp_and_both_families_is_one_peer() {
    let server = Server::listening(&["[::]:0"], &[]);
    let port = server.tcp().port();
    let over_http = |ip: &str, more: &str| {
        let more = format!("&key=C0FFEE01{more}");
        let target = announce(&hash(1), &peer(1), 6881, 1, &more);
        let address = SocketAddr::new(ip.parse().expect("a test's address"), port);
        announced(&crate::connection::Connection::to(address).ask_once(target))
    };
    let counts = || {
        let counts = scraped(&server.get(scrape(&[hash(1)])), &hash(1));
        (counts.complete, counts.incomplete, counts.downloaded)
    };
    let [v4, v6] = ["127.0.0.1", "::1"].map(|ip| Caller::new(ip, at(ip, &server)));
    // The same key: C0FFEE01 as text over HTTP, as a number over UDP.
    assert_eq!(over_http("127.0.0.1", "&event=started").counts(), (0, 1, 0));
    assert_eq!(v4.announce(leecher(1)).counts, (1, 0));
    assert_eq!(v6.announce(leecher(1)).counts, (1, 0));
    assert_eq!(over_http("::1", "").counts(), (0, 1, 0));
    assert_eq!(counts(), (0, 1, 0));
    // Each family has its endpoint, whatever it came over.
    let shown: Vec<SocketAddr> =
        [&v4, &v6].iter().flat_map(|caller| caller.announce(leecher(2)).peers).collect();
    assert_eq!(shown, addresses(&["127.0.0.1:6881", "[::1]:6881"]));
    v4.announce(Announce { event: Event::Stopped, ..leecher(2) });
    // A download that is told twice is one.
    v4.announce(Announce { event: Event::Completed, left: 0, ..leecher(1) });
    let done = announce(&hash(1), &peer(1), 6881, 0, "&key=c0ffee01&event=completed");
    assert_eq!(announced(&server.get(done)).counts(), (1, 0, 1));
    assert_eq!(v6.scrape(&[hash(9), hash(1)]), [[0, 0, 0], [1, 1, 0]]);
    // Another key cannot stop it, over neither; its own can, over either.
    let stopped = Announce { event: Event::Stopped, left: 0, ..leecher(1) };
    v4.announce(Announce { key: 0, ..stopped });
    assert_eq!(counts(), (1, 0, 1));
    v6.announce(stopped);
    assert_eq!(counts(), (0, 0, 1));
}

#[test]
fn key_0_over_udp_and_no_key_over_http_from_one_address_is_one_peer_and_counts_one_download() {
    let server = Server::start(&[]);
    let caller = Caller::new("127.0.0.1", server.tcp());
    let own = Announce { key: 0, ..leecher(1) };
    assert_eq!(caller.announce(own).counts, (1, 0));
    let over_http = |left: u64, more: &str| {
        announced(&server.get(announce(&hash(1), &peer(1), 6881, left, more))).counts()
    };
    assert_eq!(over_http(1, ""), (0, 1, 0));
    let completed = Announce { event: Event::Completed, left: 0, ..own };
    assert_eq!(caller.announce(completed).counts, (0, 1));
    assert_eq!(over_http(0, "&event=completed"), (1, 0, 1));
    assert_eq!(caller.scrape(&[hash(1)]), [[1, 1, 0]]);
    // From another address 0 shows nothing, so it stops nobody.
    let stopped = Announce { event: Event::Stopped, ..completed };
    Caller::new("127.0.0.2", server.tcp()).announce(stopped);
    assert_eq!(caller.scrape(&[hash(1)]), [[1, 1, 0]]);
    assert_eq!(over_http(0, "&event=stopped"), (0, 0, 1));
}
