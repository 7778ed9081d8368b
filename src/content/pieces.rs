//! The SHA-1 of every piece of a torrent's bytes, on all cores.
//!
//! Each thread takes the next run of consecutive pieces, reads it with `pread` into a buffer of its
//! own and hashes it there, so that no byte changes hands and all a thread waits for is its own
//! disk read. A run is a few MiB of consecutive bytes: the disk sees long reads in order, and
//! threads meet at a counter once a run. The buffer fits a core's cache: what was read is still
//! there when it is hashed. Memory is a buffer a thread, however long a piece is.
//!
//! What becomes of a hash is the caller's business: `create` keeps it, `verify` compares it. Both
//! read through here, so both read alike.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sha1::{Digest as _, Sha1};

use super::{OnDisk, Source, Span, bytes_of, cannot_read, changed};
use crate::limits::{CONTENT_READ_BYTES, CONTENT_RUN_BYTES};

/// What to hash, and how.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// The torrent's bytes.
    pub spans: &'a [Span],
    /// Bytes of a piece, all but the last; above 0.
    pub piece_bytes: u64,
    /// Threads to do it on; above 0.
    pub threads: usize,
    /// Set by anybody, ends the work soon.
    pub stop: &'a AtomicBool,
    /// Told how many bytes more are done, by any thread.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What has become of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its SHA-1.
    Hash([u8; 20]),
    /// A part of it is nowhere.
    Absent,
    /// A part of it cannot be read.
    Failed {
        /// Which span it is in.
        span: usize,
        /// Why.
        error: String,
    },
}

/// How many pieces there are of so many bytes.
#[must_use]
pub fn count(bytes: u64, piece_bytes: u64) -> u64 {
    bytes.div_ceil(piece_bytes)
}

/// Hashes every piece and hands each outcome to `done` with the piece's number, in any order, from
/// any thread. Returns early when told to stop; fails if no thread can be started.
pub fn hash(work: &Work<'_>, done: &(dyn Fn(u64, Outcome) + Sync)) -> Result<(), String> {
    let pieces = Pieces::of(work);
    let next_run = AtomicU64::new(0);
    let threads = pieces.runs().min(work.threads as u64);
    std::thread::scope(|scope| {
        for nth in 0..threads {
            let started =
                std::thread::Builder::new().name("hash".to_owned()).spawn_scoped(scope, || {
                    let mut reader = Reader::new(&pieces);
                    loop {
                        let run = next_run.fetch_add(1, Ordering::Relaxed);
                        if run >= pieces.runs() {
                            return;
                        }
                        for piece in pieces.of_run(run) {
                            if work.stop.load(Ordering::Relaxed) {
                                return;
                            }
                            done(piece, reader.hash(piece));
                        }
                    }
                });
            match started {
                // Fewer threads do the same work.
                Err(error) if nth == 0 => return Err(format!("no thread to hash on: {error}")),
                _ => {}
            }
        }
        Ok(())
    })
}

/// Where the pieces lie in the spans.
struct Pieces<'a> {
    work: &'a Work<'a>,
    /// Where each span begins in the torrent's bytes.
    starts: Vec<u64>,
    bytes: u64,
    /// How many pieces a thread takes at once.
    run_length: u64,
}

