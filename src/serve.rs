//! The wiring of the tracker: to be written.

use crate::config::Config;

/// Runs the tracker until it is stopped.
pub fn run(config: &Config) -> Result<(), String> {
    Err(format!("nothing listens on {} yet", config.listen.len()))
}
