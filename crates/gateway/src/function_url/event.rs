//! The event that a function gets for a request to its URL: payload format 2.0.
//!
//! Members and their order are those of [the guide](https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html)
//! as far as events recorded on AWS have them: what is absent from those, the guide's `null` members among it, is absent
//! here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::percent_decode_str;
use rushlight_api::Query;
use rushlight_auth::Principal;
use rushlight_model::clock::Timestamp;
use rushlight_model::function_url::UrlHost;
use rushlight_model::quota;
use rushlight_model::request_id::RequestId;
use serde::Serialize;

use super::headers::{is_hop_by_hop, is_named_by_connection};
use crate::invoke::TRACE_ID;

/// What URLs have in place of a route and a stage.
const DEFAULT: &str = "$default";

/// What the account and the caller are called where nobody has to sign.
const ANONYMOUS: &str = "anonymous";

/// Headers that the service sets: a caller's own would be taken for them. Without TLS of our own there is none to tell of.
const OF_THE_SERVICE: [&str; 5] =
    ["x-amzn-tls-cipher-suite", "x-amzn-tls-version", TRACE_ID, "x-forwarded-port", "x-forwarded-proto"];

/// All that an event tells of.
pub(super) struct UrlRequest<'a> {
    pub(super) parts: &'a Parts,
    pub(super) host: &'a UrlHost<'a>,
    /// The URL's id.
    pub(super) id: &'a str,
    /// The account of the function.
    pub(super) owner: &'a str,
    /// Who signed; `None` for `NONE`.
    pub(super) signer: Option<&'a Principal>,
    /// With which key.
    pub(super) access_key_id: Option<&'a str>,
    pub(super) source_ip: Option<IpAddr>,
    pub(super) request_id: RequestId,
    pub(super) received: Timestamp,
    /// What functions find in `x-amzn-trace-id`.
    pub(super) trace: &'a str,
    pub(super) body: &'a [u8],
}

/// The event has more bytes than an invocation may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventTooLarge;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<Cow<'a, str>>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'a>>,
    domain_name: String,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: String,
    route_key: &'static str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
struct Authorizer<'a> {
    iam: Iam<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Iam<'a> {
    access_key: Option<&'a str>,
    account_id: &'a str,
    caller_id: &'a str,
    cognito_identity: Option<()>,
    principal_org_id: Option<()>,
    user_arn: &'a str,
    user_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: Cow<'a, str>,
    protocol: String,
    source_ip: String,
    user_agent: Option<Cow<'a, str>>,
}

/// The event of a request.
///
/// # Errors
/// If it is larger than an invocation's payload may be.
pub(super) fn encode(request: &UrlRequest<'_>) -> Result<Bytes, EventTooLarge> {
    let uri = &request.parts.uri;
    let query = uri.query().unwrap_or_default();
    let (body, is_base64_encoded) = body(request);
    let event = Event {
        version: "2.0",
        route_key: DEFAULT,
        raw_path: uri.path(),
        raw_query_string: query,
        cookies: cookies(&request.parts.headers),
        headers: headers(request),
        query_string_parameters: parameters(query),
        request_context: context(request),
        body,
        is_base64_encoded,
    };
    let mut sink = Limited(Vec::with_capacity(request.body.len() + 2048));
    serde_json::to_writer(&mut sink, &event).map_err(|_| EventTooLarge)?;
    Ok(sink.0.into())
}

/// Takes as many bytes as a payload may have: a body of control characters is six times as long in JSON.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.0.len() + piece.len() > quota::SYNCHRONOUS_PAYLOAD_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn context<'a>(request: &UrlRequest<'a>) -> RequestContext<'a> {
    let parts = request.parts;
    let iam = |signer: &'a Principal| Iam {
        access_key: request.access_key_id,
        account_id: signer.account(),
        caller_id: signer.user_id(),
        cognito_identity: None,
        principal_org_id: None,
        user_arn: signer.arn(),
        user_id: signer.user_id(),
    };
    RequestContext {
        account_id: if request.signer.is_some() { request.owner } else { ANONYMOUS },
        api_id: request.id,
        authorizer: request.signer.map(|signer| Authorizer { iam: iam(signer) }),
        domain_name: request.host.name.to_ascii_lowercase(),
        domain_prefix: request.id,
        http: Http {
            method: parts.method.as_str(),
            path: percent_decode_str(parts.uri.path()).decode_utf8_lossy(),
            protocol: format!("{:?}", parts.version),
            source_ip: source_ip(request),
            user_agent: parts.headers.get(header::USER_AGENT).map(text),
        },
        request_id: request.request_id.to_string(),
        route_key: DEFAULT,
        stage: DEFAULT,
        time: request.received.format("%d/%b/%Y:%H:%M:%S +0000"),
        time_epoch: request.received.as_millis(),
    }
}

