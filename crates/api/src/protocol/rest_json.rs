//! `rest-json`: operations are methods and paths, outputs are JSON bodies with members in headers.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};

use crate::error::{Error, Fault};
use crate::json::{EncodeJson, Json, JsonWriter};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The response for an error: its code in the header `x-amzn-ErrorType`, the rest in a JSON body.
pub fn error_response(error: &Error) -> Response<Bytes> {
    let mut response = Response::new(JsonWriter::document(&ErrorBody(error)));
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        headers.insert(ERROR_TYPE, code);
    }
    if let Some(Ok(seconds)) = error.retry_after.as_deref().map(HeaderValue::from_str) {
        headers.insert(RETRY_AFTER, seconds);
    }
    response
}

struct ErrorBody<'e>(&'e Error);

impl EncodeJson for ErrorBody<'_> {
    fn encode(&self, out: &mut JsonWriter) {
        let Self(error) = self;
        out.object(|out| {
            out.optional("Type", &error.fault);
            match &error.message {
                Some(message) => out.member(error.message_key.as_str(), message),
                None => out.member(error.message_key.as_str(), &Null),
            }
            for (name, value) in &error.members {
                out.member(name, value);
            }
        });
    }
}

impl EncodeJson for Fault {
    fn encode(&self, out: &mut JsonWriter) {
        out.string(self.as_str());
    }
}

struct Null;

impl EncodeJson for Null {
    fn encode(&self, out: &mut JsonWriter) {
        out.null();
    }
}

/// The text of a request header as the decoder takes it; the first one counts.
pub(crate) fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Json<'h> {
    headers.get(name).map_or(Json::Null, |value| Json::Text(String::from_utf8_lossy(value.as_bytes())))
}

/// No path of a service has more segments than this.
const MOST_SEGMENTS: usize = 8;

/// The raw segments of a path.
#[derive(Debug)]
pub(crate) struct Segments<'p> {
    segments: [&'p str; MOST_SEGMENTS],
}

impl<'p> Segments<'p> {
    /// Splits a path; `None` if no operation can have it: too long, an empty segment, no leading slash.
    pub(crate) fn split(path: &'p str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = [""; MOST_SEGMENTS];
        for (position, segment) in path.split('/').enumerate() {
            if segment.is_empty() {
                return None;
            }
            *segments.get_mut(position)? = segment;
        }
        Some(Self { segments })
    }

    /// The segment at a position; empty behind the end.
    pub(crate) fn at(&self, position: usize) -> &'p str {
        self.segments.get(position).copied().unwrap_or_default()
    }
}

/// A response in the making.
#[derive(Debug)]
pub(crate) struct ResponseBuilder {
    response: Response<Bytes>,
}

impl ResponseBuilder {
    /// A response with a status, which `status_member` overrides if the output has one.
    pub(crate) fn new(status: u16, status_member: Option<i32>) -> Self {
        let status = status_member.and_then(|status| u16::try_from(status).ok()).unwrap_or(status);
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { response }
    }

    /// Adds a header if the output has it. A value that no header can hold is our own fault.
    pub(crate) fn header(mut self, name: &'static str, value: Option<&str>) -> Result<Self, Error> {
        if let Some(value) = value {
            let value = HeaderValue::from_str(value).map_err(|_| Error::internal_failure())?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::internal_failure())?;
            self.response.headers_mut().insert(name, value);
        }
        Ok(self)
    }

    /// The JSON body; none where the status allows none.
    pub(crate) fn json(mut self, output: &impl EncodeJson) -> Response<Bytes> {
        if self.response.status() != StatusCode::NO_CONTENT {
            *self.response.body_mut() = JsonWriter::document(output);
            self.response.headers_mut().insert(CONTENT_TYPE, JSON);
        }
        self.response
    }

    /// A body that is one blob, as it is. Lambda labels a function's answer as JSON, whatever it is.
    pub(crate) fn payload(mut self, payload: Option<&Bytes>) -> Response<Bytes> {
        *self.response.body_mut() = payload.cloned().unwrap_or_default();
        self.response.headers_mut().entry(CONTENT_TYPE).or_insert(JSON);
        self.response
    }

    /// No body.
    pub(crate) fn empty(self) -> Response<Bytes> {
        self.response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::MessageKey;

    fn body(error: &Error) -> String {
        String::from_utf8(error_response(error).into_body().to_vec()).expect("UTF-8")
    }

    #[test]
    fn error_bodies_are_spelled_as_the_error_says() {
        let error = Error::modeled(
            "TooManyRequestsException",
            StatusCode::TOO_MANY_REQUESTS,
            MessageKey::Lower,
            Some(Fault::User),
            "Rate Exceeded.",
        )
        .with_reason("CallerRateLimitExceeded")
        .with_retry_after("1");
        let expected = r#"{"Type":"User","message":"Rate Exceeded.","Reason":"CallerRateLimitExceeded"}"#;
        assert_eq!(body(&error), expected);
        let response = error_response(&error);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["x-amzn-errortype"], "TooManyRequestsException");
        assert_eq!(response.headers()["retry-after"], "1");
    }

    #[test]
    fn front_end_errors_have_no_type() {
        assert_eq!(body(&Error::validation("v")), r#"{"message":"v"}"#);
        assert_eq!(body(&Error::access_denied(None)), r#"{"Message":null}"#);
        assert_eq!(
            body(&Error::missing_authentication_token()),
            r#"{"message":"Missing Authentication Token"}"#
        );
    }

    #[test]
    fn a_bodiless_status_has_no_body() {
        let response = ResponseBuilder::new(200, Some(204)).json(&true);
        assert_eq!((response.status(), response.body().len()), (StatusCode::NO_CONTENT, 0));
    }

    #[test]
    fn an_unsendable_header_is_an_internal_failure() {
        let refused = ResponseBuilder::new(200, None).header("X-Amz-Log-Result", Some("a\nb"));
        assert_eq!(refused.expect_err("refused").code, "InternalFailure");
    }
}
