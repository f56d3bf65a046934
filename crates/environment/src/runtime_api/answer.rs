//! What a runtime posts: the result or the error of an invocation, or the error of its initialisation.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use rushlight_model::invocation::{FunctionError, Outcome};
use rushlight_model::quota::{RUNTIME_RESPONSE_BYTES, STREAMED_RESPONSE_BYTES};
use rushlight_model::request_id::RequestId;
use tokio::sync::mpsc;

use super::Connection;
use super::reply::Reply;
use crate::Environment;
use crate::failure::{Failure, normalised};
use crate::http1::head::{Head, ResponseMode};
use crate::http1::{Body, Piece, ReadError, Reader, WholeBody};
use crate::lifecycle::{Answer, Input, NotAllowed};

impl Connection {
    /// `POST /runtime/invocation/{id}/response`.
    pub(super) async fn response(
        &mut self,
        head: &Head,
        body: &mut Body,
        id: Option<RequestId>,
    ) -> Result<Reply, ReadError> {
        self.answer(head, body, id, Answer::Response, outcome).await
    }

    /// `POST /runtime/invocation/{id}/error`.
    pub(super) async fn error(
        &mut self,
        head: &Head,
        body: &mut Body,
        id: Option<RequestId>,
    ) -> Result<Reply, ReadError> {
        let outcome =
            |whole: WholeBody| Outcome::Error(handler_error(whole.bytes, head.error_type.as_deref()));
        self.answer(head, body, id, Answer::Error, outcome).await
    }

    /// Checks whose answer this is before any of it is read, reads it, and serves the caller with it.
    async fn answer(
        &mut self,
        head: &Head,
        body: &mut Body,
        id: Option<RequestId>,
        answer: Answer,
        outcome: impl Fn(WholeBody) -> Outcome,
    ) -> Result<Reply, ReadError> {
        let Some(id) = id else {
            return Ok(Reply::refused(NotAllowed::InvalidRequestId));
        };
        let environment = &self.environment;
        let permit = match environment.begin_post(Input::AnswerBegins(id, answer)) {
            Ok(permit) => permit,
            Err(refused) => return Ok(Reply::refused(refused)),
        };
        if let Some(attempt) = head.invocation_id
            && !attempt.is_some_and(|attempt| environment.is_attempt(attempt))
        {
            return Ok(Reply::invalid_invocation_id());
        }
        if answer == Answer::Response && head.response_mode == Some(ResponseMode::Unknown) {
            let reply = Reply::invalid_response_mode();
            return Ok(reject(environment, id, &Failure::invalid_response_mode(), reply));
        }
        self.expect(head).await?;
        if answer == Answer::Response
            && head.response_mode == Some(ResponseMode::Streaming)
            && let Some(pieces) = environment.begin_stream(head.content_type.clone())
        {
            return stream(environment, &mut self.reader, body, id, &pieces).await;
        }
        let read = self.reader.body(body, RUNTIME_RESPONSE_BYTES).await;
        drop(permit);
        match read {
            Ok(whole) => Ok(accept(environment.answer(id, answer, outcome(whole), None))),
            Err(ReadError::BodyTooLarge) => {
                let failure = Failure::response_too_large(RUNTIME_RESPONSE_BYTES);
                Ok(reject(environment, id, &failure, Reply::too_large(RUNTIME_RESPONSE_BYTES)))
            }
            Err(error) => {
                reject(environment, id, &Failure::truncated(), Reply::accepted());
                Err(error)
            }
        }
    }

    /// `POST /runtime/init/error`.
    pub(super) async fn init_error(&mut self, head: &Head, body: &mut Body) -> Result<Reply, ReadError> {
        self.failure(head, body, Input::InitErrorBegins, Input::InitError).await
    }

    /// `POST /runtime/restore/error`.
    pub(super) async fn restore_error(&mut self, head: &Head, body: &mut Body) -> Result<Reply, ReadError> {
        self.failure(head, body, Input::RestoreErrorBegins, Input::RestoreError).await
    }