fn source_ip(request: &UrlRequest<'_>) -> String {
    request.source_ip.map(|address| address.to_canonical().to_string()).unwrap_or_default()
}

/// A header's value; bytes that are not UTF-8 become U+FFFD, since the event is JSON.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

fn cookies(headers: &HeaderMap) -> Vec<Cow<'_, str>> {
    let pairs = |value| match text(value) {
        Cow::Borrowed(value) => value.split(';').map(|pair| Cow::Borrowed(pair.trim())).collect::<Vec<_>>(),
        Cow::Owned(value) => value.split(';').map(|pair| Cow::Owned(pair.trim().to_owned())).collect(),
    };
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(pairs);
    pairs.filter(|pair: &Cow<'_, str>| !pair.is_empty()).collect()
}

/// As sent, in lower case, several values in one; with what the service adds.
fn headers<'a>(request: &UrlRequest<'a>) -> BTreeMap<&'a str, Cow<'a, str>> {
    let given = &request.parts.headers;
    let is_hidden = |name: &HeaderName| {
        is_hop_by_hop(name)
            || is_named_by_connection(given, name)
            || *name == header::EXPECT
            || OF_THE_SERVICE.contains(&name.as_str())
            // Where it is a signature, it has been dealt with.
            || request.signer.is_some() && *name == header::AUTHORIZATION
    };
    let shown = given.keys().filter(|name| !is_hidden(name));
    let mut headers: BTreeMap<&str, Cow<'_, str>> =
        shown.map(|name| (name.as_str(), joined(given, name))).collect();
    let address = source_ip(request);
    let path = match headers.remove("x-forwarded-for") {
        Some(before) => format!("{before}, {address}"),
        None => address,
    };
    headers.insert("x-forwarded-for", path.into());
    let (protocol, port) = if request.host.is_https { ("https", 443) } else { ("http", 80) };
    headers.insert("x-forwarded-port", request.host.port.unwrap_or(port).to_string().into());
    headers.insert("x-forwarded-proto", protocol.into());
    headers.insert(TRACE_ID, request.trace.into());
    headers
}

fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, str> {
    let mut values = headers.get_all(name).iter().map(text);
    let first = values.next().unwrap_or_default();
    let separator = if *name == header::COOKIE { "; " } else { "," };
    values.fold(first, |all, value| (all.into_owned() + separator + &value).into())
}

/// Names and values decoded, several values of a name in one.
fn parameters(query: &str) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
    let mut parameters: BTreeMap<Cow<'_, str>, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in Query::parse(Some(query)).into_pairs() {
        parameters
            .entry(name)
            .and_modify(|all| {
                let all = all.to_mut();
                all.push(',');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    parameters
}

/// The body, and whether it is in base64: all that is not known to be text.
fn body<'a>(request: &UrlRequest<'a>) -> (Option<Cow<'a, str>>, bool) {
    if request.body.is_empty() {
        return (None, false);
    }
    let given = request.parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text = given.filter(|given| is_text(given)).and_then(|_| std::str::from_utf8(request.body).ok());
    match text {
        Some(text) => (Some(text.into()), false),
        None => (Some(STANDARD.encode(request.body).into()), true),
    }
}

/// Whether bodies of this content type are text: forms are not.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is = |text: &str| kind.eq_ignore_ascii_case(text);
    kind.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
        || is("application/json")
        || is("application/xml")
        || is("application/javascript")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_aws_takes_for_text() {
        for kind in [
            "text/plain",
            "TEXT/html; charset=utf-8",
            "application/json",
            "Application/XML ;x",
            "application/javascript",
        ] {
            assert!(is_text(kind), "{kind}");
        }
        for kind in [
            "",
            "text",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/octet-stream",
            "application/jsonx",
            "t\u{e9}xt/",
        ] {
            assert!(!is_text(kind), "{kind}");
        }
    }

    #[test]
    fn repeated_parameters_are_joined() {
        let found = parameters("b=1&a=x%20y&b=2+3&&flag&=e&b");
        let expected = [("", "e"), ("a", "x y"), ("b", "1,2 3,"), ("flag", "")];
        assert_eq!(found, expected.map(|(name, value)| (name.into(), value.into())).into());
        assert!(parameters("").is_empty());
    }

    #[test]
    fn cookies_are_taken_apart() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2;"));
        headers.append(header::COOKIE, HeaderValue::from_bytes(b" c=\xff ").unwrap());
        assert_eq!(cookies(&headers), ["a=1", "b=2", "c=\u{fffd}"]);
        assert_eq!(joined(&headers, &header::COOKIE), "a=1; b=2;;  c=\u{fffd} ");
    }
}
