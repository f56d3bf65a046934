//! The control plane: what the operations of the Lambda API do, short of running functions.
//!
//! ```text
//! gateway ── typed request ──> Control (operations.rs) ──> <noun>/<operation>.rs ──> rules ──> archive on disk
//!                                                                                              │
//!                              answer <── function/view.rs <── head by compare-and-set <───────┘
//!                                                                    │
//!                      function/state.rs, in the background: unpack, then Active / Successful; old code retires
//! ```
//!
//! # Invariants
//! * A function is one row, its head. An operation changes it by one compare-and-set or not at all, so a crash leaves
//!   the old state or the new one, and of two callers who saw the same revision one wins.
//! * The archive is on disk before a head names it, and is not removed while one names it.
//! * What is Pending or InProgress ends, also when the server was killed meanwhile: [`Control::open`] takes it up.
//! * Nothing here starts a process. The data plane is told through [`DataPlane`] and asked through it what it still uses.

#![forbid(unsafe_code)]

mod account;
mod alias;
mod authorization;
mod capacity_provider;
pub mod code;
mod code_signing_config;
mod concurrency;
mod context;
mod dependencies;
mod deprecation;
mod error;
mod event_invoke_config;
mod event_source_mapping;
mod function;
mod function_scaling;
mod function_url;
mod garbage;
mod layer;
mod ledger;
mod object;
mod operations;
mod page;
mod permission;
mod provisioned_concurrency;
mod recursion;
mod runtime_management;
mod runtime_version;
mod service;
mod tags;
mod users;
mod version;

pub use authorization::url_forbidden;
pub use context::RequestContext;
pub use dependencies::{
    AnySource, CodeUrl, CodeUrls, ContainerImages, DataPlane, Dependencies, EventSources, ImageError,
    Initialized, Object, ObjectError, ObjectRequest, Objects, OwnRuntimeVersion, Postbox, Retirement,
    Runtimes, SnapshotFailure, SourceCheck, SourceRefusal,
};
pub use error::{Error, Result, request_too_large};
pub use service::Control;

/// What packages are named by: the SHA-256 of the archive.
pub use rushlight_store::Digest;
