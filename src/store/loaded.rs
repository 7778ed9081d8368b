//! What a start has found: how much was taken in, what was left out, and what to tell the operator.

use crate::limits::STATE_NOTES_MAX;
use crate::log::Level;

/// The outcome of a load.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Torrents the operator has spoken of, counted each time they came up.
    pub registered: u32,
    /// Peers that are still there.
    pub peers: u32,
    /// Peers that have timed out.
    pub expired: u32,
    /// Entries of the journal.
    pub entries: u32,
    /// Torrents whose hash could not be recovered.
    pub skipped_torrents: u32,
    /// Peers that could not be understood.
    pub skipped_peers: u32,
    /// Registered torrents for which there was no room.
    pub without_room: u32,
    /// What the operator should know, the most important first.
    pub notes: Vec<(Level, String)>,
    unsaid: u32,
}

impl Loaded {
    /// Remembers something lost or about to be.
    pub fn error(&mut self, text: String) {
        self.notes.push((Level::Error, text));
    }

    /// Remembers something odd, unless there has been too much of it.
    pub fn warn(&mut self, text: String) {
        if self.notes.len() < STATE_NOTES_MAX {
            self.notes.push((Level::Warn, text));
        } else {
            self.unsaid += 1;
        }
    }

    /// Counts a torrent that was left out, by the name it has in the file.
    pub fn skip_torrent(&mut self, name: &str) {
        self.skipped_torrents += 1;
        self.warn(format!("torrent {name}: its name is no info hash of 20 bytes; left out"));
    }

    /// Adds the lines that count what no line of its own was written for.
    pub fn finish(&mut self) {
        if self.skipped_peers > 0 {
            let count = self.skipped_peers;
            let text = format!("{count} peers could not be understood and were left out");
            self.notes.push((Level::Warn, text));
        }
        if self.unsaid > 0 {
            let text = format!("{} more warnings of this kind are not shown", self.unsaid);
            self.notes.push((Level::Warn, text));
        }
    }
}
