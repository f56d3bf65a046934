//! Tests that span crates and are best written in Rust. What can be driven through the public API with a real client
//! is in `tests/api`.
