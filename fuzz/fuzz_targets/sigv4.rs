//! Signed requests: headers and presigned queries.
//! `cargo +nightly fuzz run sigv4`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rushlight_auth::fuzz_verify(data));
