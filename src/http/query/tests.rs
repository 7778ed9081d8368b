//! The queries that real clients send, and what is made of wrong ones.
