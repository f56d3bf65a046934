//! Trust policies: who may assume a role.
//!
//! See [Lambda execution role](https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html).

use super::context::Context;
use super::document::Document;
use super::evaluate::{Policies, evaluate};
use super::request::Request;
use crate::principal::Principal;

/// The service principal that functions' execution roles must trust.
pub const LAMBDA: &str = "lambda.amazonaws.com";

/// The action that a trust policy allows.
pub const ASSUME_ROLE: &str = "sts:AssumeRole";

/// Whether `service` may assume the role (`role_arn`) that has this trust policy. `context` holds what the service
/// says of its reason: [`SOURCE_ARN`](super::key::SOURCE_ARN), [`SOURCE_ACCOUNT`](super::key::SOURCE_ACCOUNT).
pub fn service_may_assume(service: &str, role_arn: &str, trust: &Document, context: &Context<'_>) -> bool {
    let principal = Principal::service("", service);
    let request = Request::new(&principal, ASSUME_ROLE, role_arn, context);
    evaluate(&request, &Policies { resource: Some(trust), ..Policies::default() }).is_allowed()
}
