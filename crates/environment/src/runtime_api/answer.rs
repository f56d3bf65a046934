//! What a runtime posts: the result or the error of an invocation, or the error of its initialisation.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use rushlight_model::invocation::{FunctionError, Outcome};
use rushlight_model::quota::RUNTIME_RESPONSE_BYTES;
use rushlight_model::request_id::RequestId;

use super::reply::Reply;
use crate::Environment;
use crate::failure::{Failure, normalised};
use crate::http1::head::{Head, ResponseMode};
use crate::http1::{Body, ReadError, Reader, WholeBody};
use crate::lifecycle::{Answer, Input, NotAllowed};

/// `POST /runtime/invocation/{id}/response`.
pub(crate) async fn response(
    environment: &Arc<Environment>,
    reader: &mut Reader,
    head: &Head,
    body: &mut Body,
    id: Option<RequestId>,
) -> Result<Reply, ReadError> {
    let (id, reading) = match begin(environment, head, id, Answer::Response) {
        Ok(begun) => begun,
        Err(refused) => return Ok(refused),
    };
    if head.response_mode == Some(ResponseMode::Unknown) {
        return Ok(reject(
            environment,
            id,
            &Failure::invalid_response_mode(),
            Reply::invalid_response_mode(),
        ));
    }
    let read = reader.body(body, RUNTIME_RESPONSE_BYTES).await;
    drop(reading);
    match read {
        Ok(whole) => Ok(accept(environment.answer(id, Answer::Response, outcome(whole), None))),
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

/// `POST /runtime/invocation/{id}/error`.
pub(crate) async fn error(
    environment: &Arc<Environment>,
    reader: &mut Reader,
    head: &Head,
    body: &mut Body,
    id: Option<RequestId>,
) -> Result<Reply, ReadError> {
    let (id, reading) = match begin(environment, head, id, Answer::Error) {
        Ok(begun) => begun,
        Err(refused) => return Ok(refused),
    };
    let read = reader.body(body, RUNTIME_RESPONSE_BYTES).await;
    drop(reading);
    match read {
        Ok(whole) => {
            let error = handler_error(whole.bytes, head.error_type.as_deref());
            Ok(accept(environment.answer(id, Answer::Error, Outcome::Error(error), None)))
        }
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
pub(crate) async fn init_error(
    environment: &Arc<Environment>,
    reader: &mut Reader,
    head: &Head,
    body: &mut Body,
) -> Result<Reply, ReadError> {
    // Only a process that initialises gets as far as being read, and it has a limit of its own.
    let whole = match reader.body(body, RUNTIME_RESPONSE_BYTES).await {
        Ok(whole) => whole,
        Err(ReadError::BodyTooLarge) => return Ok(Reply::too_large(RUNTIME_RESPONSE_BYTES)),
        Err(error) => return Err(error),
    };
    let failure = Failure::posted(head.error_type.as_deref(), whole.bytes);
    Ok(accept(environment.failed(Input::InitError, failure)))
}

/// Checks whose answer this is before any of it is read.
fn begin<'a>(
    environment: &'a Environment,
    head: &Head,
    id: Option<RequestId>,
    answer: Answer,
) -> Result<(RequestId, crate::environment::Reading<'a>), Reply> {
    let id = id.ok_or_else(|| Reply::refused(NotAllowed::InvalidRequestId))?;
    let reading = environment.begin_answer(id, answer).map_err(Reply::refused)?;
    match head.invocation_id {
        Some(attempt) if !attempt.is_some_and(|attempt| environment.is_attempt(attempt)) => {
            Err(Reply::invalid_invocation_id())
        }
        _ => Ok((id, reading)),
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
