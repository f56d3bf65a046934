//! Requests to function URLs, from the host in their head to the answer:
//!
//! ```text
//!  1 find          here              the function, by the id in the host
//!  2 preflight     cors.rs           answered without the function, and without a signature
//!  3 authenticate  chain.rs          AWS_IAM: signed for Lambda in the region of the host; NONE: anybody
//!  4 authorize     control           by the policies of the caller and of the function
//!  5 event         event.rs          the request in payload format 2.0
//!  6 invoke        here, stream.rs
//!  7 respond       answer.rs         the function's result as an answer
//!  8 decorate      cors.rs           what browsers are told
//! ```
//! See [Invoking Lambda function URLs](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html).

mod answer;
mod cors;
mod event;
mod headers;
mod stream;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use rushlight_api::Error;
use rushlight_auth::sigv4::{Accept, RequestView, claimed_credential};
use rushlight_auth::{Caller, Principal};
use rushlight_control::url_forbidden;
use rushlight_invoke::{Answer, Error as InvokeError};
use rushlight_model::arn::{FunctionReference, Qualifier};
use rushlight_model::function_url::{FunctionUrl, InvokeMode, UrlAuthType, UrlHost, UrlTarget};
use rushlight_model::invocation::{Invocation, Outcome};
use rushlight_model::request_id::RequestId;
use rushlight_model::{quota, trace};

use self::event::{EventTooLarge, UrlRequest};
use crate::chain::{self, Received};
use crate::invoke::{echo_trace, invocation, invoke_error, trace_header};
use crate::respond::{HttpResponse, Protocol, ResponseBody};
use crate::{Gateway, body};

/// The largest body. The event that it becomes part of may have no more bytes either.
const BODY_BYTES: usize = quota::SYNCHRONOUS_PAYLOAD_BYTES;

impl Gateway {
    /// Answers a request to the function URL at `host`.
    pub(crate) async fn function_url(&self, received: Received<'_>, host: UrlHost<'_>) -> HttpResponse {
        let host = &UrlHost { is_https: host.is_https || received.peer.is_encrypted, ..host };
        let (parts, request_id) = (received.parts, received.request_id);
        let refused = |error: Error| {
            tracing::debug!(%request_id, code = %error.code, message = error.message, "request.refused");
            Protocol::RestJson.error(&error).map(ResponseBody::from)
        };
        let found = match host.id() {
            Some(id) => self.control.function_by_url(&id).await,
            None => Ok(None),
        };
        let found = match found {
            Ok(found) => found.filter(|(_, target)| is_in(target, host.region)),
            Err(error) => return refused(error.into()),
        };
        let url = found.as_ref().and_then(|(head, target)| Some((head.urls.get(&target.qualifier)?, target)));
        let Some((url, target)) = url else {
            let _ = body::read(received.body, 0).await;
            return refused(Error::access_denied(None));
        };
        if let Some(answer) = url.cors.as_ref().and_then(|cors| cors::preflight(cors, parts)) {
            return answer.map(ResponseBody::from);
        }
        let mut response = self.serve(received, host, url, target).await.unwrap_or_else(refused);
        if let Some(cors) = &url.cors {
            cors::decorate(cors, &parts.headers, response.headers_mut());
        }
        response
    }

    /// Steps 3 to 7.
    async fn serve(
        &self,
        received: Received<'_>,
        host: &UrlHost<'_>,
        url: &FunctionUrl,
        target: &UrlTarget,
    ) -> Result<HttpResponse, Error> {
        let (parts, request_id) = (received.parts, received.request_id);
        let (caller, body) = self.url_caller(received, target, url.auth_type).await?;
        tracing::debug!(%request_id, url = url.id, caller = caller.principal.arn(), "request.received");
        // In permissive mode no permission is asked for, of whoever calls: as for every operation of the API.
        if self.authenticator.enforces() {
            self.control.authorize_url(&caller, target, url.auth_type).await?;
        }
        let now = self.clock.now();
        let given_trace = trace_header(parts);
        let trace = given_trace.clone().unwrap_or_else(|| trace::begin(now));
        let credential = claimed_credential(&RequestView::from(parts));
        let event = event::encode(&UrlRequest {
            parts,
            host,
            id: &url.id,
            owner: &target.function.scope.account,
            // The signature was right, so what is claimed is true.
            signer: (url.auth_type == UrlAuthType::AwsIam).then_some(&caller.principal),
            access_key_id: credential.as_ref().map(|credential| credential.access_key_id.as_str()),
            source_ip: caller.source_ip,
            request_id,
            received: now,
            trace: given_trace.as_deref().unwrap_or_else(|| trace.split(';').next().unwrap_or_default()),
            body: &body,
        });
        drop(body);
        let reference = reference(target);
        let payload = event.map_err(|EventTooLarge| too_large())?;
        let invocation = invocation(&reference, request_id, payload, trace.clone());
        let (mut response, sampled) = match url.invoke_mode() {
            InvokeMode::Buffered => self.buffered(&reference, invocation).await?,
            InvokeMode::ResponseStream => self.streamed(&reference, invocation).await?,
        };
        echo_trace(response.headers_mut(), &trace, sampled);
        Ok(response)
    }

