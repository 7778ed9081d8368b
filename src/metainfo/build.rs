//! Writing a torrent file: v1 (BEP 3) of a single file or of several, with trackers in tiers
//! (BEP 12), web seeds (BEP 19) and the private flag (BEP 27).
//!
//! The info dictionary holds the keys that mktorrent writes and no other, so that the same files,
//! name, piece length, flag and source have one info hash whichever of the two made the torrent.
//! [`Draft::is_said_by`] compares what was written with what a reader makes of it.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use super::Metainfo;
use crate::bencode::{DictEncoder, encode_bytes, encode_end, encode_int, encode_list_begin};

/// A torrent to be written.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The name of the file, or of the folder of all files.
    pub name: Vec<u8>,
    /// Each file's path below the name, components joined by `/`, and its length; a path that is
    /// empty makes a torrent of that single file.
    pub files: Vec<(Vec<u8>, u64)>,
    /// Bytes of a piece.
    pub piece_length: u64,
    /// The SHA-1 of each piece.
    pub pieces: Vec<[u8; 20]>,
    /// Whether clients find each other through its trackers alone (BEP 27).
    pub private: bool,
    /// Whatever keeps its hash apart from that of the same files elsewhere.
    pub source: Option<String>,
    /// The trackers: those of a tier are asked in any order, before the next tier.
    pub tiers: Vec<Vec<String>>,
    /// Where the files can be had over HTTP or FTP (BEP 19).
    pub web_seeds: Vec<String>,
    /// Whatever its maker wants to say.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made, in seconds since 1970 UTC.
    pub creation_date: Option<u64>,
}

impl Draft {
    /// The torrent file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.pieces.len() * 20 + 1024);
        let mut outer = DictEncoder::begin(&mut out);
        let trackers: Vec<&String> = self.tiers.iter().flatten().collect();
        if let [first, rest @ ..] = trackers.as_slice() {
            encode_bytes(outer.key(b"announce"), first.as_bytes());
            if !rest.is_empty() {
                encode_tiers(outer.key(b"announce-list"), &self.tiers);
            }
        }
        if let Some(comment) = &self.comment {
            encode_bytes(outer.key(b"comment"), comment.as_bytes());
        }
        if let Some(created_by) = &self.created_by {
            encode_bytes(outer.key(b"created by"), created_by.as_bytes());
        }
        if let Some(date) = self.creation_date {
            encode_number(outer.key(b"creation date"), date);
        }
        self.encode_info(outer.key(b"info"));
        match self.web_seeds.as_slice() {
            [] => {}
            [one] => encode_bytes(outer.key(b"url-list"), one.as_bytes()),
            several => encode_strings(outer.key(b"url-list"), several),
        }
        outer.end();
        out
    }

    fn encode_info(&self, out: &mut Vec<u8>) {
        let mut info = DictEncoder::begin(out);
        match self.files.as_slice() {
            [(path, length)] if path.is_empty() => encode_number(info.key(b"length"), *length),
            files => encode_files(info.key(b"files"), files),
        }
        encode_bytes(info.key(b"name"), &self.name);
        encode_number(info.key(b"piece length"), self.piece_length);
        encode_bytes(info.key(b"pieces"), self.pieces.as_flattened());
        if self.private {
            encode_int(info.key(b"private"), 1);
        }
        if let Some(source) = &self.source {
            encode_bytes(info.key(b"source"), source.as_bytes());
        }
        info.end();
    }

    /// Whether a torrent says just what this one was to say.
    #[must_use]
    pub fn is_said_by(&self, read: &Metainfo) -> bool {
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let files = read.files.iter().map(|file| (&file.path, file.length()));
        read.info_hash_v1.is_some()
            && read.info_hash_v2.is_none()
            && read.name == self.name
            && files.eq(self.files.iter().map(|(path, length)| (path, *length)))
            && read.piece_length == self.piece_length
            && read.pieces == self.pieces
            && read.private == self.private
            && read.source == bytes(&self.source)
            && read.tiers == self.tiers
            && read.web_seeds == self.web_seeds
            && read.comment == bytes(&self.comment)
            && read.created_by == bytes(&self.created_by)
            && read.creation_date == self.creation_date
    }
}

