//! Policies from the outside: documents, conditions, decisions, and attacks.

// The functions that tests share are not marked as tests, which is what clippy goes by.
#![allow(clippy::unwrap_used, clippy::panic)]

mod attacks;
mod conditions;
mod decisions;
mod denials;
mod documents;
mod patterns;
mod principals;
mod properties;
mod public;
mod sets;
mod support;
mod trust;
mod variables;
