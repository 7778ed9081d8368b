//! `muster create`: what it writes, what it says, and that it leaves nothing behind when it cannot.
//!
//! Root reads everything, so what must not be readable is tried without the capabilities for that.
//! A content that takes hours to hash is a hole in a file; a full disk is a bound on the size of
//! files. Files that change while they are hashed are in the tests of `content`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;

use muster::metainfo::Metainfo;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use super::{URL, muster, muster_silently, names_in, noise, read, run, write_files};
use crate::harness::{Folder, Server, eventually};

#[test]
fn a_torrent_says_what_was_asked_for_and_its_hash_and_link_are_printed() {
    let folder = Folder::new();
    write_files(folder.path(), &[("film.mkv", 40_000)]);
    let said = muster_silently(
        folder.path(),
        &[
            "create",
            "film.mkv",
            "-a",
            URL,
            "-a",
            "udp://b.example:1,c.example",
            "--private",
            "--comment",
            "A comment",
            "--source",
            "here",
            "--web-seed",
            "http://w.example/film.mkv",
            "--piece-length",
            "16KiB",
        ],
    );
    let torrent = read(&folder.join("film.mkv.torrent"));
    let hash = torrent.info_hash();
    let trackers = "&tr=http%3A%2F%2Ftracker.example%3A6969%2Fannounce&tr=udp%3A%2F%2Fb.example%3A1\
                    &tr=http%3A%2F%2Fc.example%3A6969%2Fannounce";
    assert_eq!(
        said,
        format!(
            "film.mkv.torrent: 1 file, 39.1 KiB, 3 pieces of 16 KiB, private\n\
             Info hash: {hash}\n\
             Magnet:    magnet:?xt=urn:btih:{hash}&dn=film.mkv{trackers}&xl=40000\n"
        )
    );
    assert!(torrent.is_single_file() && torrent.private);
    assert_eq!(torrent.name, b"film.mkv");
    let second = ["udp://b.example:1", "http://c.example:6969/announce"];
    assert_eq!(torrent.tiers, [&[URL][..], &second]);
    assert_eq!(torrent.web_seeds, ["http://w.example/film.mkv"]);
    assert_eq!(torrent.comment.as_deref(), Some(&b"A comment"[..]));
    assert_eq!(torrent.source.as_deref(), Some(&b"here"[..]));
    let maker = concat!("muster ", env!("CARGO_PKG_VERSION"));
    assert_eq!(torrent.created_by.as_deref(), Some(maker.as_bytes()));
    assert!(torrent.creation_date > Some(1_700_000_000));
    assert_eq!(torrent.flaws(), [""; 0]);

    let bare = ["create", "film.mkv", "-a", URL, "--no-date", "--no-created-by", "-o", "bare"];
    muster_silently(folder.path(), &bare);
    let bytes = fs::read(folder.join("bare")).expect("it was written");
    let bare = Metainfo::parse(&bytes).expect("a torrent");
    assert_eq!((bare.creation_date, bare.created_by), (None, None));
    assert!(
        bytes.starts_with(b"d8:announce36:http://tracker.example:6969/announce4:infod6:length")
    );
}

#[test]
fn the_torrent_goes_where_it_is_wanted_under_the_name_it_is_wanted_under() {
    let folder = Folder::new();
    write_files(folder.path(), &[("set/a", 5), ("out/x", 1)]);
    let create = |more: &[&str]| {
        muster_silently(folder.path(), &[&["create", "set", "-a", URL], more].concat())
    };
    create(&["-o", "out"]);
    create(&["--name", "Other", "-o", "out/"]);
    assert_eq!(names_in(&folder.join("out")), ["Other.torrent", "set.torrent", "x"]);
    assert_eq!(read(&folder.join("out/Other.torrent")).name, b"Other");
    // The folder one is in has a name too.
    muster_silently(&folder.join("set"), &["create", ".", "-a", URL, "-o", "../dot"]);
    assert_eq!(read(&folder.join("dot")).name, b"set");
    let slash = muster_silently(folder.path(), &["create", "set/", "-a", URL]);
    assert!(slash.starts_with("set.torrent: 1 file, 5 bytes, 1 piece of 16 KiB\n"), "{slash}");

    let piped = Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["create", "set", "-a", URL, "-o", "-"])
        .current_dir(folder.path())
        .output()
        .expect("the program starts");
    let torrent = Metainfo::parse(&piped.stdout).expect("a torrent and nothing else");
    assert_eq!(torrent.info_hash_v1, read(&folder.join("set.torrent")).info_hash_v1);
    let said = String::from_utf8_lossy(&piped.stderr);
    assert!(said.starts_with("-: 1 file, 5 bytes, 1 piece of 16 KiB\nInfo hash: "), "{said}");
}

