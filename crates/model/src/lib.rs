//! The words of the field: ARNs, functions, versions, invocations, quotas and time.
//!
//! Plain data and the rules that belong to it. No I/O, no wire formats, no storage. [`clock`] is the only place in
//! the workspace that reads the time.

#![forbid(unsafe_code)]

pub mod alias;
pub mod arn;
pub mod capacity_provider;
pub mod clock;
pub mod code_signing_config;
pub mod concurrency;
pub mod event_invoke_config;
pub mod event_pattern;
pub mod event_source_mapping;
pub mod function;
pub mod function_url;
pub mod invocation;
pub mod layer;
pub mod lineage;
pub mod log;
pub mod managed_instances;
pub mod notice;
pub mod permission;
pub mod quota;
pub mod recursion;
pub mod request_id;
pub mod runtime_management;
pub mod runtime_version;
pub mod tenant;
pub mod trace;
pub mod version;
pub mod zone;
