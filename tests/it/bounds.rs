//! What the epoll engine promises to withstand: silent, slow, greedy and too many clients.
//!
//! `deadlines` and `connections` run the tracker in this process and move its clock by hand, so
//! that half a minute passes at once; `process` runs the program. One worker thread serves
//! everything, which makes it certain what it has seen: a request answered after a byte was sent
//! tells that the byte has been read.

mod connections;
mod deadlines;
mod process;

use std::net::SocketAddr;
use std::time::Duration;

use muster::config::Config;
use muster::serve::{Running, start};

use rustix::net::sockopt;

use crate::connection::{Connection, get, loopback};

/// A tracker in this process, on a free port of 127.0.0.1.
struct Tracker {
    running: Running,
    address: SocketAddr,
}

impl Tracker {
    fn start(options: &[(&str, &str)]) -> Tracker {
        let here = [("listen", "127.0.0.1:0"), ("state-file", "")];
        let ours = [("http-engine", "epoll"), ("workers", "1")];
        let flags =
            here.iter().chain(&ours).chain(options).map(|&(key, value)| (key, value.to_owned()));
        let config = Config::load(&flags.collect::<Vec<_>>(), &[], None).expect("valid options");
        let running = start(&config).expect("a free port");
        let address = running.addresses()[0];
        Tracker { running, address }
    }

    fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    fn connect_from(&self, last: u8) -> Connection {
        Connection::from(loopback(last), self.address)
    }

    /// Returns when all that was sent before has been looked at, and all that was due done.
    ///
    /// The worker reads the clock at the beginning of a round and sees to deadlines at its end. A
    /// new connection may be served in a round under way, and be overdue in the next if the clock
    /// was moved meanwhile; each further request on it takes a round of its own.
    fn catch_up(&self) {
        let goes_round = || {
            // From another address than those of the tests, so that it is in nobody's way.
            let mut connection = self.connect_from(99);
            // A reset takes no port out of use for a minute, as an orderly close does.
            let at_once = Some(Duration::ZERO);
            sockopt::set_socket_linger(connection.stream(), at_once).expect("a socket");
            (0..3).all(|_| {
                let sent = connection.try_send(get("/health")).is_ok();
                sent && connection.has_more() && connection.reply().status == 200
            })
        };
        assert!(goes_round() || goes_round(), "nothing is served");
    }

    /// Lets time pass, and the server act on it.
    fn pass(&self, millis: u64) {
        self.running.advance(millis);
        self.catch_up();
    }
}
