//! What lies in a folder, for a torrent to be made of it.
//!
//! The same folder gives the same list on every machine: files in the order of their paths as
//! bytes, `/` included, which is mktorrent's order too. What is left out is returned with the
//! reason, never dropped: hidden files and junk of file managers unless asked for, symlinks unless
//! they are to be followed, and whatever is no file (FIFOs, sockets, devices), which is never
//! opened. A file or folder that may not be read is an error: a torrent that silently lacks a file
//! would be found out by somebody else, later.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{FileType, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::{OnDisk, Source, Span, Stamp, cannot_read, shown};
use crate::limits::{CONTENT_FOLDERS_AGAIN_MAX, METAINFO_FILES_MAX};

/// What to take in beyond plain files with plain names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// Hidden files and folders, and [`JUNK`].
    pub all: bool,
    /// What symlinks lead to.
    pub follow_symlinks: bool,
}

/// What file managers leave behind in every folder; without regard to case.
const JUNK: [&[u8]; 3] = [b".ds_store", b"thumbs.db", b"desktop.ini"];

/// What there is.
#[derive(Debug, Default)]
pub struct Walked {
    /// The files, in order.
    pub files: Vec<Found>,
    /// What was left out, in order.
    pub left_out: Vec<LeftOut>,
}

impl Walked {
    /// The file that a path leads to, if it is one of these.
    #[must_use]
    pub fn file_at(&self, path: &Path) -> Option<&Found> {
        let stamp = Stamp::of(&std::fs::metadata(path).ok()?);
        self.files.iter().find(|found| found.on_disk.stamp.is_of_same_file(&stamp))
    }
}

/// A file in the folder.
#[derive(Debug)]
pub struct Found {
    /// Its path below the folder, as bytes, with `/` between names; empty if the file itself was
    /// named instead of a folder.
    pub below: Vec<u8>,
    /// Where it is.
    pub on_disk: OnDisk,
}

impl Found {
    /// The file as a stretch of the torrent.
    #[must_use]
    pub fn span(&self) -> Span {
        Span { bytes: self.on_disk.stamp.bytes, source: Source::File(self.on_disk.clone()) }
    }
}

/// Something in the folder that the torrent will not have.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why something was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its name begins with a dot.
    Hidden,
    /// One of [`JUNK`].
    Junk,
    /// It is a symlink.
    Symlink,
    /// It is neither file nor folder nor symlink: what it is instead.
    Special(&'static str),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Hidden => "hidden; --all takes it in",
            Why::Junk => "a file manager's; --all takes it in",
            Why::Symlink => "a symlink; --follow-symlinks takes in what it leads to",
            Why::Special(what) => what,
        })
    }
}

/// Finds the files of a folder, or the one file that `root` is; `root` may be a symlink to either.
pub fn walk(root: &Path, choice: Choice) -> Result<Walked, String> {
    let metadata = look_at(root)?;
    let mut walk = Walk {
        choice,
        found: Walked::default(),
        above: Vec::new(),
        seen: BTreeSet::new(),
        again: 0,
    };
    if metadata.is_dir() {
        walk.folder(root, &metadata, &[])?;
    } else if metadata.is_file() {
        walk.file(root, &metadata, Vec::new())?;
    } else {
        let what = special(metadata.file_type());
        return Err(format!("{}: {what}; give a file or a folder", shown(root)));
    }
    walk.found.files.sort_by(|a, b| a.below.cmp(&b.below));
    walk.found.left_out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.found)
}

struct Walk {
    choice: Choice,
    found: Walked,
    /// Device and inode of the folders above, outermost first: a symlink to one of them would lead
    /// round in a circle.
    above: Vec<(u64, u64)>,
    /// Those of all folders so far.
    seen: BTreeSet<(u64, u64)>,
    /// How often a folder was entered that had been entered before, which takes symlinks.
    again: usize,
}

