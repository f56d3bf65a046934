//! Built-in AWS-style services, so that event-driven applications run with nothing else installed.
//!
//! Each service is a folder: its store, and an implementation of the trait that is generated from AWS' model. The
//! gateway speaks the wire; a service sees typed requests and who makes them.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod context;
pub mod iam;
pub mod logs;

pub use context::RequestContext;
