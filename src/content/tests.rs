//! Hashing, walking and checking on real files in a folder of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use sha1::{Digest as _, Sha1};

use super::check::{FileReport, Report, State, check, locate};
use super::pieces::{Outcome, Work, hash};
use super::walk::{Choice, LeftOut, Walked, Why, walk};
use super::{OnDisk, Source, Span, Stamp};
use crate::metainfo::Metainfo;
use crate::metainfo::build::Draft;

/// A folder of its own for one test, removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muster-content-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the temporary folder is ours to write");
        Folder(path)
    }

    /// Writes a file below it, and the folders that it lies in.
    fn write(&self, below: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(below);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes that differ from place to place, always the same.
fn noise(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length as u64);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

fn file_span(path: &Path) -> Span {
    let stamp = Stamp::of(&fs::metadata(path).expect("the file was written"));
    let on_disk = OnDisk { path: path.to_owned(), stamp };
    Span { bytes: stamp.bytes, source: Source::File(on_disk) }
}

/// All outcomes in order, and how many bytes were said to be done.
fn outcomes(spans: &[Span], piece_bytes: u64, threads: usize) -> (Vec<Outcome>, u64) {
    let found = Mutex::new(Vec::new());
    let bytes_done = AtomicU64::new(0);
    let progress = |more| {
        bytes_done.fetch_add(more, Ordering::Relaxed);
    };
    let stop = AtomicBool::new(false);
    let work = Work { spans, piece_bytes, threads, stop: &stop, progress: &progress };
    hash(&work, &|piece, outcome| found.lock().expect("no panic").push((piece, outcome)))
        .expect("threads");
    let mut found = found.into_inner().expect("no panic");
    found.sort_by_key(|(piece, _)| *piece);
    let numbers = found.iter().map(|(piece, _)| *piece);
    assert!(numbers.eq(0..found.len() as u64), "each piece comes once");
    (found.into_iter().map(|(_, outcome)| outcome).collect(), bytes_done.into_inner())
}

fn sha1(bytes: &[u8]) -> Outcome {
    Outcome::Hash(Sha1::digest(bytes).into())
}

#[test]
fn pieces_are_those_of_the_bytes_one_after_the_other_whatever_the_files_and_threads() {
    let folder = Folder::new();
    // Around the bounds of pieces, buffers and runs; empty files at the ends and between.
    for lengths in [
        &[0][..],
        &[1],
        &[16_384],
        &[16_385],
        &[0, 16_383, 0, 1, 0],
        &[16_383, 2, 40_000, 1, 1, 1],
        &[300_000, 8 * 1024 * 1024 + 5, 0],
    ] {
        let mut whole = Vec::new();
        let mut spans = Vec::new();
        for (nth, &length) in lengths.iter().enumerate() {
            let bytes = noise(length);
            spans.push(file_span(&folder.write(&format!("{nth}"), &bytes)));
            whole.extend_from_slice(&bytes);
            // Zeros between files, as padding files have them.
            spans.push(Span { bytes: 7, source: Source::Zeros });
            whole.extend_from_slice(&[0; 7]);
        }
        for piece_bytes in [1024 * 1024, 16_384] {
            let wanted: Vec<Outcome> = whole.chunks(piece_bytes).map(sha1).collect();
            for threads in [1, 2, 8] {
                let (found, bytes_done) = outcomes(&spans, piece_bytes as u64, threads);
                assert!(found == wanted, "{lengths:?} in {piece_bytes} on {threads}");
                assert_eq!(bytes_done, whole.len() as u64);
            }
        }
    }
    assert_eq!(outcomes(&[], 16_384, 2), (vec![], 0));
}

#[test]
fn a_piece_that_is_not_all_there_is_not_read_and_counts_as_done() {
    let folder = Folder::new();
    let spans = [
        file_span(&folder.write("a", &noise(20_000))),
        Span { bytes: 5, source: Source::Absent },
        file_span(&folder.write("b", &noise(20_000))),
    ];
    let (found, bytes_done) = outcomes(&spans, 16_384, 2);
    let last = [&noise(20_000)[..], &noise(20_000)[..]].concat()[32_763..].to_vec();
    assert_eq!(found, [sha1(&noise(20_000)[..16_384]), Outcome::Absent, sha1(&last)]);
    assert_eq!(bytes_done, 40_005);
}

/// What hashing says of a file to which `change` is done before it begins.
fn outcome_after(change: impl FnOnce(&Path)) -> String {
    let folder = Folder::new();
    let path = folder.write("film\x1b.mkv", &noise(100_000));
    let spans = [file_span(&path)];
    change(&path);
    let (found, bytes_done) = outcomes(&spans, 65_536, 2);
    assert_eq!(bytes_done, 100_000, "what cannot be read is done with too");
    let Some(Outcome::Failed { span: 0, error }) = found.last() else { panic!("{found:?}") };
    error.replace(folder.0.to_str().expect("text"), "FOLDER")
}

#[test]
fn a_file_that_is_not_what_it_was_is_an_error_that_names_it() {
    let changed = "FOLDER/film\\u{1b}.mkv: another program changed it meanwhile; try again when \
                   nothing writes to it";
    assert_eq!(outcome_after(|path| fs::write(path, noise(99_999)).expect("ours")), changed);
    assert_eq!(outcome_after(|path| fs::write(path, noise(100_001)).expect("ours")), changed);
    let replace = |path: &Path| {
        let other = path.with_extension("new");
        fs::write(&other, noise(100_000)).expect("ours");
        fs::rename(other, path).expect("ours");
    };
    assert_eq!(outcome_after(replace), changed);
    let fifo = |path: &Path| {
        fs::remove_file(path).expect("ours");
        mkfifo(path);
    };
    assert_eq!(outcome_after(fifo), changed, "and nobody is waited for");
    assert_eq!(
        outcome_after(|path| fs::remove_file(path).expect("ours")),
        "FOLDER/film\\u{1b}.mkv: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn a_file_cut_while_it_is_read_is_an_error_that_names_it() {
    let folder = Folder::new();
    let path = folder.write("film.mkv", &noise(3_000_000));
    let spans = [file_span(&path)];
    let cut = |_| fs::File::options().write(true).open(&path).expect("ours").set_len(9).expect("");
    let (stop, found) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let work =
        Work { spans: &spans, piece_bytes: 1 << 24, threads: 1, stop: &stop, progress: &cut };
    hash(&work, &|_, outcome| found.lock().expect("no panic").push(outcome)).expect("a thread");
    let error = format!(
        "{}: another program changed it meanwhile; try again when nothing writes to it",
        path.display()
    );
    let found = found.into_inner().expect("no panic");
    assert_eq!(found, [Outcome::Failed { span: 0, error: error.clone() }]);
    let Source::File(on_disk) = &spans[0].source else { panic!("a file") };
    assert_eq!(on_disk.is_unchanged(), Err(error));
}

#[test]
fn hashing_ends_soon_after_it_was_told_to() {
    let folder = Folder::new();
    let spans = [file_span(&folder.write("film.mkv", &noise(10_000_000)))];
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let work =
        Work { spans: &spans, piece_bytes: 16_384, threads: 2, stop: &stop, progress: &|_| () };
    hash(&work, &|_, _| {
        stop.store(true, Ordering::Relaxed);
        count.fetch_add(1, Ordering::Relaxed);
    })
    .expect("threads");
    assert!(count.into_inner() <= 3, "two under way and one seen too late at the most");
}

fn mkfifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a FIFO");
}

/// The paths found, and what was left out, both below the folder.
fn listed(walked: &Walked, folder: &Folder) -> (Vec<String>, Vec<(String, Why)>) {
    let found = walked.files.iter().map(|found| found.below.escape_ascii().to_string()).collect();
    let name = |left_out: &LeftOut| {
        let below = left_out.path.strip_prefix(&folder.0).expect("it lies in the folder");
        (below.to_string_lossy().into_owned(), left_out.why)
    };
    (found, walked.left_out.iter().map(name).collect())
}

#[test]
fn files_come_in_the_order_of_their_paths_as_bytes_and_what_is_left_out_is_said() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    for below in
        ["b", "a/z", "a.txt", "a/b/c", "A", "\u{e9}", "a-b", ".hidden/x", ".env", "a/.DS_Store"]
    {
        folder.write(below, b"");
    }
    folder.write("a/THUMBS.DB", b"");
    fs::write(folder.0.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), b"").expect("ours");
    fs::create_dir(folder.0.join("empty")).expect("ours");
    mkfifo(&folder.0.join("fifo"));
    std::os::unix::net::UnixListener::bind(folder.0.join("socket")).expect("a socket");
    symlink("b", folder.0.join("link")).expect("ours");
    symlink("nowhere", folder.0.join("dangling")).expect("ours");

    let walked = walk(&folder.0, Choice::default()).expect("all of it can be read");
    let (found, left_out) = listed(&walked, &folder);
    // '-' < '.' < '/' as bytes, and 'c' < the two bytes of e acute.
    let plain = ["A", "a-b", "a.txt", "a/b/c", "a/z", "b", "caf\\xe9", "\\xc3\\xa9"];
    assert_eq!(found, plain);
    let wanted = [
        (".env", Why::Hidden),
        (".hidden", Why::Hidden),
        ("a/.DS_Store", Why::Junk),
        ("a/THUMBS.DB", Why::Junk),
        ("dangling", Why::Symlink),
        ("fifo", Why::Special("a FIFO, not a file")),
        ("link", Why::Symlink),
        ("socket", Why::Special("a socket, not a file")),
    ];
    assert_eq!(left_out, wanted.map(|(path, why)| (path.to_owned(), why)));

    let all = Choice { all: true, follow_symlinks: false };
    let (found, left_out) = listed(&walk(&folder.0, all).expect("as before"), &folder);
    assert_eq!(found.len(), plain.len() + 4, "{found:?}");
    assert_eq!(left_out.len(), 4, "{left_out:?}");
}

