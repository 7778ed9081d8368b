//! A terminal taken over for as long as something is watched on it.
//!
//! The picture is drawn on the alternate screen, so that what stood there is back afterwards; keys
//! come at once and unseen. Dropped, it leaves the terminal as it was. A SIGINT, as from Ctrl-C,
//! has to be caught by whoever watches, or the terminal stays as it is.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

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
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        }
        // The alternate screen, without a cursor.
        let _ = write_now("\x1b[?1049h\x1b[?25l");
        Screen { before }
    }

    /// Draws a picture in place of the last one, as far as it fits: lines of printable text.
    #[expect(clippy::unused_self, reason = "only who has taken a screen over draws on it")]
    pub(super) fn draw(&self, picture: &str) -> std::io::Result<()> {
        let rows = size().map_or(usize::MAX, |(_, rows)| rows);
        let lines: Vec<&str> = picture.lines().take(rows).collect();
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
            Ok(1..) if stdin.lock().read(&mut key).is_ok_and(|count| count == 1) => Some(key[0]),
            _ => None,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write_now("\x1b[?25h\x1b[?1049l");
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

fn write_now(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
