//! One API error, in the form AWS gives it.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

/// How the message member of an error's JSON body is spelled; it differs per exception and is part of
/// the contract, because SDKs hand the body's members on as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKey {
    /// `message`
    Lower,
    /// `Message`
    Upper,
}

impl MessageKey {
    /// The member's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "message",
            Self::Upper => "Message",
        }
    }
}

/// Who is at fault, printed as the member `Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller: `User`.
    User,
    /// The service: `Service`.
    Service,
}

impl Fault {
    /// The member's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Service => "Service",
        }
    }
}

/// One API error: code, HTTP status, message, and the spelling of the body around them.
///
/// The exceptions of a service's model have a constructor each in the generated `errors` module of that
/// service; what AWS's front end answers whatever the service (authentication, validation, routing) has
/// its constructor here. [`protocol`](crate::protocol) turns an error into a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The exception's name, as in the header `x-amzn-ErrorType`.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: StatusCode,
    /// The message; `None` prints `null` where the protocol has a body member for it.
    pub message: Option<String>,
    /// How the message member is spelled.
    pub message_key: MessageKey,
    /// The member `Type`; absent when `None`.
    pub fault: Option<Fault>,
    /// Further string members of the body in order, such as `Reason`.
    pub members: Vec<(&'static str, String)>,
    /// The header `Retry-After`, in seconds.
    pub retry_after: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code),
            None => f.write_str(&self.code),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// An error of a service's model; the generated constructors call this.
    pub(crate) fn modeled(
        code: &'static str,
        status: StatusCode,
        message_key: MessageKey,
        fault: Option<Fault>,
        message: impl Into<String>,
    ) -> Self {
        Self { fault, message_key, ..Self::front_end(code, status, Some(message.into())) }
    }

    /// An error that AWS's front end answers, outside any model: no `Type`, `message` in lower case.
    pub(crate) fn front_end(code: &'static str, status: StatusCode, message: Option<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            status,
            message,
            message_key: MessageKey::Lower,
            fault: None,
            members: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds a string member to the body.
    pub fn with_member(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Adds the member `Reason`, which throttling errors carry.
    pub fn with_reason(self, reason: impl Into<String>) -> Self {
        self.with_member("Reason", reason)
    }

    /// Sets the header `Retry-After` to a number of seconds.
    pub fn with_retry_after(mut self, seconds: impl Into<String>) -> Self {
        self.retry_after = Some(seconds.into());
        self
    }

    /// Leaves out the member `Type`, as some of AWS's answers do.
    pub fn without_type(mut self) -> Self {
        self.fault = None;
        self
    }

    /// Spells the message member differently from the exception's usual way.
    pub fn with_message_key(mut self, message_key: MessageKey) -> Self {
        self.message_key = message_key;
        self
    }

    /// 400 `ValidationException`: a member breaks a constraint of the model.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::front_end("ValidationException", StatusCode::BAD_REQUEST, Some(message.into()))
    }

    /// 400 `SerializationException`: the body is not JSON (no message) or a value has the wrong type.
    pub fn serialization(message: Option<String>) -> Self {
        Self::front_end("SerializationException", StatusCode::BAD_REQUEST, message)
            .with_message_key(MessageKey::Upper)
    }

    /// 403 `AccessDeniedException`; without a message for resources of another account.
    pub fn access_denied(message: Option<String>) -> Self {
        Self::front_end("AccessDeniedException", StatusCode::FORBIDDEN, message)
            .with_message_key(MessageKey::Upper)
    }

    /// 403 `AccessDeniedException` for a path that exists, asked with a method that it does not have.
    pub fn undetermined_operation() -> Self {
        Self::access_denied(Some("Unable to determine service/operation name to be authorized".into()))
    }

    /// 413 `RequestEntityTooLargeException`.
    pub fn request_entity_too_large(message: impl Into<String>) -> Self {
        Self::front_end("RequestEntityTooLargeException", StatusCode::PAYLOAD_TOO_LARGE, Some(message.into()))
    }

    /// 404 `UnknownOperationException`: no operation has this path.
    pub fn unknown_operation() -> Self {
        Self::front_end("UnknownOperationException", StatusCode::NOT_FOUND, None)
            .with_message_key(MessageKey::Upper)
    }

    /// 400 `InvalidAction`: a service of the Query protocol has no operation of this name.
    pub fn invalid_action(action: &str, version: &str) -> Self {
        let message = format!("Could not find operation {action} for version {version}");
        Self::front_end("InvalidAction", StatusCode::BAD_REQUEST, Some(message))
    }

    /// 501 `NotImplementedException`: AWS has the operation, Rushlight does not offer it (yet).
    pub fn not_implemented(operation: &str) -> Self {
        let message = format!("Rushlight does not offer the operation {operation}.");
        Self::front_end("NotImplementedException", StatusCode::NOT_IMPLEMENTED, Some(message))
    }

    /// 500 `InternalFailure`: a fault of Rushlight's own; what it was belongs into the log, not here.
    pub fn internal_failure() -> Self {
        Self::front_end("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR, None)
    }

    /// 503 `ServiceUnavailableException`: the server is starting, stopping or overloaded.
    pub fn service_unavailable() -> Self {
        let message = "Service is unavailable. Please try again.".to_owned();
        Self::front_end("ServiceUnavailableException", StatusCode::SERVICE_UNAVAILABLE, Some(message))
    }

    /// 400 `ThrottlingException`: the caller's request rate is too high.
    pub fn throttling(message: impl Into<String>) -> Self {
        Self::front_end("ThrottlingException", StatusCode::BAD_REQUEST, Some(message.into()))
    }

    /// 403 `MissingAuthenticationTokenException`: the request is not signed at all.
    pub fn missing_authentication_token() -> Self {
        Self::forbidden("MissingAuthenticationTokenException", "Missing Authentication Token")
    }

    /// 403 `InvalidSignatureException`: wrong signature, expired, or signed for another scope.
    pub fn invalid_signature(message: impl Into<String>) -> Self {
        Self::forbidden("InvalidSignatureException", message)
    }

    /// 403 `UnrecognizedClientException`: no such access key, or its session token is not valid.
    pub fn unrecognized_client() -> Self {
        Self::forbidden(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    /// 403 `ExpiredTokenException`: temporary credentials have run out.
    pub fn expired_token() -> Self {
        Self::forbidden("ExpiredTokenException", "The security token included in the request is expired")
    }

    /// 403 `IncompleteSignatureException`: the authorization header or its query form lacks a part.
    pub fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::forbidden("IncompleteSignatureException", message)
    }

    fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::front_end(code, StatusCode::FORBIDDEN, Some(message.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_code_and_message() {
        assert_eq!(Error::validation("no").to_string(), "ValidationException: no");
        assert_eq!(Error::unknown_operation().to_string(), "UnknownOperationException");
    }

    #[test]
    fn builders_change_only_their_part() {
        let error = Error::throttling("slow").with_reason("CallerRateLimitExceeded").with_retry_after("1");
        assert_eq!(error.members, [("Reason", "CallerRateLimitExceeded".to_owned())]);
        assert_eq!(error.retry_after.as_deref(), Some("1"));
        assert_eq!(error.fault, None);
        assert!(error.status.is_client_error());
    }
}
