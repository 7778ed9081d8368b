//! Torrent files on the disk or on standard input, read for the commands that take them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::limits::METAINFO_BYTES_MAX;
use crate::metainfo::{Metainfo, MetainfoError};
use crate::printable::printable;

/// What stands for standard input in place of a path.
const STDIN: &str = "-";

/// A torrent and how many bytes its file has.
pub(super) struct TorrentFile {
    pub(super) metainfo: Metainfo,
    pub(super) bytes: u64,
}

/// Reads a torrent from the file at `path`, or from standard input for `-`; the error is one line
/// that names it.
pub(super) fn read(path: &OsStr) -> Result<TorrentFile, String> {
    let name = shown(path);
    let read = if path == STDIN {
        read_all(std::io::stdin().lock())
    } else {
        File::open(Path::new(path)).and_then(read_all)
    };
    let bytes = read.map_err(|error| match no_file(path) {
        Some(advice) => format!("{name}: {advice}"),
        None => format!("{name}: {error}"),
    })?;
    let metainfo = Metainfo::parse(&bytes).map_err(|error| match error {
        // Only the beginning has been read.
        MetainfoError::TooLarge(_) => {
            format!("{name}: no torrent file is larger than {METAINFO_BYTES_MAX} bytes")
        }
        error => match no_torrent(&bytes) {
            Some(what) => format!("{name}: not a torrent file but {what}"),
            None => format!("{name}: not a torrent file: {error}"),
        },
    })?;
    Ok(TorrentFile { metainfo, bytes: bytes.len() as u64 })
}

/// What to do with a path that is none, but what people paste in place of one.
fn no_file(path: &OsStr) -> Option<&'static str> {
    let begins = |start: &[u8]| {
        let path = path.as_encoded_bytes();
        path.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    if begins(b"magnet:") {
        return Some("a magnet link, not a file; open it in a client and save the torrent there");
    }
    let is_url = begins(b"http://") || begins(b"https://");
    is_url.then_some("a URL, not a file; fetch it first, as with curl -sLO URL")
}

/// What bytes are that are commonly saved under a torrent's name, and what to do about it.
fn no_torrent(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x1f\x8b") {
        return Some("one compressed with gzip; unpack it with gunzip first");
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    text.starts_with(b"<").then_some(
        "a web page; fetch the torrent itself, which may need you to be logged in where it is",
    )
}

/// The path as it may stand on a terminal.
pub(super) fn shown(path: &OsStr) -> String {
    if path == STDIN { "standard input".to_owned() } else { printable(path.as_encoded_bytes()) }
}

/// What a reader has, up to a byte more than a torrent may.
fn read_all(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(METAINFO_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_shows_that_it_is_too_much() {
        let endless = std::io::repeat(b'0').take(METAINFO_BYTES_MAX as u64 + 100);
        let read = read_all(endless).map(|bytes| bytes.len());
        assert_eq!(read.expect("zeros have no errors"), METAINFO_BYTES_MAX + 1);
    }
}
