//! Who asks, and where.

use rushlight_model::arn::Scope;
use rushlight_model::request_id::RequestId;

/// What the gateway knows about a request besides its input.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The account and region that the request is made in.
    pub scope: Scope,
    /// ARN of the caller, e.g. `arn:aws:iam::123456789012:user/ann`. It is named in messages.
    pub principal: String,
    /// The id that follows the request through the logs.
    pub request_id: RequestId,
    /// The `Host` header as the caller sent it, so that URLs handed out lead back the way the caller came.
    pub host: Option<String>,
}
