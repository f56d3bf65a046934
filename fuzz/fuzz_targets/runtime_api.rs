//! Bytes that a function's process sends to the Runtime API.
//! `cargo +nightly fuzz run runtime_api`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rushlight_environment::fuzz_runtime_api(data));
