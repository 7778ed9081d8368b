//! muster, a private BitTorrent tracker.

pub mod clock;
pub mod config;
pub mod limits;
pub mod log;
pub mod request;
pub mod stats;
pub mod subnet;
pub mod tracker;
