//! Trackers that misbehave as a script says, over HTTP and UDP.
//!
//! Each runs in a thread of its own on a free port of 127.0.0.1 and ends by itself: an HTTP one
//! after its last step, a UDP one when it is dropped.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use muster::udp::packet::{Request, parse_request};

use crate::harness::PATIENCE;

/// What an HTTP tracker does with one connection, after the head of a request.
#[derive(Clone, Debug)]
pub enum Does {
    /// Sends these bytes and closes.
    Says(Vec<u8>),
    /// Sends nothing until the client closes.
    Hangs,
    /// Sends a head and then zeros until the client closes.
    Pours,
}

/// A whole reply with this body.
pub fn ok(body: &[u8]) -> Does {
    reply("200 OK", "", body)
}

/// A whole reply with this status, these header lines and this body.
pub fn reply(status: &str, headers: &str, body: &[u8]) -> Does {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    Does::Says([head.as_bytes(), body].concat())
}

/// Starts a tracker that does one step for each connection; its address.
pub fn http(steps: Vec<Does>) -> SocketAddr {
    http_heard(steps).0
}

/// The same, and the head of each request that has come, in order.
pub fn http_heard(steps: Vec<Does>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let heard = Arc::new(Mutex::new(Vec::new()));
    std::thread::spawn({
        let heard = Arc::clone(&heard);
        move || {
            for step in steps {
                let (stream, _) = listener.accept().expect("a caller");
                serve(stream, step, &heard);
            }
        }
    });
    (address, heard)
}

fn serve(mut stream: TcpStream, step: Does, requests: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => head.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    requests.lock().expect("no panic under this lock").push(text);
    match step {
        Does::Says(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Does::Hangs => {
            let _ = stream.read(&mut chunk);
        }
        Does::Pours => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&chunk).is_ok() {}
        }
    }
}

/// A tracker over UDP: answers each packet with what a function makes of it.
pub struct Udp {
    pub address: SocketAddr,
    /// Every packet that has come, in order.
    pub received: Arc<Mutex<Vec<Vec<u8>>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Udp {
    /// Starts one; `answer` is given the number of the packet, from 0, and the packet.
    pub fn start(mut answer: impl FnMut(usize, &[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Udp {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket takes one");
        let address = socket.local_addr().expect("it is bound");
        let (received, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (received, ends) = (Arc::clone(&received), Arc::clone(&ends));
            move || {
                let mut buffer = [0; 2048];
                while !ends.load(Ordering::Relaxed) {
                    let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                    let packet = buffer[..length].to_vec();
                    let number = {
                        let mut all = received.lock().expect("no panic under this lock");
                        all.push(packet.clone());
                        all.len() - 1
                    };
                    for reply in answer(number, &packet) {
                        socket.send_to(&reply, from).expect("loopback takes it");
                    }
                }
            }
        });
        Udp { address, received, ends, thread: Some(thread) }
    }

    /// How many packets have come.
    pub fn count(&self) -> usize {
        self.received.lock().expect("no panic under this lock").len()
    }
}

impl Drop for Udp {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

/// A reply to a request: its action, the request's transaction, and what follows.
pub fn packet(action: u32, request: &[u8], rest: &[u8]) -> Vec<u8> {
    [&action.to_be_bytes()[..], &request[12..16], rest].concat()
}

/// Whether a packet asks for a connection id.
pub fn is_connect(request: &[u8]) -> bool {
    matches!(parse_request(request), Some(Request::Connect(_)))
}
