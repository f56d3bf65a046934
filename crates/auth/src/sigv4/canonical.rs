//! The canonical request: one spelling of a request that signer and verifier both arrive at.
//!
//! ```text
//! METHOD \n path \n query \n name:value \n …  \n signed;header;names \n hash-of-body
//! ```
//! It is never built when verifying: every part goes straight into SHA-256 through [`Sink`]. What is allocated
//! is one list of header names, and for a request with a query one buffer and one list of its pairs.

use http::HeaderMap;
use http::header::HOST;
use sha2::{Digest, Sha256};

use super::percent::{Part, put_path, put_renormalised};
use super::request::RequestView;
use super::rules::SigningRules;

/// Takes the canonical request piece by piece.
pub(super) trait Sink {
    /// Appends a piece.
    fn put(&mut self, piece: &[u8]);
}

impl Sink for Sha256 {
    fn put(&mut self, piece: &[u8]) {
        Digest::update(self, piece);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, piece: &[u8]) {
        self.extend_from_slice(piece);
    }
}

/// The names of the headers that a signature covers, in the order in which they are signed.
#[derive(Debug)]
pub(super) struct SignedHeaders<'r>(Vec<&'r str>);

impl<'r> SignedHeaders<'r> {
    /// Reads `host;x-amz-date`. Order and case do not matter to AWS, so both are put right here.
    pub(super) fn parse(list: &'r str) -> Self {
        let mut names: Vec<&str> = Vec::with_capacity(8);
        names.extend(list.split(';').filter(|name| !name.is_empty()));
        if !names.is_sorted_by(|a, b| folded(a).lt(folded(b))) {
            names.sort_by(|a, b| folded(a).cmp(folded(b)));
            names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        }
        Self(names)
    }

    /// Whether the header is covered; `name` in lower case.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|signed| folded(signed).cmp(name.bytes())).is_ok()
    }

    /// `host;x-amz-date` again, in order.
    pub(super) fn put(&self, sink: &mut impl Sink) {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                sink.put(b";");
            }
            put_lower_case(sink, name);
        }
    }
}

fn folded(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

fn put_lower_case(sink: &mut impl Sink, name: &str) {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        sink.put(name.to_ascii_lowercase().as_bytes());
    } else {
        sink.put(name.as_bytes());
    }
}

/// A header that the signature covers is not in the request, so no signature over it can be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedHeaderAbsent;

/// Puts everything but the hash of the body, which ends the canonical request.
pub(super) fn put_head(
    sink: &mut impl Sink,
    request: &RequestView<'_>,
    signed: &SignedHeaders<'_>,
    rules: &SigningRules,
    leave_out_signature: bool,
) -> Result<(), SignedHeaderAbsent> {
    sink.put(request.method.as_bytes());
    sink.put(b"\n");
    put_canonical_path(sink, request.path, rules);
    sink.put(b"\n");
    put_canonical_query(sink, request.query.unwrap_or_default(), leave_out_signature);
    sink.put(b"\n");
    for name in &signed.0 {
        put_header(sink, name, request.headers, request.authority)?;
    }
    sink.put(b"\n");
    signed.put(sink);
    sink.put(b"\n");
    Ok(())
}

