//! `json` 1.1: every operation is a `POST /` named by the header `X-Amz-Target`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::error::Error;
use crate::json::{EncodeJson, JsonWriter};

/// The content type of requests and answers.
pub const CONTENT_TYPE_JSON_1_1: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// The response for an error: code and message in the body.
///
/// An error of the service is a 400, one of ours a 500, whatever status it would have elsewhere; only
/// what is not offered at all keeps its 501.
pub fn error_response(error: &Error) -> Response<Bytes> {
    let status = match error.status {
        StatusCode::NOT_IMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
        status if status.is_server_error() => status,
        StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    respond(status, JsonWriter::document(&ErrorBody(error)))
}

struct ErrorBody<'e>(&'e Error);

impl EncodeJson for ErrorBody<'_> {
    fn encode(&self, out: &mut JsonWriter) {
        let Self(error) = self;
        out.object(|out| {
            out.member("__type", error.code.as_ref());
            out.optional(error.message_key.as_str(), &error.message);
            for (name, value) in &error.members {
                out.member(name, value);
            }
        });
    }
}

/// A successful answer with an output.
pub(crate) fn output_response(output: &impl EncodeJson) -> Response<Bytes> {
    respond(StatusCode::OK, JsonWriter::document(output))
}

/// A successful answer without one.
pub(crate) fn empty_response() -> Response<Bytes> {
    respond(StatusCode::OK, Bytes::new())
}

fn respond(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_JSON_1_1);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_their_type_in_the_body() {
        let response = error_response(&Error::unknown_operation());
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.body(), r#"{"__type":"UnknownOperationException"}"#);
        let response = error_response(&Error::serialization(Some("x".into())));
        assert_eq!(response.body(), r#"{"__type":"SerializationException","Message":"x"}"#);
        assert_eq!(error_response(&Error::internal_failure()).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
