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
    Code { account: &'a str, region: &'a str, sha256: &'a str },
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
            ("GET", [Some("code"), Some(account), Some(region), Some(sha256), None]) => {
                Self::Code { account, region, sha256 }
            }
            _ => Self::Unknown(rushlight_api::Error::unknown_operation()),
        }
    }
}
