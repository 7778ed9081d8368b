//! What fuzzing checks, held by the ordinary tests for its seeds and for what is near them.
//!
//! The checks and the seeds are those of libFuzzer (`fuzz/src`, `make fuzz`), which goes far beyond
//! this; here every seed, every beginning of it and some mutations pass on each run, so that what
//! fuzzing has shown stays true, and a finding that was mended stays mended.

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeSet;
use std::path::PathBuf;

use fuzz::TARGETS;
use fuzz::seeds::{TORRENTS, seeds};
use muster::metainfo::Metainfo;

/// Mutations of each seed.
const MUTATIONS: usize = 100;
/// Beginnings of each seed; a shorter one is cut everywhere.
const CUTS: usize = 200;

/// Longer seeds are tried as they are: most of a body over its bound is the same byte.
const CUT_BYTES_MAX: usize = 64 * 1024;

/// Checks bytes; shows them if that fails.
fn check(target: &str, bytes: &[u8]) {
    struct Shown<'a>(&'a str, &'a [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("-- {} fails with b\"{}\"", self.0, self.1.escape_ascii());
            }
        }
    }
    let _shown = Shown(target, bytes);
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    check(bytes);
}

/// Changes some bytes, doubles a part, or leaves one out.
fn mutate(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(1..4) {
        let from = random.usize(..=bytes.len());
        let to = random.usize(from..=bytes.len());
        match random.u8(..4) {
            0 => drop(bytes.drain(from..to.min(from + 8))),
            1 => {
                let part = bytes[from..to].to_vec();
                bytes.splice(from..from, part);
            }
            2 => bytes.insert(from, random.u8(..)),
            _ if from < bytes.len() => bytes[from] = b"\0\r\n\xff 0:e%&=,-"[random.usize(..13)],
            _ => {}
        }
    }
}

#[test]
fn every_seed_of_fuzzing_and_each_of_its_beginnings_holds() {
    for (target, seed) in seeds() {
        check(target, &seed);
        if seed.len() > CUT_BYTES_MAX {
            continue;
        }
        for end in (0..seed.len()).step_by(seed.len().div_ceil(CUTS).max(1)) {
            check(target, &seed[..end]);
        }
    }
}

#[test]
fn mutations_of_every_seed_of_fuzzing_hold() {
    let mut random = fastrand::Rng::with_seed(7);
    for (target, seed) in seeds().into_iter().filter(|(_, seed)| seed.len() <= CUT_BYTES_MAX) {
        for _ in 0..MUTATIONS {
            let mut mutated = seed.clone();
            mutate(&mut random, &mut mutated);
            check(target, &mutated);
        }
    }
}

#[test]
fn every_target_of_fuzzing_has_its_four_lines_and_a_seed() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(folder).expect("the folder of the targets");
    let files = files.map(|file| file.expect("an entry").file_name().into_string().expect("ASCII"));
    let files: BTreeSet<String> = files.collect();
    let wanted: BTreeSet<String> = TARGETS.iter().map(|(name, _)| format!("{name}.rs")).collect();
    assert_eq!(files, wanted);
    let seeded: BTreeSet<String> =
        seeds().into_iter().map(|(target, _)| format!("{target}.rs")).collect();
    assert_eq!(seeded, wanted);
}

#[test]
fn the_torrents_among_the_seeds_are_torrents_and_lack_nothing() {
    for torrent in TORRENTS {
        let metainfo = Metainfo::parse(torrent).expect("made by others");
        let ours = "announce: trackers at loopback or private addresses alone";
        assert_eq!(metainfo.flaws(), [ours], "{}", metainfo.info_hash());
    }
}
