//! `InvokeWithResponseStream` on the wire: a function's response as events, while it is written.
//!
//! ```text
//! PayloadChunk … PayloadChunk InvokeComplete
//! ```
//! One that failed ends with the error in `InvokeComplete`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use rushlight_api::Error;
use rushlight_api::lambda::encode;
use rushlight_api::lambda::types::{
    InvokeResponseStreamUpdate, InvokeWithResponseStreamCompleteEvent, InvokeWithResponseStreamRequest,
    InvokeWithResponseStreamResponse, LogType, ResponseStreamingInvocationType,
};
use rushlight_api::protocol::event_stream::CONTENT_TYPE_EVENT_STREAM;
use rushlight_invoke::{Address, Finished, StreamingAnswer};
use rushlight_model::arn::{FunctionReference, Scope};
use rushlight_model::invocation::Invocation;
use rushlight_model::request_id::RequestId;
use tokio::sync::oneshot;

use crate::Gateway;
use crate::invoke::{
    UNHANDLED, client_context, echo_trace, event, invocation, invoke_error, reference_error, tenant_id,
};
use crate::pieces::{Kind, Piece, Pieces};
use crate::respond::{HttpResponse, ResponseBody};

/// The content type that the function has given its response; that of the events is another.
const REMAPPED_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-amzn-remapped-content-type");

impl Gateway {
    /// Carries out an `InvokeWithResponseStream` whose input has passed validation, and that its caller may make, on a
    /// function of `scope`.
    pub(crate) async fn invoke_with_response_stream(
        &self,
        parts: &Parts,
        scope: &Scope,
        request_id: RequestId,
        input: InvokeWithResponseStreamRequest,
    ) -> Result<HttpResponse, Error> {
        let reference = FunctionReference::parse(scope, &input.function_name, input.qualifier.as_deref())
            .map_err(reference_error)?;
        let tenant_id = tenant_id(input.tenant_id.as_deref())?;
        let address = Address { function: &reference, tenant_id: tenant_id.as_ref() };
        if input.invocation_type == Some(ResponseStreamingInvocationType::DryRun) {
            self.invoker.dry_run(address).await.map_err(invoke_error)?;
            let output = InvokeWithResponseStreamResponse { status_code: Some(204), ..Default::default() };
            return Ok(encode::invoke_with_response_stream_response(&output)?.map(ResponseBody::from));
        }
        let trace_header = self.trace(parts);
        let invocation = Invocation {
            client_context: input.client_context.as_deref().map(client_context).transpose()?,
            ..invocation(&reference, request_id, event(input.payload)?, trace_header.clone())
        };
        let want_log_tail = input.log_type == Some(LogType::Tail);
        let answer = self.invoker.response_stream(address, invocation, want_log_tail).await;
        let StreamingAnswer { executed_version, stream, outcome, finished, sampled } =
            answer.map_err(invoke_error)?;
        let output = InvokeWithResponseStreamResponse {
            executed_version: Some(executed_version.to_string()),
            response_stream_content_type: Some(CONTENT_TYPE_EVENT_STREAM.to_owned()),
            ..Default::default()
        };
        let head = encode::invoke_with_response_stream_response(&output)?;
        let (kind, pieces) = Pieces::begin(stream, outcome, self.stream_bandwidth).await;
        let events = EventStream { state: State::Pieces(pieces), finished };
        let mut response = head.map(|_| ResponseBody::Events(Box::new(events)));
        let headers = response.headers_mut();
        echo_trace(headers, &trace_header, sampled);
        if let Kind::Stream { content_type: Some(text) } = kind
            && let Ok(content_type) = HeaderValue::try_from(text)
        {
            headers.insert(REMAPPED_CONTENT_TYPE, content_type);
        }
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(CONTENT_TYPE_EVENT_STREAM));
        Ok(response)
    }
}

/// The events of one response, to be polled by whoever writes them.
#[derive(Debug)]
pub struct EventStream {
    state: State,
    finished: Option<oneshot::Receiver<Finished>>,
}

#[derive(Debug)]
enum State {
    Pieces(Pieces),
    /// The response has ended, well or with this error; its log may be wanted.
    Complete(Option<Bytes>),
    Over,
}

impl EventStream {
    /// The next event; none after the last.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.state {
                State::Pieces(pieces) => match ready!(pieces.poll_next(context)) {
                    Piece::Bytes(bytes) => return Poll::Ready(Some(chunk(bytes))),
                    Piece::End(error) => self.state = State::Complete(error),
                },
                State::Complete(error) => {
                    let tail = match &mut self.finished {
                        Some(finished) => {
                            ready!(Pin::new(finished).poll(context)).ok().and_then(|end| end.log_tail)
                        }
                        None => None,
                    };
                    let event = complete(error.take(), tail);
                    self.state = State::Over;
                    return Poll::Ready(Some(event));
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }
}

fn chunk(payload: Bytes) -> Bytes {
    encode::payload_chunk_event(&InvokeResponseStreamUpdate { payload: Some(payload) })
}

fn complete(error: Option<Bytes>, log_tail: Option<Bytes>) -> Bytes {
    encode::invoke_complete_event(&InvokeWithResponseStreamCompleteEvent {
        error_code: error.is_some().then(|| UNHANDLED.to_owned()),
        error_details: error.map(|error| String::from_utf8_lossy(&error).into_owned()),
        log_result: log_tail.map(|tail| STANDARD.encode(tail)),
    })
}
