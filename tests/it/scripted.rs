//! An HTTP server that does what a test has written down, a connection at a time, and remembers
//! the whole of what it was asked. (What `asking` has answers heads alone, and remembers nothing.)

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::harness::PATIENCE;

/// What is done with one connection.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Answers with this status and body.
    Answer(u16, &'static str),
    /// Answers with these bytes, and closes.
    Bytes(&'static str),
    /// Answers as `Answer` does, but not before another connection has been answered.
    AnswerAfterNext(u16, &'static str),
    /// Takes the request, and says nothing for as long as the server is there.
    Hang,
}

/// The server; the last act is done with all further connections too.
pub struct Scripted {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Listens on a port of its own. Its thread goes with the process.
    pub fn start(acts: &'static [Act]) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            let (mut held, mut late) = (Vec::new(), Vec::new());
            for (nth, stream) in listener.incoming().enumerate() {
                let mut stream = stream.expect("a connection");
                let request = read_request(&mut stream);
                seen.lock().expect("no panic under this lock").push(request);
                match acts[nth.min(acts.len() - 1)] {
                    Act::Answer(status, body) => {
                        answer(&mut stream, status, body);
                        for (mut stream, status, body) in late.drain(..) {
                            answer(&mut stream, status, body);
                        }
                    }
                    Act::AnswerAfterNext(status, body) => late.push((stream, status, body)),
                    Act::Bytes(bytes) => _ = stream.write_all(bytes.as_bytes()),
                    Act::Hang => held.push(stream),
                }
            }
        });
        Scripted { address, requests }
    }

    /// What it was asked so far, heads and bodies.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic under this lock").clone()
    }
}

fn answer(stream: &mut TcpStream, status: u16, body: &str) {
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 {status} Word\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(reply.as_bytes());
}

/// A whole request, as its Content-Length has it.
fn read_request(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_lowercase().split_once("content-length: ").map_or(0, |(_, rest)| {
                    rest.lines().next().and_then(|length| length.parse().ok()).expect("a length")
                });
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut chunk).expect("a request comes whole") {
            0 => return text,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
