//! See `muster_fuzz::state`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::state::check(bytes));
