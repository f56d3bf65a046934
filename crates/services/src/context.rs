//! Who asks, and where.

use rushlight_auth::Caller;
use rushlight_model::arn::Scope;

/// What a service knows of a request besides its input. Requests are about one account in one region.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Account and region.
    pub scope: Scope,
    /// Who calls.
    pub caller: Caller,
}
