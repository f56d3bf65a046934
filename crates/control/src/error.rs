//! Why an operation of the control plane was refused or failed, and what AWS calls that.

use rushlight_api::lambda::errors;
use rushlight_model::arn::ReferenceError;
use rushlight_model::quota::CODE_REQUEST_BYTES;
use rushlight_store::table::UpdateError;

use crate::code::CodeError;

/// An operation that did not happen. All but [`Error::ObjectService`], [`Error::PolicyLost`], [`Error::Store`],
/// [`Error::Unpack`], [`Error::VersionLost`] and [`Error::Closing`] are the caller's doing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the operation refuses a parameter.
    #[error("{0}")]
    InvalidParameter(String),
    /// A parameter breaks a constraint of the service's model that only shows in context.
    #[error("{0}")]
    Validation(String),
    /// The function, or the version or alias that was asked for, does not exist.
    #[error("Function not found: {arn}")]
    FunctionNotFound {
        /// The ARN as the caller addressed it.
        arn: String,
    },
    /// Something else that was named does not exist.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The ARN names another region.
    #[error("{0}")]
    OtherRegion(ReferenceError),
    /// The ARN names another account. AWS gives no message.
    #[error("the resource belongs to another account")]
    OtherAccount,
    /// A resource policy would have to allow it.
    #[error("{0}")]
    AccessDenied(String),
    /// What is there does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// More concurrency than there is. AWS says so without a `Type`.
    #[error("{0}")]
    ConcurrencyLimit(String),
    /// The version or alias has no provisioned concurrency.
    #[error("No Provisioned Concurrency Config found for this function")]
    NoProvisionedConcurrency,
    /// An alias to `$LATEST` shares its requests with no other version. AWS says so without a `Type`.
    #[error("$LATEST is not supported for an alias pointing to more than 1 version")]
    LatestShared,
    /// A function of that name exists.
    #[error("Function already exist: {name}")]
    FunctionExists {
        /// The bare name.
        name: String,
    },
    /// The last update is not through.
    #[error("The operation cannot be performed at this time. An update is in progress for resource: {arn}")]
    UpdateInProgress {
        /// ARN of the function.
        arn: String,
    },
    /// The function is not in a state in which it can be changed.
    #[error(
        "The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )]
    UnfitState {
        /// E.g. `Pending`.
        state: &'static str,
    },
    /// The caller saw an older revision.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
         retrieve the latest Revision Id"
    )]
    RevisionMismatch,
    /// The caller saw an older revision of a layer's policy.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the \
         latest Revision Id"
    )]
    LayerPolicyRevisionMismatch,
    /// The caller saw an older revision of what a policy belongs to.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest \
         Revision Id"
    )]
    PolicyRevisionMismatch,
    /// The policy would let in whoever comes, which the operator does not want.
    #[error(
        "The resource-based policy you tried to add to the Lambda resource would grant public access to it, which isn't \
         allowed."
    )]
    PublicPolicy,
    /// The policy has a statement of that id.
    #[error(
        "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing \
         statement."
    )]
    StatementExists {
        /// The id as given.
        sid: String,
    },
    /// The policy would become too large.
    #[error("The final policy size ({bytes}) is bigger than the limit ({limit}).")]
    PolicyTooLong {
        /// Bytes of the document.
        bytes: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// The archive or the request is too large.
    #[error("{0}")]
    TooLarge(String),
    /// The account's code storage is used up.
    #[error("Code storage limit exceeded.")]
    CodeStorageExceeded,
    /// The code signing configuration does not exist.
    #[error(
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: {arn}."
    )]
    CodeSigningConfigNotFound {
        /// The ARN as given.
        arn: String,
    },
    /// As [`Error::CodeSigningConfigNotFound`], for the operations that are about the configuration itself.
    #[error("The Lambda code signing configuration {arn} can not be found.")]
    NoCodeSigningConfig {
        /// The ARN as given.
        arn: String,
    },
    /// Functions have the code signing configuration.
    #[error(
        "The code signing configuration {arn} is in use by one or more functions. Remove it from the functions \
         before you delete it."
    )]
    CodeSigningConfigInUse {
        /// The ARN as given.
        arn: String,
    },
    /// A capacity provider of that name exists.
    #[error("Capacity provider already exists: {arn}")]
    CapacityProviderExists {
        /// ARN of the provider.
        arn: String,
    },
    /// The account has as many capacity providers as it may have.
    #[error("The maximum number of capacity providers for your account has been exceeded.")]
    CapacityProviderLimit,
    /// As many versions run on the capacity provider as may.
    #[error(
        "The maximum number of function versions that can be associated with a single capacity provider has been \
         exceeded."
    )]
    CapacityProviderFull,
    /// Functions run on the capacity provider.
    #[error(
        "The capacity provider is currently in use by {functions} functions. To delete this capacity provider, first \
         remove its association with {arn}."
    )]
    CapacityProviderInUse {
        /// ARN of the provider.
        arn: String,
        /// How many.
        functions: usize,
    },
    /// The capacity provider is not in a state in which it can be changed or used.
    #[error(
        "The operation cannot be performed at this time. The capacity provider {arn} is currently in the following \
         state: {state}"
    )]
    UnfitCapacityProvider {
        /// ARN of the provider.
        arn: String,
        /// E.g. `Pending`.
        state: &'static str,
    },
    /// The function's code signing configuration does not let an unsigned package pass.
    #[error(
        "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client \
         is not configured to accept. Check the provided signature for {function}."
    )]
    CodeVerificationFailed {
        /// The bare name.
        function: String,
    },
    /// The service that objects are fetched from failed or cannot be reached.
    #[error("{0}")]
    ObjectService(String),
    /// There is a mapping for this function and source.
    #[error("{0}")]
    MappingExists(String),
    /// The event source mapping does not exist.
    #[error("The resource you requested does not exist.")]
    MappingNotFound,
    /// The event source mapping is in a transition.
    #[error("Cannot {verb} the event source mapping because it is in use.")]
    MappingInUse {
        /// What was to be done with it.
        verb: &'static str,
    },
    /// Others changed the same thing again and again at the same time.
    #[error(
        "The operation cannot be performed at this time. Others are changing the resource. Please try again."
    )]
    Busy,
    /// A policy that was kept cannot be read.
    #[error("the policy in the store cannot be read")]
    PolicyLost,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] rushlight_store::Error),
    /// An archive could not be looked into or unpacked for a reason that is not in the archive.
    #[error("the package could not be unpacked")]
    Unpack(#[source] CodeError),
    /// The head of a function names a version whose row is gone.
    #[error("the configuration of {arn} is gone from the store")]
    VersionLost {
        /// ARN of the version.
        arn: String,
    },
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Closing,
}

