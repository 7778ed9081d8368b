//! HTTP: what the engines share.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod forwarded;
pub mod head;
pub mod query;
pub mod reply;
pub mod status;
