//! A terminal taken over for as long as something is watched on it.
//!
//! The picture is drawn on the alternate screen, so that what stood there is back afterwards; keys
//! come at once and unseen. Dropped, it leaves the terminal as it was. A SIGINT, as from Ctrl-C,
//! has to be caught by whoever watches, or the terminal stays as it is. Ctrl-Z is a key here: the
//! terminal is to be given back before the process stops.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use super::display_width::{columns, fitted};

/// The key that [`Screen::suspend`] belongs to.
pub(super) const CTRL_Z: u8 = 0x1a;

/// The terminal on stdout, and on stdin if there is one too.
pub(super) struct Screen {
    /// How stdin was; nothing if it is no terminal.
    before: Option<Termios>,
}

/// Columns and rows of the terminal on stdout, if it is one and says.
pub(super) fn size() -> Option<(usize, usize)> {
    let stdout = std::io::stdout();
    let size = stdout.is_terminal().then(|| tcgetwinsize(&stdout).ok()).flatten()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && rows > 0).then_some((columns, rows))
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open() -> Screen {
        let stdin = std::io::stdin();
        let before = stdin.is_terminal().then(|| tcgetattr(&stdin).ok()).flatten();
        let screen = Screen { before };
        screen.take();
        screen
    }

    fn take(&self) {
        if let Some(before) = &self.before {
            let mut raw = before.clone();
            raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // No key stops the process (_POSIX_VDISABLE is 0 on Linux).
            raw.special_codes[SpecialCodeIndex::VSUSP] = 0;
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &raw);
        }
        // The alternate screen, without a cursor.
        let _ = write_now("\x1b[?1049h\x1b[?25l");
    }

    fn give_back(&self) {
        let _ = write_now("\x1b[?25h\x1b[?1049l");
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }

    /// Gives the terminal back and stops whoever Ctrl-Z would stop; once it goes on (`fg`), takes
    /// the terminal over again.
    pub(super) fn suspend(&self) {
        self.give_back();
        let _ = kill_current_process_group(Signal::TSTP);
        self.take();
    }

    /// Draws a picture in place of the last one, as far as it fits: lines of printable text.
    #[expect(clippy::unused_self, reason = "only who has taken a screen over draws on it")]
    pub(super) fn draw(&self, picture: &str) -> std::io::Result<()> {
        let (width, rows) = size().unwrap_or((usize::MAX, usize::MAX));
        let cut = |line: &str| {
            if columns(line) > width { fitted(line, width) } else { line.to_owned() }
        };
        let lines: Vec<String> = picture.lines().take(rows).map(cut).collect();
        // Written over from the top, so that nothing flickers: the rest of each line goes, then the
        // lines below.
        write_now(&format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n")))
    }

    /// Waits until a key is hit or the time is over, which a signal ends too; the key.
    pub(super) fn key(&self, patience: Duration) -> Option<u8> {
        let stdin = std::io::stdin();
        let mut keys = [PollFd::new(&stdin, PollFlags::IN)];
        let watched = if self.before.is_some() { &mut keys[..] } else { &mut [] };
        let ready = poll(watched, Timespec::try_from(patience).ok().as_ref());
        let mut key = [0];
        match ready {
            // Not through std's buffer: a key that waits there is not seen by the poll.
            Ok(1..) if rustix::io::read(&stdin, &mut key).is_ok_and(|count| count == 1) => {
                Some(key[0])
            }
            _ => None,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn write_now(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
