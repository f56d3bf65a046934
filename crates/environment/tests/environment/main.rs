//! Environments with real processes, on every backend that this machine offers.

// Test code that is not within a test function: the usual allowances do not reach it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

mod attacks;
mod bootstraps;
mod json;
mod managed;
