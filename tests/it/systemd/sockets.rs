//! Sockets that are passed: used instead of our own, and still there for the next muster.
//!
//! The test opens them and keeps them open, as systemd does for a `.socket` unit, and hands them to
//! the real program with the variables of `sd_listen_fds(3)`. Clients that ask without a pause
//! while one muster follows another hold that no connection and no packet is lost.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::connection::Connection;
use crate::harness::{Address, Folder, PATIENCE, Server};

/// An address that no host has (RFC 5737): who opens it instead of what was passed fails.
const NOWHERE: &str = "203.0.113.1:6969";
/// BEP 15: protocol id, action 0 (connect), transaction 0x01020304.
pub const CONNECT: &[u8] = b"\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00\x01\x02\x03\x04";

fn held_tcp() -> (OwnedFd, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener.into(), address)
}

fn held_udp(ip: &str) -> (OwnedFd, u16) {
    let socket = UdpSocket::bind((ip, 0)).expect("a free port");
    let port = socket.local_addr().expect("it is bound").port();
    (socket.into(), port)
}

/// A client's UDP socket that has asked for a connection id.
fn asked(server: SocketAddr) -> UdpSocket {
    let own = if server.is_ipv4() { "127.0.0.2:0" } else { "[::1]:0" };
    let caller = UdpSocket::bind(own).expect("a free port");
    caller.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    // Then it takes in what comes from that address alone.
    caller.connect(server).expect("an address");
    caller.send(CONNECT).expect("the packet is sent");
    caller
}

fn assert_connected(caller: &UdpSocket) {
    let mut reply = [0; 64];
    let length = caller.recv(&mut reply).expect("a reply from where the request went");
    assert_eq!((length, &reply[..8]), (16, &b"\x00\x00\x00\x00\x01\x02\x03\x04"[..]));
}

#[test]
fn passed_tcp_and_udp_sockets_are_served_instead_of_listen_and_udp_listen() {
    let (tcp, address) = held_tcp();
    for ip in ["0.0.0.0", "::"] {
        let (udp, port) = held_udp(ip);
        let passed = [tcp.try_clone().expect("a descriptor"), udp];
        let options = ["--listen", NOWHERE, "--udp-listen", NOWHERE];
        let mut server = Server::passed(&passed, &options, 1);
        assert_eq!(server.addresses, [Address::Tcp(address)]);
        assert_eq!(server.udp(), [SocketAddr::new(ip.parse().expect("an address"), port)]);
        assert_eq!(server.get("/health").status, 200);
        // Packet info is on: the reply comes from the address that was asked.
        for asked_at in ["127.0.0.1", "127.0.0.7"] {
            let server = format!("{asked_at}:{port}").parse().expect("an address");
            assert_connected(&asked(server));
        }
        let said = server.stdout();
        for line in [
            format!("announce URL: http://{address}/announce\n"),
            "Z info  1 sockets were passed and are used instead of listen\n".to_owned(),
            "Z info  1 UDP sockets were passed and are used instead of udp-listen\n".to_owned(),
        ] {
            assert!(said.contains(&line), "{line}: {said}");
        }
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
        let [_, udp] = passed;
        assert_still_waits(&udp.into());
    }
}

/// A socket that was shut down would have no end of nothing to read, and the next muster would turn
/// in circles.
fn assert_still_waits(udp: &UdpSocket) {
    // One that must not wait at all would not tell.
    udp.set_read_timeout(Some(Duration::from_millis(10))).expect("a timeout above zero");
    // What the threads were woken with may be left.
    let waits = |_| udp.recv(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    assert!((0..100).any(waits), "it has been shut down");
}

#[test]
fn udp_follows_a_passed_tcp_socket_and_http_is_as_configured_beside_a_passed_udp_one() {
    let (tcp, address) = held_tcp();
    let options = ["--listen", NOWHERE];
    let server = Server::passed(&[tcp], &options, 1);
    assert_eq!((server.tcp(), server.udp()), (address, vec![address]));
    assert_connected(&asked(address));

    let (udp, port) = held_udp("127.0.0.1");
    let options = ["--listen", "127.0.0.3:0", "--udp-listen", NOWHERE];
    let server = Server::passed(&[udp], &options, 1);
    assert_eq!(server.tcp().ip().to_string(), "127.0.0.3");
    assert_eq!(server.udp(), [SocketAddr::from(([127, 0, 0, 1], port))]);
    assert_connected(&asked(server.udp()[0]));
}

#[test]
fn a_passed_unix_socket_is_served_and_its_file_stays() {
    let folder = Folder::new();
    let path = folder.join("muster.sock");
    let passed = [OwnedFd::from(UnixListener::bind(&path).expect("a path of our own"))];
    for _ in 0..2 {
        let mut server = Server::passed(&passed, &[], 1);
        assert_eq!(server.addresses, [Address::Unix(path.clone())]);
        assert_eq!(server.get("/health").status, 200);
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
    }
    let options = ["--http-engine", "tiny_http", "--listen", "127.0.0.1:0"];
    let mut failed = Server::launch_passed(&passed, &[], &options);
    assert_eq!(failed.wait().code(), Some(1));
    let wanted = "Z error http-engine tiny_http would take the file of a passed Unix socket away \
                  at its end: use epoll, or have listen open the socket\n";
    assert!(failed.stderr().ends_with(wanted), "{}", failed.stderr());
    assert!(path.exists());
}

#[test]
fn sockets_for_another_process_are_not_taken() {
    let (tcp, address) = held_tcp();
    let options = ["--listen", "127.0.0.1:0"];
    let mut server = Server::launch_passed(&[tcp], &[("WRONG_PID", "1")], &options);
    server.wait_for_log("Z info  muster ");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let own = server.stdout();
    assert!(!own.contains(&address.to_string()), "{own}");
}

#[test]
fn a_count_that_is_no_number_is_refused_by_name() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("LISTEN_FDS", "x");
    let mut failed = Server::launch(command);
    assert_eq!(failed.wait().code(), Some(1));
    let wanted = "LISTEN_FDS: \"x\": expected the number of sockets that are passed\n";
    assert!(failed.stderr().ends_with(wanted), "{}", failed.stderr());
}