impl Walk {
    /// Takes in a folder. The system's bound on the length of a path bounds the depth.
    fn folder(&mut self, path: &Path, metadata: &Metadata, below: &[u8]) -> Result<(), String> {
        let own = (metadata.dev(), metadata.ino());
        if self.above.contains(&own) {
            let path = shown(path);
            return Err(format!(
                "{path}: a symlink to a folder above it, a circle without end; remove it, or do \
                 without --follow-symlinks"
            ));
        }
        self.again += usize::from(!self.seen.insert(own));
        if self.again > CONTENT_FOLDERS_AGAIN_MAX {
            let path = shown(path);
            return Err(format!(
                "{path}: symlinks lead to the same folders again and again, more than \
                 {CONTENT_FOLDERS_AGAIN_MAX} times; remove some, or do without --follow-symlinks"
            ));
        }
        self.above.push(own);
        for entry in std::fs::read_dir(path).map_err(|error| cannot_read(path, &error))? {
            let entry = entry.map_err(|error| cannot_read(path, &error))?;
            let name = entry.file_name();
            let below = match below {
                [] => name.as_bytes().to_vec(),
                _ => [below, name.as_bytes()].join(&b'/'),
            };
            let kind = entry.file_type().map_err(|error| cannot_read(&entry.path(), &error))?;
            match self.reason_against(name.as_bytes(), kind) {
                Some(why) => self.found.left_out.push(LeftOut { path: entry.path(), why }),
                None => self.entry(&entry.path(), below)?,
            }
        }
        self.above.pop();
        Ok(())
    }

    fn entry(&mut self, path: &Path, below: Vec<u8>) -> Result<(), String> {
        let metadata = look_at(path)?;
        if metadata.is_dir() {
            return self.folder(path, &metadata, &below);
        }
        if !metadata.is_file() {
            let why = Why::Special(special(metadata.file_type()));
            self.found.left_out.push(LeftOut { path: path.to_owned(), why });
            return Ok(());
        }
        self.file(path, &metadata, below)
    }

    fn file(&mut self, path: &Path, metadata: &Metadata, below: Vec<u8>) -> Result<(), String> {
        // Asked now, so that hours of hashing do not end at the last file.
        access(path, Access::READ_OK).map_err(|error| cannot_read(path, &error.into()))?;
        if self.found.files.len() == METAINFO_FILES_MAX {
            let path = shown(path);
            return Err(format!(
                "{path}: more than {METAINFO_FILES_MAX} files; make several torrents, or an archive"
            ));
        }
        let on_disk = OnDisk { path: path.to_owned(), stamp: Stamp::of(metadata) };
        self.found.files.push(Found { below, on_disk });
        Ok(())
    }

    /// Why an entry is left out, as far as its name tells, and whether it is a symlink.
    fn reason_against(&self, name: &[u8], kind: FileType) -> Option<Why> {
        let junk = JUNK.iter().any(|junk| name.eq_ignore_ascii_case(junk));
        match () {
            () if junk && !self.choice.all => Some(Why::Junk),
            () if name.starts_with(b".") && !self.choice.all => Some(Why::Hidden),
            () if kind.is_symlink() && !self.choice.follow_symlinks => Some(Why::Symlink),
            () => None,
        }
    }
}

/// What lies at a path, or where it leads.
fn look_at(path: &Path) -> Result<Metadata, String> {
    std::fs::metadata(path).map_err(|error| {
        // `ls` shows it: that there is no such file would not be believed.
        if error.kind() == ErrorKind::NotFound && path.is_symlink() {
            return format!("{}: a symlink that leads nowhere; remove it", shown(path));
        }
        cannot_read(path, &error)
    })
}

/// What something is that is neither file nor folder.
pub(super) fn special(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a FIFO, not a file"
    } else if kind.is_socket() {
        "a socket, not a file"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device, not a file"
    } else {
        "not a file"
    }
}
