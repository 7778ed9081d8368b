//! Torrent files: what a `.torrent` says, read strictly and kept as it was written.
//!
//! [`Metainfo::parse`] reads v1 (BEP 3), v2 and hybrids of both (BEP 52), with trackers in tiers
//! (BEP 12), web seeds (BEP 19), DHT nodes (BEP 5), the private flag (BEP 27) and the attributes of
//! files (BEP 47). What makes a torrent unusable, or dangerous to whoever writes its files, is an
//! error; what is only wrong with it is a flaw ([`Metainfo::flaws`]). Info hashes are taken over
//! the bytes of the info dictionary as they stand, whatever the order of its keys.
//!
//! Names are bytes: nobody says in which encoding, and the file system does not ask.
//! [`crate::printable`] shows them. Bytes in, bytes out: nothing here opens a file.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

use std::fmt;
use std::ops::Range;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::bencode::{self, Dict};
use crate::limits::{METAINFO_BYTES_MAX, PIECE_BYTES_MAX, PIECE_BYTES_MIN};
use crate::request::InfoHash;
use fields::{Fields, as_dict, or_noted};

pub mod build;
mod fields;
mod flaws;
mod layers;
mod layout;
pub mod magnet;
mod path;
mod tracker_list;

/// A torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// What a torrent with v1 in it is known by.
    pub info_hash_v1: Option<InfoHash>,
    /// What a torrent with v2 in it is known by.
    pub info_hash_v2: Option<InfoHashV2>,
    /// The name of the file or of the folder of all files; no path. `name.utf-8` where that is
    /// there, as clients do.
    pub name: Vec<u8>,
    /// The files in their order; padding files too.
    pub files: Vec<File>,
    /// Bytes of a piece, at most [`PIECE_BYTES_MAX`].
    pub piece_length: u64,
    /// The SHA-1 of each piece of the whole; none without v1.
    pub pieces: Vec<[u8; 20]>,
    /// Whether clients find each other through its trackers alone (BEP 27).
    pub private: bool,
    /// Whatever keeps the hash of this torrent apart from that of the same files elsewhere.
    pub source: Option<Vec<u8>>,
    /// The one tracker of BEP 3.
    pub announce: Option<String>,
    /// The trackers as BEP 12 orders them: those of `announce-list`, or else `announce` alone.
    pub tiers: Vec<Vec<String>>,
    /// Where the files can be had over HTTP or FTP (BEP 19).
    pub web_seeds: Vec<String>,
    /// Where the DHT can be entered (BEP 5), as `host:port`.
    pub nodes: Vec<String>,
    /// Whatever its maker wrote.
    pub comment: Option<Vec<u8>>,
    /// The program that made it.
    pub created_by: Option<Vec<u8>>,
    /// When it was made, in seconds since 1970 UTC.
    pub creation_date: Option<u64>,
    /// The encoding that its strings are said to have.
    pub encoding: Option<Vec<u8>>,
    /// What was found wrong while it was read.
    noted: Vec<String>,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path below the torrent's name, its components joined by `/`, none of them `..` or the
    /// like; empty for the one file of a torrent of a single file, whose name is the torrent's.
    pub path: Vec<u8>,
    /// Where its bytes lie in the whole that the pieces cut up.
    pub range: Range<u64>,
    /// Whether it is no file but zeros that fill up a piece (BEP 47); nobody writes it.
    pub padding: bool,
    /// Whether it is a program (BEP 47).
    pub executable: bool,
    /// Whether file managers hide it (BEP 47).
    pub hidden: bool,
    /// What it is a symbolic link to (BEP 47), as a path below the torrent's name, from there and
    /// not from the link's folder; empty for the torrent's own folder.
    pub symlink: Option<Vec<u8>>,
    /// The root of its hash tree in v2; an empty file has none.
    pub pieces_root: Option<[u8; 32]>,
}

impl File {
    /// Bytes of the file.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// The SHA-256 of an info dictionary (BEP 52). Shown as 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoHashV2(pub [u8; 32]);

impl InfoHashV2 {
    /// The first 20 bytes, which trackers and the DHT know a v2 torrent by.
    #[must_use]
    pub fn truncated(&self) -> InfoHash {
        let mut hash = [0; 20];
        hash.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        InfoHash(hash)
    }
}

impl fmt::Display for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why bytes are no torrent that anybody could use, in one line that names the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetainfoError {
    /// No bencoding.
    Bencode(bencode::Error),
    /// A key is missing, or its value is not what it must be.
    Key {
        /// Which, with the keys around it: `info.files[3].length`.
        key: String,
        /// What is wrong, with the value.
        problem: String,
    },
    /// More than [`METAINFO_BYTES_MAX`]: so many bytes.
    TooLarge(usize),
}

impl MetainfoError {
    fn at(key: impl Into<String>, problem: impl Into<String>) -> MetainfoError {
        MetainfoError::Key { key: key.into(), problem: problem.into() }
    }
}

impl fmt::Display for MetainfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetainfoError::Bencode(error) => write!(f, "not bencode: {error}"),
            MetainfoError::Key { key, problem } => write!(f, "{key}: {problem}"),
            MetainfoError::TooLarge(bytes) => {
                write!(f, "{bytes} bytes: no torrent file is larger than {METAINFO_BYTES_MAX}")
            }
        }
    }
}

