//! Counters of what has happened since the start: relaxed atomics, read as one snapshot.
//!
//! Nothing decides by them; they are for people and programs that watch. Counts only grow.
//! What came over UDP is counted among all announces, scrapes and refusals, and again by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::request::Fault;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters, shared by every thread.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Snapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Snapshot {
            /// The counters by their names.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }

        impl Stats {
            /// What the counters show now.
            #[must_use]
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// Announces answered with peers.
    announces,
    /// Scrapes answered.
    scrapes,
    /// Announces and scrapes refused: with a `failure reason` over HTTP, with an error over UDP.
    refusals,
    /// Of these: announces of new torrents or peers turned away because the tracker was full.
    refused_full,
    /// Of these: announces of new torrents whose address had brought up as many as one may.
    refused_torrent_share,
    /// Of these: announces and scrapes from addresses that sent more than one may.
    refused_announce_rate,
    /// Wrong requests turned away unexplained: their address had made as many as one may.
    refused_error_rate,
    /// Requests that were not HTTP, or nothing that is served.
    http_errors,
    /// Requests to operator routes that were not the operator's.
    operator_denied,
    /// UDP: connection ids given out.
    udp_connects,
    /// UDP: announces answered with peers; counted among all `announces` too.
    udp_announces,
    /// UDP: scrapes answered; counted among all `scrapes` too.
    udp_scrapes,
    /// UDP: announces refused by the core; counted among all `refusals` too.
    udp_refusals,
    /// UDP: foreign and stale connection ids answered with an error.
    udp_unknown_ids,
    /// UDP: foreign and stale connection ids beyond the rate of errors.
    udp_unknown_ids_dropped,
    /// UDP: packets that were no request, dropped.
    udp_malformed,
    /// UDP: replies that could not be sent.
    udp_replies_lost,
    /// Panics that their thread has survived, each a bug; the log says where.
    panics,
    /// TCP and Unix connections accepted.
    connections,
    /// Connections closed because they kept a deadline waiting.
    connections_timed_out,
    /// Connections closed, or not taken, because there were too many.
    connections_refused,
    /// Connections that came while their address had as many as one may keep.
    connections_refused_per_ip,
}

impl Stats {
    /// Counts what made a request refused.
    pub fn count_fault(&self, fault: Fault) {
        match fault {
            Fault::Request => {}
            Fault::Full => self.refused_full.add(),
            Fault::Share => self.refused_torrent_share.add(),
            Fault::Rate => self.refused_announce_rate.add(),
        }
    }
}

/// A number that grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_shows_each_counter_by_its_own_name() {
        let stats = Stats::default();
        stats.announces.add();
        stats.announces.add();
        stats.scrapes.add();
        let wanted = Snapshot { announces: 2, scrapes: 1, ..Snapshot::default() };
        assert_eq!(stats.snapshot(), wanted);
        let counted: Vec<_> = stats.snapshot().iter().filter(|&(_, count)| count > 0).collect();
        assert_eq!(counted, [("announces", 2), ("scrapes", 1)]);
    }
}
