//! Placeholder header.

pub mod code;