impl std::error::Error for MetainfoError {}

/// The keys beside the info dictionary that are read. `private` means nothing there, which is said.
const KEYS: [&str; 11] = [
    "announce",
    "announce-list",
    "comment",
    "comment.utf-8",
    "created by",
    "creation date",
    "encoding",
    "nodes",
    layers::KEY,
    "private",
    "url-list",
];

/// The keys of the info dictionary that are read.
const INFO_KEYS: [&str; 12] = [
    "attr",
    "file tree",
    "files",
    "length",
    "meta version",
    "name",
    "name.utf-8",
    "piece length",
    "pieces",
    "private",
    "source",
    "symlink path",
];

/// The first second of the year 10000, in seconds since 1970 UTC: no torrent is made that late, and
/// programs disagree about how to write it.
const YEAR_10000: i64 = 253_402_300_800;

impl Metainfo {
    /// Reads a torrent file.
    pub fn parse(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
        if bytes.len() > METAINFO_BYTES_MAX {
            return Err(MetainfoError::TooLarge(bytes.len()));
        }
        let (value, tolerated) = bencode::decode_tolerant(bytes).map_err(MetainfoError::Bencode)?;
        let root = as_dict(value, || "the file".to_owned())?;
        let outer = Fields::pick(String::new(), root, &[&["info"], &KEYS[..]].concat())?;
        let dict = outer.needed("info", outer.dict("info")?)?;
        let info = Fields::pick("info.".to_owned(), dict, &INFO_KEYS)?;
        check_keys(dict, &tolerated)?;
        let mut metainfo = parse_info(dict, &info)?;
        metainfo.noted.extend(tolerated.iter().map(ToString::to_string));
        if metainfo.info_hash_v2.is_some() {
            metainfo.check_layers(outer.dict(layers::KEY)?)?;
        }
        metainfo.parse_outer(&outer)?;
        Ok(metainfo)
    }

    /// Checks the piece layers of a v2 torrent.
    fn check_layers(&mut self, layers: Option<Dict<'_>>) -> Result<(), MetainfoError> {
        let missing = layers::check(layers, &self.files, self.piece_length)?;
        if missing > 0 {
            let key = layers::KEY;
            self.noted
                .push(format!("{key}: missing for {missing} of the files, and v2 needs them"));
        }
        Ok(())
    }

    /// Reads what stands beside the info dictionary. Clients download without any of it, so what is
    /// not of the kind it must be is noted and passed over; in the info dictionary, which is what
    /// everybody must read alike, it is an error.
    fn parse_outer(&mut self, outer: &Fields<'_>) -> Result<(), MetainfoError> {
        tracker_list::parse(self, outer)?;
        let noted = &mut self.noted;
        let mut bytes = |key| or_noted(outer.bytes(key), noted).map(<[u8]>::to_vec);
        let (utf8, comment) = (bytes("comment.utf-8"), bytes("comment"));
        self.comment = utf8.or(comment);
        self.created_by = bytes("created by");
        self.encoding = bytes("encoding");
        if let Some(date) = or_noted(outer.int("creation date"), noted) {
            self.creation_date = u64::try_from(date).ok();
            if date < 0 {
                noted.push(format!("creation date: {date}: before 1970"));
            } else if date >= YEAR_10000 {
                noted.push(format!("creation date: {date}: after the year 9999"));
            }
        }
        if outer.value("private").is_some() {
            self.noted.push("private: stands outside of info, where it means nothing".to_owned());
        }
        Ok(())
    }

    /// The hash that trackers know it by: that of v1, or else the first 20 bytes of that of v2.
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        let of_v2 = || self.info_hash_v2.map(|hash| hash.truncated());
        self.info_hash_v1.or_else(of_v2).unwrap_or(InfoHash([0; 20]))
    }

    /// Whether it is one file, not a folder of files.
    #[must_use]
    pub fn is_single_file(&self) -> bool {
        matches!(self.files.as_slice(), [only] if only.path.is_empty())
    }

    /// Bytes of the whole that the pieces cut up, with the padding between files.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.files.last().map_or(0, |file| file.range.end)
    }

    /// Bytes of all files together, without padding.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().filter(|file| !file.padding).map(File::length).sum()
    }

    /// How many pieces there are.
    #[must_use]
    pub fn piece_count(&self) -> u64 {
        self.length().div_ceil(self.piece_length)
    }

    /// What is wrong with it, though it can be used: a line each, nothing in it but printable text.
    #[must_use]
    pub fn flaws(&self) -> Vec<String> {
        flaws::find(self)
    }

    /// The link that says no more than what it takes to find its clients.
    #[must_use]
    pub fn magnet(&self) -> magnet::Magnet {
        magnet::Magnet {
            info_hash_v1: self.info_hash_v1,
            info_hash_v2: self.info_hash_v2,
            name: Some(self.name.clone()),
            trackers: self.tiers.iter().flatten().cloned().collect(),
            length: Some(self.size()),
        }
    }
}

