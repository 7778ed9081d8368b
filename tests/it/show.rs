//! `muster show` on the torrents of other programs, on files that are none, and as README has it.
//!
//! Torrents by mktorrent, Transmission and libtorrent, of one file and of a folder, v1, v2 and
//! both, are read as these programs read them; what stands in each field is compared, not what was
//! printed for people. Where one of the programs is not installed, the test says so in one line
//! and passes; with `REQUIRE_CLIENTS=1` it fails. What is refused, and why, stands beside the
//! parser.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::clients::peer::{Client, PYTHON};
use crate::harness::Folder;
use crate::programs::{is_installed, say_missing};

/// Runs `muster show` with these arguments and this standard input.
fn show(arguments: &[&OsStr], input: &[u8]) -> Output {
    let mut started = Command::new(env!("CARGO_BIN_EXE_muster"))
        .arg("show")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that wants none of it may have ended.
    let _ = started.stdin.take().expect("piped").write_all(input);
    started.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// What `show --json` says of a torrent.
fn shown(torrent: &Path) -> Value {
    let output = show(&["--json".as_ref(), torrent.as_os_str()], b"");
    assert_eq!(text(&output.stderr), "", "{}", torrent.display());
    serde_json::from_slice(&output.stdout).expect("a line of JSON")
}

/// Runs a program that must succeed, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The three programs that make torrents and read them.
fn makers_are_installed() -> bool {
    is_installed("mktorrent", &["-h"])
        && is_installed("transmission-create", &["--version"])
        && (Client::Libtorrent.is_installed() || say_missing("python3-libtorrent"))
}

/// Makes torrents of `content` with all programs, the options of each other than another's.
fn make_torrents(content: &Path, folder: &Path) {
    run(Command::new("mktorrent")
        .args(["-p", "-l", "15", "-a", "http://a.example/x,udp://b.example:80", "-a"])
        .args(["https://c.example/", "-c", "made by mktorrent", "-w", "http://w.example/", "-o"])
        .arg(folder.join("mktorrent.torrent"))
        .arg(content));
    run(Command::new("transmission-create")
        .args(["-t", "http://d.example/y", "-s", "64", "-c", "caf\u{e9}", "-o"])
        .arg(folder.join("transmission.torrent"))
        .arg(content));
}

/// What libtorrent reads in the torrents of `folder`, to which it adds its own of `content`.
fn read_by_libtorrent(content: &Path, folder: &Path) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/libtorrent_torrents.py");
    let said = run(Command::new(PYTHON).arg(script).arg(content).arg(folder));
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What we read in a torrent, in the form of what libtorrent's script says of it.
fn as_libtorrent_says(torrent: &Path) -> Value {
    let ours = shown(torrent);
    let name = ours["name"].as_str().expect("text");
    let within = |path: &Value| match path.as_str() {
        Some("") => json!(name),
        path => json!(path.map(|path| format!("{name}/{path}"))),
    };
    let files = ours["files"].as_array().expect("a list").iter();
    let files = files.filter(|file| file["padding"].is_null()).map(|file| {
        let offset = file["length"].as_u64().filter(|length| *length > 0).map(|_| &file["offset"]);
        json!({
            "path": within(&file["path"]), "length": file["length"], "offset": offset,
            "symlink": within(&file["symlink"]),
        })
    });
    let files: Vec<Value> = files.collect();
    let or_empty = |key: &str| ours[key].as_str().unwrap_or_default().to_owned();
    json!({
        "file": torrent.file_name().expect("a file").to_str(),
        "info_hash_v1": ours["info_hash_v1"], "info_hash_v2": ours["info_hash_v2"],
        "name": name, "size": ours["size"], "piece_length": ours["piece_length"],
        "piece_count": ours["piece_count"], "private": ours["private"],
        "comment": or_empty("comment"), "created_by": or_empty("created_by"),
        "creation_date": ours["creation_date"], "trackers": sorted_tiers(&ours),
        "web_seeds": seeds(&ours), "nodes": ours["nodes"], "files": files,
    })
}

/// The tiers with their trackers sorted: libtorrent shuffles those of one tier, as BEP 12 has it.
fn sorted_tiers(torrent: &Value) -> Vec<Vec<&str>> {
    let tiers = torrent["trackers"].as_array().expect("a list").iter();
    let sorted = tiers.map(|tier| {
        let mut tier: Vec<&str> =
            tier.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        tier.sort_unstable();
        tier
    });
    sorted.collect()
}

/// The web seeds without a slash behind them, which libtorrent adds where it makes one a folder.
fn seeds(torrent: &Value) -> Vec<&str> {
    let seeds = torrent["web_seeds"].as_array().expect("a list").iter();
    seeds.filter_map(Value::as_str).map(|seed| seed.trim_end_matches('/')).collect()
}

/// Compares what we read in the torrents of `content` with what the programs do.
fn compare(content: &Path) {
    let folder = Folder::new();
    make_torrents(content, folder.path());
    let said = read_by_libtorrent(content, folder.path());
    assert_eq!(said.len(), 5, "mktorrent, Transmission, libtorrent in v1, v2 and both");
    for mut theirs in said {
        let torrent = folder.join(theirs["file"].as_str().expect("a name"));
        theirs["trackers"] = json!(sorted_tiers(&theirs));
        theirs["web_seeds"] = json!(seeds(&theirs));
        assert_eq!(as_libtorrent_says(&torrent), theirs);
        if theirs["info_hash_v1"].is_string() && theirs["info_hash_v2"].is_null() {
            let page = run(Command::new("transmission-show").arg(&torrent));
            let hash = format!("  Hash: {}\n", theirs["info_hash_v1"].as_str().expect("text"));
            assert!(page.contains(&hash), "{page}");
        }
    }
}

fn write(path: PathBuf, bytes: usize) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is ours");
    std::fs::write(path, vec![b'm'; bytes]).expect("the folder is ours");
}