#[test]
fn json_is_what_show_prints_and_what_was_left_out() {
    let folder = Folder::new();
    write_files(folder.path(), &[("set/a", 5), ("set/.b", 1)]);
    let ran = muster(folder.path(), &["create", "set", "-a", URL, "--json"]);
    assert_eq!(ran.stderr, "left out: set/.b: hidden; --all takes it in\n");
    let shown = muster_silently(folder.path(), &["show", "--json", "set.torrent"]);
    let [mut ran, shown] = [ran.stdout, shown]
        .map(|text| serde_json::from_str::<serde_json::Value>(&text).expect("JSON"));
    let left_out = ran.as_object_mut().expect("an object").remove("left_out");
    let wanted = serde_json::json!([{ "path": "set/.b", "why": "hidden; --all takes it in" }]);
    assert_eq!(left_out, Some(wanted));
    assert_eq!(ran, shown);
}

#[test]
fn what_is_left_out_is_said_and_what_is_wrong_with_the_torrent_too() {
    let folder = Folder::new();
    write_files(folder.path(), &[("set/a", 5), ("set/b\\c", 1)]);
    for nth in 10..22 {
        symlink("a", folder.join(&format!("set/link-{nth}"))).expect("ours");
    }
    let ran = muster(folder.path(), &["create", "set"]);
    assert_eq!(ran.code, Some(0));
    let mut wanted: Vec<String> = (10..20)
        .map(|nth| {
            let why = "a symlink; --follow-symlinks takes in what it leads to";
            format!("left out: set/link-{nth}: {why}")
        })
        .collect();
    wanted.extend([
        "left out: 2 more; --json lists them all".to_owned(),
        "note: announce: no tracker, its clients find each other through the DHT alone".to_owned(),
        "note: path: a backslash, which Windows takes for a folder: b\\\\c".to_owned(),
    ]);
    assert_eq!(ran.stderr.lines().collect::<Vec<_>>(), wanted);
    let files = read(&folder.join("set.torrent")).files;
    assert_eq!(files.len(), 2);
    let followed = ["create", "set", "-a", URL, "--follow-symlinks", "-o", "followed"];
    muster(folder.path(), &followed);
    assert_eq!(read(&folder.join("followed")).files.len(), 14);
}

#[test]
fn a_fifo_is_not_waited_for() {
    let folder = Folder::new();
    write_files(folder.path(), &[("set/a", 5)]);
    for below in ["set/fifo", "alone"] {
        let mode = Mode::from_raw_mode(0o600);
        mknodat(CWD, folder.join(below), FileType::Fifo, mode, 0).expect("a FIFO");
    }
    for (path, code, said) in [
        ("set", 0, "/set/fifo: a FIFO, not a file\n"),
        ("alone", 1, "/alone: a FIFO, not a file; give a file or a folder\n"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["create", "-a", URL, "-o"]).arg(folder.join("torrent"));
        command.arg(folder.join(path));
        // Ends within the harness's patience, or fails.
        let mut running = Server::launch(command);
        assert_eq!(running.wait().code(), Some(code), "{}", running.stderr());
        assert!(running.stderr().ends_with(said), "{}", running.stderr());
    }
}

