//! See `muster_fuzz::hash_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::hash_text::check(bytes));
