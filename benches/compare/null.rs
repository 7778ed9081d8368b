//! Responders that do nothing but answer: what a tracker's process would cost if deciding what to
//! answer cost nothing. The limit of `make bench`, one for each way of announcing.
//!
//! The reply is a fixed one with 50 peers, as large as a tracker's. No request is parsed; a UDP
//! packet is an announce unless it has a connect request's 16 bytes. One thread each, in the form
//! that measured best: an accept, a read and a send at once, and a close; or one event, one read,
//! one send; or a receive and a send that block.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use muster::limits::HTTP_BACKLOG;
use muster::load::Way;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

const LISTENER: u64 = u64::MAX;

/// Serves a way, `each`, `keep` or `udp`, on a free port of 127.0.0.1, which it prints, until it is
/// killed.
pub fn serve(way: &str) -> Result<(), String> {
    let way = match way {
        "each" => Way::Each,
        "keep" => Way::Keep,
        "udp" => Way::Udp,
        _ => return Err(format!("{way}: no way to announce")),
    };
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    if way == Way::Udp {
        let socket = UdpSocket::bind(local).expect("a port");
        say(socket.local_addr().expect("its address"));
        serve_udp(&socket)
    }
    let listener = TcpListener::bind(local).expect("a port");
    rustix::net::listen(&listener, HTTP_BACKLOG).expect("a longer queue");
    listener.set_nonblocking(true).expect("a socket");
    say(listener.local_addr().expect("its address"));
    serve_http(&listener, way)
}

fn say(address: SocketAddr) {
    println!("listening on {address}");
    std::io::stdout().flush().expect("somebody reads it");
}

fn reply(way: Way) -> Vec<u8> {
    let mut body = b"d8:completei30e10:downloadedi0e10:incompletei30e8:intervali900e\
                     12:min intervali60e5:peers300:"
        .to_vec();
    body.extend_from_slice(&[1; 300]);
    body.push(b'e');
    let connection = if way == Way::Keep { "keep-alive" } else { "close" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: {connection}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

fn serve_http(listener: &TcpListener, way: Way) -> ! {
    let reply = reply(way);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let data = epoll::EventData::new_u64(LISTENER);
    epoll::add(&epoll, listener, data, epoll::EventFlags::IN).expect("a listener");
    let mut connections: Vec<Option<OwnedFd>> = Vec::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = [0; 16 * 1024];
    // Whether it has answered; a request comes whole, as the load generator sends it.
    let mut answer = |socket: &OwnedFd| {
        let received = rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty());
        let Ok((count, _)) = received else { return None };
        (count > 0).then(|| rustix::net::send(socket, &reply, SendFlags::NOSIGNAL).is_ok())
    };
    loop {
        events.clear();
        let waited = epoll::wait(&epoll, spare_capacity(&mut events), None);
        waited.expect("epoll");
        for event in &events {
            let token = event.data.u64();
            if token != LISTENER {
                let slot = &mut connections[token as usize];
                let open = slot.as_ref().is_some_and(|socket| answer(socket) == Some(true));
                if !open || way == Way::Each {
                    *slot = None;
                }
                continue;
            }
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            while let Ok(socket) = rustix::net::accept_with(listener.as_fd(), flags) {
                if way == Way::Each && answer(&socket).is_some() {
                    continue;
                }
                let at = socket.as_raw_fd().unsigned_abs() as usize;
                let data = epoll::EventData::new_u64(at as u64);
                epoll::add(&epoll, &socket, data, epoll::EventFlags::IN).expect("a socket");
                connections.resize_with(connections.len().max(at + 1), || None);
                connections[at] = Some(socket);
            }
        }
    }
}

fn serve_udp(socket: &UdpSocket) -> ! {
    let mut packet = [0; 2048];
    let mut announced = [0; 320];
    announced[3] = 1;
    announced[8..20].copy_from_slice(b"\0\0\x03\x84\0\0\0\x1e\0\0\0\x1e");
    loop {
        let Ok((length, client)) = socket.recv_from(&mut packet) else { continue };
        let reply = if length == 16 { &mut announced[..16] } else { &mut announced[..] };
        // Action and transaction stand where they stand in the request.
        let [action, transaction] = [8..12, 12..16].map(|at| &packet[at]);
        reply[..4].copy_from_slice(action);
        reply[4..8].copy_from_slice(transaction);
        let _ = socket.send_to(reply, client);
    }
}
