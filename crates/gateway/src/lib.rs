//! HTTP in. Start reading at [`chain`]: the path of a request as one list.
//!
//! The gateway authenticates, routes, decodes and answers. It holds no rules of Lambda: what an operation means is
//! known to `control`, what an invocation means to `invoke`.

#![forbid(unsafe_code)]

mod authenticate;
mod body;
pub mod chain;
mod code;
mod function_url;
mod iam;
mod invoke;
mod json_check;
mod listener;
mod pieces;
mod respond;
mod response_stream;
mod route;
mod runtime_versions;

use std::num::NonZeroU64;

use rushlight_control::Control;
use rushlight_invoke::Invoker;
use rushlight_model::arn::Scope;
use rushlight_model::clock::Clock;
use rushlight_services::iam::{Iam, Sts};
use rushlight_services::logs::Logs;

pub use crate::authenticate::Authentication;
use crate::authenticate::Authenticator;
pub use crate::code::CODE_SERVICE;
pub use crate::listener::{Limits, Listener, serve_connection};

/// What requests are answered with.
pub struct Dependencies {
    /// Who may call.
    pub authentication: Authentication,
    /// Account and region of requests that name none (permissive mode).
    pub default_scope: Scope,
    /// The control plane.
    pub control: Control,
    /// The data plane.
    pub invoker: Invoker,
    /// The log service.
    pub logs: Logs,
    /// The users, roles and policies.
    pub iam: Iam,
    /// Temporary credentials.
    pub sts: Sts,
    /// Bytes a second that a response gets once 6 MB of it have gone piece by piece; without, as many as there can be.
    pub stream_bandwidth: Option<NonZeroU64>,
    /// The one clock.
    pub clock: Clock,
}

/// Answers requests. Shared by all connections behind an `Arc`.
pub struct Gateway {
    authenticator: Authenticator,
    control: Control,
    invoker: Invoker,
    logs: Logs,
    iam: Iam,
    sts: Sts,
    stream_bandwidth: Option<NonZeroU64>,
    clock: Clock,
}

impl Gateway {
    /// Puts the parts together.
    #[must_use]
    pub fn new(dependencies: Dependencies) -> Self {
        let Dependencies { control, invoker, logs, iam, sts, stream_bandwidth, clock, .. } = dependencies;
        let authenticator = Authenticator::new(dependencies.authentication, dependencies.default_scope);
        Self { authenticator, control, invoker, logs, iam, sts, stream_bandwidth, clock }
    }
}
