//! What there is on disk of the files that a torrent describes: which pieces and files are whole.
//!
//! A file is looked for below one folder, by the path the torrent gives it, which its parser has
//! seen to lead nowhere else. Symlinks on the way are followed: they are the doing of whoever owns
//! the folder, who keeps the files elsewhere. What is no regular file is not opened. Of a file that
//! is too short the pieces that are there are checked, of one that is too long those of the
//! torrent's length. A symlink of the torrent's own (BEP 47) is no file: it is whole when it leads
//! to the place that the torrent names, whatever is there.

use std::cmp::Ordering as CmpOrdering;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::ops::{Range, RangeInclusive};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use super::pieces::{self, Outcome, Work};
use super::walk::special;
use super::{OnDisk, Source, Span, Stamp, cannot_read};
use crate::metainfo::{File, Metainfo};

/// What has been found.
#[derive(Debug)]
pub struct Report {
    /// The files, in the torrent's order; no padding files.
    pub files: Vec<FileReport>,
    /// Pieces that are whole.
    pub pieces_whole: u64,
    /// Pieces there are.
    pub pieces: u64,
    /// Bytes of files in whole pieces, without padding.
    pub bytes_whole: u64,
}

impl Report {
    /// Whether everything is there as the torrent has it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.files.iter().all(|file| file.state == State::Whole) && self.pieces_whole == self.pieces
    }
}

/// What has been found of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its path below the torrent's name, as the torrent has it; empty for a single file.
    pub path: Vec<u8>,
    /// Bytes it has in the torrent.
    pub bytes: u64,
    /// How it is.
    pub state: State,
    /// Its pieces that are not whole, as ranges of their numbers.
    pub pieces_bad: Vec<RangeInclusive<u64>>,
    /// The numbers of its first piece and its last; `None` for an empty file.
    pub pieces: Option<RangeInclusive<u64>>,
}

/// How a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As the torrent has it.
    Whole,
    /// Not there.
    Missing,
    /// Shorter: so many bytes.
    TooShort(u64),
    /// Longer: so many bytes.
    TooLong(u64),
    /// Something else is there: what.
    NoFile(&'static str),
    /// It is there and cannot be read: why.
    Unreadable(String),
    /// Some of its pieces are not what they were.
    Damaged,
    /// Nothing is known to be wrong with it, but it shares a piece with a file that is.
    Unsure,
}

/// Where the files of a torrent are, if `given` is either the content itself or the folder that
/// holds it: whichever has more files of the right length, or else more of its files at all, or
/// else has the torrent's name.
#[must_use]
pub fn locate(metainfo: &Metainfo, given: &Path) -> PathBuf {
    let inside = given.join(OsStr::from_bytes(&metainfo.name));
    if metainfo.is_single_file() {
        return if given.is_dir() { inside } else { given.to_owned() };
    }
    let named = || {
        // The folder one is in, `.`, has a name too.
        let real = given.canonicalize();
        let names = [given.file_name(), real.as_deref().ok().and_then(Path::file_name)];
        names.contains(&Some(OsStr::from_bytes(&metainfo.name)))
    };
    match found(metainfo, given).cmp(&found(metainfo, &inside)) {
        CmpOrdering::Greater => given.to_owned(),
        CmpOrdering::Equal if named() => given.to_owned(),
        _ => inside,
    }
}

/// How many files there are below `root` that have the right length, and how many at all.
fn found(metainfo: &Metainfo, root: &Path) -> (usize, usize) {
    let mut count = (0, 0);
    for file in real(metainfo) {
        let path = place(root, file);
        if file.symlink.is_some() {
            count.1 += usize::from(std::fs::symlink_metadata(path).is_ok());
        } else if let Ok(there) = std::fs::metadata(path) {
            count.0 += usize::from(there.is_file() && there.len() == file.length());
            count.1 += 1;
        }
    }
    count
}

