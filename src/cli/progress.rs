//! A progress bar on stderr, for commands that take their time.
//!
//! It is drawn on a terminal alone: where stderr is a file or a pipe, nothing of it is seen, and
//! what a command has to say stands in its lines. Dropped, it is wiped away, so that no error
//! stands behind half a bar. Any number of threads may advance it; it draws 20 times a second at
//! the most.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a command has come.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Of so many bytes: how many are done, how fast, how long it will take yet.
    pub(super) fn of_bytes(total: u64) -> Progress {
        Progress::drawn(
            total,
            "[{wide_bar}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, \
             {eta} left",
        )
    }

    /// Of so many things, done one by one; `what` names several of them: "torrents".
    pub(super) fn of_count(total: u64, what: &'static str) -> Progress {
        let progress = Progress::drawn(total, "[{wide_bar}] {pos} of {len} {msg}, {eta} left");
        progress.0.set_message(what);
        progress
    }

    fn drawn(total: u64, template: &str) -> Progress {
        let style = ProgressStyle::with_template(template).expect("our templates are well-formed");
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        bar.set_style(style.progress_chars("=> "));
        Progress(bar)
    }

    /// So much more is done.
    pub(super) fn advance(&self, more: u64) {
        self.0.inc(more);
    }

    /// Does what writes to stdout or stderr without the bar in its way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_counts_to_its_end_from_any_thread() {
        let progress = Progress::of_bytes(1 << 40);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| progress.advance(1 << 20)));
            }
        });
        assert_eq!(progress.0.position(), 4000 << 20);
        assert_eq!(Progress::of_count(7, "torrents").0.length(), Some(7));
        assert_eq!(progress.aside(|| 5), 5);
    }
}
