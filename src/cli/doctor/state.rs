//! The state: its folder can be written to and has room, its file can be read.
//!
//! The lock of a running tracker is left alone. The one thing written is a probe file beside the
//! state, which is removed again. The file is read as a start would read it, into a tracker that is
//! dropped.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::statvfs;

use super::super::size::{bytes, counted};
use super::finding::Finding;
use crate::clock::{Clock, unix_time};
use crate::config::Config;
use crate::limits::TRACKED_COUNT_MAX;
use crate::store::{read_regular, read_state, readable_bytes_max};
use crate::tracker::{Tolerance, Tracker, TrackerLimits};

/// A file larger than this is not read through: it would take seconds.
const READ_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Room for journals, and for a state that grows.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;

/// Where the service of `make install` keeps its state: `StateDirectory` of its unit.
const SERVICE_FOLDER: &str = "/var/lib/muster";

/// Checks the state's folder and file; returns when the state was saved last.
pub(super) fn check(config: &Config, findings: &mut Vec<Finding>) -> Option<SystemTime> {
    let path = &config.state_file;
    if path.as_os_str().is_empty() {
        findings.push(Finding::warning(
            "state",
            "state-file is empty: nothing is kept, and a restart forgets every torrent and peer",
            "set state-file to a path",
        ));
        return None;
    }
    findings.extend(judge_place(path, Path::new(SERVICE_FOLDER)));
    // The files beside the state are beside what a symlink leads to.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    let folder = folder_of(&path);
    let size = fs::metadata(&path).map_or(0, |file| file.len());
    findings.push(judge_folder(&folder, probe(&folder)));
    if let Ok(room) = statvfs(&folder) {
        findings.push(judge_space(&folder, room.f_bavail.saturating_mul(room.f_frsize), size));
    }
    let (finding, saved) = check_file(&path, size);
    findings.push(finding);
    saved
}

/// The state of a service lies elsewhere than in the folder from which somebody asks about it.
fn judge_place(path: &Path, service: &Path) -> Option<Finding> {
    // Others than root see that folder alone, not what is in it.
    if path.is_absolute() || path.exists() || fs::symlink_metadata(service).is_err() {
        return None;
    }
    let (shown, state) = (path.display(), service.join(path));
    let (service, state) = (service.display(), state.display());
    Some(Finding::warning(
        "state",
        format!("{shown} is not in this folder, and {service} is there, a service's folder"),
        format!("to check the service's, as root: --state-file {state}"),
    ))
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

/// Writes a file as a save would, and removes it.
pub(super) fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".muster-doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let written = file.write_all(&[0; 4096]).and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    written
}

fn judge_folder(folder: &Path, probed: io::Result<()>) -> Finding {
    let shown = folder.display();
    let Err(error) = probed else {
        return Finding::ok("folder", format!("{shown} can be written to"));
    };
    let advice = advice_for_folder(folder, &error, "state-file");
    Finding::problem("folder", format!("{shown} cannot be written to: {error}"), advice)
}

/// What to do about a folder that takes no files, which this option names.
pub(super) fn advice_for_folder(folder: &Path, error: &io::Error, option: &str) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room there".to_owned(),
        ErrorKind::NotFound => format!("make it: mkdir -p {}", folder.display()),
        _ => format!("let the tracker's user write there, or set {option} to another place"),
    }
}

/// A save writes the new file beside the old one, and keeps the one before.
fn judge_space(folder: &Path, free: u64, size: u64) -> Finding {
    let shown = folder.display();
    let text = format!("{} are free in {shown}, and a save takes {}", bytes(free), bytes(size));
    if free < size {
        Finding::problem("space", text, "make room there, or saves fail")
    } else if free < 2 * size + SPARE_BYTES {
        Finding::warning("space", text, "make room there before saves fail")
    } else {
        Finding::ok("space", text)
    }
}

