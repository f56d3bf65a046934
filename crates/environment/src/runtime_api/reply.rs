//! Answers of the Runtime API, ready to be written: head and body in one piece.

use std::borrow::Cow;

use uuid::Uuid;

use crate::http1::ReadError;
use crate::lifecycle::NotAllowed;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    bytes: Cow<'static, [u8]>,
    body_was_read: bool,
}

/// The answer to everything that went well: the only one on the path of a warm invocation.
const ACCEPTED: &[u8] =
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

impl Reply {
    fn new(status: &str, content_type: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self { bytes: Cow::Owned(text.into_bytes()), body_was_read: false }
    }

    fn error(status: &str, error_type: &str, message: &str) -> Self {
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let body = format!(r#"{{"errorMessage":{},"errorType":{}}}"#, text(message), text(error_type));
        Self::new(status, "application/json", &body)
    }

    /// 202.
    pub(crate) fn accepted() -> Self {
        Self { bytes: Cow::Borrowed(ACCEPTED), body_was_read: true }
    }

    /// The answer to `ping`.
    pub(crate) fn pong() -> Self {
        Self::new("200 OK", "text/plain", "pong")
    }

    /// 403 for an extension.
    pub(crate) fn forbidden(error_type: &str, message: &str) -> Self {
        Self::error("403 Forbidden", error_type, message)
    }

    /// The answer to a subscription.
    pub(crate) fn subscribed() -> Self {
        Self::new("200 OK", "application/json", "\"OK\"")
    }

    /// A subscription that is not as it should be.
    pub(crate) fn invalid(message: &str) -> Self {
        Self::error("400 Bad Request", "ValidationError", message)
    }

    /// The answer to a registration.
    pub(crate) fn registered(
        id: Uuid,
        function: &str,
        version: &str,
        handler: &str,
        account: Option<&str>,
    ) -> Self {
        let mut body = serde_json::json!({
            "functionName": function, "functionVersion": version, "handler": handler,
        });
        if let Some(account) = account {
            body["accountId"] = account.into();
        }
        Self::with_header("Lambda-Extension-Identifier", id, &body.to_string())
    }

    /// An event for an extension.
    pub(crate) fn event(event: &[u8]) -> Self {
        let event = String::from_utf8_lossy(event);
        Self::with_header("Lambda-Extension-Event-Identifier", Uuid::new_v4(), &event)
    }

    fn with_header(name: &str, id: Uuid, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{name}: {id}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self { bytes: Cow::Owned(text.into_bytes()), body_was_read: false }
    }

    /// 404.
    pub(crate) fn not_found() -> Self {
        Self::new("404 Not Found", "text/plain; charset=utf-8", "404 page not found\n")
    }

    /// Metadata, which never changes.
    pub(crate) fn metadata(body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: private, max-age=43200, immutable\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        Self { bytes: Cow::Owned(text.into_bytes()), body_was_read: false }
    }

    /// Temporary credentials.
    pub(crate) fn credentials(body: &serde_json::Value) -> Self {
        Self::new("200 OK", "application/json", &body.to_string())
    }

    /// Whoever asks has not the right token, or there are none.
    pub(crate) fn no_credentials() -> Self {
        let text = "cannot get credentials for the provided token\n";
        Self::new("404 Not Found", "text/plain; charset=utf-8", text)
    }

    /// 401.
    pub(crate) fn unauthorized() -> Self {
        Self::new("401 Unauthorized", "text/plain; charset=utf-8", "")
    }

    /// 405.
    pub(crate) fn wrong_method() -> Self {
        Self::new("405 Method Not Allowed", "text/plain; charset=utf-8", "")
    }

    /// The state machine refuses.
    pub(crate) fn refused(refused: NotAllowed) -> Self {
        match refused {
            NotAllowed::InvalidRequestId => {
                Self::error("400 Bad Request", "InvalidRequestID", "Invalid request ID")
            }
            NotAllowed::Transition { from, to } => {
                let message = format!(
                    "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
                );
                Self::error("403 Forbidden", "InvalidStateTransition", &message)
            }
            NotAllowed::Busy | NotAllowed::Ended | NotAllowed::Meaningless => {
                Self::error("500 Internal Server Error", "InternalServerError", "Internal Server Error")
            }
        }
    }

    /// The echoed id is not that of the attempt.
    pub(crate) fn invalid_invocation_id() -> Self {
        Self::error("400 Bad Request", "InvalidInvocationId", "Invalid invocation ID")
    }

    /// The response mode is unknown.
    pub(crate) fn invalid_response_mode() -> Self {
        Self::error("400 Bad Request", "InvalidFunctionResponseMode", "Invalid function response mode")
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("Exceeded maximum allowed payload size ({limit} bytes).");
        Self::error("413 Request Entity Too Large", "RequestEntityTooLarge", &message)
    }

    /// A request that could not be read; none if there is nobody to tell.
    pub(crate) fn unreadable(error: &ReadError) -> Option<Self> {
        let reply = match error {
            ReadError::Closed => return None,
            ReadError::HeadTooLarge => {
                Self::error("431 Request Header Fields Too Large", "InvalidRequest", "Request head too large")
            }
            ReadError::TooSlow => {
                Self::error("408 Request Timeout", "InvalidRequest", "Request head incomplete")
            }
            ReadError::Malformed => {
                Self::error("400 Bad Request", "InvalidRequest", "Malformed HTTP request")
            }
            ReadError::BodyTooLarge => {
                Self::error("413 Request Entity Too Large", "RequestEntityTooLarge", "")
            }
            ReadError::Truncated => {
                Self::error("400 Bad Request", "TruncatedHTTPRequest", "HTTP request detected as truncated")
            }
        };
        Some(reply)
    }

    /// Says that nothing of the request's body is left to be read.
    pub(crate) fn after_body(mut self) -> Self {
        self.body_was_read = true;
        self
    }

    /// Whether nothing of the request's body is left to be read.
    pub(crate) fn body_was_read(&self) -> bool {
        self.body_was_read
    }

    /// What is to be written, if it is the answer to everything that went well.
    pub(crate) fn as_accepted(&self) -> Option<&'static [u8]> {
        match self.bytes {
            Cow::Borrowed(bytes) => Some(bytes),
            Cow::Owned(_) => None,
        }
    }

    /// What is to be written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right_and_errors_are_json() {
        let refused = Reply::refused(NotAllowed::Transition { from: "Running", to: "Ready" });
        for reply in [Reply::accepted(), Reply::pong(), Reply::not_found(), Reply::too_large(9), refused] {
            let text = std::str::from_utf8(reply.bytes()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{text}");
            if head.contains("application/json") {
                serde_json::from_str::<serde_json::Value>(body).unwrap();
            }
        }
    }
}
