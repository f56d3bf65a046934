//! Headers that are not a function's business, or not its own.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The type of answers whose function names none.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Of one connection, not of the request or answer on it (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether the header ends here.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// Whether `Connection` says of this header that it ends here.
pub(super) fn is_named_by_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(',')).map(str::trim);
    options.any(|option| option.eq_ignore_ascii_case(name.as_str()))
}

/// What AWS calls a function's header that the answer has one of its own for; `None` for all others.
pub(super) fn remapped(name: &HeaderName) -> Option<HeaderName> {
    match name.as_str() {
        "content-length" => Some(HeaderName::from_static("x-amzn-remapped-content-length")),
        "date" => Some(HeaderName::from_static("x-amzn-remapped-date")),
        "server" => Some(HeaderName::from_static("x-amzn-remapped-server")),
        "www-authenticate" => Some(HeaderName::from_static("x-amzn-remapped-www-authenticate")),
        _ => None,
    }
}