/// The result of an operation of the control plane.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidParameter(message.into())
    }

    /// A constraint violated by a value that the service's model allows, in the words of the model's own checks.
    pub(crate) fn constraint(value: impl std::fmt::Display, member: &str, constraint: &str) -> String {
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        )
    }

    /// Images have no code signing.
    pub(crate) fn signed_image() -> Self {
        Self::invalid("Code signing is not supported for functions created with container images.")
    }

    /// A member of the request that AWS has and Rushlight does not. Ignoring it would deploy something else than what
    /// was asked for.
    pub(crate) fn not_offered(member: &str, instead: &str) -> Self {
        Self::InvalidParameter(format!("Rushlight does not offer {member} yet. {instead}"))
    }
}

impl From<ReferenceError> for Error {
    fn from(error: ReferenceError) -> Self {
        match error {
            ReferenceError::OtherAccount => Self::OtherAccount,
            ReferenceError::OtherRegion { .. } => Self::OtherRegion(error),
            ReferenceError::QualifierMismatch | ReferenceError::Malformed => {
                Self::InvalidParameter(error.to_string())
            }
        }
    }
}

impl From<CodeError> for Error {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::TooLargeZipped => Self::TooLarge(error.to_string()),
            CodeError::Empty | CodeError::TooLargeUnzipped => Self::InvalidParameter(error.to_string()),
            CodeError::Unreadable { ref reason } => {
                tracing::info!(reason = %reason, "package.unreadable");
                Self::InvalidParameter(error.to_string())
            }
            CodeError::Io { .. } => Self::Unpack(error),
        }
    }
}

