//! The integration tests: one binary that drives the real program.

mod answer;
mod bounds;
mod clients;
mod config;
mod conformance;
mod connection;
mod harness;
mod identity;
mod readme;
mod replay;
mod state;
mod tidy;
mod udp;