#[test]
fn symlinks_are_followed_when_asked_for_and_a_circle_is_an_error() {
    let folder = Folder::new();
    let follow = Choice { all: false, follow_symlinks: true };
    folder.write("real/a", b"12345");
    folder.write("outside/b", b"123");
    symlink("../outside", folder.0.join("real/out")).expect("ours");
    symlink("a", folder.0.join("real/link")).expect("ours");
    let root = folder.0.join("real");
    let walked = walk(&root, follow).expect("no circle");
    let found: Vec<_> = walked.files.iter().map(|f| (&f.below[..], f.span().bytes)).collect();
    assert_eq!(found, [(&b"a"[..], 5), (b"link", 5), (b"out/b", 3)]);
    // The folder itself may be named through a link, followed or not.
    symlink("real", folder.0.join("named")).expect("ours");
    assert_eq!(walk(&folder.0.join("named"), Choice::default()).expect("a folder").files.len(), 1);

    symlink("..", folder.0.join("real/up")).expect("ours");
    let error = walk(&folder.0, follow).expect_err("a circle");
    assert!(error.contains("a symlink to a folder above it, a circle without end;"), "{error}");
    fs::remove_file(folder.0.join("real/up")).expect("ours");
    symlink("self", folder.0.join("real/self")).expect("ours");
    let error = walk(&root, follow).expect_err("it leads nowhere");
    let wanted = "/real/self: cannot be read: Too many levels of symbolic links (os error 40)";
    assert!(error.ends_with(wanted), "{error}");
    fs::remove_file(folder.0.join("real/self")).expect("ours");
    symlink("nowhere", folder.0.join("real/z")).expect("ours");
    let error = walk(&root, follow).expect_err("it leads nowhere");
    assert!(error.ends_with("/real/z: a symlink that leads nowhere; remove it"), "{error}");
    let error = walk(&folder.0.join("real/z"), Choice::default()).expect_err("nor named itself");
    assert!(error.ends_with("/real/z: a symlink that leads nowhere; remove it"), "{error}");
}

