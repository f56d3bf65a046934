//! Policies of identities, resources and roles, and decisions by them.
//! `cargo +nightly fuzz run policy`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rushlight_auth::fuzz_policy(data));
