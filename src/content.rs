//! The files that a torrent describes, on disk: what there is of them, the hashes of their pieces.
//!
//! A torrent's bytes are its files one after the other (BEP 3). Here they are a list of [`Span`]s:
//! [`walk`] makes it of what lies in a folder, for a torrent to be made; [`check`] makes it of what
//! a torrent says and what there is of it. [`pieces`] hashes either, on all cores. A file that
//! another program changes meanwhile is an error that names it, never a silent mixture.
//!
//! Files are only read, and only regular ones: whatever takes the place of one while we look is
//! told by its [`Stamp`]. Nothing here prints, parses or encodes.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::printable::printable;

pub mod check;
pub mod pieces;
pub mod walk;

/// A stretch of a torrent's bytes.
#[derive(Clone, Debug)]
pub struct Span {
    /// How many bytes; 0 for an empty file.
    pub bytes: u64,
    /// Where they are.
    pub source: Source,
}

/// Where the bytes of a [`Span`] are.
#[derive(Clone, Debug)]
pub enum Source {
    /// The first bytes of a file.
    File(OnDisk),
    /// Nowhere: zeros, as in the padding files of BEP 47.
    Zeros,
    /// Nowhere: the file is missing or too short.
    Absent,
}

/// A regular file, as it was when it was found.
#[derive(Clone, Debug)]
pub struct OnDisk {
    /// Where it is.
    pub path: PathBuf,
    /// What tells whether it still is what it was.
    pub stamp: Stamp,
}

/// What changes when a file is written to or another one takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its length.
    pub bytes: u64,
    device: u64,
    inode: u64,
    modified_seconds: i64,
    modified_nanos: i64,
}

impl Stamp {
    /// From what the system says of a file.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            bytes: metadata.len(),
            device: metadata.dev(),
            inode: metadata.ino(),
            modified_seconds: metadata.mtime(),
            modified_nanos: metadata.mtime_nsec(),
        }
    }

    /// Whether both are of one file, under whatever names.
    fn is_of_same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl OnDisk {
    /// Opens the file that was found, or says why that is not possible any more. Never waits for
    /// another process, whatever lies there now.
    fn open(&self) -> Result<File, String> {
        let file = OpenOptions::new()
            .read(true)
            // The other end of a FIFO that has taken the file's place would be waited for.
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&self.path)
            .map_err(|error| self.cannot_read(&error))?;
        self.is_as_found(&file.metadata().map_err(|error| self.cannot_read(&error))?)?;
        Ok(file)
    }

    /// Fails if it is not what it was when it was found: the last thing to do with it.
    pub fn is_unchanged(&self) -> Result<(), String> {
        self.is_as_found(&std::fs::metadata(&self.path).map_err(|error| self.cannot_read(&error))?)
    }

    fn is_as_found(&self, metadata: &Metadata) -> Result<(), String> {
        if metadata.is_file() && Stamp::of(metadata) == self.stamp {
            return Ok(());
        }
        Err(changed(&self.path))
    }

    fn cannot_read(&self, error: &std::io::Error) -> String {
        cannot_read(&self.path, error)
    }
}

/// What is said of a path that cannot be read.
fn cannot_read(path: &Path, error: &std::io::Error) -> String {
    format!("{}: cannot be read: {error}", shown(path))
}

/// What is said of a file that is not what it was when it was found.
fn changed(path: &Path) -> String {
    let path = shown(path);
    format!("{path}: another program changed it meanwhile; try again when nothing writes to it")
}

/// A path as it may stand on a terminal, whoever has chosen its names.
#[must_use]
pub fn shown(path: &Path) -> String {
    printable(path.as_os_str().as_bytes())
}

/// How many bytes spans have in all.
#[must_use]
pub fn bytes_of(spans: &[Span]) -> u64 {
    spans.iter().map(|span| span.bytes).sum()
}

#[cfg(test)]
mod tests;
