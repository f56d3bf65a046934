//! Which service a request is for. A request belongs to exactly one.

use http::request::Parts;
use rushlight_api::{Error, Query, lambda, logs};
use rushlight_model::function_url::{UrlHost, UrlPlace};

use crate::runtime_versions::RuntimeVersions;

/// The header that names the operation of AWS' JSON services.
const TARGET: &str = "x-amz-target";

/// Where Rushlight's own addresses begin; no AWS service uses them.
const OWN: &str = "/_rushlight/";

/// See the [module](self).
#[derive(Debug)]
pub(crate) enum Route<'a> {
    /// Anything at the host of a function URL.
    FunctionUrl(UrlHost<'a>),
    /// `GET /_rushlight/health`.
    Health,
    /// `POST /_rushlight/clock/advance?seconds=N`.
    AdvanceClock,
    /// `GET /_rushlight/code/<account>/<region>/<sha256>`: a package, by presigned URL.
    Code { region: &'a str, sha256: &'a str },
    /// `POST /_rushlight/accounts/<account>`.
    CreateAccount { account: &'a str },
    /// `GET /_rushlight/notices`.
    Notices,
    /// `GET /_rushlight/runtime-versions`, and `POST /_rushlight/runtime-versions/<runtime>/<action>`.
    RuntimeVersions(RuntimeVersions<'a>),
    /// An operation of IAM or STS: which one is told by the form.
    Query,
    /// An operation of CloudWatch Logs.
    Logs(logs::Operation),
    /// An operation of Lambda.
    Lambda(lambda::routes::Resolution<'a>),
    /// Nothing that is served here, with the answer.
    Unknown(Error),
}

impl<'a> Route<'a> {
    pub(crate) fn of(parts: &'a Parts, query: &Query<'_>, place: &UrlPlace) -> Self {
        match function_url(parts, place) {
            Some(Ok(host)) => return Self::FunctionUrl(host),
            Some(Err(error)) => return Self::Unknown(error),
            None => {}
        }
        let path = parts.uri.path();
        if let Some(own) = path.strip_prefix(OWN) {
            return Self::own(parts, own);
        }
        if let Some(target) = parts.headers.get(TARGET) {
            let operation = target.to_str().ok().and_then(logs::Operation::from_target);
            return operation.map_or_else(|| Self::Unknown(Error::unknown_operation()), Self::Logs);
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
            ("GET", [Some("notices"), None, ..]) => Self::Notices,
            ("GET", [Some("runtime-versions"), None, ..]) => Self::RuntimeVersions(RuntimeVersions::List),
            ("POST", [Some("runtime-versions"), Some(runtime), Some(action), None, ..]) => match action {
                "publish" => Self::RuntimeVersions(RuntimeVersions::Publish { runtime }),
                "rollout" => Self::RuntimeVersions(RuntimeVersions::RollOut { runtime }),
                "withdraw" => Self::RuntimeVersions(RuntimeVersions::Withdraw { runtime }),
                _ => Self::Unknown(Error::unknown_operation()),
            },
            ("GET", [Some("code"), Some(_account), Some(region), Some(sha256), None]) => {
                Self::Code { region, sha256 }
            }
            _ => Self::Unknown(Error::unknown_operation()),
        }
    }
}

/// The function URL whose host the request names, in its header or in its target. Costs other requests one look at the
/// header.
///
/// A request that names two hosts is refused: the signature covers the header, and what is in front of the server may
/// have gone by the other.
fn function_url<'a>(parts: &'a Parts, place: &UrlPlace) -> Option<Result<UrlHost<'a>, Error>> {
    let headers = || parts.headers.get_all(http::header::HOST).iter();
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    let texts = headers().filter_map(|host| host.to_str().ok()).chain(target);
    let mut named = texts.filter_map(|text| Some((text, place.locate(text)?)));
    let (text, host) = named.next()?;
    let is_same = |other: &[u8]| other.eq_ignore_ascii_case(text.as_bytes());
    let agree = headers().all(|other| is_same(other.as_bytes()))
        && target.is_none_or(|other| is_same(other.as_bytes()))
        && headers().nth(1).is_none();
    if !agree {
        return Some(Err(Error::validation("The request names more than one host.")));
    }
    // A tunnel is nothing that a function could answer with.
    (parts.method != http::Method::CONNECT).then_some(Ok(host))
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
