//! Credentials on demand (version 2021-04-23), at the same address as the Runtime API, for functions with SnapStart: those
//! in the variables of a process would end before it is restored.
//!
//! Documentation followed: "Container credential provider" in the AWS SDKs reference guide, and "Defined runtime
//! environment variables" in the AWS Lambda developer guide.

use subtle::ConstantTimeEq;

use super::reply::Reply;
use crate::Environment;
use crate::http1::head::Head;

/// The path, as `AWS_CONTAINER_CREDENTIALS_FULL_URI` has it.
pub(crate) const PATH: &str = "/2021-04-23/credentials";

/// `GET /2021-04-23/credentials`.
pub(super) fn credentials(environment: &Environment, head: &Head) -> Reply {
    let token = head.authorization.as_deref().unwrap_or_default();
    let expected = environment.addresses.credentials_token.as_bytes();
    if !bool::from(token.as_bytes().ct_eq(expected)) {
        return Reply::no_credentials();
    }
    let Some(credentials) = environment.config.credentials.issue() else { return Reply::no_credentials() };
    Reply::credentials(&serde_json::json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": credentials.expiration.format("%Y-%m-%dT%H:%M:%SZ"),
    }))
}
