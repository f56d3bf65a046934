//! From results to HTTP responses.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use rushlight_api::Error;
use rushlight_api::protocol::{aws_json, rest_json};
use rushlight_model::request_id::RequestId;

use crate::pieces::{Piece, Pieces};
use crate::response_stream::EventStream;

/// The response type of the whole gateway.
pub(crate) type HttpResponse = Response<ResponseBody>;

/// The body of a response.
#[derive(Debug)]
pub enum ResponseBody {
    /// All of it is there.
    Whole(Full<Bytes>),
    /// A function's response, as it comes.
    Pieces(Box<Pieces>),
    /// What is left of that when the function has failed.
    Truncated,
    /// The same as events.
    Events(Box<EventStream>),
}

/// A response that its function has not finished. All that can still be said of it is the end of the connection.
#[derive(Debug, thiserror::Error)]
#[error("the function has failed in the middle of its response")]
pub struct Truncated;

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Truncated;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Truncated>>> {
        let body = self.get_mut();
        match body {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context).map_err(|never| match never {}),
            Self::Pieces(pieces) => match ready!(pieces.poll_next(context)) {
                Piece::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Piece::End(None) => Poll::Ready(None),
                Piece::End(Some(_)) => {
                    // What is still to be sent is sent when this waits, and is not when this fails.
                    *body = Self::Truncated;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            Self::Truncated => Poll::Ready(Some(Err(Truncated))),
            Self::Events(events) => {
                events.poll_next(context).map(|event| event.map(|event| Ok(Frame::data(event))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Pieces(_) | Self::Truncated | Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Pieces(_) | Self::Truncated | Self::Events(_) => SizeHint::default(),
        }
    }
}

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
pub(crate) fn finish(mut response: HttpResponse, request_id: RequestId) -> HttpResponse {
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