#[test]
fn what_cannot_be_served_is_refused_with_its_number_and_name() {
    let (tcp, _) = held_tcp();
    let (datagram, _other) = UnixDatagram::pair().expect("two sockets");
    let (connection, _other) = UnixStream::pair().expect("two sockets");
    let file = std::fs::File::open("/dev/null").expect("Linux has it");
    let kinds = "of no kind that is served: expected TCP and Unix sockets (ListenStream) and UDP \
                 ones (ListenDatagram with an address)";
    let accepts = "does not listen: a connection was passed where a listener was expected; set \
                   Accept=no in the .socket unit";
    for (socket, names, problem) in [
        (OwnedFd::from(datagram), "a.socket:b.socket", format!("\"b.socket\": {kinds}")),
        (connection.into(), "a.socket:", format!("\"unnamed\": {accepts}")),
        (file.into(), "", format!("\"unnamed\": {kinds}")),
    ] {
        let passed = [tcp.try_clone().expect("a descriptor"), socket];
        let mut failed = Server::launch_passed(&passed, &[("LISTEN_FDNAMES", names)], &[]);
        assert_eq!(failed.wait().code(), Some(1));
        let wanted = format!("Z error LISTEN_FDS: socket 2 of 2, {problem}\n");
        assert!(failed.stdout().ends_with(&wanted), "{wanted}: {}", failed.stdout());
    }
}

#[test]
fn tiny_http_takes_no_passed_socket_that_others_can_reach() {
    let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let options = ["--http-engine", "tiny_http", "--listen", "127.0.0.1:0"];
    let mut failed = Server::launch_passed(&[listener.into()], &[], &options);
    assert_eq!(failed.wait().code(), Some(1));
    let wanted = format!("http-engine tiny_http does not listen on {address}: anybody could");
    assert!(failed.stderr().contains(&wanted), "{}", failed.stderr());
}

/// One request on a connection of its own. What a client of an upgrade sees at the worst is that
/// nobody answers for a moment. A client that sends nothing for 50 ms after connecting may be cut
/// off at a stop: such a one, on a machine that was busy with something else, is asked anew.
fn ask(address: SocketAddr) {
    loop {
        let begun = Instant::now();
        let mut connection = Connection::to(address);
        connection.send("GET /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        if begun.elapsed() < Duration::from_millis(50) {
            assert_eq!(connection.reply().status, 200);
            return;
        }
    }
}

#[test]
fn no_connection_and_no_packet_is_lost_while_one_muster_follows_another() {
    let (tcp, address) = held_tcp();
    let (udp, port) = held_udp("127.0.0.1");
    let udp_address = SocketAddr::from(([127, 0, 0, 1], port));
    let passed = [tcp, udp];
    let folder = Folder::new();
    let state = folder.join("state.json");
    let options = ["--state-file", state.to_str().expect("a path in UTF-8")];
    let stopping = AtomicBool::new(false);
    let asked_in_all = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while !stopping.load(Ordering::Relaxed) {
                        ask(address);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let mut server = Server::passed(&passed, &options, 1);
        for _ in 0..3 {
            server.signal(Signal::TERM);
            assert_eq!(server.wait().code(), Some(0));
            // Nobody is there: what comes now waits for the next one.
            let waiting: Vec<UdpSocket> = (0..5).map(|_| asked(udp_address)).collect();
            server = Server::passed(&passed, &options, 1);
            waiting.iter().for_each(assert_connected);
        }
        stopping.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("no connection is lost")).sum::<u32>()
    });
    assert!(asked_in_all >= 4, "each client was answered: {asked_in_all}");
}