impl From<UpdateError<Error>> for Error {
    fn from(error: UpdateError<Error>) -> Self {
        match error {
            UpdateError::Refused(refusal) => refusal,
            UpdateError::Store(error) => Self::Store(error),
        }
    }
}

/// What the caller is told. What is the server's own fault is logged here, once, and not shown.
impl From<Error> for rushlight_api::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::InvalidParameter(_) => errors::invalid_parameter_value_exception(message),
            Error::Validation(_) => Self::validation(message),
            Error::FunctionNotFound { .. }
            | Error::ResourceNotFound(_)
            | Error::OtherRegion(_)
            | Error::MappingNotFound => errors::resource_not_found_exception(message),
            Error::OtherAccount => Self::access_denied(None),
            Error::AccessDenied(_) => Self::access_denied(Some(message)),
            Error::NoProvisionedConcurrency => {
                errors::provisioned_concurrency_config_not_found_exception(message)
            }
            Error::ConcurrencyLimit(_) | Error::LatestShared => {
                errors::invalid_parameter_value_exception(message).without_type()
            }
            Error::FunctionExists { .. }
            | Error::Conflict(_)
            | Error::UpdateInProgress { .. }
            | Error::UnfitState { .. }
            | Error::StatementExists { .. }
            | Error::CodeSigningConfigInUse { .. }
            | Error::CapacityProviderExists { .. }
            | Error::CapacityProviderInUse { .. }
            | Error::UnfitCapacityProvider { .. }
            | Error::MappingExists(_)
            | Error::Busy => errors::resource_conflict_exception(message),
            Error::MappingInUse { .. } => errors::resource_in_use_exception(message),
            Error::RevisionMismatch | Error::PolicyRevisionMismatch | Error::LayerPolicyRevisionMismatch => {
                errors::precondition_failed_exception(message)
            }
            Error::PolicyTooLong { .. } => errors::policy_length_exceeded_exception(message),
            Error::PublicPolicy => errors::public_policy_exception(message),
            Error::TooLarge(_) => Self::request_entity_too_large(message),
            Error::CodeStorageExceeded => errors::code_storage_exceeded_exception(message),
            Error::CodeSigningConfigNotFound { .. } => {
                errors::code_signing_config_not_found_exception(message)
            }
            Error::NoCodeSigningConfig { .. } => errors::resource_not_found_exception(message).without_type(),
            Error::CapacityProviderFull => {
                errors::function_versions_per_capacity_provider_limit_exceeded_exception(message)
            }
            Error::CapacityProviderLimit => errors::capacity_provider_limit_exceeded_exception(message),
            Error::CodeVerificationFailed { .. } => errors::code_verification_failed_exception(message),
            Error::ObjectService(_) => {
                tracing::warn!(error = %message, "control.object_service_failed");
                errors::service_exception(message)
            }
            Error::PolicyLost | Error::Store(_) | Error::Unpack(_) | Error::VersionLost { .. } => {
                tracing::error!(error = %chain(&error), "control.failed");
                errors::service_exception("Rushlight could not carry out the operation; its log says why.")
            }
            Error::Closing => Self::service_unavailable(),
        }
    }
}

/// What AWS answers a request whose body is larger than any archive could make it (see
/// `rushlight_model::quota::CODE_REQUEST_BYTES`). The body is bounded where it is read, before it gets here.
#[must_use]
pub fn request_too_large(operation: &str) -> rushlight_api::Error {
    rushlight_api::Error::request_entity_too_large(format!(
        "Request must be smaller than {CODE_REQUEST_BYTES} bytes for the {operation} operation"
    ))
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