    /// Steps 3 and 4 of the chain: who calls, and the body.
    async fn url_caller(
        &self,
        received: Received<'_>,
        target: &UrlTarget,
        auth_type: UrlAuthType,
    ) -> Result<(Caller, Bytes), Error> {
        let parts = received.parts;
        match auth_type {
            UrlAuthType::None => {
                let mut caller = Caller::new(Principal::anonymous());
                chain::describe(&mut caller, parts, received.peer);
                Ok((caller, chain::read(received.body, BODY_BYTES, |_| too_large()).await?))
            }
            UrlAuthType::AwsIam if self.authenticator.enforces() && has_dot_segments(parts) => {
                let _ = body::read(received.body, 0).await;
                Err(url_forbidden())
            }
            UrlAuthType::AwsIam => {
                let accept = Accept { services: &["lambda"], region: Some(&target.function.scope.region) };
                let verified = self.verified(received, &accept, BODY_BYTES, |_| too_large()).await;
                let (authenticated, body) = verified.map_err(|error| match &*error.code {
                    // A wrong signature is told what is wrong with it, none at all is not.
                    "MissingAuthenticationTokenException" => url_forbidden(),
                    _ => error,
                })?;
                Ok((authenticated.caller, body))
            }
        }
    }

    /// Invokes the function and waits for its whole result. Says too whether it is traced.
    async fn buffered(
        &self,
        reference: &FunctionReference,
        invocation: Invocation,
    ) -> Result<(HttpResponse, bool), Error> {
        let request_id = invocation.request_id;
        let Answer { outcome, sampled, .. } =
            match self.invoker.request_response(reference, invocation, false).await {
                Ok(answer) => answer,
                Err(error) => return not_begun(request_id, error).map(|response| (response, false)),
            };
        let Outcome::Success(result) = outcome else { return Ok((bad_gateway(), sampled)) };
        let answer = answer::from_result(&result).map(|answer| answer.map(ResponseBody::from));
        let response = answer.unwrap_or_else(|malformed| {
            tracing::debug!(%request_id, %malformed, "function_url.result_refused");
            bad_gateway()
        });
        Ok((response, sampled))
    }
}

/// The answer to a request whose invocation has not begun.
fn not_begun(request_id: RequestId, error: InvokeError) -> Result<HttpResponse, Error> {
    match error {
        error @ (InvokeError::Throttled(_) | InvokeError::NotActive { .. } | InvokeError::Recursive) => {
            Err(invoke_error(error))
        }
        InvokeError::ShuttingDown => Err(Error::service_unavailable()),
        // The alias or the function has just gone.
        InvokeError::NotFound { .. } | InvokeError::Reference(_) => Err(Error::access_denied(None)),
        // What is wrong with the machine is not for whoever calls.
        error => {
            tracing::error!(%request_id, %error, "function_url.failed");
            Ok(bad_gateway())
        }
    }
}

/// What AWS says of a function that failed, or whose result cannot be made an answer.
fn bad_gateway() -> HttpResponse {
    let mut response = Response::new(ResponseBody::from(Bytes::from_static(b"Internal Server Error")));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(http::header::CONTENT_TYPE, headers::JSON);
    response
}

fn too_large() -> Error {
    Error::request_entity_too_large(format!(
        "Request must be smaller than {BODY_BYTES} bytes for the InvokeFunctionUrl operation"
    ))
}

fn is_in(target: &UrlTarget, region: &str) -> bool {
    target.function.scope.region.eq_ignore_ascii_case(region)
}

fn reference(target: &UrlTarget) -> FunctionReference {
    let qualifier = Some(Qualifier::parse(&target.qualifier)).filter(|parsed| *parsed != Qualifier::Latest);
    FunctionReference { function: target.function.clone(), qualifier }
}

/// A signature covers the path without them, so that who overheard a request could repeat it under other paths. No
/// client sends any.
fn has_dot_segments(parts: &Parts) -> bool {
    parts.uri.path().split('/').any(|segment| matches!(segment, "." | ".."))
}
