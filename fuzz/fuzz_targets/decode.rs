//! Paths, queries, headers and bodies of API requests.
//! `cargo +nightly fuzz run decode`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rushlight_api::fuzz_decode(data));
