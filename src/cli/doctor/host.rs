//! The host: its clock, its descriptors, its memory.
//!
//! What is asked of the system here is true of this process. A service may have other limits: the
//! unit sets them (`LimitNOFILE`, `MemoryMax`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::size::{bytes, grouped};
use super::finding::Finding;
use crate::budget::Budget;
use crate::clock::unix_time;
use crate::config::Config;
use crate::descriptors;
use crate::limits::{
    CONNECTION_MEMORY_BYTES, HTTP_CONNECTIONS_MAX_DEFAULT, PEER_MEMORY_BYTES, PROCESS_MEMORY_BYTES,
    TORRENT_MEMORY_BYTES,
};
use crate::serve::bounds;
use crate::store::readable_bytes_max;
use crate::utc::encode_utc;

/// A clock may be this far behind a file's: those of file servers differ.
const CLOCK_SLACK: Duration = Duration::from_secs(60);
/// With fewer connections than this a tracker with a few hundred clients turns some away.
const CONNECTIONS_MIN: u64 = 256;

/// Checks clock, descriptors and memory; `saved` is when the state was saved last.
pub(super) fn check(config: &Config, saved: Option<SystemTime>, findings: &mut Vec<Finding>) {
    let since_1970 = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let program = std::env::current_exe().and_then(std::fs::metadata);
    let built = program.and_then(|file| file.modified()).map(since_1970).unwrap_or_default();
    findings.push(judge_clock(unix_time(), built, saved.map(since_1970)));
    findings.push(judge_descriptors(descriptors::raise_limit(), config.max_connections));
    let half = readable_bytes_max();
    findings.push(judge_memory(bounds(config), half));
}

/// Neither the program nor the state can come from the future.
fn judge_clock(now: Duration, built: Duration, saved: Option<Duration>) -> Finding {
    let shown = encode_utc(now.as_secs());
    let advice = "set the clock, and keep it set: timedatectl set-ntp true";
    let later = |moment: Duration| moment > now + CLOCK_SLACK;
    let text = match saved {
        Some(saved) if later(saved) => {
            let saved = encode_utc(saved.as_secs());
            format!("it shows {shown}, and the state was saved at {saved}")
        }
        _ if later(built) => {
            let built = encode_utc(built.as_secs());
            format!("it shows {shown}, and this program is of {built}")
        }
        _ => return Finding::ok("clock", shown),
    };
    Finding::problem("clock", text, advice)
}

/// Three quarters of the descriptors are for connections, as in `serve`.
fn judge_descriptors(limit: u64, max_connections: u32) -> Finding {
    let share = limit / 4 * 3;
    let asked = u64::from(max_connections);
    let wanted = if asked == 0 { u64::from(HTTP_CONNECTIONS_MAX_DEFAULT) } else { asked };
    let text = format!(
        "{} may be open, so that {} connections are kept at once",
        grouped(limit),
        grouped(share.min(wanted))
    );
    let advice = "raise the limit: LimitNOFILE= in the service, ulimit -n in a shell";
    if share < CONNECTIONS_MIN {
        return Finding::problem("descriptors", text, advice);
    }
    if asked > share {
        let text = format!("{text}; max-connections asks for {}", grouped(asked));
        return Finding::warning(
            "descriptors",
            text,
            format!("{advice}; or lower max-connections"),
        );
    }
    Finding::ok("descriptors", text)
}

/// All that the bounds allow, against half of the memory of the host.
fn judge_memory(bounds: Budget, half: u64) -> Finding {
    let needed = PROCESS_MEMORY_BYTES
        + u64::from(bounds.torrents) * TORRENT_MEMORY_BYTES
        + u64::from(bounds.peers) * PEER_MEMORY_BYTES
        + u64::from(bounds.connections) * CONNECTION_MEMORY_BYTES;
    let total = half.saturating_mul(2);
    let text = format!(
        "torrents, peers and connections take {} when all bounds are reached; this host has {}",
        bytes(needed),
        bytes(total)
    );
    let advice = "set max-memory to what it may take";
    if needed > total {
        Finding::problem("memory", text, advice)
    } else if needed > half {
        Finding::warning("memory", text, advice)
    } else {
        Finding::ok("memory", text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const NOW: Duration = Duration::from_secs(1_795_224_656);

    #[test]
    fn a_clock_before_the_last_save_or_the_program_is_wrong() {
        let hour = Duration::from_secs(3600);
        let before = Duration::from_secs(NOW.as_secs() - 3600);
        let advice = "set the clock, and keep it set: timedatectl set-ntp true";
        for (built, saved, wanted) in [
            (before, Some(before), Finding::ok("clock", "2026-11-21T01:30:56Z")),
            (NOW + CLOCK_SLACK, None, Finding::ok("clock", "2026-11-21T01:30:56Z")),
            (
                before,
                Some(NOW + hour),
                Finding::problem(
                    "clock",
                    "it shows 2026-11-21T01:30:56Z, and the state was saved at \
                     2026-11-21T02:30:56Z",
                    advice,
                ),
            ),
            (
                NOW + hour,
                None,
                Finding::problem(
                    "clock",
                    "it shows 2026-11-21T01:30:56Z, and this program is of 2026-11-21T02:30:56Z",
                    advice,
                ),
            ),
        ] {
            assert_eq!(judge_clock(NOW, built, saved), wanted);
        }
    }

    #[test]
    fn few_descriptors_are_a_problem_and_too_few_for_what_was_asked_a_warning() {
        let advice = "raise the limit: LimitNOFILE= in the service, ulimit -n in a shell";
        let ok = "1,024 may be open, so that 768 connections are kept at once";
        assert_eq!(judge_descriptors(1024, 0), Finding::ok("descriptors", ok));
        assert_eq!(
            judge_descriptors(1024, 2000),
            Finding::warning(
                "descriptors",
                format!("{ok}; max-connections asks for 2,000"),
                format!("{advice}; or lower max-connections"),
            )
        );
        let few = "64 may be open, so that 48 connections are kept at once";
        assert_eq!(judge_descriptors(64, 0), Finding::problem("descriptors", few, advice));
    }

    #[test]
    fn what_may_be_tracked_has_to_fit_the_memory() {
        let bounds = Budget { torrents: 1000, peers: 10_000, connections: 10, torrents_per_ip: 1 };
        let needed = PROCESS_MEMORY_BYTES + 800_000 + 1_600_000 + 778_240;
        let level = |half| judge_memory(bounds, half).level;
        assert_eq!(level(needed), Level::Ok);
        assert_eq!(level(needed - 1), Level::Warning);
        assert_eq!(level(needed / 2 - 1), Level::Problem);
        assert_eq!(
            judge_memory(Budget::default().filled(0, 2), 1 << 28),
            Finding::problem(
                "memory",
                "torrents, peers and connections take 1.1 GiB when all bounds are reached; this \
                 host has 512 MiB",
                "set max-memory to what it may take",
            )
        );
    }
}
