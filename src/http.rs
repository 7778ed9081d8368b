//! HTTP: what the engines share.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod head;
pub mod reply;
pub mod status;