#[test]
fn symlinks_that_make_ever_more_paths_of_the_same_folders_are_an_error_in_time() {
    let folder = Folder::new();
    // Two to the power of 22 ways lead to the last of them.
    for nth in 0..22 {
        fs::create_dir(folder.0.join(nth.to_string())).expect("ours");
        for link in ["a", "b"] {
            let at = folder.0.join(format!("{nth}/{link}"));
            symlink(format!("../{}", nth + 1), at).expect("ours");
        }
    }
    folder.write("22/file", b"1");
    let follow = Choice { all: false, follow_symlinks: true };
    let error = walk(&folder.0.join("0"), follow).expect_err("too many ways");
    let wanted = ": symlinks lead to the same folders again and again, more than 100000 times; \
                  remove some, or do without --follow-symlinks";
    assert!(error.ends_with(wanted), "{error}");
    // Some are nobody's mistake.
    let walked = walk(&folder.0.join("15"), follow).expect("128 ways");
    assert_eq!(walked.files.len(), 128);
}

/// A torrent of these files of noise, in pieces of 16 KiB.
fn torrent(name: &str, files: &[(&str, usize)]) -> Metainfo {
    let whole: Vec<u8> = files.iter().flat_map(|(_, length)| noise(*length)).collect();
    let draft = Draft {
        name: name.into(),
        files: files.iter().map(|(path, length)| ((*path).into(), *length as u64)).collect(),
        piece_length: 16_384,
        pieces: whole.chunks(16_384).map(|piece| Sha1::digest(piece).into()).collect(),
        ..Draft::default()
    };
    Metainfo::parse(&draft.encode()).expect("a torrent")
}

