//! The data plane.

#![forbid(unsafe_code)]

pub mod admission;
pub mod pool;
