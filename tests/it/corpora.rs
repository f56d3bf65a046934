//! The fuzz targets' corpora as plain tests: every input, and for each a fixed set of mutations, on stable Rust.
//! What a fuzzing run finds is added to `fuzz/corpus/<target>/` and stays checked here.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

/// Mutations of each input, beside the input itself.
const MUTATIONS: u64 = 200;

/// Runs `target` on the whole corpus of its name.
fn run(name: &str, mutations: u64, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&corpus).expect("the corpus is there") {
        let path = entry.expect("a readable corpus").path();
        let input = std::fs::read(&path).expect("a readable input");
        inputs += 1;
        target(&input);
        for seed in 1..=mutations {
            target(&mutated(&input, seed));
        }
    }
    assert!(inputs >= 4, "{} holds {inputs} inputs", corpus.display());
}

/// Changes a few bytes, cuts, doubles or swaps pieces: always the same for one input and seed.
fn mutated(input: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap_or_default()
    };
    let mut bytes = input.to_vec();
    for _ in 0..=random(4) {
        let (at, other) = (random(bytes.len()), random(bytes.len()));
        match random(6) {
            0 if !bytes.is_empty() => bytes[at] = random(256) as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random(8),
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at.min(other)..at.max(other)].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                bytes.drain(at.min(other)..at.max(other));
            }
            _ => bytes.splice(at..at, [0xff, 0, b'\n', b'%']).for_each(drop),
        }
    }
    bytes
}

#[test]
fn decode() {
    run("decode", MUTATIONS, rushlight_api::fuzz_decode);
}

#[test]
fn policy() {
    run("policy", MUTATIONS, rushlight_auth::fuzz_policy);
}

#[test]
fn sigv4() {
    run("sigv4", MUTATIONS, rushlight_auth::fuzz_verify);
}

#[test]
fn zip() {
    run("zip", MUTATIONS, rushlight_control::code::fuzz_zip);
}

#[test]
fn event_pattern() {
    run("event_pattern", MUTATIONS, rushlight_model::event_pattern::fuzz_event_pattern);
}

#[test]
fn runtime_api() {
    // Each input is a whole connection to an environment: fewer of them.
    run("runtime_api", MUTATIONS / 10, rushlight_environment::fuzz_runtime_api);
}
