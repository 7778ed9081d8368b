//! The integration tests: one binary that drives the real program.

mod add;
mod answer;
mod asking;
mod bench;
mod bounds;
mod clients;
mod completions;
mod config;
#[macro_use]
mod conformance;
mod connection;
mod decoding;
mod doctor;
mod fuzzed;
mod harness;
mod identity;
mod limits;
mod man;
mod operator;
mod programs;
mod readme;
mod replay;
mod scripted;
mod show;
mod state;
mod systemd;
mod tidy;
mod torrents;
mod udp;
mod watching;
