//! From results to HTTP responses.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use rushlight_api::Error;
use rushlight_api::protocol::{aws_json, rest_json};
use rushlight_model::request_id::RequestId;

/// The response type of the whole gateway.
pub(crate) type HttpResponse = Response<Full<Bytes>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// How errors of a service are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Protocol {
    /// Lambda's.
    RestJson,
    /// That of CloudWatch Logs.
    AwsJson,
}

impl Protocol {
    pub(crate) fn error(self, error: &Error) -> Response<Bytes> {
        match self {
            Self::RestJson => rest_json::error_response(error),
            Self::AwsJson => aws_json::error_response(error),
        }
    }
}

/// Adds what every answer carries.
pub(crate) fn finish(response: Response<Bytes>, request_id: RequestId) -> HttpResponse {
    let mut response = response.map(Full::new);
    let value = request_id.with_text(HeaderValue::from_str);
    if let Ok(value) = value {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A small JSON answer of Rushlight's own.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
