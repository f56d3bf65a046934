//! One invocation: what is asked of a function and what came of it.

use std::time::Duration;

use bytes::Bytes;

use crate::request_id::RequestId;
use crate::tenant::TenantId;
use crate::trace::{SegmentId, Segments};

/// What a caller asks of a function, after the caller was authenticated and the input validated.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Follows the invocation through every log line, header and record.
    pub request_id: RequestId,
    /// The ARN as addressed, with the alias or version if one was given.
    pub invoked_function_arn: String,
    /// The event, handed to the runtime untouched.
    pub payload: Bytes,
    /// Content type of the payload; absent means `application/json`.
    pub content_type: Option<String>,
    /// The caller's client context as JSON text.
    pub client_context: Option<String>,
    /// The caller's Cognito identity as JSON text.
    pub cognito_identity: Option<String>,
    /// The X-Ray trace header, e.g. `Root=1-…;Parent=…;Sampled=0`.
    pub trace_header: Option<String>,
    /// Its segments, if the trace is sampled and the function takes part in tracing.
    pub segments: Option<Box<Segments>>,
}

/// What the function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The handler returned this payload.
    Success(Bytes),
    /// The function failed: the caller sees the payload and `X-Amz-Function-Error`.
    Error(FunctionError),
}

impl Outcome {
    /// The payload that the caller receives.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        match self {
            Outcome::Success(payload) => payload,
            Outcome::Error(error) => &error.payload,
        }
    }
}

/// What became of invocations so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// Those that are over.
    pub invocations: u64,
    /// Those of them whose function failed.
    pub failures: u64,
}

impl Outcomes {
    /// From 0.0 to 1.0; nothing has failed where there was no invocation.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // A share needs no more digits.
    pub fn failed_share(self) -> f64 {
        if self.invocations == 0 { 0.0 } else { self.failures as f64 / self.invocations as f64 }
    }
}

impl std::iter::Sum for Outcomes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            invocations: sum.invocations + one.invocations,
            failures: sum.failures + one.failures,
        })
    }
}

/// A failure of the function (never of the platform).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// JSON with `errorType`, `errorMessage` and, where the runtime gave them, more.
    pub payload: Bytes,
    /// The class that log lines and telemetry name, e.g. `Runtime.ExitError`; absent when the handler itself
    /// reported the error.
    pub error_type: Option<String>,
}

/// The figures of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreReport {
    /// From when it was needed until the runtime was ready.
    pub duration: Duration,
    /// The part of it that is billed: in which the runtime ran.
    pub billed_milliseconds: u64,
}

/// The figures of one finished invocation, as its REPORT line prints them.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The invocation.
    pub request_id: RequestId,
    /// The tenant that the environment belongs to, if the function keeps its tenants apart.
    pub tenant_id: Option<TenantId>,
    /// Time of the invoke phase.
    pub duration: Duration,
    /// What is billed: init (if any) and duration, rounded up to whole milliseconds.
    pub billed_milliseconds: u64,
    /// Configured memory.
    pub memory_size_mb: u32,
    /// Highest memory use measured in the environment, in MB.
    pub max_memory_used_mb: u32,
    /// Time of the init phase, on the first invocation of an environment.
    pub init_duration: Option<Duration>,
    /// The restore, on the first invocation of an environment that was restored.
    pub restored: Option<RestoreReport>,
    /// How it ended.
    pub status: ReportStatus,
    /// The trace and the function's segment of it, if it is sampled and the function takes part in tracing.
    pub traced: Option<(String, SegmentId)>,
}

/// The `Status` of a REPORT line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportStatus {
    /// The runtime answered, be it with a result or with an error of its handler.
    Done,
    /// The function's timeout passed.
    Timeout,
    /// The environment failed, with the error type that the line names.
    Error(String),
}
