//! Cross-origin resource sharing, answered by the service.
//!
//! See "Cross-origin resource sharing (CORS)" in [Creating and managing Lambda function
//! URLs](https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors): a preflight request is answered
//! with what is configured and nothing else; to the answers of functions it is added, also where the function has put the
//! same header.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use rushlight_model::function_url::Cors;

use super::headers::JSON;

/// All there are.
const ANY: &str = "*";

/// What pages may do without asking: allowed where no methods are configured.
const SIMPLE_METHODS: [&str; 3] = ["GET", "HEAD", "POST"];

/// The answer to a preflight request; `None` if this is none. An origin or a method that is not allowed gets an answer
/// that allows nothing.
pub(super) fn preflight(cors: &Cors, parts: &Parts) -> Option<Response<Bytes>> {
    let asked = &parts.headers;
    let is_preflight = parts.method == Method::OPTIONS && asked.contains_key(ORIGIN);
    let method = asked.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| is_preflight)?;
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if allows_method(cors, method) && allow_origin(cors, asked, headers) {
        put_list(cors, headers, ACCESS_CONTROL_ALLOW_METHODS, cors.allow_methods.as_deref(), Some(method));
        let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS);
        put_list(cors, headers, ACCESS_CONTROL_ALLOW_HEADERS, cors.allow_headers.as_deref(), wanted);
        if let Some(seconds) = cors.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, seconds.into());
        }
    }
    Some(response)
}

/// Adds what is configured to an answer, if its request comes from an origin that is allowed.
pub(super) fn decorate(cors: &Cors, asked: &HeaderMap, headers: &mut HeaderMap) {
    if allow_origin(cors, asked, headers) {
        put_list(cors, headers, ACCESS_CONTROL_EXPOSE_HEADERS, cors.expose_headers.as_deref(), None);
    }
}

/// Names the origin of the request if it is allowed. Browsers do not take `*` where credentials are allowed.
fn allow_origin(cors: &Cors, asked: &HeaderMap, headers: &mut HeaderMap) -> bool {
    let Some(origin) = asked.get(ORIGIN) else { return false };
    let allowed = cors.allow_origins.as_deref().unwrap_or_default();
    if is_any(allowed) && !allows_credentials(cors) {
        append(headers, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static(ANY));
    } else if is_any(allowed) || allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        append(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        append(headers, VARY, HeaderValue::from_static("Origin"));
    } else {
        return false;
    }
    if allows_credentials(cors) {
        append(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}

fn allows_credentials(cors: &Cors) -> bool {
    cors.allow_credentials == Some(true)
}

fn allows_method(cors: &Cors, method: &HeaderValue) -> bool {
    let is = |allowed: &str| allowed == ANY || allowed.as_bytes() == method.as_bytes();
    match cors.allow_methods.as_deref() {
        Some(allowed) => allowed.iter().any(|allowed| is(allowed)),
        None => SIMPLE_METHODS.into_iter().any(is),
    }
}

fn is_any(list: &[String]) -> bool {
    list.iter().any(|entry| entry == ANY)
}

/// Puts a list as configured; `asked` in place of `*` where that would not be taken.
fn put_list(
    cors: &Cors,
    headers: &mut HeaderMap,
    name: HeaderName,
    list: Option<&[String]>,
    asked: Option<&HeaderValue>,
) {
    let list = list.filter(|list| !list.is_empty());
    let value = match (list, asked) {
        (None, _) => return,
        (Some(list), Some(asked)) if is_any(list) && allows_credentials(cors) => asked.clone(),
        // What is configured may hold what no header can: such a list allows nothing.
        (Some(list), _) => match HeaderValue::from_bytes(list.join(",").as_bytes()) {
            Ok(value) => value,
            Err(_) => return,
        },
    };
    append(headers, name, value);
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    // There are fewer headers than a map can hold: a function's have a limit.
    let _ = headers.try_append(name, value);
}
