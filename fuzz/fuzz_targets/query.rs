//! See `muster_fuzz::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::query::check(bytes));
