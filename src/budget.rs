//! How much is tracked and kept open: what the operator has set, and what follows for the rest.
//!
//! With `max-memory` the automatic bounds are such that the process stays under it whatever comes:
//! a quarter is for connections, the rest for ten peers a torrent, at the cost of each that is in
//! `limits`. A start has no connections yet, but the state file in memory beside what is made of
//! it, so both sums must fit. Arithmetic; nothing here measures anything.

use crate::limits::{
    CONNECTION_MEMORY_BYTES, HTTP_CONNECTIONS_MAX_DEFAULT, PEER_FILE_BYTES, PEER_MEMORY_BYTES,
    PEERS_MAX_DEFAULT, PEERS_PER_TORRENT, PROCESS_MEMORY_BYTES, TORRENT_FILE_BYTES,
    TORRENT_MEMORY_BYTES, TORRENTS_MAX_DEFAULT, TORRENTS_PER_IP_DIVISOR, TRACKED_COUNT_MAX,
    WORKER_MEMORY_BYTES,
};

/// Bounds; where the operator has said 0, what follows from the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Torrents tracked at once.
    pub torrents: u32,
    /// Of these, those that one address has brought up.
    pub torrents_per_ip: u32,
    /// Peers tracked at once.
    pub peers: u32,
    /// HTTP connections kept open at once.
    pub connections: u32,
}

impl Budget {
    /// Puts a number in place of each 0. `memory_bytes` are for all of them and so many workers; 0
    /// is no bound.
    #[must_use]
    pub fn filled(self, memory_bytes: u64, workers: usize) -> Budget {
        let filled = if memory_bytes == 0 {
            Budget {
                torrents: or(self.torrents, TORRENTS_MAX_DEFAULT),
                peers: or(self.peers, PEERS_MAX_DEFAULT),
                connections: or(self.connections, HTTP_CONNECTIONS_MAX_DEFAULT),
                ..self
            }
        } else {
            self.within(memory_bytes, PROCESS_MEMORY_BYTES + workers as u64 * WORKER_MEMORY_BYTES)
        };
        let share = (filled.torrents / TORRENTS_PER_IP_DIVISOR).max(1);
        Budget { torrents_per_ip: or(self.torrents_per_ip, share), ..filled }
    }

    fn within(self, memory_bytes: u64, process_bytes: u64) -> Budget {
        let connections = u64::from(HTTP_CONNECTIONS_MAX_DEFAULT);
        let connections = connections.min(memory_bytes / 4 / CONNECTION_MEMORY_BYTES);
        let connections = or(self.connections, clamped(connections));
        let kept = u64::from(connections) * CONNECTION_MEMORY_BYTES;
        // While it serves, and while it starts: room, a torrent, a peer.
        let sums = [
            (kept, TORRENT_MEMORY_BYTES, PEER_MEMORY_BYTES),
            (0, TORRENT_MEMORY_BYTES + TORRENT_FILE_BYTES, PEER_MEMORY_BYTES + PEER_FILE_BYTES),
        ];
        let room = |kept: u64| memory_bytes.saturating_sub(process_bytes + kept);
        let torrents = sums.map(|(kept, torrent, peer)| {
            room(kept).saturating_sub(u64::from(self.peers) * peer)
                / (torrent + if self.peers == 0 { PEERS_PER_TORRENT * peer } else { 0 })
        });
        let torrents = or(self.torrents, clamped(torrents.into_iter().min().unwrap_or(0)));
        let peers = sums.map(|(kept, torrent, peer)| {
            room(kept).saturating_sub(u64::from(torrents) * torrent) / peer
        });
        let peers = or(self.peers, clamped(peers.into_iter().min().unwrap_or(0)));
        Budget { torrents, peers, connections, ..self }
    }
}

fn or(said: u32, automatic: u32) -> u32 {
    if said == 0 { automatic } else { said }
}

fn clamped(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).clamp(1, TRACKED_COUNT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a budget may come to, serving and starting.
    fn bytes(budget: Budget) -> [u64; 2] {
        let [torrents, peers, connections] =
            [budget.torrents, budget.peers, budget.connections].map(u64::from);
        let tracked = torrents * TORRENT_MEMORY_BYTES + peers * PEER_MEMORY_BYTES;
        let file = torrents * TORRENT_FILE_BYTES + peers * PEER_FILE_BYTES;
        [connections * CONNECTION_MEMORY_BYTES, file]
            .map(|more| PROCESS_MEMORY_BYTES + 2 * WORKER_MEMORY_BYTES + tracked + more)
    }

    #[test]
    fn without_a_bound_on_memory_the_defaults_hold() {
        let defaults = Budget {
            torrents: 200_000,
            torrents_per_ip: 25_000,
            peers: 2_000_000,
            connections: 8192,
        };
        assert_eq!(Budget::default().filled(0, 2), defaults);
        let said = Budget { torrents: 80, torrents_per_ip: 0, peers: 6, connections: 7 };
        assert_eq!(said.filled(0, 2), Budget { torrents_per_ip: 10, ..said });
        assert_eq!(said.filled(1 << 30, 2), Budget { torrents_per_ip: 10, ..said });
        let said = Budget { torrents: 3, ..Budget::default() };
        assert_eq!(said.filled(0, 2).torrents_per_ip, 1, "one at the least");
    }

    #[test]
    fn what_follows_from_memory_fits_into_it_and_wastes_little() {
        for mebibytes in [32, 64, 100, 512, 1024, 16_384] {
            let memory = mebibytes << 20;
            let budget = Budget::default().filled(memory, 2);
            let [serving, starting] = bytes(budget);
            let most = serving.max(starting);
            assert!(most <= memory && most > memory / 100 * 98, "{budget:?} is {most} of {memory}");
            assert_eq!(u64::from(budget.peers / budget.torrents), PEERS_PER_TORRENT);
        }
        assert!(Budget::default().filled(1 << 40, 2).peers <= TRACKED_COUNT_MAX);
    }

    #[test]
    fn what_is_said_is_kept_and_the_rest_follows() {
        let memory = 64 << 20;
        for said in [
            Budget { torrents: 100, ..Budget::default() },
            Budget { peers: 1000, ..Budget::default() },
            Budget { connections: 10, ..Budget::default() },
        ] {
            let filled = said.filled(memory, 2);
            let kept = [
                (said.torrents, filled.torrents),
                (said.peers, filled.peers),
                (said.connections, filled.connections),
            ];
            assert!(kept.iter().all(|(said, filled)| *said == 0 || said == filled), "{filled:?}");
            assert!(bytes(filled).into_iter().all(|bytes| bytes <= memory), "{filled:?}");
        }
        let much = Budget { torrents: 10_000_000, ..Budget::default() }.filled(memory, 2);
        assert_eq!((much.torrents, much.peers), (10_000_000, 1), "no room for anybody");
    }
}
