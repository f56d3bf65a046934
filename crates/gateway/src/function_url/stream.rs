//! URLs of invoke mode `RESPONSE_STREAM`: the answer goes while the function writes it.
//!
//! A response of the content type [`HTTP_INTEGRATION`] begins with the head of the answer, as JSON, and eight zero bytes;
//! any other is the body itself, as is one that does not come piece by piece. See "Writing response streaming-enabled
//! Lambda functions" in the AWS Lambda developer guide.

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use rushlight_api::Error;
use rushlight_invoke::StreamingAnswer;
use rushlight_model::arn::FunctionReference;
use rushlight_model::invocation::Invocation;
use rushlight_model::request_id::RequestId;

use super::answer::{self, HEADER_BYTES};
use super::headers::JSON;
use super::{bad_gateway, not_begun};
use crate::Gateway;
use crate::pieces::{Kind, Piece, Pieces};
use crate::respond::{HttpResponse, ResponseBody};

/// The content type of responses that say of which status and with which headers they are to be answered.
const HTTP_INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";

/// What separates that from the body.
const SEPARATOR: [u8; 8] = [0; 8];

/// The most bytes that may come before it: headers and cookies, and white space around them.
const PRELUDE_BYTES: usize = 2 * HEADER_BYTES + 4096;

const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

impl Gateway {
    /// Invokes the function and answers as soon as it has written something. Says too whether it is traced.
    pub(super) async fn streamed(
        &self,
        reference: &FunctionReference,
        invocation: Invocation,
    ) -> Result<(HttpResponse, bool), Error> {
        let request_id = invocation.request_id;
        let answer = match self.invoker.response_stream(reference, invocation, false).await {
            Ok(answer) => answer,
            Err(error) => return not_begun(request_id, error).map(|response| (response, false)),
        };
        let StreamingAnswer { stream, outcome, sampled, .. } = answer;
        let (kind, mut pieces) = Pieces::begin(stream, outcome, self.stream_bandwidth).await;
        let head = match &kind {
            Kind::Stream { content_type: Some(text) } if is_http_integration(text) => {
                from_prelude(request_id, &mut pieces).await
            }
            _ => plain(kind, &mut pieces).await,
        };
        let response =
            head.map_or_else(bad_gateway, |head| head.map(|()| ResponseBody::Pieces(Box::new(pieces))));
        Ok((response, sampled))
    }
}

fn is_http_integration(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(HTTP_INTEGRATION)
}

/// The head of a response that does not say it itself, once it is certain that there is something to answer.
async fn plain(kind: Kind, pieces: &mut Pieces) -> Option<Response<()>> {
    match pieces.next().await {
        Piece::Bytes(bytes) => pieces.put_back(bytes),
        Piece::End(None) => pieces.put_back(Bytes::new()),
        Piece::End(Some(_)) => return None,
    }
    let content_type = match kind {
        Kind::Whole => JSON,
        Kind::Stream { content_type } => {
            content_type.and_then(|text| HeaderValue::try_from(text).ok()).unwrap_or(OCTET_STREAM)
        }
    };
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Some(response)
}

/// The head of a response that begins with it.
async fn from_prelude(request_id: RequestId, pieces: &mut Pieces) -> Option<Response<()>> {
    let mut prelude = BytesMut::new();
    let end = loop {
        let Piece::Bytes(bytes) = pieces.next().await else {
            tracing::debug!(%request_id, "function_url.prelude_missing");
            return None;
        };
        // The separator may have begun in the piece before.
        let seen = prelude.len().saturating_sub(SEPARATOR.len() - 1);
        prelude.extend_from_slice(&bytes);
        if let Some(found) = prelude[seen..].windows(SEPARATOR.len()).position(|bytes| bytes == SEPARATOR) {
            break seen + found;
        }
        if prelude.len() > PRELUDE_BYTES {
            tracing::debug!(%request_id, "function_url.prelude_too_large");
            return None;
        }
    };
    let body = prelude.split_off(end + SEPARATOR.len()).freeze();
    pieces.put_back(body);
    match answer::from_prelude(&prelude[..end]) {
        Ok(mut response) => {
            response.headers_mut().entry(CONTENT_TYPE).or_insert(OCTET_STREAM);
            Some(response)
        }
        Err(malformed) => {
            tracing::debug!(%request_id, %malformed, "function_url.result_refused");
            None
        }
    }
}
