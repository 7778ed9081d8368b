//! Ordinary clients: a peer each on an address of its own, a connection for each announce.
//!
//! Two threads announce a hundred times a second each, and every answer has to be right. What is
//! measured is what a client sees, from its connect to the end of the reply.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::answer::announced;
use crate::connection::{Connection, announce, hash, peer};

/// Threads that announce.
const THREADS: u8 = 2;
/// Peers of each thread.
const PEERS: u8 = 20;
/// Between two announces of a thread.
const PAUSE: Duration = Duration::from_millis(10);

/// How long announces took, in microseconds, sorted.
#[derive(Clone, Debug)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// How many there were.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The milliseconds within which so many of a thousand were answered.
    pub fn millis(&self, per_mille: usize) -> f64 {
        let at = (self.0.len() * per_mille / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(f64::INFINITY, |&micros| f64::from(micros) / 1000.0)
    }
}

/// The ordinary clients, until they are ended.
#[derive(Debug)]
pub struct Honest {
    ended: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<u32>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Honest {
    /// Clients of this tracker begin to announce.
    pub fn begin(server: SocketAddr) -> Honest {
        let ended = Arc::new(AtomicBool::new(false));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let thread = |thread: u8| {
            let (ended, taken) = (Arc::clone(&ended), Arc::clone(&taken));
            std::thread::spawn(move || {
                let numbers = (1 + thread * PEERS..).take(usize::from(PEERS)).cycle();
                for number in numbers.take_while(|_| !ended.load(Ordering::Relaxed)) {
                    let begun = Instant::now();
                    announce_once(server, number);
                    let micros = begun.elapsed().as_micros() as u32;
                    taken.lock().expect("no panic under this lock").push(micros);
                    std::thread::park_timeout(PAUSE.saturating_sub(begun.elapsed()));
                }
            })
        };
        let threads = (0..THREADS).map(thread).collect();
        Honest { ended, taken, threads }
    }

    /// How long the announces since the last call took. All clients must still be there.
    pub fn take(&self) -> Latencies {
        assert!(!self.threads.iter().any(JoinHandle::is_finished), "a client was not answered");
        let mut taken = std::mem::take(&mut *self.taken.lock().expect("no panic under this lock"));
        taken.sort_unstable();
        Latencies(taken)
    }

    /// The clients end, without saying so to the tracker.
    pub fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("every client was answered");
        }
    }
}

/// One announce of an ordinary client: of one of 8 torrents, from an address of its own.
pub fn announce_once(server: SocketAddr, number: u8) {
    let source = IpAddr::V4(Ipv4Addr::new(127, 0, 1, number));
    let target = announce(&hash(number % 8), &peer(number), 6000 + u16::from(number), 1, "");
    let answer = announced(&Connection::from(source, server).ask_once(target));
    assert!(answer.incomplete >= 1, "{answer:?}");
}