fn checked(metainfo: &Metainfo, root: &Path) -> Report {
    check(metainfo, root, 2, &AtomicBool::new(false), &|_| ()).expect("threads")
}

#[test]
fn every_way_in_which_a_file_can_be_wrong_is_told_from_the_others() {
    let folder = Folder::new();
    let files = [
        ("absent", 1000),
        ("beside", 15_000),
        ("cut", 50_000),
        ("damaged", 163_840),
        ("dir", 20_000),
        ("e/long", 40_000),
        ("fifo", 40_000),
        ("whole", 80_000),
        ("x", 0),
        ("y", 0),
    ];
    let metainfo = torrent("set", &files);
    for (name, length) in files {
        folder.write(name, &noise(length));
    }
    let whole = checked(&metainfo, &folder.0);
    assert!(whole.is_whole());
    assert_eq!((whole.pieces_whole, whole.pieces), (26, 26));
    assert_eq!(whole.bytes_whole, 409_840);

    fs::remove_file(folder.0.join("absent")).expect("ours");
    folder.write("cut", &noise(50_000)[..30_000]);
    let mut bytes = noise(163_840);
    // It begins at 66,000 of the whole: these are in pieces 5 and 11.
    bytes[20_000] ^= 1;
    bytes[120_000] ^= 1;
    folder.write("damaged", &bytes);
    fs::remove_file(folder.0.join("dir")).expect("ours");
    fs::create_dir(folder.0.join("dir")).expect("ours");
    folder.write("e/long", &[noise(40_000), vec![0]].concat());
    fs::remove_file(folder.0.join("fifo")).expect("ours");
    mkfifo(&folder.0.join("fifo"));
    fs::remove_file(folder.0.join("x")).expect("ours");
    folder.write("y", b"1");

    let report = checked(&metainfo, &folder.0);
    let found: Vec<(&str, &State, Vec<_>)> = report.files.iter().map(told).collect();
    let fifo = State::NoFile("a FIFO, not a file");
    let wanted = [
        ("absent", &State::Missing, vec![0..=0]),
        ("beside", &State::Unsure, vec![0..=0]),
        ("cut", &State::TooShort(30_000), vec![0..=0, 2..=4]),
        ("damaged", &State::Damaged, vec![4..=5, 11..=11, 14..=14]),
        ("dir", &State::NoFile("a folder, not a file"), vec![14..=15]),
        ("e/long", &State::TooLong(40_001), vec![15..=15, 17..=17]),
        ("fifo", &fifo, vec![17..=20]),
        ("whole", &State::Unsure, vec![20..=20]),
        ("x", &State::Missing, vec![]),
        ("y", &State::TooLong(1), vec![]),
    ];
    assert_eq!(found, wanted);
    assert!(!report.is_whole());
    assert_eq!(report.pieces_whole, 26 - 12);
    assert_eq!(report.bytes_whole, 13 * 16_384 + 240);
}

fn told(file: &FileReport) -> (&str, &State, Vec<std::ops::RangeInclusive<u64>>) {
    let path = std::str::from_utf8(&file.path).expect("the test's names are text");
    (path, &file.state, file.pieces_bad.clone())
}

#[test]
fn the_content_is_found_whether_it_or_its_folder_is_named() {
    let folder = Folder::new();
    let single = torrent("film", &[("", 5)]);
    let path = folder.write("film", &noise(5));
    assert_eq!(locate(&single, &folder.0), path);
    assert_eq!(locate(&single, &path), path);
    let elsewhere = folder.write("renamed", &noise(5));
    assert_eq!(locate(&single, &elsewhere), elsewhere);

    // A folder of the torrent's name within the torrent itself.
    let album = torrent("album", &[("album/a", 5), ("b", 6)]);
    let root = folder.0.join("album");
    folder.write("album/album/a", &noise(5));
    folder.write("album/b", &noise(6));
    assert_eq!(locate(&album, &folder.0), root);
    assert_eq!(locate(&album, &root), root);
    assert!(checked(&album, &root).is_whole());
    // Renamed, it is found by what is in it.
    let renamed = folder.0.join("renamed album");
    fs::rename(&root, &renamed).expect("ours");
    assert_eq!(locate(&album, &renamed), renamed);
    // Where there is nothing at all, the place where a client would put it.
    assert_eq!(locate(&album, &folder.0), root);
    fs::create_dir(&root).expect("ours");
    assert_eq!(locate(&album, &root), root);
}

