//! `muster verify`: what it says of files that are whole, and of those that are not.
//!
//! Every state that a file can be in is in the tests of `content`; here is what people and programs
//! are told of them, and where the files are looked for. Torrents that other programs made are in
//! `others`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use super::{URL, muster, muster_silently, noise, write_files};
use crate::harness::Folder;

/// A folder `set` and a torrent of it, in pieces of 16 KiB.
fn set() -> Folder {
    let folder = Folder::new();
    let files = [("set/a", 50_000), ("set/b/c", 100_000), ("set/d", 20_000), ("set/e", 7)];
    write_files(folder.path(), &files);
    muster_silently(folder.path(), &["create", "set", "-a", URL, "-l", "16K"]);
    folder
}

/// What verify says of it, with the exit code.
fn verify(folder: &Folder, more: &[&str]) -> (Option<i32>, String) {
    let ran = muster(folder.path(), &[&["verify", "set.torrent"], more].concat());
    assert_eq!(ran.stderr, "");
    (ran.code, ran.stdout)
}

fn damage(path: &Path, places: &[usize]) {
    let mut bytes = fs::read(path).expect("ours");
    for place in places {
        bytes[*place] ^= 1;
    }
    fs::write(path, bytes).expect("ours");
}

#[test]
fn whole_files_are_one_line_wherever_they_are_named() {
    let folder = set();
    let line = "set: whole: 4 files, 166 KiB, 11 pieces\n";
    assert_eq!(verify(&folder, &["set"]), (Some(0), line.to_owned()));
    assert_eq!(verify(&folder, &["."]), (Some(0), format!("./{line}")));
    fs::rename(folder.join("set"), folder.join("other")).expect("ours");
    assert_eq!(verify(&folder, &["other/"]), (Some(0), line.replace("set", "other/")));
    // More than the torrent has is not its business.
    write_files(folder.path(), &[("other/more", 5)]);
    let all = "whole       a  48.8 KiB\nwhole       b/c  97.7 KiB\nwhole       d  19.5 KiB\n\
               whole       e  7 bytes\nother: whole: 4 files, 166 KiB, 11 pieces\n";
    assert_eq!(verify(&folder, &["other", "--files", "-t", "1"]), (Some(0), all.to_owned()));
}

#[test]
fn every_file_that_is_not_whole_is_a_line_with_its_pieces_and_the_exit_code_is_1() {
    let folder = set();
    // b/c lies at 50,000: these are in pieces 4, 5 and 8.
    damage(&folder.join("set/b/c"), &[20_000, 40_000, 90_000]);
    fs::write(folder.join("set/d"), &noise(20_000)[..1234]).expect("ours");
    fs::remove_file(folder.join("set/e")).expect("ours");
    let said = "damaged     b/c  pieces 4-5, 8-9 of 3-9\n\
                too short   d  1,234 of 20,000 bytes  pieces 9-10 of 9-10\n\
                missing     e  7 bytes\n\
                set: not whole: 6 of 11 pieces (96 KiB of 166 KiB), 1 of 4 files\n";
    assert_eq!(verify(&folder, &["set"]), (Some(1), said.to_owned()));
    fs::remove_dir_all(folder.join("set")).expect("ours");
    let (code, said) = verify(&folder, &["."]);
    let last = "./set: not whole: 0 of 11 pieces (0 bytes of 166 KiB), 0 of 4 files\n";
    assert_eq!(code, Some(1));
    assert!(said.ends_with(last), "{said}");
    assert_eq!(said.matches("missing     ").count(), 4, "{said}");
}

