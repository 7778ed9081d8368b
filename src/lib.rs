//! muster, a private BitTorrent tracker.

pub mod addresses;
pub mod bencode;
pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod limits;
pub mod log;
pub mod percent;
pub mod request;
pub mod serve;
pub mod signals;
pub mod stats;
pub mod subnet;
pub mod tracker;