#[test]
fn an_existing_file_is_replaced_only_when_asked_for() {
    let folder = Folder::new();
    write_files(folder.path(), &[("a", 5)]);
    fs::write(folder.join("a.torrent"), "precious").expect("ours");
    let ran = muster(folder.path(), &["create", "a", "-a", URL]);
    let error = "muster: a.torrent: there is one already; --force replaces it, -o NAME writes \
                 another\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), error));
    assert_eq!(fs::read(folder.join("a.torrent")).expect("ours"), b"precious");
    muster_silently(folder.path(), &["create", "a", "-a", URL, "--force"]);
    assert_eq!(read(&folder.join("a.torrent")).name, b"a");
    assert_eq!(names_in(folder.path()), ["a", "a.torrent"]);
}

#[test]
fn a_torrent_is_never_a_part_of_itself() {
    let folder = Folder::new();
    write_files(folder.path(), &[("set/a", 5)]);
    let set = folder.join("set");
    // Written into the folder after its files were listed, it is not one of them.
    muster_silently(&set, &["create", ".", "-a", URL]);
    assert_eq!(read(&set.join("set.torrent")).files.len(), 1);
    // The next one would list it, and then replace it.
    let ran = muster(&set, &["create", ".", "-a", URL, "--force"]);
    let error = "muster: ./set.torrent: would be a part of itself; write the torrent elsewhere \
                 with -o, or remove that file\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), error));
    assert_eq!(read(&set.join("set.torrent")).files.len(), 1);
    muster_silently(&set, &["create", ".", "-a", URL, "-o", ".set.torrent", "--all"]);
    assert_eq!(read(&set.join(".set.torrent")).files.len(), 2);
}

/// A command line of muster's that may read no more than any owner of files may, though it be run
/// by root: without the capabilities that let root read everything.
fn without_roots_eyes(arguments: &[&str]) -> (String, Vec<String>) {
    let all = [&[env!("CARGO_BIN_EXE_muster")], arguments].concat();
    let mut words: Vec<&str> = Vec::new();
    if rustix::process::geteuid().is_root() {
        words.extend(["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]);
    }
    words.extend(all);
    let mut words = words.into_iter().map(str::to_owned);
    (words.next().expect("at least muster"), words.collect())
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_it() {
    let folder = Folder::new();
    write_files(folder.path(), &[("set/a", 5), ("set/b/c", 5), ("set/d", 5)]);
    let close = |below: &str, mode| {
        fs::set_permissions(folder.join(below), PermissionsExt::from_mode(mode)).expect("ours");
    };
    let create = || {
        let (program, arguments) = without_roots_eyes(&["create", "set", "-a", URL]);
        run(&program, folder.path(), &arguments)
    };
    // Said before anything else is looked at, not after hours of hashing.
    fs::write(folder.join("set.torrent"), "in the way").expect("ours");
    for (below, mode) in [("set/d", 0o000), ("set/b", 0o300), ("set/b", 0o600)] {
        close(below, mode);
        let ran = create();
        close(below, 0o700);
        let named = if mode == 0o600 { "set/b/c" } else { below };
        let error = format!("muster: {named}: cannot be read: Permission denied (os error 13)\n");
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), error.as_str()), "{below} {mode:o}");
    }
    fs::remove_file(folder.join("set.torrent")).expect("ours");
    close("", 0o500);
    let ran = create();
    close("", 0o700);
    let error = "muster: set.torrent: cannot be written: Permission denied (os error 13)\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), error));
    assert_eq!(create().code, Some(0), "as it was, it can be read");
}

/// The files that a process has open.
fn open_files(pid: u32) -> Vec<PathBuf> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

