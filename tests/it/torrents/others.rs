//! The programs that people make and check torrents with, against ours: the same hash of the same
//! files, theirs whole to us and ours to them.
//!
//! The hash is taken of the name, the files in their order, the piece length and the pieces: where
//! it is the same as mktorrent's, all of these are. A byte of the content is changed each time, so
//! that a check that finds everything whole does not pass.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use super::{URL, muster, muster_silently, read, run, write_files};
use crate::clients::peer::{Client, PYTHON};
use crate::harness::Folder;
use crate::programs::is_installed;

/// The piece length of the matrix: mktorrent makes none shorter.
const PIECE: usize = 32 * 1024;

fn has_mktorrent() -> bool {
    is_installed("mktorrent", &["-h"])
}

/// Whether libtorrent, aria2 and Transmission are there; `programs` says so where they are not.
fn has(client: Client) -> bool {
    client.is_installed() || is_installed(client.program(), &["--version"])
}

/// mktorrent's torrent of what has this name in a folder.
fn mktorrent(folder: &Path, name: &OsStr, more: &[&str]) -> muster::metainfo::Metainfo {
    let mut arguments: Vec<OsString> =
        ["-l", "15", "-a", URL, "-o", "mk.torrent"].map(OsString::from).into();
    arguments.extend(more.iter().map(OsString::from));
    arguments.push(name.to_owned());
    let ran = run("mktorrent", folder, &arguments);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let made = read(&folder.join("mk.torrent"));
    std::fs::remove_file(folder.join("mk.torrent")).expect("ours");
    made
}

