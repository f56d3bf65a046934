//! `Invoke` on the wire: what reaches the data plane and how its answer is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use rushlight_api::Error;
use rushlight_api::lambda::types::{InvocationType, InvokeRequest, InvokeResponse, LogType};
use rushlight_api::lambda::{encode, errors};
use rushlight_invoke::{Address, Answer, Error as InvokeError, NotRestored};
use rushlight_model::arn::{FunctionReference, ReferenceError, Scope};
use rushlight_model::invocation::{Invocation, Outcome};
use rushlight_model::request_id::RequestId;
use rushlight_model::tenant::TenantId;
use rushlight_model::{quota, trace};

use crate::Gateway;
use crate::json_check;

pub(crate) const TRACE_ID: &str = "x-amzn-trace-id";

/// What AWS names in `X-Amz-Function-Error`, whatever the error.
pub(crate) const UNHANDLED: &str = "Unhandled";

/// The event of an invocation without a payload.
const NO_PAYLOAD: Bytes = Bytes::from_static(b"{}");

impl Gateway {
    /// Carries out an `Invoke` whose input has passed validation, and that its caller may make, on a function of `scope`.
    pub(crate) async fn invoke(
        &self,
        parts: &Parts,
        scope: &Scope,
        request_id: RequestId,
        input: InvokeRequest,
    ) -> Result<Response<Bytes>, Error> {
        let reference = FunctionReference::parse(scope, &input.function_name, input.qualifier.as_deref())
            .map_err(reference_error)?;
        let tenant_id = tenant_id(input.tenant_id.as_deref())?;
        let address = Address { function: &reference, tenant_id: tenant_id.as_ref() };
        let invocation_type = input.invocation_type.unwrap_or(InvocationType::RequestResponse);
        match invocation_type {
            InvocationType::DryRun => {
                self.invoker.dry_run(address).await.map_err(invoke_error)?;
                let output = InvokeResponse { status_code: Some(204), ..InvokeResponse::default() };
                encode::invoke_response(&output)
            }
            InvocationType::Event => Err(Error::not_implemented("Invoke with InvocationType Event")),
            _ => {
                let want_log_tail = input.log_type == Some(LogType::Tail);
                let trace_header = self.trace(parts);
                let invocation = Invocation {
                    client_context: input.client_context.as_deref().map(client_context).transpose()?,
                    ..invocation(&reference, request_id, event(input.payload)?, trace_header.clone())
                };
                let answer = self.invoker.request_response(address, invocation, want_log_tail).await;
                respond(answer.map_err(invoke_error)?, &trace_header)
            }
        }
    }
}

impl Gateway {
    /// The trace that a request belongs to, or else begins.
    pub(crate) fn trace(&self, parts: &Parts) -> String {
        trace_header(parts).unwrap_or_else(|| trace::begin(self.clock.now()))
    }
}

/// An invocation of whose caller nothing is known.
pub(crate) fn invocation(
    reference: &FunctionReference,
    request_id: RequestId,
    payload: Bytes,
    trace_header: String,
) -> Invocation {
    Invocation {
        request_id,
        invoked_function_arn: reference.arn(),
        payload,
        content_type: None,
        client_context: None,
        cognito_identity: None,
        trace_header: Some(trace_header),
        segments: None,
    }
}

/// The tenant that a request names. What decoding has let through is one.
pub(crate) fn tenant_id(text: Option<&str>) -> Result<Option<TenantId>, Error> {
    let refused = || errors::invalid_parameter_value_exception(InvokeError::TenantIdMissing.to_string());
    text.map(|text| TenantId::parse(text).ok_or_else(refused)).transpose()
}

/// The payload, once it is known to be JSON.
pub(crate) fn event(payload: Option<Bytes>) -> Result<Bytes, Error> {
    let payload = payload.filter(|payload| !payload.is_empty()).unwrap_or(NO_PAYLOAD);
    match json_check::check(&payload) {
        Ok(()) => Ok(payload),
        Err(problem) => Err(errors::invalid_request_content_exception(format!(
            "Could not parse request body into json: Could not parse payload into json: {problem}"
        ))),
    }
}

/// The trace that a request belongs to, as far as it says so.
pub(crate) fn trace_header(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(TRACE_ID)?.to_str().ok()?;
    trace::is_usable(header).then(|| header.to_owned())
}