impl<'a> Pieces<'a> {
    fn of(work: &'a Work<'a>) -> Pieces<'a> {
        let starts = work.spans.iter().scan(0, |end, span| {
            let start = *end;
            *end += span.bytes;
            Some(start)
        });
        Pieces {
            work,
            starts: starts.collect(),
            bytes: bytes_of(work.spans),
            run_length: (CONTENT_RUN_BYTES / work.piece_bytes).max(1),
        }
    }

    fn count(&self) -> u64 {
        count(self.bytes, self.work.piece_bytes)
    }

    fn runs(&self) -> u64 {
        self.count().div_ceil(self.run_length)
    }

    fn of_run(&self, run: u64) -> std::ops::Range<u64> {
        let first = run * self.run_length;
        first..(first + self.run_length).min(self.count())
    }

    /// The parts of spans that a piece is made of: the span, where in it, how many bytes.
    fn parts(&self, piece: u64) -> impl Iterator<Item = (usize, u64, u64)> + use<'_> {
        let start = piece * self.work.piece_bytes;
        let end = (start + self.work.piece_bytes).min(self.bytes);
        // The last span that begins at or before the piece; those it skips are empty or before it.
        let first = self.starts.partition_point(|&at| at <= start).saturating_sub(1);
        let spans = (first..self.starts.len()).take_while(move |&nth| self.starts[nth] < end);
        spans.map(move |nth| {
            let (at, bytes) = (self.starts[nth], self.work.spans[nth].bytes);
            let from = start.max(at);
            (nth, from - at, end.min(at + bytes) - from)
        })
    }
}

/// What a thread reads with: its buffer, and the file it has read from last.
struct Reader<'a> {
    pieces: &'a Pieces<'a>,
    buffer: Vec<u8>,
    open: Option<(usize, File)>,
}

impl<'a> Reader<'a> {
    fn new(pieces: &'a Pieces<'a>) -> Reader<'a> {
        Reader { pieces, buffer: vec![0; CONTENT_READ_BYTES], open: None }
    }

    fn hash(&mut self, piece: u64) -> Outcome {
        let (pieces, progress) = (self.pieces, self.pieces.work.progress);
        let absent = |nth: usize| matches!(pieces.work.spans[nth].source, Source::Absent);
        let bytes = pieces.parts(piece).map(|(_, _, bytes)| bytes).sum();
        // What is there of a piece that can never be whole need not be read.
        if pieces.parts(piece).any(|(nth, _, bytes)| bytes > 0 && absent(nth)) {
            progress(bytes);
            return Outcome::Absent;
        }
        let mut sha1 = Sha1::new();
        let mut left = bytes;
        for (nth, from, bytes) in pieces.parts(piece) {
            let update = |bytes: &[u8]| {
                sha1.update(bytes);
                left -= bytes.len() as u64;
                progress(bytes.len() as u64);
            };
            if let Err(error) = self.read(nth, from, bytes, update) {
                progress(left);
                return Outcome::Failed { span: nth, error };
            }
        }
        Outcome::Hash(sha1.finalize().into())
    }

    /// Reads a part of a span, a buffer at a time.
    fn read(
        &mut self,
        span: usize,
        mut from: u64,
        mut bytes: u64,
        mut update: impl FnMut(&[u8]),
    ) -> Result<(), String> {
        while bytes > 0 {
            let length = bytes.min(self.buffer.len() as u64) as usize;
            let chunk = &mut self.buffer[..length];
            match &self.pieces.work.spans[span].source {
                Source::File(on_disk) => {
                    let file = opened(&mut self.open, span, on_disk)?;
                    file.read_exact_at(chunk, from).map_err(|error| reason(on_disk, &error))?;
                }
                Source::Zeros => chunk.fill(0),
                Source::Absent => return Err("nothing to read".to_owned()),
            }
            update(chunk);
            from += length as u64;
            bytes -= length as u64;
        }
        Ok(())
    }
}

/// The file of a span: the open one if it is that, or it takes its place.
fn opened<'o>(
    open: &'o mut Option<(usize, File)>,
    span: usize,
    on_disk: &OnDisk,
) -> Result<&'o File, String> {
    if !matches!(open, Some((nth, _)) if *nth == span) {
        // The old one is closed first: descriptors are few where threads are many.
        *open = None;
    }
    match open {
        Some((_, file)) => Ok(file),
        None => Ok(&open.insert((span, on_disk.open()?)).1),
    }
}

/// Why a read failed: a file that ends too early has been cut after it was opened.
fn reason(on_disk: &OnDisk, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => changed(&on_disk.path),
        _ => cannot_read(&on_disk.path, error),
    }
}
