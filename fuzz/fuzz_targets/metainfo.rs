//! See `muster_fuzz::metainfo`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::metainfo::check(bytes));
