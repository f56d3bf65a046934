//! The path of a request:
//!
//! ```text
//!  1 receive        listener.rs      head within limits of size and time
//!  2 route          route.rs         which service, which operation
//!  3 authenticate   authenticate.rs  all that can be decided before the body is read
//!  4 read           body.rs          within the operation's limit
//!  5 authenticate   authenticate.rs  the body belongs to the head
//!  6 dispatch       here             decode, validate, authorize, carry out: invoke.rs, control, logs, iam.rs
//!  7 respond        respond.rs       encode, add the request id
//! ```
//!
//! A request to a function URL goes a way of its own from step 3 on: see [`function_url`](crate::function_url).

use std::net::IpAddr;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use rushlight_api::lambda::Operation;
use rushlight_api::lambda::routes::Resolution;
use rushlight_api::{Error, Query, lambda, logs};
use rushlight_auth::Caller;
use rushlight_auth::sigv4::{Accept, RequestView};
use rushlight_control::RequestContext;
use rushlight_model::quota;
use rushlight_model::request_id::RequestId;
use rushlight_services::RequestContext as ServiceContext;

use crate::Gateway;
use crate::authenticate::{Authenticated, rejected};
use crate::body::{self, BodyError};
use crate::respond::{HttpResponse, Protocol, ResponseBody, finish, json};
use crate::route::Route;

/// Largest body of an operation that uploads nothing.
const CONTROL_REQUEST_BYTES: usize = 6 * 1024 * 1024;

/// A request after routing: its head, its id, where it comes from, and its body still to be read.
pub(crate) struct Received<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) body: Incoming,
    pub(crate) request_id: RequestId,
    pub(crate) peer: Peer,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub address: Option<IpAddr>,
    /// Whether what it sends came encrypted.
    pub is_encrypted: bool,
}

impl Gateway {
    /// Answers one request. Never fails: what goes wrong becomes a response.
    pub async fn handle(&self, request: Request<Incoming>, peer: Peer) -> HttpResponse {
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query());
        let route = Route::of(&parts, &query, self.control.url_place());
        let request_id = RequestId::random();
        let received = Received { parts: &parts, body, request_id, peer };
        let (protocol, answer) = match route {
            Route::FunctionUrl(host) => (Protocol::RestJson, Ok(self.function_url(received, host).await)),
            Route::Lambda(resolution) => {
                (Protocol::RestJson, self.lambda(received, &resolution, &query).await)
            }
            Route::Logs(operation) => (Protocol::AwsJson, whole(self.logs(received, operation).await)),
            Route::Code { region, sha256 } => {
                (Protocol::RestJson, whole(self.code(received.parts, region, sha256).await))
            }
            Route::Query => (Protocol::RestJson, whole(Ok(self.query(received).await))),
            Route::CreateAccount { account } => {
                (Protocol::RestJson, whole(self.create_account(received, account).await))
            }
            Route::Notices => (Protocol::RestJson, whole(self.notices(received).await)),
            Route::RuntimeVersions(action) => {
                (Protocol::RestJson, whole(self.runtime_versions(received, action).await))
            }
            Route::Health => (Protocol::RestJson, whole(Ok(health()))),
            Route::AdvanceClock => (Protocol::RestJson, whole(self.advance_clock(received, &query).await)),
            Route::Unknown(error) => (Protocol::RestJson, Err(error)),
        };
        let response = answer.unwrap_or_else(|error| {
            tracing::debug!(%request_id, code = %error.code, message = error.message, "request.refused");
            protocol.error(&error).map(ResponseBody::from)
        });
        finish(response, request_id)
    }

    async fn lambda(
        &self,
        received: Received<'_>,
        resolution: &Resolution<'_>,
        query: &Query<'_>,
    ) -> Result<HttpResponse, Error> {
        let operation = resolution.operation;
        let (parts, request_id) = (received.parts, received.request_id);
        let limit = body_limit(operation);
        let too_large = |_| too_large(operation, limit);
        let (Authenticated { scope, caller }, body) =
            self.authenticated(received, &["lambda"], limit, too_large).await?;
        tracing::debug!(%request_id, operation = operation.name(), caller = caller.principal.arn(), "request.received");
        match operation {
            Operation::Invoke => {
                let input = lambda::decode::invoke_request(&resolution.labels, query, &parts.headers, body)?;
                let owner = self.control.authorize_invocation(&caller, &scope, &input).await?;
                whole(self.invoke(parts, &owner.unwrap_or(scope), request_id, input).await)
            }
            Operation::InvokeWithResponseStream => {
                let (labels, headers) = (&resolution.labels, &parts.headers);
                let input =
                    lambda::decode::invoke_with_response_stream_request(labels, query, headers, body)?;
                let owner = self.control.authorize_response_stream(&caller, &scope, &input).await?;
                self.invoke_with_response_stream(parts, &owner.unwrap_or(scope), request_id, input).await
            }
            _ => {
                let context = RequestContext { scope, caller, request_id, host: host(parts) };
                let control = &self.control;
                whole(
                    lambda::service::dispatch(control, &context, resolution, query, &parts.headers, body)
                        .await,
                )
            }
        }
    }

    async fn logs(
        &self,
        received: Received<'_>,
        operation: logs::Operation,
    ) -> Result<Response<Bytes>, Error> {
        let (Authenticated { scope, caller }, body) =
            self.authenticated(received, &["logs"], CONTROL_REQUEST_BYTES, too_large_for_all).await?;
        logs::service::dispatch(&self.logs, &ServiceContext { scope, caller }, operation, body).await
    }

    async fn advance_clock(
        &self,
        received: Received<'_>,
        query: &Query<'_>,
    ) -> Result<Response<Bytes>, Error> {
        let (Authenticated { caller, .. }, _) =
            self.authenticated(received, &["lambda"], 1024, too_large_for_all).await?;
        self.authenticator.check_operator(&caller, "advance the clock")?;
        let seconds = query.get("seconds").and_then(|text| text.parse().ok());
        let seconds =
            seconds.ok_or_else(|| Error::validation("seconds: a whole number of seconds is wanted"))?;
        match self.clock.advance(std::time::Duration::from_secs(seconds)) {
            Ok(()) => {
                Ok(json(StatusCode::OK, &serde_json::json!({ "now": self.clock.now().to_iso_millis() })))
            }
            Err(refusal) => Err(Error::validation(refusal.to_string())),
        }
    }

    /// Steps 3 to 5, for services that find operations by their path.
    pub(crate) async fn authenticated(
        &self,
        received: Received<'_>,
        services: &[&str],
        limit: usize,
        too_large: impl FnOnce(u64) -> Error,
    ) -> Result<(Authenticated, Bytes), Error> {
        // A signature covers the normalised path, routes are taken by the path as it was sent: they must be one.
        if !RequestView::from(received.parts).is_path_normal() {
            return Err(Error::unknown_operation());
        }
        self.verified(received, &Accept { services, region: None }, limit, too_large).await
    }

    /// Steps 3 to 5, whatever the path.
    pub(crate) async fn verified(
        &self,
        received: Received<'_>,
        accept: &Accept<'_>,
        limit: usize,
        too_large: impl FnOnce(u64) -> Error,
    ) -> Result<(Authenticated, Bytes), Error> {
        let Received { parts, body, peer, .. } = received;
        // Clients sign by the machine's time, also where the clock is virtual and ahead of it.
        let now = self.clock.machine_now().as_seconds();
        let checked = match self.authenticator.check_head(&RequestView::from(parts), accept, now) {
            Ok(checked) => checked,
            Err(rejection) => {
                // Read what is small, so that the answer is heard; a stranger's large upload is cut off.
                let _ = body::read(body, 0).await;
                return Err(rejected(&rejection));
            }
        };
        let body = read(body, limit, too_large).await?;
        let mut authenticated =
            self.authenticator.check_body(checked, &body).map_err(|rejection| rejected(&rejection))?;
        describe(&mut authenticated.caller, parts, peer);
        Ok((authenticated, body))
    }
}

