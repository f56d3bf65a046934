//! The metadata endpoint (version 2026-01-15), at the same address as the Runtime API: where the environment runs.
//!
//! Documentation followed: "Lambda execution environment metadata" in the AWS Lambda developer guide.

use rushlight_model::zone;
use subtle::ConstantTimeEq;

use super::reply::Reply;
use crate::Environment;
use crate::http1::head::Head;

/// `GET /2026-01-15/metadata/execution-environment`.
pub(super) fn metadata(environment: &Environment, head: &Head) -> Reply {
    let token = head.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    let expected = environment.addresses.metadata_token.as_bytes();
    if !token.is_some_and(|token| token.as_bytes().ct_eq(expected).into()) {
        return Reply::unauthorized();
    }
    let zone = match &environment.services.availability_zone_id {
        Some(zone) => zone.to_string(),
        None => zone::first(&environment.config.function.scope.region),
    };
    Reply::metadata(&serde_json::json!({ "AvailabilityZoneID": zone }).to_string())
}
