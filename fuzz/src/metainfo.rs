//! Torrent files and magnet links: an info hash is that of the info dictionary and of nothing else,
//! and no file lies outside of its torrent's folder or within another's bytes.
//!
//! What the torrent says of itself is one printable line each, and its magnet link reads back.

use muster::bencode::{Value, decode_tolerant};
use muster::limits::{PIECE_BYTES_MAX, PIECE_BYTES_MIN};
use muster::metainfo::{Metainfo, magnet};

/// Holds what is said above; bytes that are text are also taken for a link.
pub fn check(bytes: &[u8]) {
    match Metainfo::parse(bytes) {
        Ok(metainfo) => {
            check_hashes(bytes, &metainfo);
            check_files(&metainfo);
            for flaw in metainfo.flaws() {
                assert!(!flaw.contains(char::is_control), "{flaw:?}");
            }
            let link = magnet::encode(&metainfo.magnet());
            assert_eq!(magnet::parse(&link).as_ref(), Ok(&metainfo.magnet()), "{link}");
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
    match std::str::from_utf8(bytes).map(magnet::parse) {
        Ok(Ok(found)) => {
            let link = magnet::encode(&found);
            assert_eq!(magnet::parse(&link), Ok(found), "{link}");
        }
        Ok(Err(problem)) => assert!(!problem.contains(char::is_control), "{problem:?}"),
        Err(_) => {}
    }
}

/// The same info dictionary alone is the same torrent.
fn check_hashes(bytes: &[u8], metainfo: &Metainfo) {
    let Ok((Value::Dict(root), _)) = decode_tolerant(bytes) else { panic!("no dictionary") };
    let info = root.get(b"info").expect("a torrent has it").raw;
    let alone = Metainfo::parse(&[b"d4:info", info, b"e"].concat()).expect("the rest is optional");
    assert_eq!(alone.info_hash_v1, metainfo.info_hash_v1);
    assert_eq!(alone.info_hash_v2, metainfo.info_hash_v2);
    assert!(metainfo.info_hash_v1.is_some() || metainfo.info_hash_v2.is_some());
    assert_eq!((&alone.name, &alone.files), (&metainfo.name, &metainfo.files));
    assert_eq!((&alone.pieces, alone.private), (&metainfo.pieces, metainfo.private));
}

fn check_files(metainfo: &Metainfo) {
    let piece_length = metainfo.piece_length;
    let smallest = if metainfo.info_hash_v2.is_some() { PIECE_BYTES_MIN } else { 1 };
    assert!((smallest..=PIECE_BYTES_MAX).contains(&piece_length), "{piece_length}");
    if metainfo.info_hash_v1.is_some() {
        assert_eq!(metainfo.pieces.len() as u64, metainfo.piece_count());
    }
    let mut end = 0;
    for file in &metainfo.files {
        assert!(end <= file.range.start && file.range.start <= file.range.end, "{file:?}");
        end = file.range.end;
        if !metainfo.is_single_file() {
            check_path(&file.path);
        }
    }
    check_path(&metainfo.name);
    assert!(!metainfo.name.contains(&b'/'), "a name is no path");
    assert!(metainfo.size() <= metainfo.length());
}

/// Nothing that leads elsewhere: no empty name, no `.` or `..`, no zero byte that ends it early.
fn check_path(path: &[u8]) {
    for component in path.split(|&byte| byte == b'/') {
        let leads_out = matches!(component, b"" | b"." | b"..") || component.contains(&0);
        assert!(!leads_out, "{}", path.escape_ascii());
    }
}