/// From base64 to JSON text.
pub(crate) fn client_context(header: &str) -> Result<String, Error> {
    let refused = || {
        errors::invalid_request_content_exception(
            "Client context must be a valid Base64-encoded JSON object.",
        )
    };
    let text = STANDARD.decode(header).map_err(|_| refused())?;
    if text.len() > quota::CLIENT_CONTEXT_BYTES || json_check::check(&text).is_err() {
        return Err(refused());
    }
    let text = String::from_utf8(text).map_err(|_| refused())?;
    // It travels on in a header, where line breaks cannot be; in JSON they can only stand between tokens.
    Ok(text.replace(['\r', '\n'], " "))
}

fn respond(answer: Answer, trace_header: &str) -> Result<Response<Bytes>, Error> {
    let (payload, function_error) = match answer.outcome {
        Outcome::Success(payload) => (payload, None),
        Outcome::Error(error) => (error.payload, Some(UNHANDLED.to_owned())),
    };
    let output = InvokeResponse {
        function_error,
        log_result: answer.log_tail.map(|tail| STANDARD.encode(tail)),
        payload: Some(payload),
        executed_version: Some(answer.executed_version.to_string()),
        ..InvokeResponse::default()
    };
    let mut response = encode::invoke_response(&output)?;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    echo_trace(headers, trace_header, answer.sampled);
    Ok(response)
}

/// Names the trace in an answer.
pub(crate) fn echo_trace(headers: &mut HeaderMap, trace_header: &str, sampled: bool) {
    let echoed = format!("Root={};Sampled={}", trace::root(trace_header), u8::from(sampled));
    if let Ok(value) = HeaderValue::from_str(&echoed) {
        headers.insert(TRACE_ID, value);
    }
}

pub(crate) fn reference_error(error: ReferenceError) -> Error {
    match error {
        ReferenceError::QualifierMismatch => errors::invalid_parameter_value_exception(error.to_string()),
        ReferenceError::OtherRegion { .. } => errors::resource_not_found_exception(error.to_string()),
        ReferenceError::OtherAccount => Error::access_denied(None),
        ReferenceError::Malformed => errors::invalid_parameter_value_exception(error.to_string()),
    }
}

pub(crate) fn invoke_error(error: InvokeError) -> Error {
    match error {
        InvokeError::Reference(error) => reference_error(error),
        InvokeError::NotFound { .. } => errors::resource_not_found_exception(error.to_string()),
        InvokeError::TenantIdMissing | InvokeError::TenantIdNotSupported => {
            errors::invalid_parameter_value_exception(error.to_string())
        }
        InvokeError::Recursive => errors::recursive_invocation_exception(error.to_string()),
        InvokeError::SnapStartNotReady => errors::snap_start_not_ready_exception(error.to_string()),
        InvokeError::NotRestored(NotRestored::TimedOut) => {
            errors::snap_start_timeout_exception(error.to_string())
        }
        InvokeError::NotRestored(NotRestored::Failed) => errors::snap_start_exception(error.to_string()),
        InvokeError::NotActive { .. } => errors::resource_conflict_exception(error.to_string()),
        InvokeError::Throttled(throttle) => {
            errors::too_many_requests_exception(error.to_string()).with_reason(throttle.as_str())
        }
        InvokeError::RuntimeMissing(_) => errors::invalid_runtime_exception(error.to_string()),
        InvokeError::ShuttingDown => Error::service_unavailable(),
        InvokeError::Code(_) | InvokeError::Store(_) | InvokeError::Environment(_) => {
            tracing::error!(%error, "invoke.failed");
            errors::service_exception(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_context_is_base64_of_json() {
        assert_eq!(client_context(&STANDARD.encode("{\"a\":\n1}")).unwrap(), "{\"a\": 1}");
        for header in ["!", &STANDARD.encode("{"), &STANDARD.encode(format!("\"{}\"", "a".repeat(3583)))] {
            assert_eq!(client_context(header).unwrap_err().code, "InvalidRequestContentException");
        }
    }

    #[test]
    fn no_payload_is_an_empty_event() {
        assert_eq!(event(None).unwrap(), "{}");
        assert_eq!(event(Some(Bytes::new())).unwrap(), "{}");
        let error = event(Some(Bytes::from_static(b"nope"))).unwrap_err();
        assert!(error.message.unwrap().starts_with("Could not parse request body into json: Could not parse payload into json: Unrecognized token 'nope'"));
    }
}