#[test]
fn an_interrupt_midway_leaves_nothing_and_ends_a_shells_loop_too() {
    let folder = Folder::new();
    // A hole in place of content: hours of hashing, and no bytes on the disk.
    let huge = folder.join("huge");
    let file = fs::File::create(&huge).expect("ours");
    file.set_len(1 << 42).expect("a file system with holes");
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["create", "-a", URL, "-l", "64M", "-o"]).arg(folder.join("t")).arg(&huge);
        let mut running = Server::launch(command);
        // The file is opened to be hashed, after the signals were seen to.
        eventually(&true, || open_files(running.pid()).contains(&huge));
        running.signal(signal);
        let status = running.wait();
        assert_eq!(status.signal(), Some(number), "it died of it: {status}");
        assert_eq!(running.stderr(), "muster: stopped; nothing was written\n");
        assert_eq!(running.stdout(), "");
        assert_eq!(names_in(folder.path()), ["huge"]);
    }
}

#[test]
fn a_disk_without_room_for_the_torrent_leaves_nothing() {
    let folder = Folder::new();
    // 129 pieces: 2,580 bytes of hashes.
    write_files(folder.path(), &[("film", 2_100_000)]);
    // One block, of 512 bytes or 1,024; a write beyond it fails as on a full disk.
    let script = "ulimit -f 1; exec \"$0\" create film -a http://tracker.example:6969/announce \
                  -l 16KiB \"$@\"";
    for more in [&[][..], &["--force"]] {
        let arguments = [&["-c", script, env!("CARGO_BIN_EXE_muster")], more].concat();
        let ran = run("sh", folder.path(), &arguments);
        let error = "muster: film.torrent: cannot be written: File too large (os error 27)\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), error));
        assert_eq!(names_in(folder.path()), ["film"]);
    }
}

#[test]
fn one_thread_and_eight_make_the_same_torrent() {
    let folder = Folder::new();
    let files: Vec<_> = (0..40).map(|nth| (format!("set/{nth}"), nth * 12_345)).collect();
    write_files(folder.path(), &files);
    let [one, eight] = ["1", "8"].map(|threads| {
        let more = ["-l", "16KiB", "--no-date", "-t", threads, "-o", threads];
        muster_silently(folder.path(), &[&["create", "set", "-a", URL], &more[..]].concat());
        fs::read(folder.join(threads)).expect("it was written")
    });
    assert!(one == eight);
    assert!(one.len() > 20 * 500, "hundreds of pieces: {} bytes", one.len());
}

#[test]
fn wrong_usage_is_one_line_that_says_what_to_do() {
    let folder = Folder::new();
    write_files(folder.path(), &[("a", 5)]);
    fs::create_dir(folder.join("empty")).expect("ours");
    for (arguments, code, error) in [
        (
            &["a", "-p"][..],
            2,
            "--private: without a tracker nobody finds anybody; give one with -a URL (muster \
             prints its announce URLs when it starts)",
        ),
        (
            &["a", "-a", "ftp://b.example"],
            2,
            "--announce: \"ftp://b.example\": a scheme other than http, https and udp; a tracker \
             is http://HOST:PORT/announce or udp://HOST:PORT",
        ),
        (
            &["a", "-w", "w.example/a b"],
            2,
            "--web-seed: w.example/a b: not a URL; a web seed is http://HOST/PATH, https or ftp, \
             with spaces as %20",
        ),
        (
            &["a", "-l", "18"],
            2,
            "invalid value '18' for '--piece-length <LENGTH>': expected a power of two from 16 \
             KiB to 64 MiB, such as 256KiB, 1M or 2^18; 2^18?; see muster create --help",
        ),
        (&["a", "-o", "-", "--json"], 2, "--json: standard output is the torrent's with -o -"),
        (&["a", "-o", ""], 2, "--output: empty; name a file or a folder, or - for standard output"),
        (&[""], 2, "an empty PATH; name a file or a folder, or the working folder as ."),
        (
            &["a", "-o", "new/"],
            1,
            "new/: there is no such folder; make it first, or leave the slash out",
        ),
        (&["a", "-n", "b/c"], 2, "--name: b/c: a path, not a name"),
        (
            &["a", "-n", "..", "-o", "b"],
            1,
            "no torrent can be made of this: info.name: \"..\": leads out of its folder",
        ),
        (&["/", "-a", URL], 2, "/: has no name; give it one with -n"),
        (&["empty", "-a", URL], 1, "empty: no files in it"),
        (&["no"], 1, "no: cannot be read: No such file or directory (os error 2)"),
        (
            &["a", "-o", "no/b"],
            1,
            "no/b: cannot be written: No such file or directory (os error 2)",
        ),
    ] {
        let ran = muster(folder.path(), &[&["create"], arguments].concat());
        let error = format!("muster: {error}\n");
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), error.as_str()), "{arguments:?}");
        assert_eq!(names_in(folder.path()), ["a", "empty"], "{arguments:?}");
    }
}