fn encode_files(out: &mut Vec<u8>, files: &[(Vec<u8>, u64)]) {
    encode_list_begin(out);
    for (path, length) in files {
        let mut file = DictEncoder::begin(out);
        encode_number(file.key(b"length"), *length);
        let list = file.key(b"path");
        encode_list_begin(list);
        for component in path.split(|byte| *byte == b'/') {
            encode_bytes(list, component);
        }
        encode_end(list);
        file.end();
    }
    encode_end(out);
}

fn encode_tiers(out: &mut Vec<u8>, tiers: &[Vec<String>]) {
    encode_list_begin(out);
    for tier in tiers {
        encode_strings(out, tier);
    }
    encode_end(out);
}

fn encode_strings(out: &mut Vec<u8>, strings: &[String]) {
    encode_list_begin(out);
    for string in strings {
        encode_bytes(out, string.as_bytes());
    }
    encode_end(out);
}

/// A number that is never below 0. What bencode's reader cannot hold (no file is that long) is
/// written as the largest it can, and found by [`Draft::is_said_by`].
fn encode_number(out: &mut Vec<u8>, number: u64) {
    encode_int(out, i64::try_from(number).unwrap_or(i64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            name: b"a film".to_vec(),
            files: vec![(b"b/c d.mkv".to_vec(), 16_385), (b"caf\xe9".to_vec(), 0)],
            piece_length: 16_384,
            pieces: vec![*b"twenty bytes of hash", *b"and twenty bytes too"],
            private: true,
            source: Some("here".to_owned()),
            tiers: vec![
                vec!["http://a/x".to_owned(), "udp://b:1".to_owned()],
                vec!["http://c/x".to_owned()],
            ],
            web_seeds: vec!["http://w/".to_owned(), "http://v/".to_owned()],
            comment: Some("A comment".to_owned()),
            created_by: Some("by".to_owned()),
            creation_date: Some(1_795_225_856),
        }
    }

    #[test]
    fn a_torrent_of_several_files_is_golden() {
        let wanted: &[u8] = b"d\
            8:announce10:http://a/x\
            13:announce-listll10:http://a/x9:udp://b:1el10:http://c/xee\
            7:comment9:A comment\
            10:created by2:by\
            13:creation datei1795225856e\
            4:infod\
            5:filesl\
            d6:lengthi16385e4:pathl1:b7:c d.mkvee\
            d6:lengthi0e4:pathl4:caf\xe9ee\
            e\
            4:name6:a film\
            12:piece lengthi16384e\
            6:pieces40:twenty bytes of hashand twenty bytes too\
            7:privatei1e\
            6:source4:here\
            e\
            8:url-listl9:http://w/9:http://v/e\
            e";
        assert_eq!(draft().encode().escape_ascii().to_string(), wanted.escape_ascii().to_string());
    }

    #[test]
    fn a_torrent_of_a_single_file_says_no_more_than_it_must() {
        let single = Draft {
            name: b"f".to_vec(),
            files: vec![(Vec::new(), 5)],
            piece_length: 32_768,
            pieces: vec![*b"twenty bytes of hash"],
            tiers: vec![vec!["http://a/x".to_owned()]],
            web_seeds: vec!["http://w/f".to_owned()],
            ..Draft::default()
        };
        let wanted = "d8:announce10:http://a/x4:infod6:lengthi5e4:name1:f\
                      12:piece lengthi32768e6:pieces20:twenty bytes of hashe\
                      8:url-list10:http://w/fe";
        assert_eq!(single.encode().escape_ascii().to_string(), wanted);
    }

    #[test]
    fn what_is_read_back_is_what_was_to_be_said_and_any_difference_is_seen() {
        let draft = draft();
        let read = Metainfo::parse(&draft.encode()).expect("a torrent");
        assert!(draft.is_said_by(&read));
        let changes: [fn(&mut Draft); 11] = [
            |draft| draft.name.push(b'x'),
            |draft| draft.files[0].0.push(b'x'),
            |draft| draft.files[0].1 -= 1,
            |draft| draft.piece_length *= 2,
            |draft| draft.pieces[1][19] ^= 1,
            |draft| draft.private = false,
            |draft| draft.source = None,
            |draft| draft.tiers.swap(0, 1),
            |draft| draft.web_seeds.truncate(1),
            |draft| draft.comment = None,
            |draft| draft.creation_date = Some(0),
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let mut other = draft.clone();
            change(&mut other);
            assert!(!other.is_said_by(&read), "change {nth}");
        }
    }
}
