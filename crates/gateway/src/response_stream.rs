//! `InvokeWithResponseStream` on the wire: a function's response as events, while it is written.
//!
//! ```text
//! PayloadChunk … PayloadChunk InvokeComplete
//! ```
//! The function is never further ahead of its caller than a few pieces, and a caller who hangs up leaves it running.
//! A response that the runtime posts as a whole is one chunk; one that failed ends with the error in `InvokeComplete`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response};
use rushlight_api::Error;
use rushlight_api::lambda::encode;
use rushlight_api::lambda::types::{
    InvokeResponseStreamUpdate, InvokeWithResponseStreamCompleteEvent, InvokeWithResponseStreamRequest,
    InvokeWithResponseStreamResponse, LogType, ResponseStreamingInvocationType,
};
use rushlight_api::protocol::event_stream::CONTENT_TYPE_EVENT_STREAM;
use rushlight_invoke::{Finished, ResponseStream, StreamingAnswer};
use rushlight_model::arn::{FunctionReference, Scope};
use rushlight_model::invocation::{Invocation, Outcome};
use rushlight_model::request_id::RequestId;
use tokio::sync::{mpsc, oneshot};

use crate::Gateway;
use crate::invoke::{
    UNHANDLED, client_context, echo_trace, event, invocation, invoke_error, reference_error,
};
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
        if input.invocation_type == Some(ResponseStreamingInvocationType::DryRun) {
            self.invoker.dry_run(&reference).await.map_err(invoke_error)?;
            let output = InvokeWithResponseStreamResponse { status_code: Some(204), ..Default::default() };
            return Ok(encode::invoke_with_response_stream_response(&output)?.map(ResponseBody::from));
        }
        let trace_header = self.trace(parts);
        let invocation = Invocation {
            client_context: input.client_context.as_deref().map(client_context).transpose()?,
            ..invocation(&reference, request_id, event(input.payload)?, trace_header.clone())
        };
        let want_log_tail = input.log_type == Some(LogType::Tail);
        let answer = self.invoker.response_stream(&reference, invocation, want_log_tail).await;
        let mut answer = answer.map_err(invoke_error)?;
        let output = InvokeWithResponseStreamResponse {
            executed_version: Some(answer.executed_version.to_string()),
            response_stream_content_type: Some(CONTENT_TYPE_EVENT_STREAM.to_owned()),
            ..Default::default()
        };
        let head = encode::invoke_with_response_stream_response(&output)?;
        let begun = Begun::wait(&mut answer).await;
        let mut headers = HeaderMap::new();
        echo_trace(&mut headers, &trace_header);
        let content_type = begun.content_type().and_then(|text| HeaderValue::from_str(text).ok());
        let (mut head, _) = head.into_parts();
        head.headers.extend(headers);
        if let Some(content_type) = content_type {
            head.headers.insert(REMAPPED_CONTENT_TYPE, content_type);
        }
        head.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(CONTENT_TYPE_EVENT_STREAM));
        let events = EventStream::new(begun, answer);
        Ok(Response::from_parts(head, ResponseBody::Events(Box::new(events))))
    }
}

/// What a response begins with.
enum Begun {
    /// Pieces follow.
    Stream(ResponseStream),
    /// It is whole, or has failed; without a value the server shuts down.
    Whole(Option<Outcome>),
}

impl Begun {
    async fn wait(answer: &mut StreamingAnswer) -> Self {
        tokio::select! {
            // A stream begins before it ends.
            biased;
            Ok(stream) = &mut answer.stream => Self::Stream(stream),
            outcome = &mut answer.outcome => Self::Whole(outcome.ok()),
        }
    }

    fn content_type(&self) -> Option<&str> {
        match self {
            Self::Stream(stream) => stream.content_type.as_deref(),
            Self::Whole(_) => None,
        }
    }
}

/// The events of one response, to be polled by whoever writes them.
#[derive(Debug)]
pub struct EventStream {
    state: State,
    outcome: Option<oneshot::Receiver<Outcome>>,
    finished: Option<oneshot::Receiver<Finished>>,
}

#[derive(Debug)]
enum State {
    /// Pieces come.
    Pieces(mpsc::Receiver<Bytes>),
    /// The response as a whole.
    Chunk(Bytes),
    /// All pieces have come.
    Outcome,
    /// The response has ended, well or with this error; its log may be wanted.
    Complete(Option<Bytes>),
    Over,
}

impl EventStream {
    fn new(begun: Begun, answer: StreamingAnswer) -> Self {
        let (state, outcome) = match begun {
            Begun::Stream(stream) => (State::Pieces(stream.pieces), Some(answer.outcome)),
            Begun::Whole(Some(Outcome::Success(payload))) => (State::Chunk(payload), None),
            Begun::Whole(Some(Outcome::Error(error))) => (State::Complete(Some(error.payload)), None),
            Begun::Whole(None) => (State::Complete(Some(Bytes::new())), None),
        };
        Self { state, outcome, finished: answer.finished }
    }

    /// The next event; none after the last.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.state {
                State::Pieces(pieces) => match pieces.poll_recv(context) {
                    Poll::Ready(Some(piece)) => return Poll::Ready(Some(chunk(piece))),
                    Poll::Ready(None) => self.state = State::Outcome,
                    // A failure ends the response although whoever writes it has not let go of it.
                    Poll::Pending => match ready!(poll_outcome(&mut self.outcome, context)) {
                        Some(error) => self.state = State::Complete(Some(error)),
                        None => return Poll::Pending,
                    },
                },
                State::Chunk(payload) => {
                    let payload = std::mem::take(payload);
                    self.state = State::Complete(None);
                    return Poll::Ready(Some(chunk(payload)));
                }
                State::Outcome => {
                    let error = ready!(poll_outcome(&mut self.outcome, context));
                    self.state = State::Complete(error);
                }
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

/// The error that a response has ended with; none if it has ended well, also when that was said before.
fn poll_outcome(
    outcome: &mut Option<oneshot::Receiver<Outcome>>,
    context: &mut Context<'_>,
) -> Poll<Option<Bytes>> {
    let Some(receiver) = outcome else { return Poll::Ready(None) };
    let ended = ready!(Pin::new(receiver).poll(context));
    *outcome = None;
    Poll::Ready(match ended {
        Ok(Outcome::Success(_)) => None,
        Ok(Outcome::Error(error)) => Some(error.payload),
        // The server shuts down.
        Err(_) => Some(Bytes::new()),
    })
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
