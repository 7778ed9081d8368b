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
    /// Texts that were too long.
    pub cut_texts: u32,
    /// Registered torrents for which there was no room, which stops the start.
    pub without_room: u32,
    /// Other torrents for which there was no room.
    pub torrents_without_room: u32,
    /// Peers of those.
    pub their_peers_without_room: u32,
    /// Peers for which there was no room in torrents that are there.
    pub peers_without_room: u32,
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
            self.warn_always(text);
        } else {
            self.unsaid += 1;
        }
    }

    /// Remembers what must be said however much there is.
    pub fn warn_always(&mut self, text: String) {
        self.notes.push((Level::Warn, text));
    }

    /// Counts a torrent that was left out, by the name it has in the file.
    pub fn skip_torrent(&mut self, name: &str) {
        self.skipped_torrents += 1;
        self.warn(format!("torrent {name}: its name is no info hash of 20 bytes; left out"));
    }

    /// Counts a text of which a part was left out.
    pub fn cut_text(&mut self, what: &str) {
        self.cut_texts += 1;
        self.warn(format!("{what}; what is more was cut off"));
    }

    /// Whether the next save will lack something of the state file, beside peers that timed out.
    #[must_use]
    pub fn lacks_something(&self) -> bool {
        let skipped = self.skipped_torrents > 0 || self.skipped_peers > 0 || self.cut_texts > 0;
        skipped || self.torrents_without_room > 0 || self.peers_without_room > 0
    }

    /// Adds the lines that count what no line of its own was written for.
    pub fn finish(&mut self) {
        if self.torrents_without_room > 0 {
            let (torrents, peers) = (self.torrents_without_room, self.their_peers_without_room);
            let text = format!(
                "{torrents} torrents that are not registered had no room and were left out with \
                 {peers} peers: raise max-torrents"
            );
            self.warn_always(text);
        }
        if self.peers_without_room > 0 {
            let peers = self.peers_without_room;
            let text = format!("{peers} peers had no room and were left out: raise max-peers");
            self.warn_always(text);
        }
        if self.skipped_peers > 0 {
            let count = self.skipped_peers;
            let text = format!("{count} peers could not be understood and were left out");
            self.warn_always(text);
        }
        if self.unsaid > 0 {
            let text = format!("{} more warnings of this kind are not shown", self.unsaid);
            self.warn_always(text);
        }
    }
}