#[test]
fn torrents_of_one_file_by_other_programs_are_read_as_they_read_them() {
    if !makers_are_installed() {
        return;
    }
    let folder = Folder::new();
    let content = folder.join("one f\u{ef}le.bin");
    write(content.clone(), 100_001);
    compare(&content);
}

#[test]
fn torrents_of_folders_by_other_programs_are_read_as_they_read_them() {
    if !makers_are_installed() {
        return;
    }
    let folder = Folder::new();
    let content = folder.join("\u{65e5}\u{672c} & more");
    for (name, bytes) in [
        ("a/piece.bin", 32 * 1024),
        ("a/piece-and-one.bin", 32 * 1024 + 1),
        ("a/b/c/d/e/deep.bin", 150_000),
        ("caf\u{e9}/\u{1f600}.txt", 5),
        ("one", 1),
    ] {
        write(content.join(name), bytes);
    }
    for n in 0..2000 {
        write(content.join(format!("many/{n:04}.txt")), n % 7 + 1);
    }
    compare(&content);
}

#[test]
fn empty_files_links_and_names_in_no_encoding_are_read_as_other_programs_wrote_them() {
    if !makers_are_installed() {
        return;
    }
    let folder = Folder::new();
    let content = folder.join("content");
    write(content.join("data"), 70_000);
    write(content.join("empty"), 0);
    write(content.join("sub/below"), 7);
    write(content.join(OsStr::from_bytes(b"raw\xfe\xff")), 3);
    for (to, link) in [("data", "link"), ("../data", "sub/up"), ("below", "sub/beside")] {
        std::os::unix::fs::symlink(to, content.join(link)).expect("the folder is ours");
    }
    make_torrents(&content, folder.path());
    for program in ["mktorrent", "transmission"] {
        let torrent = folder.join(&format!("{program}.torrent"));
        let page = run(Command::new("transmission-show").arg(&torrent));
        let ours = shown(&torrent);
        let hash = format!("  Hash: {}\n", ours["info_hash"].as_str().expect("text"));
        assert!(page.contains(&hash), "{program}: {page}");
        let files = ours["files"].as_array().expect("a list");
        assert!(files.iter().any(|file| file["path_hex"] == "726177feff"), "{program}: {ours}");
    }
    // libtorrent writes another name for the one that is no text, and the link as one.
    std::fs::remove_file(content.join(OsStr::from_bytes(b"raw\xfe\xff"))).expect("it is there");
    let said = read_by_libtorrent(&content, folder.path());
    for theirs in said.iter().filter(|t| t["created_by"] == "libtorrent's test") {
        let ours = as_libtorrent_says(&folder.join(theirs["file"].as_str().expect("a name")));
        for key in ["info_hash_v1", "info_hash_v2", "files", "size", "piece_count", "private"] {
            assert_eq!(ours[key], theirs[key], "{key} of {}", theirs["file"]);
        }
        let links: Vec<_> = theirs["files"].as_array().expect("a list").iter().collect();
        let to = |path: &str| links.iter().filter(|file| file["symlink"] == path).count();
        assert_eq!((to("content/data"), to("content/sub/below")), (2, 1), "{theirs}");
    }
}

/// The torrent that README shows.
const HOLIDAY: &str = "tests/vectors/holiday.torrent";

#[test]
fn readme_shows_what_the_command_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let printed = show(&[root.join(HOLIDAY).as_os_str()], b"");
    let wanted = format!("$ muster show {HOLIDAY}\n{}```\n", text(&printed.stdout));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("there");
    assert!(readme.contains(&wanted), "README.md should have\n{wanted}");
}

