//! A request as the signature sees it.

use http::HeaderMap;

use super::canonical;

/// The head of a request, exactly as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'r> {
    /// `GET`, `POST`, …
    pub method: &'r str,
    /// The path as sent: percent-encoded, not normalised. See [`RequestView::is_path_normal`].
    pub path: &'r str,
    /// What follows the question mark, as sent.
    pub query: Option<&'r str>,
    /// The authority of the request target, which stands in for a missing `Host` header.
    pub authority: Option<&'r str>,
    /// All headers.
    pub headers: &'r HeaderMap,
}

impl RequestView<'_> {
    /// Whether the path is free of empty and dot segments.
    ///
    /// Except for Amazon S3, signatures do not tell `/a/../b` from `/b`: whoever holds a signed request can
    /// send it under any path that normalises to the same. A server that routes on the path as sent must refuse
    /// one that is not normal.
    pub fn is_path_normal(&self) -> bool {
        canonical::is_normal(self.path)
    }
}

impl<'r> From<&'r http::request::Parts> for RequestView<'r> {
    fn from(parts: &'r http::request::Parts) -> Self {
        Self {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            authority: parts.uri.authority().map(|authority| authority.as_str()),
            headers: &parts.headers,
        }
    }
}
