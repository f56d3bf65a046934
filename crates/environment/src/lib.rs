//! One execution environment of one version of a function: it starts a runtime in a sandbox, gives it one invocation
//! after the other through the Runtime API, keeps its log, and ends it.
//!
//! An environment does not know who called or where anything is stored. Read [`lifecycle`] first: the state machine
//! that says what may happen when. [`environment`](Environment) carries its effects out.
//!
//! ```text
//! owner ── invoke ──> Environment ── event ──────────> runtime process
//!                     │ lifecycle (pure)  <── answer ── (through runtime_api)
//!                     │ supervisor: process, deadlines, sandbox jobs
//! owner <── idle ─────┤ logs: pipes, START, END, REPORT ──> LogSink
//! ```

#![forbid(unsafe_code)]

mod config;
mod environment;
mod event;
mod extensions;
mod failure;
mod finishing;
mod fuzz;
mod http1;
pub mod lifecycle;
mod logs;
mod report;
mod running;
pub mod runtime;
mod runtime_api;
mod start;
mod supervisor;
mod telemetry;
mod variables;
mod waiter;

pub use config::{
    Config, Credentials, Forward, Initialization, IssueCredentials, Owner, ServeEndpoint, Services,
};
pub use environment::Environment;
#[doc(hidden)]
pub use fuzz::fuzz_runtime_api;
pub use running::{Finished, NotAvailable, NotRestored, ResponseStream, Running, Wanted};
pub use runtime::ContainerImage;
pub use rushlight_sandbox::probe::emulator;
pub use start::{RESERVED_PORTS, StartError, emulated};

/// Outbound network of an environment, decided where environments are made from.
pub use rushlight_sandbox::Egress;
