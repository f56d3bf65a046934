//! Who asks, and where.

use rushlight_auth::Caller;
use rushlight_model::arn::Scope;
use rushlight_model::request_id::RequestId;

/// What the gateway knows about a request besides its input.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The account and region that the request is made in; once it is authorized, those that it is carried out in.
    pub scope: Scope,
    /// Who calls.
    pub caller: Caller,
    /// The id that follows the request through the logs.
    pub request_id: RequestId,
    /// The `Host` header as the caller sent it, so that URLs handed out lead back the way the caller came.
    pub host: Option<String>,
}
