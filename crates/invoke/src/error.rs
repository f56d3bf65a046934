//! Why an invocation could not be carried out. Failures of the function are not errors here: they are outcomes.

use rushlight_environment::NotRestored;
use rushlight_model::arn::ReferenceError;

use crate::admission::Throttle;

/// See the [module](self).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's name for the function cannot be used in this scope.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// There is no such function or version.
    #[error("Function not found: {arn}")]
    NotFound {
        /// As AWS names it: with the qualifier, which is `$LATEST` when none was given.
        arn: String,
    },
    /// The function exists but cannot be invoked in its state.
    #[error(
        "The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )]
    NotActive {
        /// E.g. `Pending`.
        state: &'static str,
    },
    /// The version is being initialised, or is about to be.
    #[error(
        "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE."
    )]
    SnapStartNotReady,
    /// The version was initialised, and cannot be restored.
    #[error("{}", not_restored(*.0))]
    NotRestored(NotRestored),
    /// The function keeps its tenants apart and the caller names none.
    #[error(
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
    )]
    TenantIdMissing,
    /// The caller names a tenant and the function does not keep them apart.
    #[error(
        "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again."
    )]
    TenantIdNotSupported,
    /// The function is found to be invoked in a loop.
    #[error(
        "Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services resources and stopped your function's invocation."
    )]
    Recursive,
    /// Concurrency is used up.
    #[error("Rate Exceeded.")]
    Throttled(Throttle),
    /// No interpreter on this machine runs the function's runtime; the text says how to add it.
    #[error("{0}")]
    RuntimeMissing(String),
    /// The code of the function cannot be made ready.
    #[error("cannot make the code of the function ready: {0}")]
    Code(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] rushlight_store::Error),
    /// An execution environment could not be made.
    #[error("cannot start an execution environment: {0}")]
    Environment(String),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// In AWS' words.
const fn not_restored(reason: NotRestored) -> &'static str {
    match reason {
        NotRestored::TimedOut => "Lambda couldn't restore the snapshot within the timeout limit.",
        NotRestored::Failed => {
            "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."
        }
    }
}