#[test]
fn json_has_every_file_with_its_state_and_pieces() {
    let folder = set();
    damage(&folder.join("set/b/c"), &[20_000]);
    fs::remove_file(folder.join("set/d")).expect("ours");
    fs::create_dir(folder.join("set/d")).expect("ours");
    fs::write(folder.join("set/e"), noise(8)).expect("ours");
    let (code, said) = verify(&folder, &["set", "--json"]);
    assert_eq!((code, said.lines().count()), (Some(1), 1));
    let found: Value = serde_json::from_str(&said).expect("JSON");
    let shown = muster_silently(folder.path(), &["show", "--json", "set.torrent"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let file = |path, length, state, found: Value, problem: Value, pieces, bad: Value| {
        json!({
            "path": path, "length": length, "state": state, "length_found": found,
            "problem": problem, "pieces": pieces, "pieces_bad": bad,
        })
    };
    let none = Value::Null;
    let wanted = json!({
        "info_hash": shown["info_hash"],
        "path": "set",
        "whole": false,
        "piece_count": 11,
        "pieces_whole": 8,
        "length": 170_007,
        "bytes_whole": 8 * 16_384,
        "files": [
            file("a", 50_000, "whole", none.clone(), none.clone(), [0, 3], json!([])),
            file("b/c", 100_000, "damaged", none.clone(), none.clone(), [3, 9],
                json!([[4, 4], [9, 9]])),
            file("d", 20_000, "no file", none.clone(), json!("a folder, not a file"), [9, 10],
                json!([[9, 10]])),
            file("e", 7, "too long", json!(8), none.clone(), [10, 10], json!([[10, 10]])),
        ],
    });
    assert_eq!(found, wanted);
}

#[test]
fn content_kept_elsewhere_is_found_through_symlinks_and_what_is_no_file_is_not_read() {
    let folder = set();
    fs::rename(folder.join("set/b"), folder.join("elsewhere")).expect("ours");
    symlink("../elsewhere", folder.join("set/b")).expect("ours");
    assert_eq!(verify(&folder, &["set"]).0, Some(0));
    fs::remove_file(folder.join("set/e")).expect("ours");
    symlink("/dev/zero", folder.join("set/e")).expect("ours");
    let said = "unsure      d  pieces 10 of 9-10\n\
                no file     e  a device, not a file\n\
                set: not whole: 10 of 11 pieces (160 KiB of 166 KiB), 2 of 4 files\n";
    assert_eq!(verify(&folder, &["set"]), (Some(1), said.to_owned()));
}

#[test]
fn a_torrent_whose_paths_lead_out_of_the_folder_is_none() {
    let folder = Folder::new();
    write_files(folder.path(), &[("secret", 5), ("set/a", 5)]);
    let torrent = b"d4:infod5:filesld6:lengthi5e4:pathl2:..6:secreteee4:name3:set\
                    12:piece lengthi16384e6:pieces20:twenty bytes of hashee";
    fs::write(folder.join("evil.torrent"), torrent).expect("ours");
    let ran = muster(folder.path(), &["verify", "evil.torrent", "set"]);
    let error = "muster: evil.torrent: not a torrent file: info.files[0].path: \"..\": leads out \
                 of its folder\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), error));
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_no_missing_files() {
    let folder = set();
    let ran = muster(folder.path(), &["verify", "set.torrent", "nowhere"]);
    let error = "muster: nowhere: No such file or directory (os error 2)\n";
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.as_str()), (Some(1), error, ""));
    assert_eq!(muster(folder.path(), &["verify", "set.torrent"]).code, Some(2));
}

#[test]
fn the_folder_one_is_in_is_the_content_though_none_of_its_files_has_the_right_length() {
    let folder = set();
    for (name, bytes) in [("a", 40_000), ("b/c", 5), ("d", 1), ("e", 1)] {
        let path = folder.join("set").join(name);
        fs::File::options().write(true).open(path).expect("ours").set_len(bytes).expect("ours");
    }
    let said = "too short   a  40,000 of 50,000 bytes  pieces 2-3 of 0-3\n\
                too short   b/c  5 of 100,000 bytes  pieces 3-9 of 3-9\n\
                too short   d  1 of 20,000 bytes  pieces 9-10 of 9-10\n\
                too short   e  1 of 7 bytes  pieces 10 of 10\n\
                .: not whole: 2 of 11 pieces (32 KiB of 166 KiB), 0 of 4 files\n";
    let ran = muster(&folder.join("set"), &["verify", "../set.torrent", "."]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(1), said, ""));
}

#[test]
fn a_file_is_not_looked_into_for_a_folder() {
    let folder = set();
    let ran = muster(folder.path(), &["verify", "set.torrent", "set/a"]);
    let error = "muster: set/a: not a folder, and the torrent's content is one: set; give that, \
                 or the folder it is in\n";
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.as_str()), (Some(1), error, ""));
}

#[test]
fn a_torrent_with_padding_longer_than_a_piece_is_refused_at_once() {
    let folder = Folder::new();
    write_files(folder.path(), &[("set/a", 1)]);
    let (piece, pieces) = (1_u64 << 30, 1000);
    let padding = piece * pieces - 1;
    let head = format!(
        "d4:infod5:filesld6:lengthi1e4:pathl1:aeed4:attr1:p6:lengthi{padding}e4:pathl1:peee\
         4:name3:set12:piece lengthi{piece}e6:pieces{}:",
        pieces * 20
    );
    let torrent = [head.as_bytes(), &vec![0; pieces as usize * 20], b"ee"].concat();
    fs::write(folder.join("busy.torrent"), torrent).expect("ours");
    let ran = muster(folder.path(), &["verify", "busy.torrent", "set"]);
    let error = "muster: busy.torrent: not a torrent file: info.files[1].length: 1073741823999: a \
                 whole piece of padding, or more\n";
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.as_str()), (Some(1), error, ""));
}