/// Step 4.
pub(crate) async fn read(
    body: Incoming,
    limit: usize,
    too_large: impl FnOnce(u64) -> Error,
) -> Result<Bytes, Error> {
    body::read(body, limit).await.map_err(|error| match error {
        BodyError::TooLarge { bytes } => too_large(bytes),
        BodyError::Slow | BodyError::Broken => Error::serialization(None),
    })
}

/// Adds how the call came in.
pub(crate) fn describe(caller: &mut Caller, parts: &Parts, peer: Peer) {
    caller.source_ip = peer.address;
    caller.is_encrypted = peer.is_encrypted;
    caller.user_agent = parts.headers.get(http::header::USER_AGENT).cloned();
}

fn whole(answer: Result<Response<Bytes>, Error>) -> Result<HttpResponse, Error> {
    answer.map(|response| response.map(ResponseBody::from))
}

fn host(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).map(str::to_owned)
}

fn health() -> Response<Bytes> {
    json(StatusCode::OK, &serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

fn body_limit(operation: Operation) -> usize {
    match operation {
        Operation::CreateFunction | Operation::UpdateFunctionCode | Operation::PublishLayerVersion => {
            quota::CODE_REQUEST_BYTES
        }
        Operation::Invoke | Operation::InvokeWithResponseStream => quota::SYNCHRONOUS_PAYLOAD_BYTES,
        _ => CONTROL_REQUEST_BYTES,
    }
}

/// What is said of a body that is too large, where no operation has words of its own for it.
pub(crate) fn too_large_for_all(_: u64) -> Error {
    Error::request_entity_too_large("Request body is too large")
}

fn too_large(operation: Operation, limit: usize) -> Error {
    // IAM's name of the operation, as AWS prints it here.
    let name = match operation {
        Operation::Invoke | Operation::InvokeWithResponseStream => "InvokeFunction",
        operation => operation.name(),
    };
    Error::request_entity_too_large(format!(
        "Request must be smaller than {limit} bytes for the {name} operation"
    ))
}
