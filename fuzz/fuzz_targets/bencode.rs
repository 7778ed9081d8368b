//! See `muster_fuzz::bencode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::bencode::check(bytes));