#[test]
fn files_of_the_wrong_length_are_found_too_in_whichever_folder_they_are() {
    let folder = Folder::new();
    let photos = torrent("photos", &[("a", 50_000), ("b", 30_000)]);
    for (root, given) in [("dl", "dl"), ("dl/photos", "dl"), ("photos", "photos"), ("photos", "")] {
        let root = folder.0.join(root);
        fs::create_dir_all(&root).expect("ours");
        for (name, bytes) in [("a", 40_000), ("b", 20_000)] {
            fs::write(root.join(name), noise(bytes)).expect("ours");
        }
        let given = folder.0.join(given);
        assert_eq!(locate(&photos, &given), root, "{}", given.display());
        let states = [State::TooShort(40_000), State::TooShort(20_000)];
        let report = checked(&photos, &root);
        assert_eq!(report.files.into_iter().map(|file| file.state).collect::<Vec<_>>(), states);
        fs::remove_dir_all(root).expect("ours");
    }
    // By its name where there is none of them, also when that is not written.
    let root = folder.0.join("photos");
    fs::create_dir(&root).expect("ours");
    for given in [root.clone(), root.join("."), root.join("x/..")] {
        fs::create_dir_all(root.join("x")).expect("ours");
        assert_eq!(locate(&photos, &given), given);
    }
}

#[test]
fn a_symlink_is_whole_when_it_leads_where_the_torrent_says_and_only_then() {
    let folder = Folder::new();
    let head = b"d4:infod5:filesld6:lengthi5e4:pathl1:a1:ceed4:attr1:l6:lengthi0e4:pathl1:b4:linke\
                 12:symlink pathl1:a1:ceee4:name3:set12:piece lengthi16384e6:pieces20:";
    let mut bytes = head.to_vec();
    bytes.extend(Sha1::digest(noise(5)));
    bytes.extend(b"ee");
    let metainfo = Metainfo::parse(&bytes).expect("a torrent");
    assert_eq!(metainfo.files[1].symlink.as_deref(), Some(&b"a/c"[..]));
    folder.write("a/c", &noise(5));
    fs::create_dir(folder.0.join("b")).expect("ours");
    let at = folder.0.join("b/link");
    let state = || checked(&metainfo, &folder.0).files[1].state.clone();
    assert_eq!(state(), State::Missing);
    for right in ["../a/c", "./../b/../a/c"] {
        symlink(right, &at).expect("ours");
        assert_eq!(state(), State::Whole, "{right}");
        fs::remove_file(&at).expect("ours");
    }
    let absolute = folder.0.join("a/c");
    let absolute = absolute.to_str().expect("text");
    for other in ["a/c", "nowhere", "/etc/passwd", absolute, "../a", "../../../a/c"] {
        symlink(other, &at).expect("ours");
        assert_eq!(state(), State::NoFile("a symlink to another place"), "{other}");
        fs::remove_file(&at).expect("ours");
    }
    folder.write("b/link", b"");
    assert_eq!(state(), State::NoFile("not a symlink"));
    fs::remove_file(&at).expect("ours");
    fs::create_dir(&at).expect("ours");
    assert_eq!(state(), State::NoFile("not a symlink"));
}

#[test]
fn a_file_that_changes_after_it_was_read_is_not_said_to_be_whole() {
    let folder = Folder::new();
    let metainfo = torrent("film", &[("", 40_000)]);
    let path = folder.write("film", &noise(40_000));
    let left = AtomicU64::new(40_000);
    let append = |more| {
        if left.fetch_sub(more, Ordering::Relaxed) == more {
            fs::write(&path, noise(40_001)).expect("ours");
        }
    };
    let report = check(&metainfo, &path, 1, &AtomicBool::new(false), &append).expect("a thread");
    let error = format!(
        "{}: another program changed it meanwhile; try again when nothing writes to it",
        path.display()
    );
    assert_eq!(report.files[0].state, State::Unreadable(error));
}
