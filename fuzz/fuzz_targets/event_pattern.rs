//! A pattern and an event, a line each, as users send them.
//! `cargo +nightly fuzz run event_pattern`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rushlight_model::event_pattern::fuzz_event_pattern(data));