/// Checks the files of a v1 or hybrid torrent below `root` (see [`locate`]) on so many threads.
/// Fails when no thread can be started; told to stop, it reports what is left as not whole.
pub fn check(
    metainfo: &Metainfo,
    root: &Path,
    threads: usize,
    stop: &AtomicBool,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, String> {
    let mut layout = Layout::default();
    for (index, file) in metainfo.files.iter().enumerate() {
        layout.push(index, file, root);
    }
    let verdicts: Vec<AtomicU8> = metainfo.pieces.iter().map(|_| AtomicU8::new(ABSENT)).collect();
    let unread = Mutex::new(BTreeMap::new());
    let work =
        Work { spans: &layout.spans, piece_bytes: metainfo.piece_length, threads, stop, progress };
    pieces::hash(&work, &|piece, outcome| {
        let piece = piece as usize;
        let verdict = match outcome {
            Outcome::Hash(hash) if metainfo.pieces.get(piece) == Some(&hash) => WHOLE,
            Outcome::Hash(_) => DAMAGED,
            Outcome::Absent => ABSENT,
            Outcome::Failed { span, error } => {
                let mut unread = unread.lock().unwrap_or_else(PoisonError::into_inner);
                unread.entry(layout.file_of_span[span]).or_insert(error);
                ABSENT
            }
        };
        if let Some(slot) = verdicts.get(piece) {
            slot.store(verdict, Ordering::Relaxed);
        }
    })?;
    let mut unread = unread.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (span, file) in layout.spans.iter().zip(&layout.file_of_span) {
        if let Source::File(on_disk) = &span.source
            && let Err(error) = on_disk.is_unchanged()
        {
            unread.entry(*file).or_insert(error);
        }
    }
    for (file, error) in unread {
        layout.states[file] = State::Unreadable(error);
    }
    let verdicts: Vec<u8> = verdicts.into_iter().map(AtomicU8::into_inner).collect();
    Ok(report(metainfo, layout.states, &verdicts))
}

/// What becomes of a piece: as the torrent has it,
const WHOLE: u8 = 0;
/// ... all there, and not as the torrent has it,
const DAMAGED: u8 = 1;
/// ... or not all there.
const ABSENT: u8 = 2;

/// The torrent's bytes as they are on disk.
#[derive(Default)]
struct Layout {
    spans: Vec<Span>,
    /// The file, by its number in the torrent, that each span is of.
    file_of_span: Vec<usize>,
    /// Of each file, as far as a look at it tells.
    states: Vec<State>,
}

impl Layout {
    fn push(&mut self, index: usize, file: &File, root: &Path) {
        let path = place(root, file);
        let bytes = file.length();
        let mut add = |bytes, source| {
            self.spans.push(Span { bytes, source });
            self.file_of_span.push(index);
        };
        if file.padding {
            add(bytes, Source::Zeros);
            self.states.push(State::Whole);
            return;
        }
        if let Some(target) = &file.symlink {
            // It has no bytes; what it leads to may be a file of the torrent itself.
            add(bytes, Source::Absent);
            self.states.push(link_looks(&path, file, target));
            return;
        }
        let metadata = std::fs::metadata(&path);
        let state = looks(&path, bytes, &metadata);
        let there = match (&state, metadata) {
            (State::Whole | State::TooShort(_) | State::TooLong(_), Ok(metadata)) => {
                let there = metadata.len().min(bytes);
                let on_disk = OnDisk { path, stamp: Stamp::of(&metadata) };
                add(there, Source::File(on_disk));
                there
            }
            _ => 0,
        };
        if there < bytes {
            add(bytes - there, Source::Absent);
        }
        self.states.push(state);
    }
}

/// How a symlink is that the torrent has, leading to `target`, a path below its name.
fn link_looks(path: &Path, file: &File, target: &[u8]) -> State {
    match std::fs::read_link(path) {
        Ok(link) if leads_to(&file.path, link.as_os_str().as_bytes(), target) => State::Whole,
        Ok(_) => State::NoFile("a symlink to another place"),
        Err(error) if is_absence(&error) => State::Missing,
        // What is said of whatever is no symlink.
        Err(error) if error.kind() == ErrorKind::InvalidInput => State::NoFile("not a symlink"),
        Err(error) => State::Unreadable(cannot_read(path, &error)),
    }
}

/// Whether a link at one path below a folder leads to another path below that folder, as far as
/// its text tells.
fn leads_to(at: &[u8], link: &[u8], target: &[u8]) -> bool {
    let mut path: Vec<&[u8]> = at.split(|&byte| byte == b'/').collect();
    path.pop();
    if link.starts_with(b"/") {
        return false;
    }
    for name in link.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if path.is_empty() => return false,
            b".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    path.join(&b'/') == target
}

/// Whether an error says that there is nothing at that path.
fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// How a file is, as far as a look at it tells.
fn looks(path: &Path, bytes: u64, metadata: &std::io::Result<Metadata>) -> State {
    match metadata {
        Err(error) if is_absence(error) => State::Missing,
        Err(error) => State::Unreadable(cannot_read(path, error)),
        Ok(metadata) if metadata.is_dir() => State::NoFile("a folder, not a file"),
        Ok(metadata) if !metadata.is_file() => State::NoFile(special(metadata.file_type())),
        Ok(metadata) if metadata.len() < bytes => State::TooShort(metadata.len()),
        Ok(metadata) if metadata.len() > bytes => State::TooLong(metadata.len()),
        Ok(_) => State::Whole,
    }
}

fn place(root: &Path, file: &File) -> PathBuf {
    match file.path.as_slice() {
        [] => root.to_owned(),
        below => root.join(OsStr::from_bytes(below)),
    }
}

/// The files that somebody wrote.
fn real(metainfo: &Metainfo) -> impl Iterator<Item = &File> {
    metainfo.files.iter().filter(|file| !file.padding)
}

fn report(metainfo: &Metainfo, states: Vec<State>, verdicts: &[u8]) -> Report {
    let piece_bytes = metainfo.piece_length;
    let verdict = |piece: u64| verdicts.get(piece as usize).copied().unwrap_or(ABSENT);
    let files = metainfo.files.iter().zip(states).filter(|(file, _)| !file.padding);
    let files = files.map(|(file, mut state)| {
        let range = &file.range;
        let pieces =
            (!range.is_empty()).then(|| range.start / piece_bytes..=(range.end - 1) / piece_bytes);
        let bad = || pieces.iter().flat_map(Clone::clone).filter(|&piece| verdict(piece) != WHOLE);
        if state == State::Whole && bad().any(|piece| verdict(piece) == DAMAGED) {
            state = State::Damaged;
        } else if state == State::Whole && bad().next().is_some() {
            state = State::Unsure;
        }
        FileReport {
            path: file.path.clone(),
            bytes: file.length(),
            state,
            pieces_bad: ranges(bad()),
            pieces: pieces.clone(),
        }
    });
    let files = files.collect();
    Report {
        files,
        pieces_whole: (0..verdicts.len() as u64).filter(|piece| verdict(*piece) == WHOLE).count()
            as u64,
        pieces: verdicts.len() as u64,
        bytes_whole: real(metainfo).map(|file| bytes_whole(file, piece_bytes, &verdict)).sum(),
    }
}

/// Bytes of a file that lie in whole pieces.
fn bytes_whole(file: &File, piece_bytes: u64, verdict: &impl Fn(u64) -> u8) -> u64 {
    let Range { start, end } = file.range;
    let pieces = start / piece_bytes..end.div_ceil(piece_bytes);
    let whole = pieces.filter(|&piece| verdict(piece) == WHOLE);
    whole.map(|piece| end.min((piece + 1) * piece_bytes) - start.max(piece * piece_bytes)).sum()
}

/// Numbers in their order, as ranges without gaps.
fn ranges(numbers: impl Iterator<Item = u64>) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(last) if last.end() + 1 == number => *last = *last.start()..=number,
            _ => ranges.push(number..=number),
        }
    }
    ranges
}
