//! State files: what is read and written down is a whole file with the same torrents and peers.

use std::time::Duration;

use muster::request::Seconds;
use muster::store::{Loaded, read_state, write_state};
use muster::tracker::{Tolerance, Tracker, TrackerLimits};

/// Late enough on the tracker's clock for every peer's time in between.
const NOW: Seconds = Seconds(u32::MAX / 2);
/// The time of the golden state file.
const UNIX_NOW: Duration = Duration::from_secs(1_763_688_656);
/// Peers and torrents at the most; a file of more is taken in as far as there is room.
const COUNT_MAX: u32 = 64;

/// Holds what is said above.
pub fn check(bytes: &[u8]) {
    let Ok((first, loaded)) = read(bytes) else { return };
    let totals = first.totals();
    assert!(totals.torrents <= COUNT_MAX && totals.peers <= COUNT_MAX);
    assert!(loaded.peers >= totals.peers);
    let written = write(&first);
    let (second, loaded) = read(&written).expect("our own file is whole");
    assert!(!loaded.lacks_something(), "{loaded:?}");
    assert_eq!(write(&second), written, "written, read and written again");
    assert_eq!(second.totals().peers, totals.peers);
}

fn read(bytes: &[u8]) -> Result<(Tracker, Loaded), String> {
    let tolerance = Tolerance { first_digits: 10, last_digits: 5, same_digits: 38 };
    let (torrents_max, peers_max) = (COUNT_MAX, COUNT_MAX);
    // No peer is too old: a seed is as good in ten years as today.
    let torrents_per_ip_max = torrents_max;
    let limits = TrackerLimits {
        peer_timeout: u32::MAX,
        torrents_max,
        torrents_per_ip_max,
        peers_max,
        tolerance,
    };
    let tracker = Tracker::new(limits);
    let loaded = read_state(bytes, &tracker, NOW, UNIX_NOW, u32::MAX)?;
    Ok((tracker, loaded))
}

fn write(tracker: &Tracker) -> Vec<u8> {
    let mut written = Vec::new();
    write_state(tracker, NOW, UNIX_NOW, &mut written).expect("memory takes all");
    written
}