    async fn failure(
        &mut self,
        head: &Head,
        body: &mut Body,
        begins: Input,
        input: Input,
    ) -> Result<Reply, ReadError> {
        // Only while the runtime initialises or is restored is the body read, and that has a limit of its own.
        let environment = &self.environment;
        let permit = match environment.begin_post(begins) {
            Ok(permit) => permit,
            Err(refused) => return Ok(Reply::refused(refused)),
        };
        self.expect(head).await?;
        let whole = match self.reader.body(body, RUNTIME_RESPONSE_BYTES).await {
            Ok(whole) => whole,
            Err(ReadError::BodyTooLarge) => return Ok(Reply::too_large(RUNTIME_RESPONSE_BYTES)),
            Err(error) => return Err(error),
        };
        drop(permit);
        let failure = Failure::posted(head.error_type.as_deref(), whole.bytes);
        Ok(accept(environment.failed(input, failure)))
    }

    /// Tells a client that waits for it to send its body.
    pub(super) async fn expect(&self, head: &Head) -> Result<(), ReadError> {
        if head.expects_continue && self.reader.pending() == 0 {
            let told = self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
            told.map_err(|_| ReadError::Closed)?;
        }
        Ok(())
    }
}

/// Passes an answer on as it comes. Whether the caller still listens makes no difference to the function.
async fn stream(
    environment: &Arc<Environment>,
    reader: &mut Reader,
    body: &mut Body,
    id: RequestId,
    pieces: &mpsc::Sender<Bytes>,
) -> Result<Reply, ReadError> {
    let mut left = STREAMED_RESPONSE_BYTES;
    loop {
        match reader.piece(body).await {
            Ok(Piece::Some(piece)) => {
                let Some(rest) = left.checked_sub(piece.len()) else {
                    let failure = Failure::response_too_large(STREAMED_RESPONSE_BYTES);
                    let reply = Reply::too_large(STREAMED_RESPONSE_BYTES);
                    return Ok(reject(environment, id, &failure, reply));
                };
                left = rest;
                let _ = pieces.send(piece).await;
            }
            Ok(Piece::End(trailers)) => {
                environment.produced(STREAMED_RESPONSE_BYTES - left);
                let whole = WholeBody { bytes: Bytes::new(), trailers };
                return Ok(accept(environment.answer(id, Answer::Response, outcome(whole), None)));
            }
            Err(error) => {
                reject(environment, id, &Failure::truncated(), Reply::accepted());
                return Err(error);
            }
        }
    }
}

fn accept(result: Result<(), NotAllowed>) -> Reply {
    match result {
        Ok(()) => Reply::accepted(),
        Err(refused) => Reply::refused(refused).after_body(),
    }
}

/// The answer is not taken, and the invocation has failed by that.
fn reject(environment: &Arc<Environment>, id: RequestId, failure: &Failure, reply: Reply) -> Reply {
    let outcome = Outcome::Error(failure.to_error(id));
    match environment.answer(id, Answer::Rejected, outcome, Some(failure.clone())) {
        Ok(()) => reply,
        Err(refused) => Reply::refused(refused),
    }
}

/// A response may still turn out to be an error: a streamed one says so in its trailers.
fn outcome(whole: WholeBody) -> Outcome {
    let WholeBody { bytes, trailers } = whole;
    if trailers.error_type.is_none() && trailers.error_body.is_none() {
        return Outcome::Success(bytes);
    }
    let body = trailers.error_body.unwrap_or_default();
    let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
    Outcome::Error(handler_error(body.into(), trailers.error_type.as_deref()))
}

/// What the handler reported; the payload is passed on as it is.
fn handler_error(payload: Bytes, error_type: Option<&str>) -> FunctionError {
    if payload.is_empty() {
        let error_type = normalised(error_type.unwrap_or_default());
        let payload = format!(r#"{{"errorType":"{error_type}"}}"#);
        return FunctionError { payload: payload.into(), error_type: None };
    }
    FunctionError { payload, error_type: None }
}
