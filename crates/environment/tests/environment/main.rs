//! Environments with real processes, on every backend that this machine offers.

mod support;

mod attacks;
mod bootstraps;
mod managed;