#[test]
fn text_that_is_no_utf_8_is_named_with_its_argument_and_a_name_too_long_with_a_way_out() {
    let folder = Folder::new();
    let long = "n".repeat(250);
    write_files(folder.path(), &[("a", 5), (&long, 5)]);
    let torn = OsStr::from_bytes(b"caf\xe9");
    for argument in ["--comment", "--source", "--announce", "--web-seed"] {
        let given = [OsStr::new("create"), "a".as_ref(), argument.as_ref(), torn];
        let ran = muster(folder.path(), &given);
        let start = format!("muster: invalid value 'caf\u{fffd}' for '{argument} <");
        assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
        assert!(
            ran.stderr.ends_with(">': not UTF-8; see muster create --help\n"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.code, Some(2));
    }
    let ran = muster(folder.path(), &["create", &long, "-a", URL]);
    let error = format!(
        "muster: {long}.torrent: cannot be written: File name too long (os error 36); give it a \
         shorter one with -o\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(1), error));
}

/// How many threads of a process hash.
fn hashing_threads(pid: u32) -> usize {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let names = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("comm")));
    names.filter(|name| name.as_deref().is_ok_and(|name| name == "hash\n")).count()
}

#[test]
fn it_hashes_on_as_many_threads_as_it_is_told_to() {
    let folder = Folder::new();
    let huge = folder.join("huge");
    let file = fs::File::create(&huge).expect("ours");
    file.set_len(1 << 42).expect("a file system with holes");
    for threads in [1, 3] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(["create", "-a", URL, "-l", "64M", "-t", &threads.to_string(), "-o"]);
        command.arg(folder.join("t")).arg(&huge);
        let running = Server::launch(command);
        eventually(&threads, || hashing_threads(running.pid()));
    }
}

#[test]
fn more_pieces_than_a_torrent_file_holds_are_refused_before_they_are_hashed() {
    let folder = Folder::new();
    let file = fs::File::create(folder.join("huge")).expect("ours");
    file.set_len(1 << 40).expect("a file system with holes");
    let ran = muster(folder.path(), &["create", "huge", "-a", URL, "-l", "16K"]);
    let error = "muster: huge: 67,108,864 pieces of 16 KiB are more than a torrent file may hold; \
                 make them longer with --piece-length, or several torrents\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), error));
}

#[test]
fn an_empty_file_makes_a_torrent_with_a_note() {
    let folder = Folder::new();
    write_files(folder.path(), &[("a", 0)]);
    let ran = muster(folder.path(), &["create", "a", "-a", URL]);
    let note = "note: length: 0 bytes: there is nothing to download\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), note));
    assert_eq!(read(&folder.join("a.torrent")).pieces, [[0; 20]; 0]);
    let verified = muster_silently(folder.path(), &["verify", "a.torrent", "."]);
    assert_eq!(verified, "./a: whole: 1 file, 0 bytes, 0 pieces\n");
    fs::write(folder.join("a"), noise(1)).expect("ours");
    let longer = muster(folder.path(), &["verify", "a.torrent", "a"]);
    let said = "too long    a  1 byte instead of 0\na: not whole: 0 of 0 pieces (0 bytes of 0 \
                bytes), 0 of 1 file\n";
    assert_eq!((longer.code, longer.stdout.as_str()), (Some(1), said));
}
