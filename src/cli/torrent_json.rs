//! A torrent as JSON, for programs: one object, everything that `show` knows.
//!
//! JSON is text and names are bytes: one that is not UTF-8 stands with U+FFFD for what is not, and
//! beside it, under the same key and `_hex`, whole. Absent is null; sizes are in bytes, dates in
//! seconds since 1970 UTC.

use std::ffi::OsStr;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::torrent_file::TorrentFile;
use crate::metainfo::{File, magnet};

/// The torrent that was read from `path`, as one line.
pub(super) fn line(path: &OsStr, torrent: &TorrentFile) -> String {
    line_of(encode(path, torrent))
}

/// An object as one line. `serde_json` leaves DEL and the control characters of Unicode as they
/// are; a terminal may obey those too.
pub(super) fn line_of(object: Map<String, Value>) -> String {
    let mut line = String::new();
    for character in Value::Object(object).to_string().chars() {
        if character.is_control() {
            // A write to a String cannot fail.
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line + "\n"
}

/// The torrent that was read from `path`.
pub(super) fn encode(path: &OsStr, torrent: &TorrentFile) -> Map<String, Value> {
    let metainfo = &torrent.metainfo;
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("file", json!(path.to_string_lossy()));
    put("info_hash", json!(metainfo.info_hash().to_string()));
    put("info_hash_v1", json!(metainfo.info_hash_v1.map(|hash| hash.to_string())));
    put("info_hash_v2", json!(metainfo.info_hash_v2.map(|hash| hash.to_string())));
    put("size", json!(metainfo.size()));
    put("piece_length", json!(metainfo.piece_length));
    put("piece_count", json!(metainfo.piece_count()));
    put("private", json!(metainfo.private));
    put("announce", json!(metainfo.announce));
    put("trackers", json!(metainfo.tiers));
    put("web_seeds", json!(metainfo.web_seeds));
    put("nodes", json!(metainfo.nodes));
    put("creation_date", json!(metainfo.creation_date));
    put("torrent_size", json!(torrent.bytes));
    put("single_file", json!(metainfo.is_single_file()));
    put("magnet", json!(magnet::encode(&metainfo.magnet())));
    put("flaws", json!(metainfo.flaws()));
    put("files", metainfo.files.iter().map(encode_file).collect());
    put_text(&mut object, "name", Some(&metainfo.name));
    put_text(&mut object, "source", metainfo.source.as_deref());
    put_text(&mut object, "comment", metainfo.comment.as_deref());
    put_text(&mut object, "created_by", metainfo.created_by.as_deref());
    put_text(&mut object, "encoding", metainfo.encoding.as_deref());
    object
}

fn encode_file(file: &File) -> Value {
    let mut object = Map::new();
    put_text(&mut object, "path", Some(&file.path));
    object.insert("length".to_owned(), json!(file.length()));
    object.insert("offset".to_owned(), json!(file.range.start));
    for (key, is_so) in
        [("padding", file.padding), ("executable", file.executable), ("hidden", file.hidden)]
    {
        // A thousand files need not say what nearly none of them is.
        if is_so {
            object.insert(key.to_owned(), json!(true));
        }
    }
    if let Some(link) = &file.symlink {
        put_text(&mut object, "symlink", Some(link));
    }
    if let Some(root) = file.pieces_root {
        object.insert("pieces_root".to_owned(), json!(hex(&root)));
    }
    Value::Object(object)
}

/// Puts bytes that are text, or should be.
pub(super) fn put_text(object: &mut Map<String, Value>, key: &str, bytes: Option<&[u8]>) {
    let text = bytes.map(String::from_utf8_lossy);
    if let Some(bytes) = bytes
        && std::str::from_utf8(bytes).is_err()
    {
        object.insert(format!("{key}_hex"), json!(hex(bytes)));
    }
    object.insert(key.to_owned(), json!(text));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A write to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
