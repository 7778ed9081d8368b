//! HTTP: what the engines share.

pub mod head;
pub mod reply;
pub mod status;