/// Refuses a key that stands twice in the info dictionary: of two folders or lengths one program
/// writes the first and another the second, under one hash. `told` is of the whole file.
fn check_keys(info: Dict<'_>, told: &[bencode::Error]) -> Result<(), MetainfoError> {
    let is_twice = |error: &&bencode::Error| error.problem == bencode::Problem::KeyRepeated;
    if !told.iter().any(|error| is_twice(&error)) {
        return Ok(());
    }
    let (_, told) = bencode::decode_tolerant(info.raw).map_err(MetainfoError::Bencode)?;
    let twice = told.iter().find(is_twice);
    twice.map_or(Ok(()), |error| Err(MetainfoError::at("info", format!("its {error}"))))
}

/// Reads the info dictionary; what stands outside of it is left empty.
fn parse_info(dict: Dict<'_>, info: &Fields<'_>) -> Result<Metainfo, MetainfoError> {
    let name = parse_name(info)?;
    let piece_length = parse_piece_length(info)?;
    let pieces = info.bytes("pieces")?;
    let has_v2 = match info.int("meta version")? {
        None => false,
        Some(2) => true,
        Some(version) => return Err(info.wrong("meta version", format!("{version}, not 2"))),
    };
    let mut noted = Vec::new();
    if !has_v2 && info.value("file tree").is_some() {
        noted.push("info.file tree: means nothing without meta version".to_owned());
    }
    let mut files = match pieces {
        Some(_) => layout::parse_v1(info, piece_length)?,
        None if has_v2 => Vec::new(),
        None => return Err(info.wrong("pieces", "missing")),
    };
    if has_v2 {
        if !piece_length.is_power_of_two() || piece_length < PIECE_BYTES_MIN {
            let problem =
                format!("{piece_length}: v2 needs a power of two, {PIECE_BYTES_MIN} at the least");
            return Err(info.wrong("piece length", problem));
        }
        let tree = layout::parse_v2(info, &name, piece_length)?;
        if pieces.is_some() {
            layout::merge(&mut files, tree)?;
        } else {
            files = tree;
        }
    }
    // Anything but an integer is refused: libtorrent takes "1" for public, others for private, and
    // whoever meant private must not find its peers in the DHT.
    let private = info.int("private")?;
    if let Some(other) = private.filter(|private| ![0, 1].contains(private)) {
        noted.push(format!("info.private: {other}: only 1 means private"));
    }
    let mut metainfo = Metainfo {
        info_hash_v1: pieces.is_some().then(|| InfoHash(Sha1::digest(dict.raw).into())),
        info_hash_v2: has_v2.then(|| InfoHashV2(Sha256::digest(dict.raw).into())),
        name,
        files,
        piece_length,
        pieces: Vec::new(),
        private: private == Some(1),
        source: info.bytes("source")?.map(<[u8]>::to_vec),
        announce: None,
        tiers: Vec::new(),
        web_seeds: Vec::new(),
        nodes: Vec::new(),
        comment: None,
        created_by: None,
        creation_date: None,
        encoding: None,
        noted,
    };
    if let Some(pieces) = pieces {
        metainfo.pieces = parse_pieces(info, pieces, metainfo.piece_count())?;
    }
    Ok(metainfo)
}

/// The torrent's name: `name.utf-8`, or else `name`, which must be there.
fn parse_name(info: &Fields<'_>) -> Result<Vec<u8>, MetainfoError> {
    let name = info.needed("name", info.bytes("name")?)?;
    let utf8 = info.bytes("name.utf-8")?;
    for (key, name) in [("name", Some(name)), ("name.utf-8", utf8)] {
        let checked = name.map_or(Ok(()), path::check_component);
        checked.map_err(|problem| info.wrong(key, problem))?;
    }
    Ok(utf8.unwrap_or(name).to_vec())
}

fn parse_piece_length(info: &Fields<'_>) -> Result<u64, MetainfoError> {
    let length = info.needed("piece length", info.length("piece length")?)?;
    if length == 0 || length > PIECE_BYTES_MAX {
        let problem = format!("{length}: expected 1 to {PIECE_BYTES_MAX}");
        return Err(info.wrong("piece length", problem));
    }
    Ok(length)
}

/// The hashes of v1, one for each of so many pieces.
fn parse_pieces(
    info: &Fields<'_>,
    pieces: &[u8],
    count: u64,
) -> Result<Vec<[u8; 20]>, MetainfoError> {
    let (hashes, rest) = pieces.as_chunks::<20>();
    if !rest.is_empty() {
        let problem = format!("{} bytes: no multiple of 20", pieces.len());
        return Err(info.wrong("pieces", problem));
    }
    if hashes.len() as u64 != count {
        let problem = format!("{} bytes for {count} pieces of 20", pieces.len());
        return Err(info.wrong("pieces", problem));
    }
    Ok(hashes.to_vec())
}

#[cfg(test)]
mod tests;
