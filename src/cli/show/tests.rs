//! The table and the JSON of torrents, by value.

use std::ffi::OsStr;

use super::*;

/// A file of so many bytes at a path, as an entry of `files`.
fn entry(path: &[&[u8]], length: u64) -> Vec<u8> {
    let mut entry = format!("d6:lengthi{length}e4:pathl").into_bytes();
    for component in path {
        entry.extend(format!("{}:", component.len()).into_bytes());
        entry.extend_from_slice(component);
    }
    entry.extend_from_slice(b"ee");
    entry
}

/// A torrent of these files in pieces of a GiB.
fn torrent_of(name: &[u8], files: &[Vec<u8>], pieces: usize) -> TorrentFile {
    let hashes = "x".repeat(20 * pieces);
    let bytes = [
        b"d8:announce15:udp://a.example4:infod5:filesl",
        &files.concat()[..],
        format!("e4:name{}:", name.len()).as_bytes(),
        name,
        format!("12:piece lengthi1073741824e6:pieces{}:{hashes}ee", hashes.len()).as_bytes(),
    ]
    .concat();
    let metainfo = Metainfo::parse(&bytes).expect("a torrent");
    TorrentFile { metainfo, bytes: bytes.len() as u64 }
}

fn tree(files: &[Vec<u8>], lines_max: usize) -> Vec<String> {
    file_tree::lines(&torrent_of(b"t", files, 1).metainfo.files, lines_max)
}

#[test]
fn a_tree_has_each_folder_once_and_its_files_below_it() {
    let files = [
        entry(&[b"b", b"two"], 2048),
        entry(&[b"z"], 5),
        entry(&[b"b", b"one"], 1),
        entry(&[b"a-b"], 0),
        entry(&[b"a", b"deep", b"er"], 3),
    ];
    let wanted = [
        "├─ a/  1 file, 3 bytes",
        "│  └─ deep/  1 file, 3 bytes",
        "│     └─ er  3 bytes",
        "├─ a-b  0 bytes",
        "├─ b/  2 files, 2 KiB",
        "│  ├─ one  1 byte",
        "│  └─ two  2 KiB",
        "└─ z  5 bytes",
    ];
    assert_eq!(tree(&files, 8), wanted);
}

#[test]
fn a_tree_too_large_is_cut_below_the_level_that_fits() {
    let files: Vec<_> = (0..60)
        .map(|n| entry(&[format!("{}", n % 3).as_bytes(), format!("{n:02}").as_bytes()], 1024))
        .collect();
    let folders = ["├─ 0/  20 files, 20 KiB", "├─ 1/  20 files, 20 KiB", "└─ 2/  20 files, 20 KiB"];
    assert_eq!(tree(&files, 62), folders);
    assert_eq!(tree(&files, 63).len(), 63);
    assert_eq!(tree(&files, usize::MAX).len(), 63);
    let wanted = ["├─ 0/  20 files, 20 KiB", "└─ ... 40 more files, 40 KiB"];
    assert_eq!(tree(&files, 1), wanted, "one level at the least, its beginning");
}

#[test]
fn paths_that_stand_there_twice_are_two_lines() {
    let files = [entry(&[b"a"], 1), entry(&[b"a"], 2), entry(&[b"a", b"b"], 3)];
    assert_eq!(
        tree(&files, 9),
        ["├─ a  1 byte", "├─ a  2 bytes", "└─ a/  1 file, 3 bytes", "   └─ b  3 bytes"]
    );
    let files = [1, 2, 3].map(|length| entry(&[b"d", b"a"], length));
    assert_eq!(tree(&files, 4).len(), 4);
    assert_eq!(tree(&files, 3), ["└─ d/  3 files, 6 bytes"]);
}

#[test]
fn nothing_but_printable_text_reaches_the_terminal() {
    let hostile = b"\x1b[2J\r\n\x9b\xc2\x9b\xe2\x80\xae";
    let mut torrent = torrent_of(hostile, &[entry(&[hostile], 1)], 1);
    torrent.metainfo.comment = Some(hostile.to_vec());
    torrent.metainfo.source = Some(hostile.to_vec());
    torrent.metainfo.created_by = Some(hostile.to_vec());
    let text = table(&torrent, 9);
    let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(raw), "{text:?}");
    let name = r"\u{1b}[2J\r\n\x9b\u{9b}\u{202e}";
    assert!(text.starts_with(&format!("        Name  {name}\n")), "{text}");
    assert!(text.contains("     Comment  \\u{1b}[2J\n              \\x9b"), "{text}");

    let line = torrent_json::line(OsStr::new("a\x1b"), &torrent);
    assert!(!line.trim_end().contains(char::is_control), "{line:?}");
    let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(read["name_hex"], "1b5b324a0d0a9bc29be280ae");
    assert_eq!(read["name"], "\u{1b}[2J\r\n\u{fffd}\u{9b}\u{202e}");
    assert_eq!(read["files"][0]["path_hex"], read["name_hex"]);
    assert_eq!(read["file"], "a\u{1b}");
}

#[test]
fn thousands_of_files_are_shown_in_a_hundred_lines_or_all_on_demand() {
    let files: Vec<_> = (0..5000)
        .map(|n| {
            entry(&[format!("{:02}", n / 100).as_bytes(), format!("{n}.bin").as_bytes()], 1 << 30)
        })
        .collect();
    let torrent = torrent_of(b"many", &files, 5000);
    let text = table(&torrent, TREE_LINES_MAX);
    assert!(text.contains("        Size  4.9 TiB (5,368,709,120,000 bytes)\n"), "{text}");
    assert!(text.contains("      Pieces  5,000 of 1 GiB\n"), "{text}");
    assert!(text.contains("       Files  5,000\n              ├─ 00/  100 files, 100 GiB\n"));
    assert_eq!(text.lines().filter(|line| line.contains("100 files, 100 GiB")).count(), 50);
    assert!(text.lines().count() < TREE_LINES_MAX, "{text}");
    let all = table(&torrent, usize::MAX);
    assert_eq!(all.lines().filter(|line| line.ends_with(".bin  1 GiB")).count(), 5000);
}
