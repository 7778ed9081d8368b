//! See `muster_fuzz::udp_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| muster_fuzz::udp_packet::check(bytes));
