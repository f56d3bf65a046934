//! The wire: request and response types, routes, decoding with AWS's validation texts, encoding, and
//! exceptions of the services Rushlight answers for, generated from the public service models.
//!
//! `generated/<service>/` is written by `cargo xtask codegen` and never edited by hand; everything it
//! relies on is hand-written here: [`protocol`] (how a request and an answer look on the wire), the
//! decoder (JSON, labels, query and headers into typed inputs, every violation collected), and
//! [`Error`] (one API error in AWS's exact form). Nothing in this crate does I/O.
#![forbid(unsafe_code)]

mod constraint;
mod decoder;
mod error;
mod fuzz;
mod generated;
mod json;
mod labels;
mod open_enum;
pub mod protocol;
mod query;
mod redacted;
mod timestamp;
mod xml;

#[doc(hidden)]
pub use fuzz::fuzz_decode;

pub use error::{Error, Fault, MessageKey};
pub use generated::*;
pub use labels::Labels;
pub use query::Query;
pub use timestamp::{ParseTimestampError, Timestamp};