#[test]
fn a_torrent_on_standard_input_is_shown_field_by_field() {
    let torrent = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(HOLIDAY));
    let output = show(&["-".as_ref()], &torrent.expect("there"));
    let wanted = "        Name  Holiday 2026
   Info Hash  4af488c70ffd605f63535125be75dd0a7a7cd9e7
        Size  78.4 MiB (82,166,682 bytes)
      Pieces  79 of 1 MiB
     Private  yes
    Trackers  tier 1: https://tracker.example/announce
              tier 2: udp://backup.example:6969
      Source  family
     Comment  the film is cut, the photos are not
  Created By  by hand
     Created  2026-11-21 01:30:56 UTC
Torrent Size  2.1 KiB (2,175 bytes)
       Files  6
              ├─ film/  2 files, 71.9 MiB
              │  ├─ credits.srt  1.9 MiB
              │  └─ film.mp4  70 MiB
              ├─ notes.txt  812 bytes
              └─ photos/  3 files, 6.5 MiB
                 ├─ IMG_1.JPG  2.3 MiB
                 ├─ IMG_2.JPG  2.1 MiB
                 └─ img_2.jpg  2.1 MiB
      Magnet  magnet:?xt=urn:btih:4af488c70ffd605f63535125be75dd0a7a7cd9e7\
              &dn=Holiday%202026&tr=https%3A%2F%2Ftracker.example%2Fannounce\
              &tr=udp%3A%2F%2Fbackup.example%3A6969&xl=82166682
       Flaws  path: another but for case, so the same file on Windows and macOS: photos/img_2.jpg
";
    assert_eq!(text(&output.stdout), wanted);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn what_is_no_torrent_is_named_and_the_others_are_shown() {
    let folder = Folder::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = std::fs::read(root.join(HOLIDAY)).expect("there");
    std::fs::write(folder.join("cut\n.torrent"), &whole[..whole.len() - 1]).expect("ours");
    std::fs::write(folder.join("page.torrent"), b"\xef\xbb\xbf\n<html>").expect("ours");
    std::fs::write(folder.join("packed.torrent"), b"\x1f\x8b\x08").expect("ours");
    std::fs::write(folder.join("whole.torrent"), &whole).expect("ours");
    let names =
        ["cut\n.torrent", "page.torrent", "packed.torrent", "none.torrent", "whole.torrent"];
    let paths = [&names[..], &["."]].concat();
    let paths: Vec<_> = paths.iter().map(|name| folder.join(name).into_os_string()).collect();
    let paths: Vec<&OsStr> = paths.iter().map(std::ffi::OsString::as_os_str).collect();
    let output = show(&paths, b"");
    let at = folder.path().display();
    let wanted = format!(
        "muster: {at}/cut\\n.torrent: not a torrent file: not bencode: byte {}: the input ends \
         within a value\n\
         muster: {at}/page.torrent: not a torrent file but a web page; fetch the torrent itself, \
         which may need you to be logged in where it is\n\
         muster: {at}/packed.torrent: not a torrent file but one compressed with gzip; unpack it \
         with gunzip first\n\
         muster: {at}/none.torrent: No such file or directory (os error 2)\n\
         muster: {at}/.: Is a directory (os error 21)\n",
        whole.len() - 1
    );
    assert_eq!(text(&output.stderr), wanted);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("        Name  Holiday 2026\n"));

    let pasted = ["magnet:?xt=urn:btih:aa", "https://a.example/b.torrent"].map(OsStr::new);
    let output = show(&pasted, b"");
    let wanted = "muster: magnet:?xt=urn:btih:aa: a magnet link, not a file; open it in a client \
                  and save the torrent there\n\
                  muster: https://a.example/b.torrent: a URL, not a file; fetch it first, as with \
                  curl -sLO URL\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", wanted));

    let output = show(&["-".as_ref()], b"");
    let wanted = "muster: standard input: not a torrent file: not bencode: byte 0: the input ends \
                  within a value\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", wanted));
    let output = show(&["-".as_ref()], &vec![b'0'; 64 * 1024 * 1024 + 1]);
    let wanted = "muster: standard input: no torrent file is larger than 67108864 bytes\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", wanted));
    let output = show(&[], b"");
    assert_eq!(output.status.code(), Some(2), "without a file");
}

#[test]
fn several_torrents_are_a_line_of_json_each_or_a_table_each() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(HOLIDAY);
    let [first, second] = [path.as_os_str(); 2];
    let output = show(&["--json".as_ref(), first, second], b"");
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["files"][1]["path"], "film/film.mp4");
    assert_eq!(lines[1]["files"][1]["offset"], 1_953_792);
    let output = show(&[first, second], b"");
    let tables: Vec<&str> = text(&output.stdout).split("\n\n").collect();
    assert_eq!(tables.len(), 2, "an empty line between them");
    assert_eq!(format!("{}\n", tables[0]), tables[1]);
}
