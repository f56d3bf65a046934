//! The metadata endpoint (version 2026-01-15), at the same address as the Runtime API: where the environment runs.
//!
//! Documentation followed: "Lambda execution environment metadata" in the AWS Lambda developer guide.

use rushlight_model::zone;

use super::reply::Reply;
use crate::Environment;
use crate::http1::head::Head;

/// `GET /2026-01-15/metadata/execution-environment`.
pub(super) fn metadata(environment: &Environment, head: &Head) -> Reply {
    let token = head.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| is_same(token, &environment.addresses.metadata_token)) {
        return Reply::unauthorized();
    }
    let zone = match &environment.services.availability_zone_id {
        Some(zone) => zone.to_string(),
        None => zone::first(&environment.config.function.scope.region),
    };
    Reply::metadata(&serde_json::json!({ "AvailabilityZoneID": zone }).to_string())
}

/// In a time that does not tell where they differ.
fn is_same(given: &str, token: &str) -> bool {
    let pairs = given.bytes().zip(token.bytes());
    given.len() == token.len() && pairs.fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
