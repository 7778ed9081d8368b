//! What a check has found: that all is well, or what is wrong and what to do about it.
//!
//! For people a finding is a line with its level, what was checked and what was found, and below it
//! what to do; nothing in it moves the cursor, since files and trackers have a say in the text.

use std::fmt;

use serde_json::{Value, json};

use crate::printable::printable;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, and not for everybody or not for ever.
    Warning,
    /// It does not work.
    Problem,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was checked, in a word.
    pub(super) check: &'static str,
    /// How much it matters.
    pub(super) level: Level,
    /// What was found.
    pub(super) text: String,
    /// What to do about it; empty if there is nothing to do.
    pub(super) advice: String,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, text: text.into(), advice: String::new() }
    }

    /// Not all is well.
    pub(super) fn warning(
        check: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding { check, level: Level::Warning, text: text.into(), advice: advice.into() }
    }

    /// It does not work.
    pub(super) fn problem(
        check: &'static str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding { check, level: Level::Problem, text: text.into(), advice: advice.into() }
    }

    /// A problem told in one line, `what; what to do`.
    pub(super) fn of_error(check: &'static str, error: &str) -> Finding {
        let (text, advice) = error.split_once("; ").unwrap_or((error, ""));
        Finding::problem(check, text, advice)
    }

    /// The finding for programs.
    pub(super) fn json(&self) -> Value {
        let Finding { check, level, text, advice } = self;
        json!({ "check": check, "level": level.name(), "text": text, "advice": advice })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = printable(self.text.as_bytes());
        writeln!(f, "{:<8} {:<12} {text}", self.level.name(), self.check)?;
        if !self.advice.is_empty() {
            writeln!(f, "{:21} -> {}", "", printable(self.advice.as_bytes()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_below_it_what_to_do() {
        assert_eq!(
            Finding::ok("port", "0.0.0.0:6969 is free").to_string(),
            "ok       port         0.0.0.0:6969 is free\n"
        );
        assert_eq!(
            Finding::of_error("port", "taken by\x1b[2J; end it; or not").to_string(),
            "problem  port         taken by\\u{1b}[2J\n                      -> end it; or not\n"
        );
    }
}