fn check_file(path: &Path, size: u64) -> (Finding, Option<SystemTime>) {
    let shown = path.display();
    let saved = fs::metadata(path).and_then(|file| file.modified());
    if matches!(&saved, Err(error) if error.kind() == ErrorKind::NotFound) {
        return (Finding::ok("state", format!("{shown} is not there yet: a fresh start")), None);
    }
    if size > READ_BYTES_MAX && size <= readable_bytes_max() {
        let text = format!("{shown} has {}, too much to read it through here", bytes(size));
        return (Finding::ok("state", text), saved.ok());
    }
    let content = match read_regular(path, readable_bytes_max()) {
        Ok(content) => content.unwrap_or_default(),
        Err(error) => {
            let advice = if fs::metadata(path).is_ok_and(|file| !file.is_file()) {
                "set state-file to the path of a file, or take away what is there"
            } else if size > READ_BYTES_MAX {
                "run the tracker on a host with more memory"
            } else {
                "let the tracker's user read it"
            };
            return (Finding::problem("state", error, advice), saved.ok());
        }
    };
    let tolerance = Tolerance { first_digits: 0, last_digits: 0, same_digits: 40 };
    let max = TRACKED_COUNT_MAX;
    let limits = TrackerLimits {
        peer_timeout: u32::MAX,
        torrents_max: max,
        torrents_per_ip_max: max,
        peers_max: max,
        tolerance,
    };
    let tracker = Tracker::new(limits);
    let read = read_state(&content, &tracker, Clock::new().seconds(), unix_time(), u32::MAX);
    let finding = match read {
        Ok(_) => {
            let totals = tracker.totals();
            let torrents = counted(totals.torrents.into(), "torrent");
            let peers = counted(totals.peers.into(), "peer");
            Finding::ok("state", format!("{shown} holds {torrents} with {peers}"))
        }
        Err(error) => Finding::problem(
            "state",
            format!("{shown} is damaged: {error}"),
            "start the tracker: it keeps the file under another name and uses the save before it",
        ),
    };
    (finding, saved.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_written_to_is_a_problem_by_its_cause() {
        let folder = Path::new("/var/lib/muster");
        let judged = |kind: ErrorKind| judge_folder(folder, Err(io::Error::from(kind)));
        assert_eq!(
            judge_folder(folder, Ok(())),
            Finding::ok("folder", "/var/lib/muster can be written to")
        );
        for (kind, cause, advice) in [
            (ErrorKind::StorageFull, "no storage space", "make room there"),
            (ErrorKind::NotFound, "entity not found", "make it: mkdir -p /var/lib/muster"),
            (
                ErrorKind::ReadOnlyFilesystem,
                "read-only filesystem or storage medium",
                "let the tracker's user write there, or set state-file to another place",
            ),
        ] {
            let text = format!("/var/lib/muster cannot be written to: {cause}");
            assert_eq!(judged(kind), Finding::problem("folder", text, advice));
        }
    }

    #[test]
    fn a_state_that_is_not_here_may_be_the_services() {
        let service = std::env::temp_dir();
        let path = Path::new("no_such_state.json");
        let shown = service.display();
        assert_eq!(
            judge_place(path, &service),
            Some(Finding::warning(
                "state",
                format!(
                    "no_such_state.json is not in this folder, and {shown} is there, a service's \
                     folder"
                ),
                format!("to check the service's, as root: --state-file {shown}/no_such_state.json"),
            ))
        );
        assert_eq!(judge_place(path, &service.join("no_such_folder")), None);
        assert_eq!(judge_place(&service.join(path), &service), None);
        assert_eq!(judge_place(Path::new("Cargo.toml"), &service), None, "it is here");
    }

    #[test]
    fn a_save_has_to_fit_beside_the_old_one() {
        let folder = Path::new("/x");
        let mib = 1024 * 1024;
        let text = "9 MiB are free in /x, and a save takes 10 MiB";
        assert_eq!(
            judge_space(folder, 9 * mib, 10 * mib),
            Finding::problem("space", text, "make room there, or saves fail")
        );
        let text = "83 MiB are free in /x, and a save takes 10 MiB";
        assert_eq!(
            judge_space(folder, 83 * mib, 10 * mib),
            Finding::warning("space", text, "make room there before saves fail")
        );
        let text = "84 MiB are free in /x, and a save takes 10 MiB";
        assert_eq!(judge_space(folder, 84 * mib, 10 * mib), Finding::ok("space", text));
    }
}
