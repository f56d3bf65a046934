//! Code packages.
//! `cargo +nightly fuzz run zip`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rushlight_control::code::fuzz_zip(data));
