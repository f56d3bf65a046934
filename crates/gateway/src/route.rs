//! Which service a request is for. A request belongs to exactly one.

use http::request::Parts;
use rushlight_api::{Query, lambda, logs};

/// The header that names the operation of AWS' JSON services.
const TARGET: &str = "x-amz-target";

/// Where Rushlight's own addresses begin; no AWS service uses them.
const OWN: &str = "/_rushlight/";

/// See the [module](self).
#[derive(Debug)]
pub(crate) enum Route<'a> {
    /// `GET /_rushlight/health`.
    Health,
    /// `POST /_rushlight/clock/advance?seconds=N`.
    AdvanceClock,
    /// `GET /_rushlight/code/<account>/<region>/<sha256>`: a package, by presigned URL.
    Code { region: &'a str, sha256: &'a str },
    /// `POST /_rushlight/accounts/<account>`.
    CreateAccount { account: &'a str },
    /// An operation of IAM or STS: which one is told by the form.
    Query,
    /// An operation of CloudWatch Logs.
    Logs(logs::Operation),
    /// An operation of Lambda.
    Lambda(lambda::routes::Resolution<'a>),
    /// Nothing that is served here, with the answer.
    Unknown(rushlight_api::Error),
}

impl<'a> Route<'a> {
    pub(crate) fn of(parts: &'a Parts, query: &Query<'_>) -> Self {
        let path = parts.uri.path();
        if let Some(own) = path.strip_prefix(OWN) {
            return Self::own(parts, own);
        }
        if let Some(target) = parts.headers.get(TARGET) {
            let operation = target.to_str().ok().and_then(logs::Operation::from_target);
            return operation
                .map_or_else(|| Self::Unknown(rushlight_api::Error::unknown_operation()), Self::Logs);
        }
        if path == "/" && is_form(parts, query) {
            return Self::Query;
        }
        match lambda::routes::resolve(&parts.method, path, query) {
            Some(resolution) => Self::Lambda(resolution),
            None => Self::Unknown(lambda::routes::unresolved(path)),
        }
    }

    fn own(parts: &Parts, path: &'a str) -> Self {
        let mut segments = path.split('/');
        let segments = [segments.next(), segments.next(), segments.next(), segments.next(), segments.next()];
        match (parts.method.as_str(), segments) {
            ("GET" | "HEAD", [Some("health"), None, ..]) => Self::Health,
            ("POST", [Some("clock"), Some("advance"), None, ..]) => Self::AdvanceClock,
            ("POST", [Some("accounts"), Some(account), None, ..]) => Self::CreateAccount { account },
            ("GET", [Some("code"), Some(_account), Some(region), Some(sha256), None]) => {
                Self::Code { region, sha256 }
            }
            _ => Self::Unknown(rushlight_api::Error::unknown_operation()),
        }
    }
}

/// Whether this is a request of the Query protocol: a form, or a query that names an action.
fn is_form(parts: &Parts, query: &Query<'_>) -> bool {
    let content_type = parts.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match parts.method {
        http::Method::POST => {
            content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        }
        http::Method::GET => query.get("Action").is_some(),
        _ => false,
    }
}
