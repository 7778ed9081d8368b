//! The lines of the log on their way to stderr.
//!
//! The tracker writes on a thread of its own, from a queue that is bounded: a worker that logs
//! never waits for who reads, and lines that nobody reads are lost and counted. Until
//! [`start_thread`], and so in every other command, lines are written at once. Order is kept.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::clock::unix_time;
use crate::limits::{LOG_FLUSH_LOOK_MILLIS, LOG_FLUSH_MILLIS, LOG_QUEUE_LINES};

use super::{Level, encode_line, format};

/// What the log's thread is to do.
enum Queued {
    Line(String),
    /// To say that all before is written.
    Flush(SyncSender<()>),
}

static QUEUE: OnceLock<SyncSender<Queued>> = OnceLock::new();
/// Lines that had no room in the queue since this was said last.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Writes a line: at once, or where there is a thread for it whenever that gets to it.
pub(super) fn put(line: String) {
    match QUEUE.get() {
        None => write(&mut io::stderr(), &line),
        Some(queue) if queue.try_send(Queued::Line(line)).is_ok() => {}
        Some(_) => _ = LOST.fetch_add(1, Ordering::Relaxed),
    }
}

fn write(out: &mut impl io::Write, line: &str) {
    // There is nowhere left to report that stderr is gone.
    let _ = out.write_all(line.as_bytes());
}

/// From here on lines are written by a thread of their own; [`flush`] is to end the process with.
pub fn start_thread() -> Result<(), String> {
    let (queue, queued) = sync_channel(LOG_QUEUE_LINES);
    let thread = std::thread::Builder::new().name("log".to_owned());
    thread
        .spawn(move || write_queued(&queued, &LOST, &mut io::stderr()))
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    // Somebody's queue before this one serves as well.
    let _ = QUEUE.set(queue);
    Ok(())
}

fn write_queued(queued: &Receiver<Queued>, lost: &AtomicU64, out: &mut impl io::Write) {
    for next in queued {
        match next {
            Queued::Line(line) => write(out, &line),
            Queued::Flush(done) => _ = done.try_send(()),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!("{lost} lines were lost: nobody read the log");
            write(out, &encode_line(format(), unix_time(), Level::Warn, &text, &[]));
        }
    }
}

/// Waits until what was logged is written, for [`LOG_FLUSH_MILLIS`] at most.
pub fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, written) = sync_channel(1);
    let look = Duration::from_millis(LOG_FLUSH_LOOK_MILLIS);
    let mut asked = false;
    for _ in 0..LOG_FLUSH_MILLIS / LOG_FLUSH_LOOK_MILLIS {
        asked = asked || queue.try_send(Queued::Flush(done.clone())).is_ok();
        if written.recv_timeout(look).is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_queued_is_written_in_order_with_the_number_of_lines_that_were_lost() {
        let (queue, queued) = sync_channel(4);
        for line in ["first\n", "second\n"] {
            queue.send(Queued::Line(line.to_owned())).expect("room");
        }
        let (done, written) = sync_channel(1);
        queue.send(Queued::Flush(done)).expect("room");
        drop(queue);
        let (lost, mut out) = (AtomicU64::new(7), Vec::new());
        write_queued(&queued, &lost, &mut out);
        let out = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = out.lines().collect();
        let said = lines[1].split_once("Z ").map(|(_, said)| said);
        assert_eq!(said, Some("warn  7 lines were lost: nobody read the log"));
        assert_eq!((lines[0], &lines[2..]), ("first", &["second"][..]));
        assert_eq!((written.try_recv(), lost.into_inner()), (Ok(()), 0));
    }
}