fn put_canonical_path(sink: &mut impl Sink, path: &str, rules: &SigningRules) {
    let path = if path.is_empty() { "/" } else { path };
    if !rules.normalize_path || is_normal(path) {
        return put_segment(sink, path, rules);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    for segment in &kept {
        sink.put(b"/");
        put_segment(sink, segment, rules);
    }
    let ends_in_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if kept.is_empty() || ends_in_directory {
        sink.put(b"/");
    }
}

/// Whether there is nothing to normalise: the case of every path that a client of the API makes.
pub(super) fn is_normal(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    segments.is_empty() && path.len() == 1
        || !segments.is_empty() && segments.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

fn put_segment(sink: &mut impl Sink, segment: &str, rules: &SigningRules) {
    if rules.double_encode_path {
        put_path(sink, segment.as_bytes());
    } else {
        put_renormalised(sink, segment.as_bytes(), Part::Path);
    }
}

/// One `name=value` of a query within the buffer that holds them all.
struct Pair {
    start: usize,
    name_end: usize,
    end: usize,
}

fn put_canonical_query(sink: &mut impl Sink, query: &str, leave_out_signature: bool) {
    if query.is_empty() {
        return;
    }
    let mut text: Vec<u8> = Vec::with_capacity(query.len() + 32);
    let mut pairs: Vec<Pair> = Vec::with_capacity(8);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let start = text.len();
        put_renormalised(&mut text, name.as_bytes(), Part::Query);
        let name_end = text.len();
        if leave_out_signature && &text[start..] == b"X-Amz-Signature" {
            text.truncate(start);
            continue;
        }
        text.push(b'=');
        put_renormalised(&mut text, value.as_bytes(), Part::Query);
        pairs.push(Pair { start, name_end, end: text.len() });
    }
    // By name, then by value: the equals sign must not take part, as it sorts after the hyphen.
    pairs.sort_by_key(|pair| (&text[pair.start..pair.name_end], &text[pair.name_end..pair.end]));
    for (index, pair) in pairs.iter().enumerate() {
        if index > 0 {
            sink.put(b"&");
        }
        sink.put(&text[pair.start..pair.end]);
    }
}

fn put_header(
    sink: &mut impl Sink,
    name: &str,
    headers: &HeaderMap,
    authority: Option<&str>,
) -> Result<(), SignedHeaderAbsent> {
    put_lower_case(sink, name);
    let mut values = headers.get_all(name).iter().map(|value| value.as_bytes());
    // HTTP/2 carries the host in the request target.
    let stand_in = authority.filter(|_| name.eq_ignore_ascii_case(HOST.as_str()));
    let first = values.next().or(stand_in.map(str::as_bytes)).ok_or(SignedHeaderAbsent)?;
    sink.put(b":");
    put_trimmed(sink, first);
    for value in values {
        sink.put(b",");
        put_trimmed(sink, value);
    }
    sink.put(b"\n");
    Ok(())
}

/// Puts a header's value without white space at its ends and with single spaces within.
fn put_trimmed(sink: &mut impl Sink, value: &[u8]) {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            sink.put(b" ");
        }
        sink.put(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn path(raw: &str, rules: &SigningRules) -> String {
        text(|out| put_canonical_path(out, raw, rules))
    }

    #[test]
    fn paths_are_normalised_and_encoded_again() {
        for (raw, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/./", "/"),
            ("/..", "/"),
            ("/./example", "/example"),
            ("//example//", "/example/"),
            ("/example1/example2/../..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/", "/a/"),
            ("/a/.b/..c", "/a/.b/..c"),
            ("a", "/a"),
            ("/2015-03-31/functions/arn%3Aaws/invocations", "/2015-03-31/functions/arn%253Aaws/invocations"),
        ] {
            assert_eq!(path(raw, &SigningRules::COMMON), canonical, "{raw}");
        }
    }

    #[test]
    fn s3_paths_are_kept_and_encoded_once() {
        for (raw, canonical) in [("//a/../b", "//a/../b"), ("/a%20b/%7e:c", "/a%20b/~%3Ac"), ("", "/")] {
            assert_eq!(path(raw, &SigningRules::S3), canonical, "{raw}");
        }
    }

    #[test]
    fn queries_are_sorted_by_name_then_value() {
        let query = |raw: &str, signed| text(|out| put_canonical_query(out, raw, signed));
        assert_eq!(query("b=2&a=z&a=b&&Z=1&flag", false), "Z=1&a=b&a=z&b=2&flag=");
        assert_eq!(query("a-b=1&a=2", false), "a=2&a-b=1");
        assert_eq!(query("q=a+b%20c&r=%e1%88%b4", false), "q=a%20b%20c&r=%E1%88%B4");
        assert_eq!(query("X-Amz-Signature=x&a=1", true), "a=1");
        assert_eq!(query("X-Amz-Signature=x&a=1", false), "X-Amz-Signature=x&a=1");
        assert_eq!(query("a=b=c", false), "a=b%3Dc");
    }

    #[test]
    fn signed_header_names_are_sorted_and_in_lower_case() {
        let names = SignedHeaders::parse("x-amz-date;Host;content-type;host");
        assert_eq!(text(|out| names.put(out)), "content-type;host;x-amz-date");
        assert!(names.contains("host") && names.contains("x-amz-date") && !names.contains("x-amz"));
    }

    #[test]
    fn header_values_are_trimmed_and_joined() {
        let mut headers = HeaderMap::new();
        headers.append("my-header", " \"a   b\t c\" ".parse().unwrap());
        headers.append("my-header", "".parse().unwrap());
        headers.append("my-header", "z".parse().unwrap());
        let line = text(|out| put_header(out, "My-Header", &headers, None).unwrap());
        assert_eq!(line, "my-header:\"a b c\",,z\n");
        let host = text(|out| put_header(out, "host", &headers, Some("h:1")).unwrap());
        assert_eq!(host, "host:h:1\n");
        assert_eq!(put_header(&mut Vec::new(), "host", &headers, None), Err(SignedHeaderAbsent));
        assert_eq!(put_header(&mut Vec::new(), "ho\nst", &headers, Some("h")), Err(SignedHeaderAbsent));
    }
}
