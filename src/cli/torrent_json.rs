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
use crate::printable::is_printable;

/// The torrent that was read from `path`, as one line.
pub(super) fn line(path: &OsStr, torrent: &TorrentFile) -> String {
    line_of(encode(path, torrent))
}

/// An object as one line. `serde_json` leaves characters as they are that a terminal obeys or does
/// not show, such as those that turn the direction of writing: what [`printable`] escapes is
/// escaped here as JSON does it, and reads back the same.
///
/// [`printable`]: crate::printable::printable
pub(super) fn line_of(object: Map<String, Value>) -> String {
    let mut line = String::new();
    for character in Value::Object(object).to_string().chars() {
        if is_printable(character) {
            line.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // A write to a String cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    line + "\n"
}

/// The torrent that was read from `path`.
pub(super) fn encode(path: &OsStr, torrent: &TorrentFile) -> Map<String, Value> {
    let metainfo = &torrent.metainfo;
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
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
    put_text(&mut object, "file", Some(path.as_encoded_bytes()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_or_hides_is_escaped_and_reads_back_the_same() {
        let text =
            "a\u{202e}\u{2066}\u{200b}\u{85}\u{7f}\u{e0041}\n \"\\ e\u{301}\u{4e2d}\u{1f600}";
        let mut object = Map::new();
        put_text(&mut object, "name", Some(text.as_bytes()));
        let line = line_of(object);
        let wanted = concat!(
            r#"{"name":"a\u202e\u2066\u200b\u0085\u007f\udb40\udc41\n \"\\ "#,
            "e\u{301}\u{4e2d}\u{1f600}\"}\n"
        );
        assert_eq!(line, wanted);
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["name"], text);
    }

    #[test]
    fn a_name_that_is_no_text_stands_beside_it_in_hex() {
        let mut object = Map::new();
        put_text(&mut object, "file", Some(b"raw\xfe"));
        assert_eq!(object["file"], "raw\u{fffd}");
        assert_eq!(object["file_hex"], "726177fe");
    }
}