/// Compares the info hash of our torrent with mktorrent's. If they differ, what the two say does.
fn expect_the_same(folder: &Path, name: &OsStr, more: &[&str]) {
    let arguments: Vec<&OsStr> = ["create", "-l", "32KiB", "-a", URL, "-o", "ours.torrent"]
        .iter()
        .chain(more)
        .map(OsStr::new)
        .chain([name])
        .collect();
    let ran = muster(folder, &arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (ours, theirs) = (read(&folder.join("ours.torrent")), mktorrent(folder, name, more));
    assert_eq!(ours.files, theirs.files, "{}", name.display());
    assert_eq!(ours.info_hash_v1, theirs.info_hash_v1, "{} {more:?}", name.display());
    assert!(ran.stdout.contains(&format!("Info hash: {}\n", theirs.info_hash())), "{}", ran.stdout);
    std::fs::remove_file(folder.join("ours.torrent")).expect("ours");
}

#[test]
fn single_files_of_every_size_around_a_piece_have_mktorrents_info_hash() {
    if !has_mktorrent() {
        return;
    }
    let folder = Folder::new();
    for pieces in 0..4 {
        for beside in [-1, 0, 1] {
            let Some(length) = (pieces * PIECE).checked_add_signed(beside) else { continue };
            let name = format!("{length}.bin");
            write_files(folder.path(), &[(&name, length)]);
            expect_the_same(folder.path(), name.as_ref(), &[]);
        }
    }
    expect_the_same(folder.path(), "1.bin".as_ref(), &["-p", "-s", "a source", "-c", "a comment"]);
}

#[test]
fn folders_with_files_of_every_size_around_a_piece_have_mktorrents_info_hash() {
    if !has_mktorrent() {
        return;
    }
    for (nth, lengths) in [
        &[0][..],
        &[0, 0, 1],
        &[PIECE],
        &[PIECE - 1, 1],
        &[PIECE - 1, 2],
        &[PIECE, PIECE, 0],
        &[1, 2 * PIECE - 1, PIECE + 1, 0, 5],
        &[3 * PIECE + 100, 0, 7, PIECE - 107],
    ]
    .iter()
    .enumerate()
    {
        let folder = Folder::new();
        let files: Vec<_> =
            lengths.iter().enumerate().map(|(at, length)| (format!("set/{at}"), *length)).collect();
        write_files(folder.path(), &files);
        let more: &[&str] = if nth % 2 == 0 { &[] } else { &["-p"] };
        expect_the_same(folder.path(), "set".as_ref(), more);
    }
}

#[test]
fn names_of_any_bytes_in_any_folders_have_mktorrents_info_hash() {
    if !has_mktorrent() {
        return;
    }
    let folder = Folder::new();
    // Where the order of whole paths and that of their components differ: '-' < '.' < '/'.
    let plain = ["a/b/c", "a-b", "a.b", "a/b.c", "A", "z z", "\u{fc}/\u{4e2d}\u{6587}", "e\u{301}"];
    let mut files: Vec<(OsString, usize)> = plain
        .iter()
        .enumerate()
        .map(|(at, name)| (format!("set/{name}").into(), 1000 * at))
        .collect();
    files.push((OsString::from_vec(b"set/caf\xe9/\xff\xfe".to_vec()), 40_000));
    files.push((OsString::from_vec(b"set/line\nend\\\x1b".to_vec()), 1));
    write_files(folder.path(), &files);
    expect_the_same(folder.path(), "set".as_ref(), &[]);
    let name = OsStr::from_bytes(b"caf\xe9");
    std::fs::rename(folder.join("set"), folder.path().join(name)).expect("ours");
    expect_the_same(folder.path(), name, &[]);
}

#[test]
fn thousands_of_files_have_mktorrents_info_hash() {
    if !has_mktorrent() {
        return;
    }
    let folder = Folder::new();
    let files: Vec<_> = (0..3000)
        .map(|nth| (format!("set/{}/{}", nth % 37, nth * 7919 % 3001), nth % 50))
        .collect();
    write_files(folder.path(), &files);
    expect_the_same(folder.path(), "set".as_ref(), &[]);
}

/// A folder `set` of some files, and a torrent of it of ours.
fn ours() -> (Folder, String) {
    let folder = Folder::new();
    let files = [
        ("set/a", 3 * PIECE + 5),
        ("set/b/\u{fc} \u{4e2d}", 0),
        ("set/b/c", 1),
        ("set/z", 2 * PIECE - 6),
    ];
    write_files(folder.path(), &files);
    muster_silently(folder.path(), &["create", "-p", "-l", "32K", "-a", URL, "set"]);
    let hash = read(&folder.join("set.torrent")).info_hash().to_string();
    (folder, hash)
}

/// Changes a byte of a file.
fn damage(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("ours");
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("ours");
}

const LIBTORRENT_FILES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/libtorrent_files.py");

#[test]
fn libtorrent_finds_what_we_made_whole_and_what_was_damaged_not() {
    if !has(Client::Libtorrent) {
        return;
    }
    let (folder, hash) = ours();
    let check = || run(PYTHON, folder.path(), &[LIBTORRENT_FILES, "check", "set.torrent", "."]);
    let total = 5 * PIECE;
    let whole = check();
    assert_eq!(whole.stdout, format!("{hash} {total} {total}\n"), "{}", whole.stderr);
    damage(&folder.join("set/z"), 0);
    assert_eq!(check().stdout, format!("{hash} {} {total}\n", 4 * PIECE));
}

#[test]
fn aria2_finds_what_we_made_whole_and_what_was_damaged_not() {
    if !has(Client::Aria2) {
        return;
    }
    let (folder, _) = ours();
    let check = || {
        let offline = ["--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"];
        let how = ["--check-integrity=true", "--hash-check-only=true", "--dir=.", "set.torrent"];
        run("aria2c", folder.path(), &[&offline[..], &how[..]].concat())
    };
    let whole = check();
    assert_eq!(whole.code, Some(0), "{}", whole.stdout);
    assert!(whole.stdout.contains("Verification finished successfully."), "{}", whole.stdout);
    damage(&folder.join("set/z"), 0);
    let damaged = check();
    assert_ne!(damaged.code, Some(0), "{}", damaged.stdout);
    assert!(!damaged.stdout.contains("finished successfully"), "{}", damaged.stdout);
}

#[test]
fn transmission_shows_what_we_made_as_we_meant_it() {
    if !has(Client::Transmission) {
        return;
    }
    let (folder, hash) = ours();
    let shown = run("transmission-show", folder.path(), &["set.torrent"]).stdout;
    for wanted in [
        "  Name: set\n",
        &format!("  Hash: {hash}\n"),
        concat!("  Created by: muster ", env!("CARGO_PKG_VERSION"), "\n"),
        "  Piece Count: 5\n",
        "  Piece Size: 32.00 KiB\n",
        "  Privacy: Private torrent\n",
        &format!("  Tier #1\n  {URL}\n"),
        "  set/b/\u{fc} \u{4e2d} (",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
}

/// Verifies theirs, whole and with one byte of the second piece changed.
fn expect_theirs_verified(folder: &Folder, torrent: &str) {
    let torrent = folder.join(torrent);
    let verify = || muster(folder.path(), &["verify".as_ref(), torrent.as_os_str(), ".".as_ref()]);
    let whole = verify();
    assert_eq!(whole.code, Some(0), "{}{}", whole.stdout, whole.stderr);
    assert!(whole.stdout.contains("/set: whole: "), "{}", whole.stdout);
    let at = PIECE + 9;
    damage(&folder.join("set/a"), at);
    let damaged = verify();
    damage(&folder.join("set/a"), at);
    assert_eq!(damaged.code, Some(1), "{}{}", damaged.stdout, damaged.stderr);
    let piece = (read(&torrent).files.iter())
        .find(|file| file.path == b"a")
        .map(|file| (file.range.start + at as u64) / read(&torrent).piece_length);
    let wanted = format!("damaged     a  pieces {} of ", piece.expect("it has this file"));
    assert!(damaged.stdout.starts_with(&wanted), "{wanted}: {}", damaged.stdout);
}

#[test]
fn torrents_of_mktorrent_transmission_and_libtorrent_are_verified() {
    let (folder, _) = ours();
    let made_by = |program: &str, arguments: &[&str]| {
        let ran = run(program, folder.path(), arguments);
        assert_eq!(ran.code, Some(0), "{program}: {}{}", ran.stdout, ran.stderr);
        expect_theirs_verified(&folder, "theirs.torrent");
        std::fs::remove_file(folder.join("theirs.torrent")).expect("ours");
    };
    if has_mktorrent() {
        made_by("mktorrent", &["-l", "15", "-a", URL, "-o", "theirs.torrent", "set"]);
    }
    if has(Client::Transmission) {
        made_by("transmission-create", &["-s", "32", "-t", URL, "-o", "theirs.torrent", "set"]);
    }
    if has(Client::Libtorrent) {
        let set = folder.join("set");
        let set = set.to_str().expect("text");
        for kind in ["v1", "hybrid"] {
            let made = [LIBTORRENT_FILES, "make", kind, set, "theirs.torrent", "32768"];
            made_by(PYTHON, &made);
        }
    }
}

#[test]
fn the_padding_of_a_hybrid_torrent_is_zeros_and_v2_alone_is_refused() {
    if !has(Client::Libtorrent) {
        return;
    }
    let (folder, _) = ours();
    let set = folder.join("set");
    let make = |kind: &str| {
        let set = set.to_str().expect("text");
        let ran = run(PYTHON, folder.path(), &[LIBTORRENT_FILES, "make", kind, set, kind, "32768"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    };
    make("hybrid");
    let hybrid = read(&folder.join("hybrid"));
    assert!(hybrid.files.iter().any(|file| file.padding), "libtorrent pads hybrids");
    let verified = muster_silently(folder.path(), &["verify", "--files", "hybrid", "set"]);
    assert!(!verified.contains(".pad"), "padding is no file of anybody's: {verified}");
    assert!(verified.ends_with("set: whole: 4 files, 160 KiB, 7 pieces\n"), "{verified}");
    damage(&folder.join("set/b/c"), 0);
    let damaged = muster(folder.path(), &["verify", "hybrid", "set"]).stdout;
    let said = "set: not whole: 6 of 7 pieces (160 KiB of 160 KiB), 3 of 4 files\n";
    assert!(damaged.ends_with(said), "of the files alone, without padding: {damaged}");

    make("v2");
    let refused = muster(folder.path(), &["verify", "v2", "set"]);
    let error = "muster: v2: a torrent of v2 alone (BEP 52), which has no pieces of v1 to check; \
                 use a client that knows v2\n";
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), error));
    assert_eq!(refused.stdout, "");
}
