//! See `muster_fuzz::forwarded`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::forwarded::check(bytes));
